"""When a number or block belongs to which order: its own dates and its move, cut into stays.

A number or block has a first and a last instant of its own (ported in, ported out), which narrow those of its order, and at most
one move. Outside of its own dates it is not there at all. A stay is the time with one order, on one line; rules of that order
count in it and no others. So rules of the future order can be written before, and count from the instant of the move on.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from routing.local_time import shown
from routing.model import Block, Number, Order
from routing.products import product
from routing.rejection import Fault, fault

Item = Number | Block


class Stay(NamedTuple):
    """From ``start`` on, until before ``end``; None: always, for ever. Of the item's own, its order's dates come on top."""

    order: str
    line: str
    start: datetime | None
    end: datetime | None

    def holds(self, now: datetime) -> bool:
        """Return whether an instant is in it."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)

    def meets(self, other: "Stay") -> bool:
        """Return whether the two have an instant in common."""
        start = max((time for time in (self.start, other.start) if time is not None), default=None)
        end = min((time for time in (self.end, other.end) if time is not None), default=None)
        return start is None or end is None or start < end


def is_dated(item: Item) -> bool:
    """Return whether an item has dates of its own, or a move."""
    return item.active_from is not None or item.active_until is not None or item.move is not None


def stays(item: Item) -> tuple[Stay, ...]:
    """Return the stays of an item in order of time; none when its dates leave no time."""
    first, last, move = item.active_from, item.active_until, item.move
    if move is None:
        return _some(Stay(item.order, item.line, first, last))
    before = Stay(item.order, item.line, first, move.at if last is None else min(move.at, last))
    after = Stay(move.order, move.line, move.at if first is None else max(move.at, first), last)
    return _some(before, after)


def stay_at(item: Item, now: datetime) -> Stay | None:
    """Return where an item is at an instant, None if it is not there."""
    return next((stay for stay in stays(item) if stay.holds(now)), None)


def instants_of(item: Item) -> Iterator[datetime]:
    """Yield the instants at which something changes for an item."""
    for stay in stays(item):
        for time in (stay.start, stay.end):
            if time is not None:
                yield time


def told(item: Item) -> str:
    """Say in a sentence when an item belongs to whom."""
    name = f"Block {item.base}…" if isinstance(item, Block) else f"Number {item.number}"
    found = [f"order {stay.order} on line {stay.line}{_span(stay)}" for stay in stays(item)]
    return f"{name} belongs to {', then to '.join(found)}." if found else f"{name} belongs to nobody: its dates leave no time."


def _span(stay: Stay) -> str:
    since = f" from {shown(stay.start)}" if stay.start is not None else ""
    return f"{since} until {shown(stay.end)}" if stay.end is not None else f"{since} on" if since else ""


def date_faults(item: Item) -> Iterator[Fault]:
    """Yield what is wrong with the dates of an item, looked at alone."""
    first, last, move = item.active_from, item.active_until, item.move
    if first is not None and last is not None and last <= first:
        yield fault("item_dates", "active_until", until=shown(last), start=shown(first))
        return
    if move is None:
        return
    if first is not None and move.at <= first:
        yield fault("move_before_start", "move.at", at=shown(move.at), start=shown(first))
    if last is not None and move.at >= last:
        yield fault("move_after_end", "move.at", at=shown(move.at), until=shown(last))


def product_fault(item: Item, order: Order) -> Fault | None:
    """Return whether the product of the order that an item moves to has no numbers of its kind."""
    held = product(order.product)
    kind = "block" if isinstance(item, Block) else "number"
    if held is None or kind in held.numbers:
        return None
    what, instead = ("blocks", "numbers") if kind == "block" else ("single numbers", "blocks")
    return fault("order_numbers", "move.order", product=held.name, what=what, instead=instead)


def _some(*found: Stay) -> tuple[Stay, ...]:
    return tuple(stay for stay in found if stay.start is None or stay.end is None or stay.start < stay.end)
