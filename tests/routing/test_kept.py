"""Targets that keep the extension: none of the numbers that they come to may be barred, when saved and when used."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.compile import Compiler
from routing.directory import Directory
from routing.kept import emergency_extensions
from routing.model import Block, BlockScope, Customer, Diversion, Entity, ExtensionRange, Line, Order, Site, Target
from routing.number_kinds import NumberKind, classify
from routing.targets import check_diversion
from tests.routing.oracle import Table

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FINE = Target(number="+491713920000")


def world(base: str, first: str, last: str, *allowances: str) -> list[Entity]:
    return [
        Customer.model_validate({"id": "c", "name": "c", "allowances": allowances}),
        Order(id="o", customer="c", product="sipTrunk 2.0", site=Site(id="s", address="")),
        Line(id="l", order="o", kind="registered"),
        Block(id="b", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first=first, last=last),)),
        Diversion(
            id="r", order="o", scope=BlockScope(block="b"), armed=True, targets=(Target(number=base, keep_extension=True), FINE)
        ),
    ]


CASES = [
    ("+492111", "10", "19", "target_keep_emergency"),
    ("+492111", "13", "19", None),
    ("+493011", "0", "0", "target_keep_emergency"),
    ("+4930", "110", "119", "number_short"),  # what stands behind "030" is no base
    ("+4990", "0123", "0456", "number_short"),
    ("+491", "100", "109", "number_short"),
    ("+490301", "00", "99", "number_zero_after_country"),
    ("+49900", "000", "999", "target_premium"),
    ("+496990009", "000", "999", None),
    ("+1900555", "1000", "1099", "target_premium"),
    ("+1212555", "1000", "1099", None),
    ("+44909879", "0000", "0099", "target_premium"),
]


@pytest.mark.parametrize(("base", "first", "last", "expected"), CASES)
def test_a_base_is_refused_with_what_may_come_behind_it(base: str, first: str, last: str, expected: str | None) -> None:
    entities = world(base, first, last, "international")
    directory = Directory()
    directory.registry.load(entities)
    directory.settle()
    rule = directory.registry.diversions["r"]
    found = check_diversion(rule, directory.policy("o"), directory)
    assert [(item.location, item.type) for item in found] == ([("targets[0]", expected)] if expected else [])


@pytest.mark.parametrize(("base", "first", "last", "expected"), CASES)
def test_it_is_left_out_when_it_is_used_too(base: str, first: str, last: str, expected: str | None) -> None:
    compiler, table = Compiler(), Table()
    for delta in compiler.load(world(base, first, last, "international"), NOW):
        table.apply(delta)
    (spec,) = table.rules.values()
    assert [target["digits"] for target in spec["targets"]] == ([] if expected else [base[1:]]) + [FINE.number[1:]]
    assert [problem.type for problem in compiler.problems()] == ([expected] if expected else [])


def test_a_block_that_gets_other_extensions_is_judged_anew() -> None:
    compiler, table = Compiler(), Table()
    for delta in compiler.load(world("+492111", "20", "29"), NOW):
        table.apply(delta)
    assert [len(spec["targets"]) for spec in table.rules.values()] == [2]
    wider = world("+492111", "10", "29")[3]
    for delta in compiler.change([("block", "b", wider)], NOW):
        table.apply(delta)
    assert [target["digits"] for spec in table.rules.values() for target in spec["targets"]] == [FINE.number[1:]]
    assert [problem.type for problem in compiler.problems()] == ["target_keep_emergency"]


@given(st.text("01234569", min_size=3, max_size=8), st.text("012", max_size=5))
def test_every_ending_that_makes_an_emergency_number_is_known(national: str, ending: str) -> None:
    reached = classify(f"49{national}{ending}")[0] is NumberKind.EMERGENCY
    assert (ending in emergency_extensions(f"49{national}")) == reached
