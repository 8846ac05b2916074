"""A directory that is moved on is the one that is read at that instant, and rules are looked at when something touches them."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.crosscheck import crosscheck
from routing.directory import Directory
from routing.foresight import foresee
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Site,
    Target,
)
from routing.targets import check_diversion
from tests.routing.strategies import NOWS, worlds
from tests.routing.test_compile_properties import PROBES, world_of


def directory(world: list[Entity], now: datetime) -> Directory:
    held = Directory()
    held.registry.now = now
    held.registry.load(world)
    held.settle()
    return held


@settings(max_examples=80)
@given(worlds(), NOWS, st.lists(NOWS, min_size=1, max_size=4))
def test_a_directory_that_was_moved_on_answers_like_a_fresh_one(world: list[Entity], now: datetime, way: list[datetime]) -> None:
    sound = world_of(world)
    moved, fresh = directory(sound, now), directory(sound, way[-1])
    for at in way:
        moved.advance(at)
    for digits in PROBES[::3]:
        place = moved.place(digits)
        assert place == fresh.place(digits), digits
        if place is not None:
            assert moved.candidates(digits, place) == fresh.candidates(digits, place), digits


SINGLE = [f"+49699000900{n}" for n in range(6)]
BASES = {"a": "+493023125", "b": "+492214710", "d": "+4940669690"}
DATES = st.none() | st.none() | NOWS
ORDER_KEYS = st.sampled_from("abd")
TARGETS = st.one_of(
    st.builds(Target, number=st.sampled_from([*SINGLE, *(f"{base}07" for base in BASES.values())])),
    st.builds(Target, number=st.sampled_from(sorted(BASES.values())), keep_extension=st.just(value=True)),
)


def moves() -> st.SearchStrategy[Move | None]:
    return st.none() | st.builds(lambda at, key: Move(at=at, order=key, line=key), NOWS, ORDER_KEYS)


@st.composite
def dated_worlds(draw: st.DrawFn) -> list[Entity]:
    """Three sites with a block each, single numbers with dates, and rules that lead from one to the other."""
    found: list[Entity] = [Customer(id="c", name="c")]
    for key in "abd":
        found += [
            Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address="")),
            Line(id=key, order=key, kind="registered"),
        ]
        dates = {"active_from": draw(DATES), "active_until": draw(DATES), "move": draw(moves())}
        part = ExtensionRange(first="00", last="19")
        found.append(Block(id=key, order=key, line=key, base=BASES[key], ranges=(part,), **dates))
    for number in SINGLE:
        key = draw(ORDER_KEYS)
        dates = {"active_from": draw(DATES), "active_until": draw(DATES), "move": draw(moves())}
        found.append(Number(id=number[1:], order=key, line=key, number=number, **dates))
    for index in range(draw(st.integers(2, 8))):
        key = draw(ORDER_KEYS)
        scope = draw(
            st.one_of(
                st.builds(NumberScope, number=st.sampled_from([*SINGLE, f"{BASES[key]}07"])),
                st.sampled_from([BlockScope(block=key), RangeScope(block=key, first="05", last="12"), OrderScope()]),
            )
        )
        targets = tuple(draw(st.lists(TARGETS, min_size=1, max_size=2)))
        armed, plan = draw(st.sampled_from([True, True, False])), draw(st.sampled_from([None, None, "x"]))
        found.append(Diversion(id=f"r{index}", order=key, scope=scope, armed=armed, targets=targets, plan=plan))
    return found


@settings(max_examples=150)
@given(dated_worlds(), NOWS)
def test_no_fault_of_a_later_instant_is_missed_by_looking_only_at_what_it_touches(world: list[Entity], now: datetime) -> None:
    rules = [(entity.id, entity) for entity in world if isinstance(entity, Diversion)]
    held = directory(world, now)
    found = {fault for _, each in rules for fault in faults(each, held)}
    expected = found | {
        fault
        for at in held.registry.dated.instants.after(now)
        for fresh in [directory(world, at)]
        for _, each in rules
        for fault in faults(each, fresh)
    }
    for _, _, each in foresee(rules, held):
        found |= faults(each, held)
    assert found == expected


def faults(rule: Diversion, held: Directory) -> set[tuple[str, str, str]]:
    if not held.belongs(rule):
        return set()
    return {(rule.id, item.location, item.type) for item in check_diversion(rule, held.policy(rule.order), held)}


def day(number: int) -> datetime:
    return datetime(2026, 12, number, tzinfo=UTC)


def rule(key: str, order: str, scope: Any, target: str) -> tuple[str, Diversion]:
    return key, Diversion(id=key, order=order, scope=scope, armed=True, targets=(Target(number=target),))


def test_a_rule_is_looked_at_when_its_number_comes_and_when_its_target_moves() -> None:
    number, target = "+496990009000", "+496990009001"
    world: list[Entity] = [
        Customer(id="c", name="c"),
        *(Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address="")) for key in "abd"),
        *(Line(id=key, order=key, kind="registered") for key in "abd"),
        Number(id="n", order="a", line="a", number=number, move=Move(at=day(1), order="b", line="b")),
        Number(id="t", order="d", line="d", number=target, move=Move(at=day(2), order="a", line="a"), active_until=day(3)),
    ]
    rules = [
        rule("a.number", "a", NumberScope(number=number), target),
        rule("b.number", "b", NumberScope(number=number), target),
        rule("b.order", "b", OrderScope(), "+491713920000"),
        rule("d.order", "d", OrderScope(), "+491713920000"),
    ]
    seen = [(at.day, place) for at, place, _ in foresee(rules, directory(world, datetime(2026, 11, 1, tzinfo=UTC)))]
    assert seen == [
        (1, "b.number"),
        (1, "b.order"),
        (2, "b.number"),
        (2, "d.order"),
        (3, "b.number"),
        (3, "d.order"),
    ]
    assert list(foresee(rules, directory(world, day(3)))) == [], "what is over is not looked at"


def test_a_rule_that_others_lead_on_to_what_comes_later_is_looked_at_then() -> None:
    one, two, three = (f"+49699000900{n}" for n in range(3))
    world: list[Entity] = [
        Customer(id="c", name="c"),
        *(Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address="")) for key in "abd"),
        *(Line(id=key, order=key, kind="registered") for key in "abd"),
        Number(id="one", order="a", line="a", number=one),
        Number(id="two", order="b", line="b", number=two),
        Number(id="three", order="d", line="d", number=three, active_from=day(1)),
        rule("b.number", "b", NumberScope(number=two), three)[1],
        rule("d.number", "d", NumberScope(number=three), one)[1],
    ]
    mine = rule("a.number", "a", NumberScope(number=one), two)[1]
    (fault,) = crosscheck([("mine", mine)], world, now=datetime(2026, 11, 1, tzinfo=UTC))
    assert fault.type == "target_loop"
    assert fault.message.startswith("From 2026-12-01 01:00 CET on: ")
    assert crosscheck([("mine", mine.model_copy(update={"targets": (Target(number="+491713920000"),)}))], world) == []


def test_what_comes_to_an_order_is_no_reason_to_look_at_all_of_its_rules() -> None:
    numbers = [f"+49699000900{n}" for n in range(10)]
    world: list[Entity] = [
        Customer(id="c", name="c"),
        Order(id="a", customer="c", product="sipTrunk 2.0", site=Site(id="a", address="")),
        Line(id="a", order="a", kind="registered"),
        *(Number(id=number[1:], order="a", line="a", number=number, active_from=day(n + 1)) for n, number in enumerate(numbers)),
    ]
    rules = [rule(number[1:], "a", NumberScope(number=number), "+491713920000") for number in numbers]
    seen = [(at.day, place) for at, place, _ in foresee(rules, directory(world, datetime(2026, 11, 1, tzinfo=UTC)))]
    assert seen == [(n + 1, number[1:]) for n, number in enumerate(numbers)]
