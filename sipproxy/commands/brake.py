"""``sipproxy brake``: the brake against fraud, which lets rules rest when too many calls are diverted."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.telling import clock

app = typer.Typer(help="Diverted calls by order, and rules that rest because there were too many.")
_COLOURS = {"resting": "red", "warned": "yellow", "free": "green"}
_WORDS = {"resting": "rests", "warned": "warned", "free": "counts"}


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many orders, the fullest first.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show the orders with diverted calls in the last day, and whose rules rest."""
    if context.invoked_subcommand is None:
        _show(connect(config, socket).request("brake", action="show", limit=limit), as_json=as_json)


@app.command()
def release(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Let the rules of an order count again at once; its calls are counted anew from now on."""
    _show(connect(config, socket).request("brake", action="release", order=order), as_json=False)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    if not result["enabled"]:
        output.print("[yellow]the brake is off[/]: limits are told, rules do not rest")
    if not result["orders"]:
        output.print("no call was diverted in the last day")
        return
    table = Table("order", "customer", "rules", "hour", "day", "since", "until", box=None, pad_edge=False)
    for row in result["orders"]:
        table.add_row(
            escape(row["order"]),
            escape(row["customer"]),
            f"[{_COLOURS[row['level']]}]{_WORDS[row['level']]}[/]",
            f"{row['hour']} of {row['hour_limit']}",
            f"{row['day']} of {row['day_limit']}",
            clock(row["since_unix_ms"] or None),
            clock(row["ends_unix_ms"] or None),
        )
    output.print(table)
    hidden = result["orders_counted"] - len(result["orders"])
    if hidden > 0:
        output.print(f"[dim]… and {hidden} more (--limit)[/]")
