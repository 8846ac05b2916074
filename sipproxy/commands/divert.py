"""``sipproxy divert``: diversions of a number, a block or a whole order."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from sipproxy.commands.output import ConfigFile, SocketPath, connect, output

app = typer.Typer(help="Diversions: set targets, arm (switch on), disarm (switch off).", no_args_is_help=True)

What = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER|block:ID|order:ID",
        help="Whose calls: one number (+493023125010, 030 23125010), a block or an order.",
    ),
]

InOrder = Annotated[
    str,
    typer.Option(
        "--order", metavar="ID", help="The rule for the time when it belongs to this order; default: now, or else next."
    ),
]

OfPlan = Annotated[
    str,
    typer.Option("--plan", metavar="NAME", help="The rule that counts only while the order has this plan on (sipproxy plan)."),
]


@app.command("set")
def set_targets(
    *,
    what: What,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="TARGET", help="Where calls go; repeat in order. A base followed by … keeps the extension."),
    ],
    disarmed: Annotated[bool, typer.Option("--disarmed", help="Save the targets without switching the diversion on.")] = False,
    note: Annotated[str, typer.Option("--note", help="What the rule is for; it is kept with it.")] = "",
    order: InOrder = "",
    plan: OfPlan = "",
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Set the targets of a diversion and arm it, e.g. sipproxy divert set +493023125010 --to '0171 3920010'."""
    rule = {"what": what, "order": order, "plan": plan}
    _show(connect(config, socket).request("divert", action="set", to=to, armed=not disarmed, note=note, **rule))


@app.command()
def arm(*, what: What, order: InOrder = "", plan: OfPlan = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Switch a diversion on: from now on calls are diverted while the line is down."""
    _show(connect(config, socket).request("divert", action="arm", what=what, order=order, plan=plan))


@app.command()
def disarm(*, what: What, order: InOrder = "", plan: OfPlan = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Switch a diversion off; its targets stay saved."""
    _show(connect(config, socket).request("divert", action="disarm", what=what, order=order, plan=plan))


@app.command()
def remove(*, what: What, order: InOrder = "", plan: OfPlan = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Remove a diversion with its targets; "disarm" keeps them."""
    result = connect(config, socket).request("divert", action="remove", what=what, order=order, plan=plan)
    output.print(f"{escape(result['label'])}  [yellow]removed[/]  (version {result['version']})")
    _notes(result)


def _show(result: dict[str, Any]) -> None:
    armed = "[green]armed[/]" if result["armed"] else "[yellow]not armed[/]"
    what = escape(f"{result['label']} → {', '.join(result['targets'])}")
    output.print(f"{what}  {armed}  (version {result['version']})")
    _notes(result)


def _notes(result: dict[str, Any]) -> None:
    output.print(f"[dim]{escape(result['state'])}[/]")
    for warning in result["warnings"]:
        output.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
