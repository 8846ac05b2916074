"""What the rules say of a line, for the history: read from the compiler, which is what the engine was told from."""

from collections.abc import Callable, Mapping

from registrar_watch.going import WishState
from routing.compile import Compiler
from routing.coverage import Coverage, coverage, is_armed
from routing.products import product
from sipproxy.supply import Supply


class SupplyLines:
    """Implements `registrar_watch.going.LineBook` on the supply. Except for the names, ask only while `is_settled`."""

    def __init__(self, supply: Supply, down_share: Callable[[], Mapping[str, float]] = dict) -> None:
        """``down_share()``: what the configuration has instead of the products' `site_share`."""
        self._supply = supply
        self.down_share = down_share

    @property
    def _compiler(self) -> Compiler:
        return self._supply.compiler

    def line_id(self, slot: int) -> str | None:
        """Return the line that has or had the slot."""
        return self._supply.line_id(slot)

    def rule_id(self, slot: int) -> str | None:
        """Return the diversion that has or had the slot."""
        return self._supply.rule_id(slot)

    def order_of(self, line_id: str) -> str:
        """Return the order of a line, "" if it is gone."""
        line = self._compiler.directory.registry.lines.get(line_id)
        return line.order if line is not None else ""

    def wish_of(self, line_id: str) -> WishState:
        """Return what the engine was told that is wished of the line, and by whom."""
        line = self._compiler.directory.registry.lines.get(line_id)
        if line is None:
            return WishState()
        wish = self._compiler.wish_of(line_id)
        if wish != line.wish:  # its time is over
            return WishState(wish)
        until = int(line.wish_until.timestamp() * 1000) if line.wish_until is not None else None
        return WishState(wish, until, line.wish_by, line.wish_note)

    def is_armed(self, line_id: str) -> bool:
        """Return whether a rule that may be used is armed for one of its numbers."""
        return is_armed(self._compiler.directory, line_id)

    def rests(self, line_id: str) -> str:
        """Return why the rules of a line's order rest (docs/operations.md, the brake); "" when they do not."""
        return self._compiler.directory.braked.get(self.order_of(line_id), "")

    def coverage_of(self, line_id: str) -> Coverage:
        """Return what is armed for it and what not."""
        return coverage(self._compiler.directory, line_id)

    def site_of(self, line_id: str) -> str | None:
        """Return the site of a line, None if it is gone."""
        site = self._compiler.directory.registry.site_of(line_id)
        return site.id if site is not None else None

    def lines_at(self, site: str) -> set[str]:
        """Return the lines of a site."""
        registry = self._compiler.directory.registry
        orders = tuple(registry.orders_at.get(site, ()))
        found = {line for order in orders for line in tuple(registry.lines_of.get(order, ()))}
        found |= registry.lines_at.get(site, set())
        return {line for line in found if self.site_of(line) == site}

    def site_share(self, site: str) -> float:
        """Return the share of its lines from which on a site is down: the highest of its products."""
        registry = self._compiler.directory.registry
        orders = {*registry.orders_at.get(site, ()), *(self.order_of(line) for line in tuple(registry.lines_at.get(site, ())))}
        names = {registry.orders[order].product for order in orders if order in registry.orders}
        return max((self._share_of(name) for name in names), default=1.0)

    def _share_of(self, name: str) -> float:
        held = product(name)
        changed = {key: share for key, share in self.down_share().items() if product(key) is held}
        return next(iter(changed.values()), held.site_share if held is not None else 1.0)

    def wished_lines(self) -> list[str]:
        """Return the lines that are not simply enabled."""
        lines = self._compiler.directory.registry.lines
        return [key for key, line in lines.items() if line.wish != "enabled" and self._compiler.wish_of(key) != "enabled"]

    def is_settled(self) -> bool:
        """Return whether nothing is changing the rules in another thread."""
        return not self._supply.is_changing
