"""Saving rules for somebody: the one way in for portal, API and commands, so that no face can forget a check.

A save is judged whole by `routing.judging.judge` (permission, day, policy, circles, rules per line), beside rules that are as new as the
store; counted (changes per hour); and written in one piece, each change with the version that was seen. Nothing else is written by this: a
customer's user changes rules, and the plan that an order has on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from routing.judging import Change, PlanChange, RuleChange, judge, permission_faults
from routing.limits import limits_of
from routing.model import Diversion, Entity, Order, User
from routing.permission import is_staff
from routing.products import ProductLimits
from routing.rejection import RuleRejected, RuleWarning, fault
from routing.review import Review
from rules_store.errors import ConflictError, StoreError
from rules_store.pace import Admitted, ChangePace
from rules_store.repository import RulesStore
from rules_store.types import ABSENT, ANY, Author, Put, Stored, Write

if TYPE_CHECKING:
    from routing.directory import Directory
    from rules_store.connection import StoreConnection

MOST: Final = 500
"""Changes in one save: they are judged while nobody else may look at the rules, at about a millisecond each."""
_INLINE: Final = 20

Lend = Callable[[int], contextlib.AbstractAsyncContextManager["Directory"]]
"""Lends the rules as they are compiled, to nobody else meanwhile, once they are the store's at this sequence or later. Raises `StoreError`
(retryable) when that takes too long."""


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a save is: ``user``, whose rights count; None: the carrier's staff, whom somebody else has let in."""

    author: Author
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written: the new versions in the order of the writes, and what keeps nothing from being saved and is worth a word."""

    versions: Sequence[int]
    warnings: tuple[RuleWarning, ...]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was found about a save before it is written."""

    review: Review
    paces: dict[str, ProductLimits]
    """Whose changes are counted, with their limits."""
    staff: bool


