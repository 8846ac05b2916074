"""``sipproxy call``: what did happen to a call."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.errors import SipproxyError


def call(
    *,
    call_id: Annotated[str, typer.Argument(help="The Call-ID of the call.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Say what happened to a recent call: decision, rule, branches, codes and times. Numbers are masked."""
    records = connect(config, socket).request("call", call_id=call_id)
    if as_json:
        print_json(records)
        return
    if not records:
        message = f"no recent call has the Call-ID {call_id!r}"
        raise SipproxyError(message, "the proxy remembers the last limits.call_records calls per worker")
    for record in records:
        at = datetime.fromtimestamp(record["at_unix_ms"] / 1000, UTC).astimezone()
        output.print(f"[bold]{at:%H:%M:%S.%f}[/]  {record['number']}  line {record['line'] or '—'}  {record['decision']}")
        if record["rule"]:
            output.print(f"  rule {record['rule']}")
        for after_ms, text in record["steps"]:
            output.print(f"  {after_ms:>7} ms  {text}", markup=False)
