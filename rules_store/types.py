"""The values that callers exchange with the store."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, NamedTuple, TypedDict, TypeVar, get_args

from routing.model import Entity

E_co = TypeVar("E_co", bound=Entity, covariant=True)

ABSENT: Final = "absent"
"""Expectation of a write: nothing is stored under this id."""
ANY: Final = "any"
"""Expectation of a write: whatever is stored is replaced."""

Expect = int | Literal["absent", "any"]
"""What a write expects to find: a version, `ABSENT` or `ANY`."""

Via = Literal["cli", "api", "portal", "import", "service"]
"""The way a change came in."""

Health = Literal["up", "suspect", "down", "unknown"]

FaultPlace = Literal["data_line", "network", "router", "phone_system", "unclear"]
"""Where a fault is, in the words of the service description."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and from where.

    ``who``: id of the user, or name of the operator as the admin socket knows him. ``source``: his address, or the file that
    was loaded. Longer texts are cut, control characters become blanks: nobody's name keeps a rule from being saved.
    """

    who: str
    via: Via
    source: str = ""

    def __post_init__(self) -> None:
        if self.via not in get_args(Via):
            raise ValueError(f"{self.via!r} is not a way in")
        object.__setattr__(self, "who", plain(self.who, 128))
        object.__setattr__(self, "source", plain(self.source, 300))


def plain(text: str, most: int) -> str:
    """Cut a text to ``most`` characters on one line, and to what UTF-8 can carry."""
    safe = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text[:most])
    return safe.strip()


SERVICE: Final = Author("sipproxy", "service")
"""The service itself: what no person asked for."""


class Stored(NamedTuple, Generic[E_co]):
    """An entity as it is stored.

    ``version`` is the sequence number of the write that made it. It is never used twice, not even after a deletion, so
    an old version can never match a new entity by accident.
    """

    entity: E_co
    version: int

    @property
    def seq(self) -> int:
        """The store's sequence number of the write that made this version."""
        return self.version


@dataclass(frozen=True, slots=True)
class Put:
    """Write ``entity`` if the stored version is as expected."""

    entity: Entity
    expect: Expect = ANY


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an entity if the stored version is as expected. `ANY` is content with nothing there."""

    kind: str
    id: str
    expect: Expect = ANY


Write = Put | Delete


class Change(NamedTuple):
    """One thing that became different; ``entity`` is ``None`` when it was removed."""

    kind: str
    id: str
    version: int
    entity: Entity | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in order, as a `rules_store.follower.Follower` yields them.

    ``complete`` is False for the pages of a full read: hold them back until a batch says True. The state after a
    complete batch is the store's state at ``sequence`` of ``epoch``.
    ``resync``: this batch belongs to a full read (the first, or one after a jump), not to the stream.
    """

    changes: tuple[Change, ...]
    sequence: int
    epoch: str
    complete: bool = True
    resync: bool = False


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A registered contact, as in ``sipproxy/_engine.pyi`` but named by line id instead of slot."""

    line_id: str
    contact: str
    received: str
    expires_unix_ms: int
    call_id: str
    cseq: int
    q_milli: int
    user_agent: str
    user: str


class VerdictRow(TypedDict):
    """What is held about a line's health, as in ``sipproxy/_engine.pyi`` but named by line id instead of slot."""

    line_id: str
    health: Health
    since_unix_ms: int
    cause: str
    evidence: str
    place: FaultPlace


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something in the store that does not parse. It was skipped; what was known before still holds."""

    where: str
    why: str
    sample: str = field(default="", repr=False)
