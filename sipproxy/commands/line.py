"""``sipproxy line``: what the operator wants of a line, and what is known about it."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.telling import clock, tell

app = typer.Typer(help="A line: what is wished of it, what is observed, what calls get.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="LINE", help="The line's id.")]
Minutes = Annotated[int | None, typer.Option("--minutes", min=1, help="Ends by itself after so many minutes; else it stands.")]
Note = Annotated[str, typer.Option("--note", help="Why; it stands in the line's history.")]
_STATES = {
    "enabled": "calls go by what is observed",
    "drained": "no new calls; calls of armed rules are diverted, calls in progress go on",
    "forced_down": "taken as down, whatever is observed",
    "forced_up": "taken as up, whatever is observed; single calls are still rescued",
}


@app.command()
def enable(*, line: Name, note: Note = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Take back any wish: calls go by what is observed."""
    _set("enable", line, None, note, (config, socket))


@app.command()
def drain(*, line: Name, minutes: Minutes = None, note: Note = "", config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Send no new calls to the line, for work on it."""
    _set("drain", line, minutes, note, (config, socket))


@app.command("force-down")
def force_down(
    *, line: Name, minutes: Minutes = None, note: Note = "", config: ConfigFile = None, socket: SocketPath = None
) -> None:
    """Take the line as down: calls of armed rules are diverted."""
    _set("force-down", line, minutes, note, (config, socket))


@app.command("force-up")
def force_up(
    *, line: Name, minutes: Minutes = None, note: Note = "", config: ConfigFile = None, socket: SocketPath = None
) -> None:
    """Take the line as up, where probing errs: calls are tried there, and rescued one by one if need be."""
    _set("force-up", line, minutes, note, (config, socket))


@app.command()
def show(*, line: Name, as_json: AsJson = False, config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Show wish, observation and effect, the evidence, the time a fault takes to be noticed, and what happened last."""
    result = connect(config, socket).request("line", action="show", line=line)
    if as_json:
        print_json(result)
        return
    for name, text in _rows(result):
        output.print(f"[dim]{name:>12}[/]  {escape(text)}", soft_wrap=True)
    if result["last"] is None:
        output.print("[yellow]the store is not reachable: its history is not shown[/]")
    for record in result["last"] or ():
        output.print(f"  {clock(record['at_unix_ms'])}  {escape(tell(record))}", soft_wrap=True)


def _set(action: str, line: str, minutes: int | None, note: str, where: tuple[Any, Any]) -> None:
    result = connect(*where).request("line", action=action, line=line, minutes=minutes, note=note)
    until = f" until {clock(result['until_unix_ms'])}" if result["until_unix_ms"] else ""
    output.print(f"{escape(line)}: {result['wish']}{until}  (version {result['version']}, by {result['by'] or '?'})")
    output.print(f"[dim]{_STATES[result['wish']]}[/]")
    if result["wish"] in {"drained", "forced_down"} and not result["armed"]:
        output.print("[yellow]no rule is armed: its calls are still tried at the line, and refused if that fails[/]")


def _rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    wish, seen = result["wish"], result["observed"]
    wished = wish["wish"]
    if wish["wish"] != "enabled":
        wished += f" by {wish['by'] or '?'}" + (f" until {clock(wish['until_unix_ms'])}" if wish["until_unix_ms"] else "")
        wished += f" ({wish['note']})" if wish["note"] else ""
    rows = [("line", f"{result['line']}, order {result['order']}, {result['product']}"), ("wish", wished)]
    if seen is not None:
        rows.append(("observed", f"{seen['health']} since {clock(seen['since_unix_ms'] or None)}: {seen['cause_text']}"))
    rows.append(("effective", result["effective"]))
    since = result["diverting_since_unix_ms"]
    rows.append(("diverting", f"since {clock(since)}, {result['diverted']} calls" if since else "no"))
    rows.append(("armed", ", ".join(result["armed"]) or "nothing: calls are tried at the line also while it is down"))
    if result["rests"]:
        rows.append(("all rest", f"{result['rests']} (sipproxy brake)"))
    if result["unarmed"]:
        more = result["unarmed_count"] - len(result["unarmed"])
        rows.append(("not armed", ", ".join(result["unarmed"]) + (f" and {more} more" if more else "")))
    for target in seen["targets"] if seen is not None else ():
        rtt = f", {target['rtt_ms']:.1f} ms" if target["rtt_ms"] is not None else ""
        rows.append(("target", f"{target['address']} {target['health']}{rtt}, last seen {clock(target['last_seen_unix_ms'])}"))
    bounds = result["detection"]
    if bounds is not None:
        clean, fresh, bound, back = (f"{bounds[name]:g} s" for name in ("clean_s", "fresh_s", "bound_s", "recovery_s"))
        noticed = f"within {clean} on a line that lost nothing for long, {fresh} on one that is new, {bound} on the worst"
        rows.append(("a silent cut", f"is noticed {noticed} (profile {result['profile']})"))
        rows.append(("its return", f"is noticed within {back} after a first fall"))
    return rows
