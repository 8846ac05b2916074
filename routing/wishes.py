"""What the operator wants of a line at an instant: a wish may have an end, and then it ends by itself."""

from datetime import datetime
from typing import Final

from routing.model import Line, Wish

ENDED: Final = {"wish": "enabled", "wish_until": None, "wish_by": "", "wish_note": ""}
"""The fields of a line whose wish is over."""

OUT: Final = frozenset({"drained", "forced_down", "drill"})
"""Wishes that take a line out: calls of armed rules are diverted, whatever is observed."""


def effective_wish(line: Line, now: datetime) -> Wish:
    """Return what is wished at ``now``."""
    return "enabled" if line.wish_until is not None and now >= line.wish_until else line.wish


def out(wish: Wish, health: str) -> bool:
    """Return whether a line with this wish and this observed health gets no calls of armed rules."""
    return wish in OUT or (wish == "enabled" and health == "down")
