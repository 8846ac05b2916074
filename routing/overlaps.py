"""Whose a number is, at each time: numbers and blocks that want the same one are told, unless they never want it together.

Two blocks may have the same numbers one after the other, by their own dates: a block that is cut anew on the first of a month. Exactly
the same range in two blocks is refused at any time, as the store does: such a block moves.
"""

from collections.abc import Iterable, Iterator

from routing.blocks import common, holds, too_long
from routing.directory import Directory
from routing.model import Block, Number
from routing.numbers import MAX_DIGITS
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.stays import Item, is_dated, stays

Placed = Iterable[tuple[str, Block]]


def number_faults(place: str, number: Number, directory: Directory) -> Iterator[Fault]:
    """Yield who has a number already, or has it at a time at which it is wanted too."""
    registry = directory.registry
    digits, where = number.number[1:], f"{place}.number"
    later = [item for item in registry.dated.with_number(digits) if not isinstance(item, Block)]
    for other in sorted({*registry.ids_of(digits), *(item.id for item in later)}):
        if other != number.id:
            yield fault("number_taken", where, number=number.number, other=f"number {other}")
    part = directory.prefixes.lookup(digits)
    blocks = {item.id: item for item in registry.dated.with_number(digits) if isinstance(item, Block)}
    if part is not None:
        blocks.setdefault(part.block, registry.blocks[part.block])
    for key in sorted(blocks):
        # A number may be taken out of one's own block; out of another customer's it would be theft.
        if _belong_to_others(number, blocks[key], registry):
            yield fault("number_taken", where, number=number.number, other=f"block {key}")


def block_faults(placed: Placed, directory: Directory) -> Iterator[Fault]:
    """Blocks may lie inside each other only where one is the open rest of the other's numbers, and of the same customer."""
    registry = directory.registry
    blocks = list(registry.stored_blocks())
    by_base: dict[str, list[Block]] = {}
    for block in blocks:
        by_base.setdefault(block.base, []).append(block)
    where = {block.id: place for place, block in placed}
    for place, block in placed:
        if too_long(block.base, block.ranges):
            yield fault("block_long", f"{place}.base", limit=str(MAX_DIGITS))
        yield from _numbers_inside(f"{place}.base", block, registry)
    for inner in blocks:
        for size in range(2, len(inner.base) + 1):
            for outer in by_base.get(inner.base[:size], ()):
                if outer.id == inner.id or (outer.base == inner.base and outer.id < inner.id):
                    continue
                yield from _overlap(inner, outer, where, registry)


def _overlap(inner: Block, outer: Block, where: dict[str, str], registry: Registry) -> Iterator[Fault]:
    place, other = (where[inner.id], outer) if inner.id in where else (where.get(outer.id), inner)
    if place is None:
        return  # both are stored: not this document's fault
    example = common(inner.base, inner.ranges, outer.base, outer.ranges)
    if example is not None and _meet(inner, outer):
        yield fault("block_overlap", f"{place}.base", other=other.id, example=example)
    elif example is not None and inner.base == outer.base and _same_range(inner, outer):
        yield fault("block_again", f"{place}.base", other=other.id, example=example)
    elif example is None and _is_inside(inner, outer) and _belong_to_others(inner, outer, registry):
        yield fault("block_overlap", f"{place}.base", other=other.id, example=f"{inner.base}…")


def _numbers_inside(where: str, block: Block, registry: Registry) -> Iterator[Fault]:
    """Yield the single numbers of other customers in a block."""
    dated, mine = registry.dated.of, _customer(block.order, registry)
    for digits in registry.watched_below(block.base[1:]):
        if not holds(block.base[1:], block.ranges, digits):
            continue
        for key in registry.ids_of(digits):
            if not is_dated(block) and ("number", key) not in dated and _customer(registry.numbers[key].order, registry) == mine:
                continue  # nearly all of them
            number = registry.find("number", key)
            if isinstance(number, Number) and _belong_to_others(number, block, registry):
                yield fault("number_taken", where, number=number.number, other=f"number {key}")


def _same_range(one: Block, other: Block) -> bool:
    return one.ranges == other.ranges or not set(one.ranges).isdisjoint(other.ranges)


def _is_inside(inner: Block, outer: Block) -> bool:
    """Return whether a block without ranges holds the other, or begins inside it."""
    if not outer.ranges:
        return True
    rest = inner.base[len(outer.base) :]
    size = len(rest)
    return not inner.ranges and any(
        size <= len(item.first) and item.first[:size] <= rest <= item.last[:size] for item in outer.ranges
    )


def _meet(one: Item, other: Item) -> bool:
    return any(mine.meets(theirs) for mine in stays(one) for theirs in stays(other))


def _belong_to_others(one: Item, other: Item, registry: Registry) -> bool:
    """Return whether two items belong to different customers at some time at which both are there."""
    return any(
        mine.meets(theirs) and _customer(mine.order, registry) != _customer(theirs.order, registry)
        for mine in stays(one)
        for theirs in stays(other)
    )


def _customer(order: str, registry: Registry) -> str | None:
    held = registry.orders.get(order)
    return held.customer if held is not None else None
