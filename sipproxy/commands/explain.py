"""``sipproxy explain``: what would happen to a call to a number now, and why."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json


def explain(
    *,
    number: Annotated[str, typer.Argument(help="The called number in any form: +49…, 0049…, 030….")],
    interconnect: Annotated[
        str | None,
        typer.Option("--interconnect", "-i", help="As if the call came from this interconnect; else the first one."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Say what a call to NUMBER would get right now, step by step, from the running service's own table."""
    result = connect(config, socket).request("explain", number=number, interconnect=interconnect)
    if as_json:
        print_json(result)
        return
    steps = Table.grid(padding=(0, 2))
    steps.add_column(style="dim", justify="right")
    steps.add_column()
    for step in result["trace"]:
        steps.add_row(step["step"], escape(step["text"]))
    steps.add_row("result", f"[bold]{escape(result['sentence'])}[/]")
    output.print(steps)
