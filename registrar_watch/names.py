"""How the engine's small integers get their names."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sipproxy._engine import BindingRow


class LineNames(Protocol):
    """Slot ↔ line, as the compiler of the routing table keeps it."""

    def line_id(self, slot: int) -> str | None:
        """Return the line that has or had the slot."""

    def line_slot(self, line_id: str) -> int | None:
        """Return the slot of a line."""


BindingKey = tuple[str, str, str]
"""(line, user of the AoR, contact URI): what makes a binding one."""


def binding_key(line_id: str, row: "BindingRow") -> BindingKey:
    """Return the key of an engine row."""
    return line_id, row[8], row[1]


def mask(number: str) -> str:
    """Hide the last three digits, as every log and view does with numbers of callers and called."""
    return f"{number[:-3]}…" if len(number) > 3 else "…"  # noqa: PLR2004 - three digits, as in the engine's records
