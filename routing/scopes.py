"""Which numbers a diversion is for, asked of the registry; the half of `routing.targets.DomainView` about scopes."""

from routing.blocks import holds, is_range
from routing.model import Block, BlockScope, Diversion, NumberScope, RangeScope
from routing.numbers import MAX_DIGITS
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.targets import Owner


class Scopes:
    """Questions about a diversion's scope."""

    registry: Registry

    def owner(self, number: str) -> Owner | None:
        """Return who has the E.164 number."""
        raise NotImplementedError

    def block_of(self, diversion: Diversion) -> Block | None:
        """Return the block that a block or range rule is for."""
        if isinstance(diversion.scope, BlockScope | RangeScope):
            return self.registry.blocks.get(diversion.scope.block)
        return None

    def base_of(self, diversion: Diversion) -> str | None:
        """Return the base of the block that a block or range rule is for."""
        block = self.block_of(diversion)
        return block.base if block is not None else None

    def misscoped(self, diversion: Diversion) -> Fault | None:
        """Return what is wrong with the references of a diversion; whose its number is, is not looked at."""
        if diversion.order not in self.registry.orders:
            return fault("reference_missing", "order", kind="order", id=diversion.order)
        scope = diversion.scope
        if isinstance(scope, BlockScope | RangeScope):
            block = self.registry.blocks.get(scope.block)
            if block is None or block.order != diversion.order:
                return fault("scope_block", "scope.block", block=scope.block, order=diversion.order)
            if isinstance(scope, RangeScope):
                return _range_fault(scope, block)
        return None

    def scope_faults(self, diversion: Diversion) -> list[Fault]:
        """Return what is wrong with the numbers that a diversion is for."""
        what = self.misscoped(diversion)
        if what is None and isinstance(diversion.scope, NumberScope):
            number = diversion.scope.number
            owner = self.owner(number)
            if owner is None or owner.order != diversion.order:
                what = fault("scope_number", "scope.number", number=number, order=diversion.order)
        return [what] if what is not None else []

    def scope_owners(self, diversion: Diversion) -> list[Owner]:
        """Return where the numbers are delivered that a diversion is for, one owner per line."""
        scope = diversion.scope
        if isinstance(scope, NumberScope):
            owner = self.owner(scope.number)
            return [owner] if owner is not None else []
        site = self.registry.orders[diversion.order].site.id
        block = self.block_of(diversion)
        if block is not None:
            return [Owner(diversion.order, site, block.line, block.base)]
        return [Owner(diversion.order, site, line, None) for line in sorted(self.registry.lines_of.get(diversion.order, ()))]

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
            return len(extension) == len(scope.first) and scope.first <= extension <= scope.last
        owner = self.owner(number)
        return owner is not None and owner.order == diversion.order

    def longest(self, diversion: Diversion) -> int:
        """Return the digits of the longest extension that a block or range rule is for, 0 when it has no limit."""
        if isinstance(diversion.scope, RangeScope):
            return len(diversion.scope.first)
        block = self.block_of(diversion)
        return max((len(item.first) for item in block.ranges), default=0) if block is not None else 0

    def example(self, diversion: Diversion) -> str | None:
        """Return one E.164 number that the diversion is for, to follow loops from; None for an order."""
        scope = diversion.scope
        if isinstance(scope, NumberScope):
            return scope.number
        block = self.block_of(diversion)
        if block is None:
            return None
        if isinstance(scope, RangeScope):
            return block.base + scope.first
        return block.base + (block.ranges[0].first if block.ranges else "")


def _range_fault(scope: RangeScope, block: Block) -> Fault | None:
    if not is_range(scope.first, scope.last):
        return fault("extension_range", "scope", first=scope.first, last=scope.last)
    inside = not block.ranges or any(
        len(r.first) == len(scope.first) and r.first <= scope.last and scope.first <= r.last for r in block.ranges
    )
    if inside and len(block.base) - 1 + len(scope.first) <= MAX_DIGITS:
        return None
    return fault("scope_range", "scope", first=scope.first, last=scope.last, block=block.id)
