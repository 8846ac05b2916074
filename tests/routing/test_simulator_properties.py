"""The simulator is given a part of the domain, and answers like the table of all of it; counts are those of asking one by one."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.answers import Question
from routing.compile import Compiler
from routing.excerpt import excerpt, excerpt_of_number
from routing.faults import FAULTS, FaultName
from routing.model import Block, Diversion, Entity, Line, Number, NumberScope, Order, OrderScope, Site, Target
from routing.protection import protection
from routing.simulator import Simulator, Surroundings
from sipproxy._engine import RouteTable
from tests.routing.oracle import World
from tests.routing.strategies import BASES, NAMES, NOWS, blocks, numbers, numbers_text, scopes, worlds
from tests.routing.test_compile_properties import INTERCONNECT, PROBES, world_of

AROUND = Surroundings(INTERCONNECT)
FAULT: st.SearchStrategy[FaultName] = st.sampled_from(sorted(FAULTS))


def among_ourselves() -> st.SearchStrategy[list[Entity]]:
    """Armed rules whose targets are numbers of the same world, and orders that share a site with others."""
    target = st.builds(Target, number=numbers_text() | BASES, keep_extension=st.booleans())
    rule = st.builds(
        Diversion,
        id=st.sampled_from(["f", "g", "h"]),
        order=NAMES,
        scope=scopes() | st.just(OrderScope()),
        armed=st.just(value=True),
        targets=st.lists(target, min_size=1, max_size=2).map(tuple),
    )
    site = st.builds(Site, id=st.just("a"), address=st.just(""))
    order = st.builds(Order, id=NAMES, customer=NAMES, product=st.just("sipTrunk 2.0"), site=site)
    line = st.builds(Line, id=NAMES, order=NAMES, kind=st.just("registered"))
    return st.lists(st.one_of(rule, rule, order, line, numbers(), blocks()), max_size=12)


WORLDS = st.builds(lambda world, more: world_of([*world, *more]), worlds(), among_ourselves())


class Whole:
    """The table of the whole domain at an instant, asked for bare answers."""

    def __init__(self, world: Iterable[Entity], at: datetime) -> None:
        self.compiler, self.table = Compiler(), RouteTable()
        for delta in self.compiler.load(world, at):
            self.table.apply(delta)

    def ask(self, numbers: list[str], fault: FaultName) -> Iterator[tuple[Any, ...]]:
        held = FAULTS[fault]
        supposed: Any = {"cause": held.cause, "wish": held.wish, "bound": held.bound, "whole_site": held.whole_site}
        for row in self.table.survey(numbers, INTERCONNECT, held.health, held.place, supposed):
            yield self.named(row)

    def named(self, row: Any) -> tuple[Any, ...]:
        decision, status, reason, line, rule, in_force, numbers, left_out = row
        names = self.compiler.line_id(line), self.compiler.rule_id(rule)
        return decision, status, reason, *names, in_force, numbers, left_out


@settings(max_examples=100)
@given(WORLDS, NOWS, NOWS, FAULT, st.lists(st.sampled_from(PROBES), min_size=1, max_size=12))
def test_a_number_is_answered_as_by_the_table_of_the_whole_domain(
    world: list[Entity], held_at: datetime, at: datetime, fault: FaultName, probes: list[str]
) -> None:
    directory = Whole(world, held_at).compiler.directory
    whole = Whole(world, at)
    for digits, expected in zip(probes, whole.ask([f"+{digits}" for digits in probes], fault), strict=True):
        simulator = Simulator(excerpt_of_number(directory, digits), at, AROUND)
        (row,) = simulator.survey([f"+{digits}"], fault)
        assert (simulator.compiler.line_id(row[3]), simulator.compiler.rule_id(row[4])) == expected[3:5]
        assert (*row[:3], *row[5:]) == (*expected[:3], *expected[5:])
        answer = simulator.ask(Question(f"+{digits}", at, fault))
        decided = "last_try" if answer.outcome == "last_try" else row[0]
        assert decided == expected[0]
        assert [contact.number for contact in answer.targets] == (
            [f"+{number}" for number in expected[6]] if answer.diverts else []
        )
        assert [(rule.rule_id, rule.reason) for rule in answer.rules] == [
            (rule.rule_id, rule.reason) for rule in whole.compiler.explain_rules(digits)
        ]


@settings(max_examples=150)
@given(WORLDS, NOWS, NOWS, FAULT, st.sampled_from(["a", "b", "c"]))
def test_an_order_is_counted_as_if_each_number_was_asked(
    world: list[Entity], held_at: datetime, at: datetime, fault: FaultName, order: str
) -> None:
    directory = Whole(world, held_at).compiler.directory
    simulator = Simulator(excerpt(directory, [order]), at, AROUND)
    if order not in simulator.compiler.directory.registry.orders:
        return
    report = protection(simulator, order, fault)
    asked = sorted(named(world, at, order))
    rows = dict(zip(asked, Whole(world, at).ask([f"+{digits}" for digits in asked], fault), strict=True))
    assert report.counted == len(asked)
    protected = {digits for digits, row in rows.items() if row[6]}
    assert report.protected == len(protected)
    listed = [(group, span) for group in report.groups for span in group.spans if span.count]
    told = {str(n): group.protected for group, span in listed for n in range(int(span.first[1:]), int(span.last[1:]) + 1)}
    assert told == {digits: digits in protected for digits in asked}
    assert simulator.compiler.now == at
    assert report.week is not None
    assert sum(part.count for part in report.week.parts) == report.counted
    assert all(part.when for part in report.week.parts)
    assert report.week.lowest <= report.counted


def named(world: list[Entity], at: datetime, order: str) -> set[str]:
    """The numbers that an order names, the plain way."""
    plain = World(world, at)
    rules = [entity for entity in world if isinstance(entity, Diversion)]
    found = {number.number[1:] for number in plain.of[Number].values() if number.order == order}
    for block in plain.of[Block].values():
        if block.order == order:
            placed = plain.placed(block)
            found |= {
                digits for digits in extensions(plain, block, rules if placed else []) if placed or home(plain, digits) is None
            }
    return {digits for digits in found if (owner := home(plain, digits)) is None or owner.order == order}


def extensions(plain: World, block: Block, rules: list[Diversion]) -> Iterator[str]:
    base = block.base[1:]
    ranges = [(item.first, item.last) for item in block.ranges]
    if not block.ranges:
        yield base
        ranges = [(rule.scope.first, rule.scope.last) for rule in plain.range_rules(block)] if rules else []
        for rule in rules:
            mine = isinstance(rule.scope, NumberScope) and rule.order == block.order
            if mine and home(plain, rule.scope.number[1:]) is block:
                yield rule.scope.number[1:]
    for first, last in ranges:
        for value in range(int(first), int(last) + 1):
            digits = f"{base}{value:0{len(first)}}"
            if block.ranges or home(plain, digits) is block or any(n.number[1:] == digits for n in plain.of[Number].values()):
                yield digits


def home(plain: World, digits: str) -> Number | Block | None:
    numbers = sorted((n for n in plain.of[Number].values() if n.number[1:] == digits and plain.placed(n)), key=lambda n: n.id)
    return numbers[0] if numbers else plain.block_of(digits)
