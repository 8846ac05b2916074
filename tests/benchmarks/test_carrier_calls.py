"""Where the carrier says that its numbers are diverted to is what the compiled rules say."""

from datetime import UTC, datetime

import pytest

from benchmarks import tables
from benchmarks.carrier import FAULTY, Carrier
from routing.compile import Compiler
from routing.model import Line
from tests.routing.oracle import Table

_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("size", [Carrier(40, 420, 200, 300), Carrier(40, 420, 200, 900), Carrier(40, 420, 200, 60)])
def test_each_rule_has_a_number_with_its_target(size: Carrier) -> None:
    compiler = Compiler()
    table = Table()
    for delta in compiler.load(size.with_faults(), _NOW):
        table.apply(delta)
    asked = dict(size.ruled_numbers())
    assert len(asked) >= size.rules // FAULTY // 2
    for number, target in asked.items():
        found = table.outcome(number[1:])
        assert found is not None
        _, _, targets, counts, _ = found
        assert (_dialled(targets[0], number) if counts else "") == target, number


def test_the_lines_of_the_orders_asked_are_out_of_service() -> None:
    size = Carrier(40, 420, 200, 300)
    faulty = {line.order for line in size.with_faults() if isinstance(line, Line) and line.wish == "forced_down"}
    assert faulty == {f"T-{n:06}" for n in range(0, 40, FAULTY)} | {f"S-{n:06}" for n in range(0, 42, FAULTY)}


def test_a_block_of_the_tables_has_the_entries_that_the_compiler_makes() -> None:
    deltas = list(Compiler().load(Carrier(10, 10, 11, 0).entities(), _NOW))
    (made,) = tables.blocks(10 * tables.PER_BLOCK, 10)
    exact = {row[0] for delta in deltas for row in delta.get("exact", ()) if row[0] < "493021001000"}
    windows = {row[:3] for delta in deltas for row in delta.get("prefixes", ())}
    assert {row[0] for row in made["exact"]} == exact
    assert {row[:3] for row in made["prefixes"]} == windows


def _dialled(target: tuple[str, int | None], number: str) -> str:
    digits, after = target
    return f"+{digits}{number[1:][after:] if after is not None else ''}"
