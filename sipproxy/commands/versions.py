"""``sipproxy log``, ``undo`` and ``audit``: who changed what, and taking it back."""

import contextlib
import json
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, errors, output, print_json
from sipproxy.private_file import private_file
from sipproxy.telling import clock

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHOWN = 6
_COLOURS = {"put": "default", "delete": "red", "import": "magenta", "erase": "red"}

Customer = Annotated[str | None, typer.Option("--customer", help="Only what is this customer's.")]
When = "How far back (30m, 24h, 90d), or a day or time: 2026-11-01, 2026-11-01T08:00."


def log(
    *,
    what: Annotated[
        str | None,
        typer.Argument(metavar="KIND:ID|VERSION", help="One entity, e.g. diversion:A-1.order or line:L1, or one version."),
    ] = None,
    customer: Customer = None,
    since: Annotated[str, typer.Option("--since", help=When)] = "30d",
    until: Annotated[str | None, typer.Option("--until", help=When)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many versions, the newest.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Show who changed what and when, newest first; of one entity its whole history."""
    asked: dict[str, Any] = {"limit": limit}
    if what is not None and what.isascii() and what.isdigit():
        asked |= {"version": int(what), "write": True}
    elif what is not None:
        kind, colon, entity_id = what.partition(":")
        if not colon:
            message = f"{what!r} is neither a version nor KIND:ID"
            raise typer.BadParameter(message, param_hint="WHAT")
        asked |= {"kind": kind, "id": entity_id}
    else:
        asked |= _span(since, until, customer)
    versions = connect(config, socket).request("log", **asked)["versions"]
    if as_json:
        print_json(versions)
        return
    if not versions:
        output.print("[dim]no version is in the log for that[/]")
    for entry in versions:
        _print(entry)


def undo(
    *,
    version: Annotated[int, typer.Argument(min=1, help="The version, as sipproxy log shows it.")],
    write: Annotated[bool, typer.Option("--write", help="With everything that was written together with it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also over later changes of the same things.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; it stands in the log.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Take a version back: restore what stood there before it. That is a version too, and can be taken back."""
    done = connect(config, socket).request("undo", version=version, write=write, force=force, dry_run=dry_run, note=note)
    if as_json:
        print_json(done)
        return
    for change in done["changes"]:
        output.print(f"[bold]{escape(change['kind'])} {escape(change['id'])}[/]", soft_wrap=True)
        for line in change["changes"] or ["nothing changes"]:
            output.print(f"  {escape(line)}", soft_wrap=True)
    more = done["entities"] - len(done["changes"])
    if more > 0:
        output.print(f"[dim]and {more} more[/]")
    if dry_run:
        output.print("[yellow]dry run:[/] nothing was written")
    elif not done["versions"]:
        output.print("nothing was written: of what that version changed, nothing is there any more")
    else:
        output.print(f"[green]version {version} is taken back[/] (as version {done['versions'][0]})")


def audit(
    *,
    to: Annotated[Path | None, typer.Option("--to", help="File to write (mode 0600); else standard output.")] = None,
    customer: Customer = None,
    since: Annotated[str | None, typer.Option("--since", help=When + " Default: all that is kept.")] = None,
    until: Annotated[str | None, typer.Option("--until", help=When)] = None,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Export the log as JSON lines, newest first, without secrets."""
    client, asked = connect(config, socket), _span(since, until, customer)
    count, before = 0, None
    with contextlib.nullcontext(sys.stdout.buffer) if to is None else private_file(to) as file:
        while True:
            answer = client.request("audit", **asked, before=before)
            for entry in answer["versions"]:
                file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            count, before = count + len(answer["versions"]), answer["next"]
            if before is None:
                break
    if to is not None:
        errors.print(f"{count} versions written to {escape(str(to))}")


def _span(since: str | None, until: str | None, customer: str | None) -> dict[str, Any]:
    asked: dict[str, Any] = {"since_unix_ms": 0 if since is None else _moment(since, "--since")}
    if until is not None:
        asked["until_unix_ms"] = _moment(until, "--until")
    if customer is not None:
        asked["customer"] = customer
    return asked


def _moment(text: str, option: str) -> int:
    """Return a time in Unix milliseconds. Raises `typer.BadParameter`."""
    back = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if back is not None:
        return int((time.time() - int(back[1]) * _UNITS[back[2]]) * 1000)
    try:
        return int(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        message = f"{text!r} is neither a duration (30m, 24h, 90d) nor a time (2026-11-01, 2026-11-01T08:00)"
        raise typer.BadParameter(message, param_hint=option) from None


def _print(entry: dict[str, Any]) -> None:
    author = f"{entry['who']} ({entry['via']}, {entry['source']})" if entry["source"] else f"{entry['who']} ({entry['via']})"
    what = f"{entry['kind']} {entry['id']}" if entry["op"] != "import" else f"import of {entry['count']} entities"
    verb = {"delete": "removed ", "erase": "erased "}.get(entry["op"], "")
    undone = f"  takes back {entry['undoes']}" if entry["undoes"] is not None else ""
    note = f"  “{entry['note']}”" if entry["note"] else ""
    colour = _COLOURS.get(entry["op"], "default")
    head = f"[bold]{entry['version']}[/]  {clock(entry['at_unix_ms'])}  {escape(author)}"
    output.print(f"{head}  [{colour}]{verb}{escape(what)}[/]{undone}{escape(note)}", soft_wrap=True)
    for line in entry["changes"][:_SHOWN]:
        output.print(f"  {escape(line)}", soft_wrap=True)
    if len(entry["changes"]) > _SHOWN:
        output.print(f"  [dim]and {len(entry['changes']) - _SHOWN} more[/]")
