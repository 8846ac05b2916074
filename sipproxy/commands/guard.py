"""``sipproxy guard``: what happens when many lines fall together."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json

app = typer.Typer(help="When many lines fall together: show what is held, freeze or release by hand.")
_REASONS = {
    "many_lines": "many lines that share nothing fell silent together: the fault may be ours",
    "send_refused": "our own network stack refuses to send",
    "operator": "frozen by hand",
}
_ENDS = {
    "limit": "the limit was over",
    "operator": "released by hand",
    "answered": "the lines answered again",
    "explained": "it was a fault of a few groups",
    "disabled": "the guard was switched off",
}


@app.callback(invoke_without_command=True)
def show(context: typer.Context, *, as_json: AsJson = False, config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Show whether falls are held, what the guard sees, and the last freezes."""
    if context.invoked_subcommand is None:
        _show(connect(config, socket).request("guard", action="show"), as_json=as_json)


@app.command()
def freeze(
    *,
    seconds: Annotated[
        int, typer.Option("--for", min=0, max=86_400, help="Ends by itself after so many seconds; 0: never.")
    ] = 3600,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Hold falls from now on: lines stay suspect, each call still rescues itself."""
    result = connect(config, socket).request("guard", action="freeze", limit_s=seconds)
    _show(result, as_json=False)


@app.command()
def release(*, config: ConfigFile = None, socket: SocketPath = None) -> None:
    """End a freeze: what is still silent falls within two seconds."""
    _show(connect(config, socket).request("guard", action="release"), as_json=False)


def _show(state: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    if state["frozen"]:
        until = f", at most until {_clock(state['until_unix_ms'])}" if state["until_unix_ms"] else ""
        by = f" by {escape(state['by'])}" if state["by"] else ""
        output.print(
            f"[red]frozen[/]{by} since {_clock(state['since_unix_ms'])}{until}: {_REASONS.get(state['reason'], state['reason'])}"
        )
        output.print(f"{state['held']} lines would be down and are held; each call to them rescues itself")
    else:
        output.print(
            "[green]open[/]: lines fall as their evidence says" + ("" if state["enabled"] else "; the guard is switched off")
        )
    output.print(f"{state['troubled']} of {state['lines']} lines that answered stopped a moment ago")
    if state["groups"]:
        table = Table("group", "stopped", "of", box=None, pad_edge=False)
        for group in state["groups"]:
            table.add_row(escape(group["group"]), str(group["troubled"]), str(group["lines"]))
        output.print(table)
    if state["last"]:
        table = Table("frozen", "until", "why", "end", "held at most", box=None, pad_edge=False)
        for past in state["last"]:
            end = _ENDS.get(past["released"], "goes on")
            until = _clock(past["until_unix_ms"]) if past["until_unix_ms"] else "—"
            table.add_row(_clock(past["from_unix_ms"]), until, past["reason"], end, str(past["held"]))
        output.print(table)


def _clock(unix_ms: int) -> str:
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
