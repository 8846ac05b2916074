"""``sipproxy demo``: an outage from beginning to end, on this machine, over real UDP."""

from typing import Annotated

import typer


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards and print commands to try.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="No pauses for reading.")] = False,
) -> None:
    """Play an outage: healthy call, line dies, calls are diverted, line returns; exit status 0 if all was right."""
    from sipproxy.demo.play import play  # noqa: PLC0415 - needs the engine, the other commands do not

    raise typer.Exit(play(keep=keep, fast=fast))
