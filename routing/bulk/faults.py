"""The faults of an import: all are counted, the first are kept."""

from collections import Counter
from typing import Final

from routing.rejection import Fault, RuleRejected

KEPT: Final = 1000
"""Nobody reads more; a file of a million bad rows must not fill the memory."""


class Faults:
    """A bounded list of faults with counts."""

    def __init__(self) -> None:
        self.kept: list[Fault] = []
        self.count = 0
        self.types: Counter[str] = Counter()
        self._rows: set[str] = set()

    def add(self, *faults: Fault) -> None:
        """Note faults."""
        for one in faults:
            self.count += 1
            self.types[one.type] += 1
            self._rows.add(row_of(one.location))
            if len(self.kept) < KEPT:
                self.kept.append(one)

    @property
    def rows(self) -> int:
        """How many rows are bad."""
        return len(self._rows)

    def raise_if_any(self) -> None:
        """Raise `BulkRejected` unless there is none."""
        if self.count:
            raise BulkRejected(self)


class BulkRejected(RuleRejected):
    """An import was refused; nothing was changed. ``faults`` are the first ones."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults.kept)
        self.count = faults.count
        """Of all faults."""
        self.rows = faults.rows
        self.types = dict(faults.types.most_common())


def row_of(location: str) -> str:
    """Return the row that a place is in: ``rules.csv:17`` of ``rules.csv:17.targets``."""
    name, separator, rest = location.rpartition(":")
    return f"{name}{separator}{rest.partition('.')[0]}" if separator else location
