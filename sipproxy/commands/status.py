"""``sipproxy status``: the lines and the service at a glance."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json

_MOST_SITES = 50
_COLOURS = {"up": "green", "suspect": "yellow", "down": "red", "unknown": "dim"}


def status(
    *,
    faulty: Annotated[bool, typer.Option("--faulty", help="Only lines that are not up.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many lines.")] = 200,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show lines with state, since when and why, and the state of the service itself."""
    result = connect(config, socket).request("status", faulty=faulty, limit=limit)
    if as_json:
        print_json(result)
        return
    output.print(_lines(result["lines"]))
    hidden = result["lines_matching"] - len(result["lines"])
    if hidden > 0:
        output.print(f"[dim]… and {hidden} more (--limit)[/]")
    if result["sites"]:
        output.print(_sites(result["sites"]))
    for name, text in result["service"].items():
        output.print(f"[dim]{name:>9}[/]  {escape(text)}")


def _lines(lines: list[dict[str, Any]]) -> Table:
    table = Table("line", "product", "state", "diverting", "since", "cause", "bindings", box=None, pad_edge=False)
    for line in lines:
        state = line["effective"]
        shown = state if line["wish"] == "enabled" else f"{state} ({line['wish']})"
        table.add_row(
            escape(line["line_id"]),
            escape(line["product"]),
            f"[{_COLOURS.get(state, 'default')}]{shown}[/]",
            "[red]yes[/]" if line["diverting"] else "no",
            _since(line["since_unix_ms"]),
            escape(line["cause_text"]),
            str(line["bindings"]),
        )
    return table


def _sites(sites: list[dict[str, Any]]) -> Table:
    table = Table("site", "state", "lines down", "since", "evidence", box=None, pad_edge=False)
    for site in sites[:_MOST_SITES]:
        colour = "red" if site["state"] == "down" else "yellow"
        shown = f"[{colour}]{site['state']}[/]"
        lines, since = f"{site['down']} of {site['total']}", _since(site["since_unix_ms"])
        table.add_row(escape(site["site"]), shown, lines, since, escape(site["evidence"]))
    return table


def _since(unix_ms: int) -> str:
    if not unix_ms:
        return "—"
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M}"
