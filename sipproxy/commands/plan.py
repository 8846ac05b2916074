"""``sipproxy plan``: which plan of an order is on, and switching it."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json


def plan(
    *,
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The plan to switch to; without it the plans are shown.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Switch to no plan: rules without one count alone.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; it stands in the log of changes.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show the plans of an order, or switch one on: the rules of the others rest, sipproxy undo VERSION takes it back."""
    if off and name is not None:
        raise typer.BadParameter("give a plan or --off, not both", param_hint="NAME")
    client = connect(config, socket)
    if off or name is not None:
        result = client.request("plan", action="switch", order=order, plan=name, note=note)
    else:
        result = client.request("plan", action="show", order=order)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    on = result["plan"]
    what = f"the plan {on}" if on is not None else "no plan"
    version = f"  (version {result['version']})" if "version" in result else ""
    before = " (as before)" if "version" in result and result["before"] == on else ""
    output.print(f"order {escape(result['order'])}: {escape(what)} is on{before}{version}")
    for item in result["plans"]:
        mark = "→" if item["name"] == on else " "
        rules = len(item["rules"])
        output.print(
            f"  {mark} {escape(item['name'])}  [dim]{rules} {'rule' if rules == 1 else 'rules'}, {item['armed']} armed[/]"
        )
    if not result["plans"]:
        output.print("[dim]no rule of this order belongs to a plan[/]")
    for warning in result.get("warnings", ()):
        output.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
