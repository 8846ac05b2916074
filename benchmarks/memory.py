"""How much memory does a number take in the engine? By what the process has more of after the table was filled."""

import gc
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from benchmarks import tables
from benchmarks.report import markdown_table

PROMISED_BYTES: Final = 64.0

_LINES: Final = 100_000
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_METHOD: Final = (
    "Each table is filled in a process of its own, in deltas of 50,000 entries as the compiler hands them over. Measured is by how much "
    "the resident memory of that process grew (`/proc/self/statm`), which includes what the allocator keeps and what the last "
    "pages of the delta left behind; beside it the table's own estimate. Numbers point to 100,000 lines and as many rules, which are "
    "put first and are counted in a row of their own."
)


@dataclass(frozen=True, slots=True)
class Found:
    """One table."""

    what: str
    count: int
    grown_bytes: int
    table_bytes: int
    """What the table says of itself, lines and rules not included."""

    @property
    def each(self) -> float:
        """Bytes for one."""
        return self.grown_bytes / self.count


def run(numbers: int) -> list[Found]:
    """Fill the tables one after the other."""
    context = multiprocessing.get_context("spawn")
    found: list[Found] = []
    for what in ("single numbers", "numbers in blocks"):
        with context.Pool(1) as pool:
            found += pool.apply(_fill, (what, numbers))
    # Lines and rules are alike in both.
    return [found[0], found[2], found[1]]


def _fill(what: str, numbers: int) -> list[Found]:
    from sipproxy._engine import RouteTable  # noqa: PLC0415 - in the measured process alone

    warm = RouteTable()
    for delta in (*tables.lines_and_rules(10_000), *tables.singles(50_000, 10_000)):
        warm.apply(delta)
    start = _resident()
    table = RouteTable()
    for delta in tables.lines_and_rules(_LINES):
        table.apply(delta)
    with_lines, lines_bytes = _resident(), table.counts()["bytes"]
    for delta in tables.singles(numbers, _LINES) if what == "single numbers" else tables.blocks(numbers, _LINES):
        table.apply(delta)
    grown, own = _resident() - with_lines, table.counts()["bytes"] - lines_bytes
    return [Found(what, numbers, grown, own), Found("lines with a rule each", _LINES, with_lines - start, lines_bytes)]


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def right(found: list[Found]) -> bool:
    """Return whether numbers take no more than is promised."""
    return all(one.each <= PROMISED_BYTES for one in found[:2])


def rows(found: list[Found]) -> list[list[str]]:
    """Return what the tables show."""
    return [
        [one.what, f"{one.count:,}", f"{one.grown_bytes / 1e6:,.0f}", f"{one.each:.1f}", f"{one.table_bytes / one.count:.1f}"]
        for one in found
    ]


_HEAD: Final = ("what", "how many", "memory MB", "bytes each", "by the table's own count")


def table(found: list[Found]) -> Table:
    """Return the result for the terminal."""
    drawn = Table(*_HEAD, title="Memory of the engine's table", title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def sections(found: list[Found]) -> list[str]:
    """Return the Markdown of a run."""
    return [*markdown_table(_HEAD, rows(found)), "", _METHOD]
