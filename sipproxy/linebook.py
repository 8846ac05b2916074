"""What the rules say of a line, for the history: read from the compiler, which is what the engine was told from."""

from registrar_watch.going import WishState
from routing.compile import Compiler
from routing.coverage import Coverage, coverage, is_armed
from sipproxy.supply import Supply


class SupplyLines:
    """Implements `registrar_watch.going.LineBook` on the supply. Except for the names, ask only while `is_settled`."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply

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

    def coverage_of(self, line_id: str) -> Coverage:
        """Return what is armed for it and what not."""
        return coverage(self._compiler.directory, line_id)

    def wished_lines(self) -> list[str]:
        """Return the lines that are not simply enabled."""
        lines = self._compiler.directory.registry.lines
        return [key for key, line in lines.items() if line.wish != "enabled" and self._compiler.wish_of(key) != "enabled"]

    def is_settled(self) -> bool:
        """Return whether nothing is changing the rules in another thread."""
        return not self._supply.is_changing
