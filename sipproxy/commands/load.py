"""``sipproxy load``: customers, orders, lines, numbers and diversions from a YAML or JSON file."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.errors import SipproxyError

_SHOWN = 20
_LARGEST = 4 * 1024 * 1024
"""About 30,000 entities. The service checks them in a thread beside its event loop, which is late meanwhile: with 90,000 by seconds."""


def load(
    *,
    file: Annotated[Path, typer.Argument(help="YAML (.yaml, .yml) or JSON (.json) document.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the difference; write nothing.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Load a document into the store. It is checked whole first; faults are listed with their place."""
    try:
        size = file.stat().st_size
        if size > _LARGEST:
            message = f"{file} is too large for the running service to check beside calls ({size:,} bytes, at most {_LARGEST:,})"
            raise SipproxyError(message, f"sipproxy import {shlex.quote(str(file))} checks it in a process of its own")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"
        message = f"{file} cannot be read: {why}"
        raise SipproxyError(message, "name a YAML or JSON file in UTF-8") from None
    result = connect(config, socket).request("load", name=str(file), text=text, dry_run=dry_run)
    if as_json:
        print_json(result)
        return
    table = Table("what", "new", "changed", "unchanged", box=None, pad_edge=False)
    for kind, row in result["summary"].items():
        table.add_row(kind, *(str(row[key]) for key in ("new", "changed", "unchanged")))
    output.print(table)
    for warning in result["warnings"][:_SHOWN]:
        output.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
    if len(result["warnings"]) > _SHOWN:
        output.print(f"[dim]… and {len(result['warnings']) - _SHOWN} more notes (--json)[/]")
    output.print("[yellow]dry run:[/] nothing was written" if dry_run else "[green]loaded[/]")
