"""Whatever happens to the entities, in whatever order: the deltas add up to a fresh compilation, and both to the naive oracle."""

import itertools
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.compile import Compiler
from routing.model import KINDS, Entity
from sipproxy._engine import RouteTable
from tests.routing.oracle import Table, World
from tests.routing.strategies import NOWS, entities, worlds

KIND_OF = {cls: kind for kind, cls in KINDS.items()}
# Every number of up to four digits behind the shortest base that can make a difference, and some that are nobody's.
PROBES = [
    "4930" + "".join(rest) for size in range(6) for rest in itertools.product("0129", repeat=size) if size < 4 or rest[0] == "0"
]


def compiled(world: list[Entity], now: datetime) -> Table:
    table = Table()
    for delta in Compiler().load(world, now):
        table.apply(delta)
    return table


@settings(max_examples=150, deadline=None)
@given(worlds(), NOWS)
def test_a_full_load_is_what_the_naive_reading_says(world: list[Entity], now: datetime) -> None:
    table = compiled(world_of(world), now)
    oracle = World(world, now)
    for digits in PROBES:
        assert oracle.outcome(digits) == table.outcome(digits), digits


def world_of(items: list[Entity]) -> list[Entity]:
    """The last of several with the same kind and id."""
    return list({(type(item), item.id): item for item in items}.values())


STEPS = st.lists(
    st.one_of(
        st.lists(entities(), min_size=1, max_size=3),
        st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(["a", "b", "c", "d", "e"])),
        NOWS,
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(worlds(), NOWS, STEPS)
def test_deltas_add_up_to_a_fresh_compilation(world: list[Entity], now: datetime, steps: list[Any]) -> None:
    compiler = Compiler()
    held = {(KIND_OF[type(item)], item.id): item for item in world}
    table = Table()
    engine = RouteTable() if RouteTable is not None else None
    deltas = list(compiler.load(held.values(), now))
    for step in steps:
        if isinstance(step, datetime):
            now = step
            deltas += compiler.advance(now)
        elif isinstance(step, tuple):
            held.pop(step, None)
            deltas += compiler.change([(*step, None)], now)
        else:
            held |= {(KIND_OF[type(item)], item.id): item for item in step}
            deltas += compiler.change([(KIND_OF[type(item)], item.id, item) for item in step], now)
        prefixes = compiler.directory.prefixes
        assert list(prefixes.below("")) == sorted(prefixes.entries.keys() | prefixes.points.keys())
    for delta in deltas:
        table.apply(delta)
        if engine is not None:
            engine.apply(delta)
    fresh = compiled(list(held.values()), now)
    assert fresh.same_as(table)
    again = Table()
    for delta in compiler.snapshot():
        again.apply(delta)
    assert again.__dict__ == table.__dict__
    oracle = World(held.values(), now)
    for digits in PROBES:
        expected = oracle.outcome(digits)
        assert expected == fresh.outcome(digits), digits
        assert expected == table.outcome(digits), digits
    assert fresh_problems(held.values(), now) == compiler.problems()


def fresh_problems(world: Any, now: datetime) -> Any:
    compiler = Compiler()
    list(compiler.load(world, now))
    return compiler.problems()


@settings(max_examples=100, deadline=None)
@given(worlds(), NOWS, NOWS)
def test_nothing_changes_before_the_next_instant_that_was_named(world: list[Entity], now: datetime, later: datetime) -> None:
    compiler = Compiler()
    list(compiler.load(world_of(world), now))
    at = compiler.next_change_at(now)
    assert at is None or at > now
    if later < now or (at is not None and later >= at):
        return
    assert compiler.advance(later) == []
    assert compiled(world_of(world), later).same_as(compiled(world_of(world), now))
    assert compiler.next_change_at(later) == at


@settings(max_examples=60, deadline=None)
@given(worlds(), NOWS)
def test_the_engine_finds_the_same_line_and_rule_as_the_oracle(world: list[Entity], now: datetime) -> None:
    compiler = Compiler()
    engine = RouteTable()
    for delta in compiler.load(world_of(world), now):
        engine.apply(delta)
    oracle = World(world, now)
    for digits in PROBES[::3]:
        expected = oracle.outcome(digits)
        found = engine.explain(f"+{digits}", INTERCONNECT, "down")
        line = found["line"]
        assert (expected[0] if expected and expected[4] else None) == (
            compiler.line_id(line) if line is not None and found["decision"] != "not_found" else None
        )


INTERCONNECT: Any = {
    "name": "core",
    "country_code": "49",
    "national_prefix": "0",
    "international_prefix": "00",
    "porting_prefixes": [],
    "domain": "example.invalid",
    "number_format": "+e164",
    "uri_scheme": "sip",
    "diversion": True,
    "history_info": "if_offered",
    "max_diversions": 5,
    "reason_sip": False,
    "unknown_number_status": 404,
    "redirect_only": False,
}
