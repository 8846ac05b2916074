"""From which day on a customer manages the targets of numbers that calls do not reach yet: `Product.edit_lead_days` before they do.

The day begins at midnight in Germany. Staff is not bound by it; who is staff, `User.customer` says.
"""

from dataclasses import dataclass
from datetime import date, datetime

from routing.local_time import local_day, midnight, shown
from routing.model import Block, Diversion, NumberScope, Order, OrderScope, User
from routing.products import DEFAULT_LEAD_DAYS, product
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.stays import Item, stays


@dataclass(frozen=True, slots=True)
class Opening:
    """When customers may begin to manage targets."""

    days: int
    """The lead, by the order's product."""
    live_at: datetime | None
    """From when on calls reach the numbers; None: no date is set for that."""
    day: date | None
    """The first day on which they may; None: always."""
    at: datetime | None
    """The instant at which that day begins."""

    def is_open(self, now: datetime) -> bool:
        """Return whether they may now."""
        return self.at is None or self.at <= now


def opening(order: Order, item: Item | None = None) -> Opening:
    """Return from when on the targets of an order may be managed, or those of a number or block in it.

    Of one that comes from another order, or is ported in, its own date counts if it is the later one. An end closes nothing.
    """
    held = product(order.product)
    days = held.edit_lead_days if held is not None else DEFAULT_LEAD_DAYS
    starts = [order.active_from]
    if item is not None:
        starts.append(next((stay.start for stay in stays(item) if stay.order == order.id), None))
    live_at = max((start for start in starts if start is not None), default=None)
    if live_at is None:
        return Opening(days, None, None, None)
    first = local_day(live_at).toordinal() - days
    if first <= date.min.toordinal():
        return Opening(days, live_at, None, None)
    day = date.fromordinal(first)
    return Opening(days, live_at, day, midnight(day))


def rule_opening(diversion: Diversion, registry: Registry) -> Opening | None:
    """Return from when on a customer may change a rule, by the number, block or order that it is for; None: its order is gone."""
    order = registry.orders.get(diversion.order)
    return opening(order, _item(diversion, registry)) if order is not None else None


def lead_fault(diversion: Diversion, registry: Registry, now: datetime, user: User | None) -> Fault | None:
    """Return why somebody may not change a rule yet, None if he may. No ``user``, or one without a customer, is staff."""
    if user is None or user.customer is None:
        return None
    found = rule_opening(diversion, registry)
    if found is None or found.is_open(now) or found.day is None or found.live_at is None:
        return None
    what = _called(diversion, registry)
    live = shown(found.live_at)
    return fault("lead_time", "", what=what, day=found.day.isoformat(), days=str(found.days), live=live)


def _item(diversion: Diversion, registry: Registry) -> Item | None:
    """Return the number or block with dates of its own that a rule is for."""
    scope = diversion.scope
    if isinstance(scope, OrderScope):
        return None
    if not isinstance(scope, NumberScope):
        return registry.dated.of.get(("block", scope.block))
    digits = scope.number[1:]
    for item in registry.dated.with_number(digits):
        if any(stay.order == diversion.order for stay in stays(item)):
            # A number that is there without dates of its own does not wait for the block around it.
            return None if isinstance(item, Block) and registry.ids_of(digits) else item
    return None


def _called(diversion: Diversion, registry: Registry) -> str:
    scope = diversion.scope
    if isinstance(scope, NumberScope):
        return scope.number
    block = registry.find("block", scope.block) if not isinstance(scope, OrderScope) else None
    return f"block {block.base}…" if isinstance(block, Block) else f"order {diversion.order}"
