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


@app.command("set")
def set_targets(
    *,
    what: What,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="TARGET", help="Where calls go; repeat in order. A base followed by … keeps the extension."),
    ],
    disarmed: Annotated[bool, typer.Option("--disarmed", help="Save the targets without switching the diversion on.")] = False,
    order: InOrder = "",
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Set the targets of a diversion and arm it, e.g. sipproxy divert set +493023125010 --to '0171 3920010'."""
    _show(connect(config, socket).request("divert", action="set", what=what, to=to, armed=not disarmed, order=order))


@app.command()
def arm(what: What, order: InOrder = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Switch a diversion on: from now on calls are diverted while the line is down."""
    _show(connect(config, socket).request("divert", action="arm", what=what, order=order))


@app.command()
def disarm(what: What, order: InOrder = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Switch a diversion off; its targets stay saved."""
    _show(connect(config, socket).request("divert", action="disarm", what=what, order=order))


def _show(result: dict[str, Any]) -> None:
    armed = "[green]armed[/]" if result["armed"] else "[yellow]not armed[/]"
    what = escape(f"{result['label']} → {', '.join(result['targets'])}")
    output.print(f"{what}  {armed}  (version {result['version']})")
    output.print(f"[dim]{escape(result['state'])}[/]")
    for warning in result["warnings"]:
        output.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
