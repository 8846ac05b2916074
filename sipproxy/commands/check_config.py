"""``sipproxy check-config``: is the file right, without touching the running service."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sipproxy.commands.output import ConfigFile, output
from sipproxy.config.load import load
from sipproxy.config.sockets import USUAL_FILES, usual_file


def check_config(
    *,
    file: Annotated[Path | None, typer.Argument(help="The file; the same as --config.")] = None,
    config: ConfigFile = None,
) -> None:
    """Check a configuration file whole; every fault is named with key, line and remedy."""
    loaded = load(file or config or usual_file() or USUAL_FILES[0])
    configuration = loaded.configuration
    text = (
        f"{loaded.file}: listens on {', '.join(configuration.sip.listen)}; "
        f"{len(loaded.peers)} core network(s), {len(configuration.interconnects)} interconnect(s)"
    )
    output.print(f"[green]ok[/] {escape(text)}", soft_wrap=True)
