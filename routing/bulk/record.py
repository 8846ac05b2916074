"""The cells of one row by column; what is wrong with one is noted with its column, nothing is raised half-way."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TypeVar

from routing.bulk import cells
from routing.rejection import Fault, RuleRejected, fault

T = TypeVar("T")


class Cells:
    """The cells of a row by column; a missing column reads as an empty cell."""

    def __init__(self, values: Mapping[str, str], where: str, faults: list[Fault]) -> None:
        self.values = values
        self.where = where
        self.faults = faults

    def at(self, column: str) -> str:
        """Return the place of a column."""
        return f"{self.where}.{column}"

    def has(self, column: str) -> bool:
        """Return whether there is anything in the column."""
        cell = self.values.get(column, "")
        return bool(cell) and not cell.isspace()

    def free(self, column: str) -> str:
        """Return a text as it is."""
        return cells.plain(self.values.get(column, ""))

    def optional(self, column: str) -> str | None:
        """Return a text as it is, None when there is none."""
        return cells.optional_text(self.values.get(column, ""))

    def name(self, column: str, what: str = "") -> str:
        """Return an id or keyword; with ``what``, an empty cell is a fault."""
        text = cells.tidy(self.values.get(column, ""))
        if not text and what:
            self.faults.append(fault("cell_empty", self.at(column), what=what))
        return text

    def whole(self, column: str) -> int | None:
        """Return a whole number, None for an empty cell."""
        text = self.name(column)
        if not text:
            return None
        try:
            return int(text.replace(".", "") if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+", text) else text)
        except ValueError:
            self.faults.append(fault("cell_list", self.at(column), text=text[:40], why="a whole number is wanted"))
            return None

    def flag(self, column: str) -> bool:
        """Return yes or no; an empty cell is no."""
        if not self.has(column):
            return False
        return self.read(lambda: cells.yes_no(self.values[column], self.at(column))) or False

    def items(self, column: str) -> tuple[str, ...]:
        """Return a list."""
        return tuple(cells.split(self.values.get(column, "")))

    def json(self, column: str, kind: type[T]) -> T | None:
        """Return a cell of JSON."""
        text = cells.plain(self.values.get(column, "")).strip()
        if not text:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.faults.append(fault("line_json", self.at(column), why=str(error)[:80]))
            return None
        if isinstance(found, kind):
            return found
        self.faults.append(fault("cell_list", self.at(column), text=text[:40], why=f"JSON of another form than {kind.__name__}"))
        return None

    def instant(self, column: str, zone: tzinfo) -> datetime | None:
        """Return a time."""
        return self.read(lambda: cells.instant(self.values.get(column, ""), self.at(column), zone))

    def read(self, parse: Callable[[], T]) -> T | None:
        """Return what ``parse`` returns; note its faults if it refuses."""
        try:
            return parse()
        except RuleRejected as refused:
            self.faults.extend(refused.faults)
            return None
