"""``sipproxy drill``: divert on purpose for some minutes, and prove what happened."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.telling import clock, first_of

_WORDS = ("report", "end")


def drill(
    *,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="LINE|order:ID|site:ID | report LINE | end LINE|order:ID|site:ID", help="What to divert; or which."
        ),
    ],
    minutes: Annotated[int | None, typer.Option("--minutes", min=1, max=240, help="How long; it ends by itself.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why; it stands in the history.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Divert the calls of a line, an order or a site on purpose, e.g. sipproxy drill line-7 --minutes 10, then drill report line-7."""
    action, what = _read(words)
    if action == "begin" and minutes is None:
        message = "say how long"
        raise typer.BadParameter(message, param_hint="--minutes")
    client = connect(config, socket)
    if action == "begin":
        result = client.request("drill", action=action, what=what, minutes=minutes, note=note)
    else:
        result = client.request("drill", action=action, what=what)
    if as_json:
        print_json(result)
    elif action == "begin":
        output.print(
            f"drill until [bold]{clock(result['until_unix_ms'])}[/]: {escape(', '.join(result['lines']))}", soft_wrap=True
        )
        if result["not_armed"]:
            bare = escape(", ".join(result["not_armed"]))
            output.print(f"[yellow]left out, because nothing is armed there:[/] {bare}", soft_wrap=True)
        output.print(f"[dim]its proof: sipproxy drill report {escape(result['lines'][0])}[/]")
    elif action == "end":
        output.print(f"drill ended: {escape(', '.join(result['lines']))}", soft_wrap=True)
    else:
        _report(result)


def _read(words: list[str]) -> tuple[str, str]:
    """Return action and object. Raises `typer.BadParameter`."""
    if len(words) == 1 and words[0] not in _WORDS:
        return "begin", words[0]
    if len(words) == 2 and words[0] in _WORDS:  # noqa: PLR2004 - a word and a name
        return words[0], words[1]
    message = "name one line, order:ID or site:ID; or: report LINE, end LINE"
    raise typer.BadParameter(message)


def _report(result: dict[str, Any]) -> None:
    note = f" ({result['note']})" if result["note"] else ""
    output.print(f"drill of [bold]{escape(result['line'])}[/] by {escape(result['by'] or '?')}{escape(note)}")
    output.print(f"  began     {clock(result['began_unix_ms'])}, until {clock(result['until_unix_ms'])}")
    ended = f"{clock(result['ended_unix_ms'])} by {result['ended_by'] or '?'}" if result["ended_unix_ms"] else "not yet"
    output.print(f"  ended     {escape(ended)}")
    output.print(f"  armed     {escape(first_of(result['armed']) or 'nothing')}", soft_wrap=True)
    if result["unarmed"]:
        more = result["unarmed_count"] - len(result["unarmed"])
        bare = ", ".join(result["unarmed"]) + (f" and {more} more" if more else "")
        output.print(f"  [yellow]not armed[/] {escape(bare)}", soft_wrap=True)
    output.print(f"  diverted  {result['diverted']} calls")
    for call in result["calls"]:
        how = "after the line had its chance" if call["how"] == "rescue" else "at once"
        target = f"+{call['target'].removeprefix('+')}"
        output.print(f"    {clock(call['at_unix_ms'])}  {escape(call['number'])} → {escape(target)} {how}", soft_wrap=True)
    back = result["returned_unix_ms"]
    text = f"first call delivered {clock(back)}" if back else "no call was delivered since" if result["ended_unix_ms"] else "—"
    output.print(f"  and back  {text}")