class RuleSaving:
    """Saves rules and plans for users and staff."""

    def __init__(
        self, connection: StoreConnection, lend: Lend, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._rules = RulesStore(connection)
        self._pace = ChangePace(connection, lambda: clock().timestamp())
        self._lend = lend
        self._clock = clock

    async def review(self, writes: Sequence[Write], asker: Asker) -> Review:
        """Say what `save` would say, without writing or counting; changes per hour are not looked at. Raises as `save`."""
        return (await self._look(writes, asker)).review

    async def save(self, writes: Sequence[Write], asker: Asker, *, note: str = "", undoes: int | None = None) -> Saved:
        """Write up to `MOST` changes of rules and plans, all or none. ``undoes``: the version that this takes back.

        Raises `RuleRejected` with all that is wrong; `ConflictError` (with both states) when somebody else changed the same since;
        `StoreError`. Then nothing was written, and nothing was counted. `ValueError` for an expectation of `ANY`, for other entities,
        and for too many: that is a fault in the face.
        """
        if not writes:
            return Saved((), ())
        looked = await self._look(writes, asker)
        if looked.review.faults:
            raise RuleRejected(looked.review.faults)
        async with self._counted(looked) as told:
            versions = await self._rules.write_many(writes, author=asker.author, note=note, undoes=undoes)
        return Saved(versions, (*looked.review.warnings, *told))

    async def _look(self, writes: Sequence[Write], asker: Asker) -> _Looked:
        names = _names(writes)
        user = await self._user(asker)
        sequence = await self._rules.sequence()
        current = await self._current(names)
        changes = [_change(write, current.get(name)) for write, name in zip(writes, names, strict=True)]
        async with self._lend(sequence) as directory:
            wrong = permission_faults(changes, directory, user)
            if wrong:  # before a conflict, which shows what is stored
                return _Looked(Review(tuple(wrong), ()), {}, is_staff(user))
            _agree(writes, names, current)
            now = self._clock()
            if len(changes) > _INLINE:
                found = await asyncio.to_thread(judge, changes, directory, user, now)
            else:
                found = judge(changes, directory, user, now)
            return _Looked(found, _paces(changes, directory), is_staff(user))

    async def _user(self, asker: Asker) -> User | None:
        """Read who it is from the store itself: one that was locked a moment ago is locked."""
        if asker.user is None:
            return None
        stored = await self._rules.get("user", asker.user)
        if stored is None or not isinstance(stored.entity, User):
            raise RuleRejected((fault("reference_missing", "user", kind="user", id=asker.user),))
        return stored.entity

    async def _current(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored[Entity]]:
        found: dict[tuple[str, str], Stored[Entity]] = {}
        for kind in ("diversion", "order"):
            held = await self._rules.get_many(kind, [key for kind_, key in names if kind_ == kind])
            found |= {(kind, key): stored for key, stored in held.items()}
        return found

    @contextlib.asynccontextmanager
    async def _counted(self, looked: _Looked) -> AsyncIterator[tuple[RuleWarning, ...]]:
        """Count a save for each customer around its write, and take that back when the write fails."""
        admitted: list[Admitted] = []
        try:
            for customer, limits in looked.paces.items():
                admitted.append(await self._pace.admit(customer, limits, staff=looked.staff))
            yield tuple(warning for one in admitted for warning in one.warnings)
        except BaseException:
            for one in admitted:
                with contextlib.suppress(StoreError):
                    await self._pace.give_back(one)
            raise


def _names(writes: Sequence[Write]) -> list[tuple[str, str]]:
    if len(writes) > MOST:
        raise ValueError(f"{len(writes)} changes in one save, at most {MOST}")
    names = [(_kind(write), write.entity.id if isinstance(write, Put) else write.id) for write in writes]
    if len(set(names)) != len(names):
        raise ValueError("something stands twice in one save")
    if any(write.expect == ANY for write in writes):
        raise ValueError("a save must expect what was seen, so that nobody's change is lost")
    return names


def _kind(write: Write) -> str:
    if isinstance(write, Put):
        if isinstance(write.entity, Diversion):
            return "diversion"
        if isinstance(write.entity, Order):
            return "order"
    elif write.kind == "diversion":
        return "diversion"
    raise ValueError("only rules and plans of orders are saved like this")


def _change(write: Write, stored: Stored[Entity] | None) -> Change:
    before = stored.entity if stored is not None else None
    after = write.entity if isinstance(write, Put) else None
    if isinstance(after, Order):
        if not isinstance(before, Order):
            raise RuleRejected((fault("reference_missing", "order", kind="order", id=after.id),))
        return PlanChange(before, after)
    if (before is None or isinstance(before, Diversion)) and (after is None or isinstance(after, Diversion)):
        return RuleChange(before, after)
    raise ValueError("only rules and plans of orders are saved like this")


def _agree(writes: Sequence[Write], names: Sequence[tuple[str, str]], current: dict[tuple[str, str], Stored[Entity]]) -> None:
    """Raise `ConflictError` for the first thing that is not what was seen; the write itself looks again."""
    for index, (write, name) in enumerate(zip(writes, names, strict=True)):
        stored = current.get(name)
        if write.expect != (ABSENT if stored is None else stored.version):
            raise ConflictError(*name, stored, index, write.entity if isinstance(write, Put) else None)


def _paces(changes: Sequence[Change], directory: Directory) -> dict[str, ProductLimits]:
    """Return whose changes are counted; of a customer's orders the one with the highest limit says how many there may be."""
    found: dict[str, ProductLimits] = {}
    registry = directory.registry
    for change in changes:
        if change.is_switching_off:
            continue
        for key in change.orders:
            order = registry.orders.get(key)
            if order is None:
                continue
            limits = limits_of(registry.customers.get(order.customer), order.product)
            held = found.get(order.customer)
            if held is None or held.changes_per_hour < limits.changes_per_hour:
                found[order.customer] = limits
    return dict(sorted(found.items()))
