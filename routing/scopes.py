"""Which numbers a diversion is for, asked of the registry; for the checks of `routing.targets`."""

from routing.blocks import holds, is_range
from routing.model import Block, BlockScope, Diversion, NumberScope, RangeScope
from routing.numbers import MAX_DIGITS
from routing.products import product
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.stays import Item, stays
from routing.targets import Owner


class Scopes:
    """Questions about a diversion's scope."""

    registry: Registry

    def owner(self, number: str) -> Owner | None:
        """Return who has the E.164 number."""
        raise NotImplementedError

    def block_of(self, diversion: Diversion) -> Block | None:
        """Return the block that a block or range rule is for, also if it is not there now; then as it is stored."""
        if not isinstance(diversion.scope, BlockScope | RangeScope):
            return None
        held = self.registry.blocks.get(diversion.scope.block)
        if held is not None:
            return held
        stored = self.registry.dated.of.get(("block", diversion.scope.block))
        return stored if isinstance(stored, Block) else None

    def in_time(self, diversion: Diversion) -> bool:
        """Return whether the block of a rule, if it is for one, is there now and with the rule's order."""
        if not isinstance(diversion.scope, BlockScope | RangeScope):
            return True
        block = self.registry.blocks.get(diversion.scope.block)
        return block is not None and block.order == diversion.order

    def base_of(self, diversion: Diversion) -> str | None:
        """Return the base of the block that a block or range rule is for."""
        block = self.block_of(diversion)
        return block.base if block is not None else None

    def belongs(self, diversion: Diversion) -> bool:
        """Return whether the number or block of a rule, if it is for one, belongs to the rule's order now."""
        if isinstance(diversion.scope, NumberScope):
            owner = self.owner(diversion.scope.number)
            return owner is not None and owner.order == diversion.order
        return self.in_time(diversion)

    def misscoped(self, diversion: Diversion) -> Fault | None:
        """Return what is wrong with the references of a diversion; whose its number is, is not looked at.

        A rule for a block that comes later or has gone is right, though nothing is diverted by it now (`in_time`).
        """
        order = self.registry.orders.get(diversion.order)
        if order is None:
            return fault("reference_missing", "order", kind="order", id=diversion.order)
        held = product(order.product)
        if held is not None and not held.eligible:
            return fault("product_not_eligible", "order", product=held.name, order=order.id)
        scope = diversion.scope
        if isinstance(scope, BlockScope | RangeScope):
            block = self.block_of(diversion)
            ever = self.in_time(diversion) or self.registry.dated.ever_in(diversion.order, "block", scope.block)
            if block is None or not ever:
                return fault("scope_block", "scope.block", block=scope.block, order=diversion.order)
            if isinstance(scope, RangeScope):
                return _range_fault(scope, block)
        return None

    def scope_faults(self, diversion: Diversion) -> list[Fault]:
        """Return what is wrong with the numbers that a diversion is for."""
        what = self.misscoped(diversion)
        if what is None and isinstance(diversion.scope, NumberScope):
            number = diversion.scope.number
            if self.owner_in(number, diversion.order) is None:
                what = fault("scope_number", "scope.number", number=number, order=diversion.order)
        return [what] if what is not None else []

    def scope_owners(self, diversion: Diversion) -> list[Owner]:
        """Return where the numbers are delivered that a diversion is for, one owner per line."""
        scope = diversion.scope
        if isinstance(scope, NumberScope):
            owner = self.owner_in(scope.number, diversion.order)
            return [owner] if owner is not None else []
        site = self.registry.orders[diversion.order].site.id
        block = self.block_of(diversion)
        if block is not None:
            line = block.line if self.in_time(diversion) else self._line_in(diversion.order, block)
            return [Owner(diversion.order, site, line, block.base)]
        return [Owner(diversion.order, site, line, None) for line in sorted(self.registry.lines_of.get(diversion.order, ()))]

    def owner_in(self, number: str, order: str) -> Owner | None:
        """Return where an E.164 number is delivered while it belongs to an order: now, else at some other time."""
        owner = self.owner(number)
        if owner is not None and owner.order == order:
            return owner
        held = self.registry.orders.get(order)
        if held is None:
            return None
        for item in self.registry.dated.with_number(number[1:]):
            if any(stay.order == order for stay in stays(item)):
                base = item.base if isinstance(item, Block) else None
                return Owner(order, held.site.id, self._line_in(order, item), base)
        return None

    def _line_in(self, order: str, item: Item) -> str:
        """Return the line on which an item is delivered while it belongs to an order."""
        return next((stay.line for stay in reversed(stays(item)) if stay.order == order), item.line)

    def covers(self, diversion: Diversion, number: str) -> bool:
        """Return whether the E.164 number is one of those that a diversion is for."""
        scope = diversion.scope
        if isinstance(scope, NumberScope):
            return scope.number == number
        block = self.block_of(diversion)
        if block is not None and not holds(block.base, block.ranges, number):
            return False
        if isinstance(scope, RangeScope) and block is not None:
            extension = number[len(block.base) :]
            if len(extension) != len(scope.first) or not scope.first <= extension <= scope.last:
                return False
        # A single number in a block may be another order's.
        return self.owner_in(number, diversion.order) is not None

    def longest(self, diversion: Diversion) -> int:
        """Return the digits of the longest extension that a block or range rule is for, 0 when it has no limit."""
        if isinstance(diversion.scope, RangeScope):
            return len(diversion.scope.first)
        block = self.block_of(diversion)
        return max((len(item.first) for item in block.ranges), default=0) if block is not None else 0


def _range_fault(scope: RangeScope, block: Block) -> Fault | None:
    if not is_range(scope.first, scope.last):
        return fault("extension_range", "scope", first=scope.first, last=scope.last)
    inside = not block.ranges or any(
        len(r.first) == len(scope.first) and r.first <= scope.last and scope.first <= r.last for r in block.ranges
    )
    if inside and len(block.base) - 1 + len(scope.first) <= MAX_DIGITS:
        return None
    return fault("scope_range", "scope", first=scope.first, last=scope.last, block=block.id)
