"""What is going on at a line: an operator's wish, a diversion under way, and whether calls have come back since.

Kept in the store beside the events that changed it, in the same write, so that a start after a kill knows what was told last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self

from routing.coverage import Coverage
from routing.model import Wish

COUNTED = ("offered", "completed", "declined", "cancelled", "diverted", "rescued", "failed")
"""What the engine counts of a line's calls."""


class WishState(NamedTuple):
    """What the operator wants now, and of whom that is."""

    wish: Wish = "enabled"
    until_unix_ms: int | None = None
    by: str = ""
    note: str = ""


class LineBook(Protocol):
    """What the rules say of lines, as the engine routes by them."""

    def line_id(self, slot: int) -> str | None:
        """Return the line that has or had the slot."""

    def rule_id(self, slot: int) -> str | None:
        """Return the diversion that has or had the slot."""

    def order_of(self, line_id: str) -> str:
        """Return the order of a line, "" if it is gone."""

    def wish_of(self, line_id: str) -> WishState:
        """Return what is wished of a line at this instant."""

    def is_armed(self, line_id: str) -> bool:
        """Return whether a rule that may be used is armed for one of its numbers."""

    def rests(self, line_id: str) -> str:
        """Return why the rules of a line's order rest, though they are armed; "" when they do not."""

    def coverage_of(self, line_id: str) -> Coverage:
        """Return what is armed for it and what not."""

    def wished_lines(self) -> list[str]:
        """Return the lines that are not simply enabled."""

    def is_settled(self) -> bool:
        """Return whether the rules may be read: nothing is changing them in another thread."""


@dataclass(slots=True)
class Diversion:
    """A diversion under way."""

    began_unix_ms: int
    cause: str
    wish: Wish
    counts: dict[str, int] = field(default_factory=dict)
    told: int = 0
    """Diverted calls that were told one by one."""

    def add(self, counts: Mapping[str, int]) -> None:
        """Add what was counted since the last time."""
        for name, value in counts.items():
            self.counts[name] = self.counts.get(name, 0) + value

    @property
    def diverted(self) -> int:
        """Calls diverted so far; the counts come some seconds late, single calls are told at once, but not all."""
        return max(self.told, self.counts.get("diverted", 0) + self.counts.get("rescued", 0))


@dataclass(slots=True)
class Going:
    """What is going on at one line."""

    wish: WishState = field(default_factory=WishState)
    diversion: Diversion | None = None
    returning: str = ""
    """ "drill" or "fault" from the end of a diversion until the first call was delivered again."""
    ended_unix_ms: int = 0

    def record(self) -> dict[str, Any]:
        """Return what is stored; {} when nothing is going on."""
        found: dict[str, Any] = {}
        if self.wish.wish != "enabled":
            found["wish"] = list(self.wish)
        if self.diversion is not None:
            held = self.diversion
            found["diversion"] = [held.began_unix_ms, held.cause, held.wish, held.counts, held.told]
        if self.returning:
            found["returning"] = [self.returning, self.ended_unix_ms]
        return found

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what was stored; what does not parse counts as nothing."""
        going = cls()
        try:
            if "wish" in stored:
                wish, until, by, note = stored["wish"]
                going.wish = WishState(wish, until, by, note)
            if "diversion" in stored:
                began, cause, wished, counts, told = stored["diversion"]
                going.diversion = Diversion(
                    int(began), str(cause), wished, {str(k): int(v) for k, v in counts.items()}, int(told)
                )
            if "returning" in stored:
                going.returning, going.ended_unix_ms = stored["returning"]
        except (TypeError, ValueError, AttributeError):
            return cls()
        return going
