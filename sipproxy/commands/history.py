"""``sipproxy history`` and ``sipproxy events``: what happened, and what is happening."""

import json
import re
import time
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.telling import clock, tell

_POLL_S = 0.5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COLOURS = {"drill": "magenta", "wish": "magenta", "lost": "red", "gap": "red", "guard": "red", "brake": "red", "calls": "dim"}

Since = Annotated[str, typer.Option("--since", help="How far back: 90s, 30m, 24h, 7d.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many events, the newest.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as events happen, until ctrl-C.")]
Lang = Annotated[Literal["en", "de"], typer.Option("--lang", help="Language of the place of a fault.")]


def history(
    *,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    since: Since = "24h",
    limit: Limit = 100,
    calls: Annotated[bool, typer.Option("--calls", help="Single diverted calls as well (numbers masked).")] = False,
    follow: Follow = False,
    lang: Lang = "en",
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show what happened to a line: health with its evidence, diversions, drills, wishes, registrations, calls."""
    client = connect(config, socket)
    asked = {"line": line, "limit": limit, "since_unix_ms": _start(since), "calls": calls}
    answer = client.request("history", **asked)
    if as_json and not follow:
        print_json(answer["events"])
        return
    if not answer["events"] and not follow:
        output.print(f"[dim]nothing happened to {escape(line)} in the last {escape(since)}[/]")
    while True:
        for record in answer["events"]:
            _print(record, lang, as_json=as_json, with_line=False)
        if not follow:
            return
        time.sleep(_POLL_S)
        answer = client.request("history", **asked, after=answer["last"])


def events(
    *,
    since: Since = "1h",
    limit: Limit = 50,
    follow: Follow = False,
    lang: Lang = "en",
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show the newest events of all lines and of the service itself."""
    client = connect(config, socket)
    answer = client.request("events", limit=limit, since_unix_ms=_start(since))
    if as_json and not follow:
        print_json(answer["events"])
        return
    while True:
        for record in answer["events"]:
            _print(record, lang, as_json=as_json, with_line=True)
        if not follow:
            return
        time.sleep(_POLL_S)
        answer = client.request("events", position=answer["position"])


def _start(text: str) -> int:
    """Return the time so long ago in Unix milliseconds. Raises `typer.BadParameter`."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if found is None:
        message = f"{text!r} is no duration such as 90s, 30m, 24h or 7d"
        raise typer.BadParameter(message, param_hint="--since")
    return int((time.time() - int(found[1]) * _UNITS[found[2]]) * 1000)


def _print(record: dict[str, Any], lang: Literal["en", "de"], *, as_json: bool, with_line: bool) -> None:
    if as_json:
        output.print(json.dumps(record, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    at = clock(record["at_unix_ms"]) if "at_unix_ms" in record else "—"
    name = f"{record.get('line') or 'service'}  " if with_line else ""
    colour = _colour(record)
    output.print(f"[bold]{at}[/]  {escape(name)}[{colour}]{escape(tell(record, lang))}[/]", soft_wrap=True)


def _colour(record: dict[str, Any]) -> str:
    kind = record.get("kind", "")
    if kind == "verdict":
        return {"up": "green", "down": "red", "suspect": "yellow"}.get(str(record.get("health")), "default")
    if kind == "diversion":
        return "red" if record.get("change") == "began" else "green"
    return _COLOURS.get(kind, "default")
