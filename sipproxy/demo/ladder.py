"""Draws a call as a ladder while it happens: one line a message, three columns, readable at 80 characters."""

import time
from typing import Literal

from rich.console import Console
from rich.text import Text

from sipproxy.demo.message import Message, uri_of
from sipproxy.demo.ua import Address, Observer, Way

GAP = 26
_STYLES = {2: "green", 3: "magenta", 4: "yellow", 5: "red", 6: "red"}
_HIDDEN = frozenset({"OPTIONS"})


class Ladder:
    """Columns: caller, proxy, and whoever is called. OPTIONS are left out: they come all the time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._drawing = False

    @classmethod
    def silent(cls) -> "Ladder":
        """Return one that draws nothing."""
        return cls(Console(quiet=True))

    def open(self, title: str, left: str = "Caller", right: str = "Phone system") -> None:
        """Begin a new drawing with its own clock."""
        self._console.print()
        self._console.print(Text(title, "bold"))
        heads = f"{'':>9}{left:<{GAP}}{'sipproxy':^5}"
        self._console.print(Text(f"{heads}{right:>{9 + 2 * GAP + 7 - len(heads)}}", "cyan"))
        self._began = time.monotonic()
        self._drawing = True

    def close(self) -> None:
        """End the drawing: what is sent later is not drawn."""
        self._drawing = False

    def observer(self, side: Literal["left", "right"]) -> Observer:
        """Return what an agent on that side reports its messages to."""

        def observe(way: Way, message: Message, _peer: Address) -> None:
            if self._drawing and message.cseq[1] not in _HIDDEN:
                self._draw(side, way, message)

        return observe

    def note(self, text: str, style: str = "dim") -> None:
        """Write a remark under the last message."""
        self._console.print(Text(f"{'':>9}{text}", style))

    def _draw(self, side: Literal["left", "right"], way: Way, message: Message) -> None:
        label = message.method or f"{message.status} {message.reason}".strip()
        to_right = (way == "sent") == (side == "left")
        arrow = _arrow(label, to_right=to_right, lost=way == "lost")
        empty = " " * GAP
        text = Text(f"{time.monotonic() - self._began:8.3f} │", "dim")
        style = "red" if way == "lost" else "blue" if message.method else _STYLES.get(message.status // 100, "default")
        for column in ("left", "right"):
            text.append(arrow if column == side else empty, style if column == side else "")
            text.append("│", "dim")
        self._console.print(text)
        if 300 <= message.status < 400 and side == "left":  # noqa: PLR2004 - redirection
            for contact in message.all("Contact"):
                self.note(f"  Contact: {uri_of(contact).partition(';')[0]}", "magenta")


def _arrow(label: str, *, to_right: bool, lost: bool) -> str:
    text = f" {label[: GAP - 4]} "
    line = text.center(GAP - 1, "─")
    if lost:
        return f"{line[:-1]}✗ "
    return f"{line}▶" if to_right else f"◀{line}"
