"""One answer to "may this be saved, by this user, now?", for every face: permission, day, policy, circles, limits.

What a save changes is judged as it will be, all of it together: two new rules that lead to each other are refused, though each alone is
right. How many changes a customer may make in an hour is counted in the store, so `rules_store.RuleSaving` asks for that, and for
conflicts; it calls this.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from routing.directory import Directory
from routing.lead import lead_fault
from routing.model import BlockScope, Diversion, NumberScope, Order, RangeScope, User
from routing.permission import is_staff, order_fault, user_fault
from routing.rejection import Fault, RuleWarning, fault
from routing.review import Review, review
from routing.trial import held


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule before and after: ``before`` None, it is new; ``after`` None, it is removed. Both have the same id."""

    before: Diversion | None
    after: Diversion | None

    @property
    def id(self) -> str:
        """The rule's id."""
        state = self.after or self.before
        if state is None:
            raise ValueError("a change of nothing to nothing")
        return state.id

    @property
    def orders(self) -> set[str]:
        """The orders whose rule it is or was."""
        return {state.order for state in (self.before, self.after) if state is not None}

    @property
    def is_switching_off(self) -> bool:
        """Whether nothing is another than that the rule is off: that is always possible, and not counted."""
        before, after = self.before, self.after
        return (
            after is not None and before is not None and not after.armed and before.model_copy(update={"armed": False}) == after
        )


@dataclass(frozen=True, slots=True)
class PlanChange:
    """An order before and after; nothing but its plan may be another."""

    before: Order
    after: Order

    @property
    def id(self) -> str:
        """The order's id."""
        return self.after.id

    @property
    def orders(self) -> set[str]:
        """The order itself."""
        return {self.after.id}

    is_switching_off = False


Change = RuleChange | PlanChange


def judge(changes: Sequence[Change], directory: Directory, user: User | None, now: datetime) -> Review:
    """Say what forbids to save these changes together, and what whoever saves them should know.

    ``user``: whose rights count, None for the staff at the admin socket. ``directory`` holds the state before; it is the caller's alone
    meanwhile, and afterwards what it was. Of several changes, the place of a fault begins with ``[index]``.
    """
    faults = permission_faults(changes, directory, user)
    if faults:
        return Review(tuple(faults), ())
    warnings: list[RuleWarning] = []
    wanted = {change.id: change.after for change in changes if isinstance(change, RuleChange)}
    for index, change in enumerate(changes):
        place = f"[{index}]" if len(changes) > 1 else ""
        others = {key: rule for key, rule in wanted.items() if key != change.id}
        with held(others, directory):
            found = _judge(change, directory, user, now)
        faults += (replace(one, location=_below(place, one.location)) for one in found.faults)
        warnings += (replace(one, location=_below(place, one.location)) for one in found.warnings)
    return Review(tuple(faults), tuple(warnings))


def permission_faults(changes: Sequence[Change], directory: Directory, user: User | None) -> list[Fault]:
    """Return why somebody may not change these at all; it says nothing about what is stored there."""
    what = user_fault(user)
    if what is not None:
        return [what]
    faults: list[Fault] = []
    for index, change in enumerate(changes):
        place = f"[{index}]" if len(changes) > 1 else ""
        found = (order_fault(user, key, directory.registry.orders.get(key)) for key in sorted(change.orders))
        faults += (replace(one, location=_below(place, one.location)) for one in found if one is not None)
    return faults


def _judge(change: Change, directory: Directory, user: User | None, now: datetime) -> Review:
    if change.is_switching_off:
        return Review((), ())
    if isinstance(change, PlanChange):
        return Review(tuple(_order_faults(change)), ())
    if change.after is None:
        return Review((), ())
    return _judge_rule(change.before, change.after, directory, user, now)


def _judge_rule(before: Diversion | None, after: Diversion, directory: Directory, user: User | None, now: datetime) -> Review:
    if before is not None and before.order != after.order:
        return Review((fault("id_taken", "", kind="diversion", id=after.id, owner=f"order {before.order}"),), ())
    early = lead_fault(after, directory.registry, now, user)
    if early is not None:
        return Review((early,), ())
    found = review(after, directory, staff=is_staff(user))
    twin = _twin(after, directory)
    if twin is not None:
        return Review((*found.faults, fault("scope_duplicate", "scope", other=twin)), found.warnings)
    return found


def _order_faults(change: PlanChange) -> list[Fault]:
    if change.before.model_copy(update={"plan": change.after.plan}) == change.after:
        return []
    return [fault("order_plan_only", "", order=change.id)]


def _twin(rule: Diversion, directory: Directory) -> str | None:
    """Return another rule of the order for the same numbers and plan."""
    registry = directory.registry
    match rule.scope:
        case NumberScope(number=number):
            keys = registry.number_rules.get(number[1:], set())
        case RangeScope(block=block):
            keys = registry.range_rules.get(block, set())
        case BlockScope(block=block):
            keys = registry.block_rules.get(block, set())
        case _:
            keys = registry.order_rules.get(rule.order, set())
    for key in sorted(keys):
        other = registry.diversions[key]
        if key != rule.id and (other.order, other.plan, other.scope) == (rule.order, rule.plan, rule.scope):
            return key
    return None


def _below(place: str, location: str) -> str:
    return ".".join(filter(None, (place, location)))
