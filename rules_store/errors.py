"""What can go wrong between us and the store, by who is at fault (STYLE.md, errors).

Every message says what failed, where, and what to do; none carries a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.differences import Difference, differences

if TYPE_CHECKING:
    from routing.model import Entity
    from rules_store.types import Stored


class StoreError(Exception):
    """The store could not do it.

    ``retryable``: the same call may succeed later without anybody changing anything (a restart, a fail-over).
    ``what``: what failed and where. ``remedy``: what an operator does about it.
    A write that raised this was *not promised*; it may still have happened (the answer may have been lost).
    """

    def __init__(self, what: str, remedy: str, *, retryable: bool) -> None:
        super().__init__(f"{what}. {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
        self.retryable = retryable


class NotSavedError(StoreError):
    """The primary took the write, but fewer replicas than ``min_replicas`` acknowledged it in time: it is not safe."""

    def __init__(self, what: str, remedy: str, *, acknowledged: int) -> None:
        super().__init__(what, remedy, retryable=True)
        self.acknowledged = acknowledged


class ConflictError(Exception):
    """Somebody else was faster: the stored version is not the expected one. Nothing was written.

    ``current`` is what is stored now, ``None`` when nothing is; ``wanted`` what was to be stored instead, ``None`` for a
    removal; ``index`` is the position of the change in the batch.
    """

    def __init__(
        self, kind: str, entity_id: str, current: Stored[Any] | None, index: int = 0, wanted: Entity | None = None
    ) -> None:
        now = f"version {current.version}" if current else "absent"
        super().__init__(f"{kind} {entity_id} was changed by somebody else (now {now})")
        self.kind = kind
        self.entity_id = entity_id
        self.current = current
        self.wanted = wanted
        self.index = index

    def differences(self) -> list[Difference]:
        """List where what is stored and what was wanted differ, secrets not shown."""
        return differences(self.current.entity if self.current is not None else None, self.wanted)


class VersionGoneError(Exception):
    """A version cannot be taken back: it is not in the log (any more), or what stood there before is not kept."""

    def __init__(
        self, version: int, why: str = "it is not in the log: it never was a change, or is older than what is kept"
    ) -> None:
        super().__init__(f"version {version} cannot be taken back: {why}")
        self.version = version
        self.why = why


class NumberTakenError(Exception):
    """A number or range already belongs to another entity. Nothing was written.

    ``owner`` is ``"kind:id"`` of the present holder; ``index`` the position of the change in the batch.
    """

    def __init__(self, kind: str, entity_id: str, claim: str, owner: str, index: int = 0) -> None:
        super().__init__(f"{kind} {entity_id}: {claim} already belongs to {owner}")
        self.kind = kind
        self.entity_id = entity_id
        self.claim = claim
        self.owner = owner
        self.index = index
