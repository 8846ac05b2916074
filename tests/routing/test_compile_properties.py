"""Whatever happens to the entities, in whatever order: the deltas add up to a fresh compilation, and both to the naive oracle."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.compile import Compiler
from routing.model import KINDS, Entity
from routing.target_policy import NATIONAL, CarrierPolicy
from sipproxy._engine import RouteTable
from tests.routing.oracle import Table, World
from tests.routing.strategies import BRAKES, CARRIERS, NOWS, entities, worlds

if TYPE_CHECKING:
    from sipproxy._engine import Delta

NONE: Mapping[str, str] = {}
KIND_OF = {cls: kind for kind, cls in KINDS.items()}
# Every number of up to four digits behind the shortest base that can make a difference, and some that are nobody's.
PROBES = [
    "4930" + "".join(rest) for size in range(6) for rest in itertools.product("0129", repeat=size) if size < 4 or rest[0] == "0"
]


def compiled(world: list[Entity], now: datetime, braked: Mapping[str, str] = NONE, carrier: CarrierPolicy = NATIONAL) -> Table:
    table = Table()
    for delta in fresh(braked, carrier).load(world, now):
        table.apply(delta)
    return table


def fresh(braked: Mapping[str, str] = NONE, carrier: CarrierPolicy = NATIONAL) -> Compiler:
    compiler = Compiler(carrier=carrier)
    compiler.directory.braked = dict(braked)
    return compiler


@settings(max_examples=150)
@given(worlds(), NOWS, BRAKES, CARRIERS)
def test_a_full_load_is_what_the_naive_reading_says(
    world: list[Entity], now: datetime, braked: dict[str, str], carrier: CarrierPolicy
) -> None:
    table = compiled(world_of(world), now, braked, carrier)
    oracle = World(world, now, braked, carrier)
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
        CARRIERS,
        BRAKES,
    ),
    max_size=12,
)


@dataclass
class Story:
    """What happened to a world, step by step, and what the compiler said."""

    held: dict[tuple[str, str], Entity]
    now: datetime
    braked: Mapping[str, str] = field(default_factory=dict)
    carrier: CarrierPolicy = NATIONAL
    compiler: Compiler = field(default_factory=Compiler)

    def begin(self) -> "list[Delta]":
        return list(self.compiler.load(self.held.values(), self.now))

    def take(self, step: Any) -> "list[Delta]":
        match step:
            case datetime():
                self.now = step
                return self.compiler.advance(step)
            case CarrierPolicy():
                self.carrier = step
                return self.compiler.judge_targets(step)
            case dict():
                self.braked = step
                return self.compiler.rest(step)
            case tuple():
                self.held.pop(step, None)
                return self.compiler.change([(*step, None)], self.now)
            case _:
                self.held |= {(KIND_OF[type(item)], item.id): item for item in step}
                return self.compiler.change([(KIND_OF[type(item)], item.id, item) for item in step], self.now)


@settings(max_examples=150)
@given(worlds(), NOWS, STEPS)
def test_deltas_add_up_to_a_fresh_compilation(world: list[Entity], now: datetime, steps: list[Any]) -> None:
    story = Story({(KIND_OF[type(item)], item.id): item for item in world}, now)
    table, engine = Table(), RouteTable()
    deltas = story.begin()
    for step in steps:
        deltas += story.take(step)
        prefixes = story.compiler.directory.prefixes
        assert list(prefixes.below("")) == sorted(prefixes.entries.keys() | prefixes.points.keys())
    for delta in deltas:
        table.apply(delta)
        engine.apply(delta)
    compiler, now, braked, carrier = story.compiler, story.now, story.braked, story.carrier
    held = list(story.held.values())
    anew = compiled(held, now, braked, carrier)
    assert anew.same_as(table)
    again = Table()
    for delta in compiler.snapshot():
        again.apply(delta)
    assert again.__dict__ == table.__dict__
    oracle = World(held, now, braked, carrier)
    for digits in PROBES:
        expected = oracle.outcome(digits)
        assert expected == anew.outcome(digits), digits
        assert expected == table.outcome(digits), digits
    other = fresh(braked, carrier)
    list(other.load(held, now))
    assert other.problems() == compiler.problems()
    for digits in PROBES[::7]:
        assert other.explain_rules(digits) == compiler.explain_rules(digits), digits


@settings(max_examples=100)
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


@settings(max_examples=60)
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
