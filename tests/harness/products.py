"""A customer of each product as a clerk's tables have him, brought in by ``sipproxy import``."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.service import Service
from tests.harness.waiting import until

Row = Mapping[str, str]
"""Column → cell; what is left out is not in the table's row."""


@dataclass(frozen=True)
class Customer:
    """One customer with one order; ``key`` names both, and the line where there is only one."""

    key: str
    product: str
    lines: tuple[Row, ...] = ()
    blocks: tuple[Row, ...] = ()
    numbers: tuple[Row, ...] = ()
    rules: tuple[Row, ...] = ()
    order: Row | None = None
    """What the order has besides."""

    @property
    def line(self) -> str:
        """The id of the (first) line."""
        return f"line-{self.key}"

    @property
    def user(self) -> str:
        """The user that registers on it."""
        return f"user-{self.key}"

    @property
    def password(self) -> str:
        """His password."""
        return f"secret-of-{self.key}"

    def registered(self) -> Row:
        """The row of a registered line."""
        return {"id": self.line, "users": self.user, "password": self.password}

    def tables(self) -> dict[str, list[Row]]:
        """All tables, by the names of their files."""
        order = {
            "id": self.key,
            "customer": self.key,
            "product": self.product,
            "site": f"site-{self.key}",
            "address": "Musterstraße 1",
        }
        of_order = {"order": self.key}
        lines = self.lines or (self.registered(),)
        on_line = {**of_order, "line": self.line}
        return {
            "customers": [{"id": self.key, "name": f"Muster {self.product}"}],
            "orders": [{**order, **(self.order or {})}],
            "lines": [{**of_order, **row} for row in lines],
            "blocks": [{**on_line, **row} for row in self.blocks],
            "numbers": [{**on_line, **row} for row in self.numbers],
            "rules": [{**of_order, "armed": "ja", **row} for row in self.rules],
        }


def write_tables(folder: Path, tables: Mapping[str, list[Row]]) -> Path:
    """Write tables as a spreadsheet does: ``;`` and a byte order mark. Returns the folder."""
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        if rows:
            columns = list(dict.fromkeys(column for row in rows for column in row))
            with (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, columns, delimiter=";", restval="")
                writer.writeheader()
                writer.writerows(rows)
    return folder


def bring_in(service: Service, customer: Customer) -> dict[str, Any]:
    """Import a customer beside the running service, and wait until it routes by him; returns what was imported, by kind."""
    folder = write_tables(service.folder / f"tables-{customer.key}", customer.tables())
    done: dict[str, Any] = json.loads(service.run("import", str(folder), "--yes", "--json"))
    wanted = {row["id"] for row in customer.tables()["lines"]}
    until(lambda: wanted <= service.lines().keys(), what=f"the service to have the lines of {customer.key}")
    counts: dict[str, Any] = done["counts"]
    return counts
