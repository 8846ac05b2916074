"""From entities to the engine's table: slots, the full table in pages, and small deltas for every change."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from routing.model import Entity

if TYPE_CHECKING:
    from sipproxy._engine import Delta

PAGE = 50_000
"""Entries per delta: some tens of milliseconds of work for the engine."""

Change = tuple[str, str, Entity | None]
"""(kind, id, entity), or None instead of the entity when it was removed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An entity that cannot be used as it is. The rest is compiled without it."""

    kind: str
    id: str
    type: str  # slug
    message: str  # what is wrong and what to do


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule that was looked at for a number, most specific first."""

    rule_id: str
    level: str  # "number", "range", "block", "order"
    armed: bool
    applies: bool
    text: str  # one English sentence: why it applies or does not


class Compiler:
    """Holds the entities in a compact form and what the engine was told; see docs/routing.md."""

    def __init__(self, profiles: Iterable[str] | None = None) -> None:
        """``profiles``: the names the engine knows; default `routing.profiles.PROFILES`."""
        raise NotImplementedError

    def load(self, entities: Iterable[Entity], now: datetime) -> Iterator["Delta"]:
        """Take the full set in place of what was held; yield what turns the old table (at first empty) into the new one."""
        raise NotImplementedError

    def change(self, changes: Sequence[Change], now: datetime) -> list["Delta"]:
        """Take single changes; the deltas touch only what depends on them. Usually one delta, two when slots go."""
        raise NotImplementedError

    def advance(self, now: datetime) -> list["Delta"]:
        """Return what the dates alone have changed up to ``now``."""
        raise NotImplementedError

    def next_change_at(self, now: datetime) -> datetime | None:
        """Return when dates alone change the result next, None when they never do."""
        raise NotImplementedError

    def snapshot(self) -> Iterator["Delta"]:
        """Yield the whole table again, in pages, for a new engine table."""
        raise NotImplementedError

    def problems(self) -> list[Problem]:
        """Return all entities that could not be used, by kind and id."""
        raise NotImplementedError

    def line_slot(self, line_id: str) -> int | None:
        """Return the slot of a line; it stays the same while the process lives."""
        raise NotImplementedError

    def line_id(self, slot: int) -> str | None:
        """Return the line that has (or had) this slot."""
        raise NotImplementedError

    def rule_id(self, slot: int) -> str | None:
        """Return the diversion that has (or had) this slot."""
        raise NotImplementedError

    def explain_rules(self, number: str) -> list[Considered]:
        """Return the rules for ``number`` (E.164, with or without ``+``), most specific first; [] if it is not ours."""
        raise NotImplementedError
