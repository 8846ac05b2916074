"""A directory that is moved on is the one that is read at that instant, and rules are looked at when something touches them."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.directory import Directory
from routing.foresight import foresee
from routing.model import Customer, Diversion, Entity, Line, Move, Number, NumberScope, Order, OrderScope, Site, Target
from tests.routing.strategies import NOWS, worlds
from tests.routing.test_compile_properties import PROBES, world_of


def directory(world: list[Entity], now: datetime) -> Directory:
    held = Directory()
    held.registry.now = now
    held.registry.load(world)
    held.settle()
    return held


@settings(max_examples=80, deadline=None)
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
