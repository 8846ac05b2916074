"""Rules with periods, plans and targets of their own for the phone system: which applies when, and what the engine is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.compile import Compiler
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Period,
    RangeScope,
    Scope,
    Site,
    State,
    Target,
)
from sipproxy._engine import RouteTable
from tests.routing.oracle import Table, World
from tests.routing.strategies import PLANS, periods
from tests.routing.test_compile_properties import INTERCONNECT

BERLIN = ZoneInfo("Europe/Berlin")
CALLED = "493023125015"
SCOPES: dict[str, Scope] = {
    "number": NumberScope(number=f"+{CALLED}"),
    "narrow": RangeScope(block="b", first="010", last="019"),
    "wide": RangeScope(block="b", first="010", last="099"),
    "block": BlockScope(block="b"),
    "order": OrderScope(),
}
DAY, NIGHT, FLOOD, PHONES = (f"+4917139200{n:02}" for n in range(1, 5))


def at(text: str, fold: int = 0) -> datetime:
    """A time on the wall clock in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


MONDAY_NOON = at("2026-11-23T12:00")


def to(*numbers: str) -> tuple[Target, ...]:
    return tuple(Target(number=number) for number in numbers)


def rule(key: str, scope: str | None = None, target: str = DAY, **fields: Any) -> Diversion:
    fields = {"armed": True, "targets": to(target)} | fields
    return Diversion(id=key, order="o", scope=SCOPES[scope or key], **fields)


def period(times: str, *targets: str, **fields: Any) -> Period:
    """``sat-sun 22:00-06:00`` without days is every day."""
    start, _, end = times.partition("-")
    return Period(start=start, end=end, targets=to(*targets), **fields)


def order(plan: str | None = None, state: State | None = None, **fields: Any) -> Order:
    return Order(id="o", customer="c", product="sipTrunk 2.0", site=Site(id="s", address="", state=state), plan=plan, **fields)


BASE: list[Entity] = [
    Customer(id="c", name="x"),
    Line(id="l", order="o", kind="registered"),
    Block(id="b", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first="000", last="199"),)),
    Number(id="n", order="o", line="l", number="+4922147100"),
]


class Stage:
    """A compiler, and the table that its deltas come to."""

    def __init__(self, *rules: Diversion, now: datetime = MONDAY_NOON, order: Order | None = None) -> None:
        self.table = Table()
        self.compiler = Compiler()
        self.deltas: list[Any] = []
        self.entities = {(type(e), e.id): e for e in (*BASE, order or _ORDER, *rules)}
        self.take(self.compiler.load(self.entities.values(), now))

    def take(self, deltas: Any) -> None:
        self.deltas = list(deltas)
        for delta in self.deltas:
            self.table.apply(delta)

    def advance(self, now: datetime) -> None:
        self.take(self.compiler.advance(now))
        self.agrees(now)

    def change(self, kind: str, entity: Entity, now: datetime = MONDAY_NOON) -> None:
        self.entities[type(entity), entity.id] = entity
        self.take(self.compiler.change([(kind, entity.id, entity)], now))
        self.agrees(now)

    def agrees(self, now: datetime) -> None:
        oracle = World(self.entities.values(), now)
        for digits in (CALLED, "493023125150", "4922147100"):
            assert oracle.outcome(digits) == self.table.outcome(digits), digits

    def applying(self, digits: str = CALLED) -> str | None:
        """The rule that counts."""
        outcome = self.table.outcome(digits)
        assert outcome is not None
        return outcome[1] if outcome[3] else None

    def target(self, digits: str = CALLED) -> str | None:
        outcome = self.table.outcome(digits)
        assert outcome is not None
        return f"+{outcome[2][0][0]}" if outcome[3] else None

    def texts(self, digits: str = CALLED) -> dict[str, tuple[str, str]]:
        return {c.rule_id: (c.reason, c.text) for c in self.compiler.explain_rules(digits)}


_ORDER = order()
CLOSED = (period("18:00-08:00"),)
"""Nothing is diverted at night."""


@pytest.mark.parametrize(
    ("rules", "plan", "now", "applies"),
    [
        # level × plan × period; 2026-11-23 is a Monday.
        ([rule("number"), rule("block")], None, "2026-11-23T12:00", "number"),
        ([rule("number", periods=CLOSED), rule("block")], None, "2026-11-23T12:00", "number"),
        ([rule("number", periods=CLOSED), rule("block")], None, "2026-11-23T20:00", "block"),
        ([rule("number", periods=CLOSED), rule("block", periods=CLOSED), rule("order")], None, "2026-11-23T20:00", "order"),
        ([rule("number", periods=CLOSED), rule("order", periods=CLOSED)], None, "2026-11-23T20:00", None),
        ([rule("number", plan="flood"), rule("block")], None, "2026-11-23T12:00", "block"),
        ([rule("number", plan="flood"), rule("block")], "flood", "2026-11-23T12:00", "number"),
        ([rule("number", plan="flood"), rule("block")], "summer", "2026-11-23T12:00", "block"),
        # Of rules for the same numbers that of the plan that is on goes first, whatever the ids.
        ([rule("a", "block"), rule("z", "block", plan="flood")], "flood", "2026-11-23T12:00", "z"),
        ([rule("a", "block"), rule("z", "block", plan="flood")], None, "2026-11-23T12:00", "a"),
        ([rule("a", "block", plan="summer"), rule("z", "block", plan="flood")], "flood", "2026-11-23T12:00", "z"),
        ([rule("a", "narrow"), rule("z", "narrow", plan="flood")], "flood", "2026-11-23T12:00", "z"),
        ([rule("a", "number"), rule("z", "number", plan="flood")], "flood", "2026-11-23T12:00", "z"),
        ([rule("a", "order"), rule("z", "order", plan="flood")], "flood", "2026-11-23T12:00", "z"),
        # What is more specific goes before a plan.
        ([rule("narrow"), rule("z", "wide", plan="flood")], "flood", "2026-11-23T12:00", "narrow"),
        ([rule("block"), rule("z", "order", plan="flood")], "flood", "2026-11-23T12:00", "block"),
        # A rule of the plan that diverts nothing at this time leaves it to the one without.
        ([rule("a", "block"), rule("z", "block", plan="flood", periods=CLOSED)], "flood", "2026-11-23T20:00", "a"),
        ([rule("a", "block"), rule("z", "block", plan="flood", periods=CLOSED)], "flood", "2026-11-23T12:00", "z"),
        ([rule("a", "block"), rule("z", "block", plan="flood", armed=False)], "flood", "2026-11-23T12:00", "a"),
    ],
)
def test_the_first_rule_that_counts_applies(rules: list[Diversion], plan: str | None, now: str, applies: str | None) -> None:
    stage = Stage(*rules, now=at(now), order=order(plan))
    stage.agrees(at(now))
    assert stage.applying() == applies
    considered = stage.compiler.explain_rules(CALLED)
    assert [c.rule_id for c in considered if c.applies] == ([applies] if applies else [])


def test_periods_take_over_and_give_back_by_themselves() -> None:
    stage = Stage(rule("block", periods=(period("18:00-08:00", NIGHT), period("12:00-13:00", FLOOD, days=("mon",)))))
    seen = [(MONDAY_NOON.astimezone(BERLIN).strftime("%a %H:%M"), stage.target())]
    now = MONDAY_NOON
    for _ in range(5):
        upcoming = stage.compiler.next_change_at(now)
        assert upcoming is not None
        stage.advance(upcoming - timedelta(seconds=1))
        assert stage.deltas == []
        now = upcoming
        stage.advance(now)
        assert list(stage.deltas[0]) == ["rules"], "no number is told again"
        seen.append((now.astimezone(BERLIN).strftime("%a %H:%M"), stage.target()))
    assert seen == [
        ("Mon 12:00", FLOOD),
        ("Mon 13:00", DAY),
        ("Mon 18:00", NIGHT),
        ("Tue 08:00", DAY),
        ("Tue 18:00", NIGHT),
        ("Wed 08:00", DAY),
    ]


def test_a_rule_that_comes_to_rest_leaves_its_numbers_to_the_next() -> None:
    stage = Stage(rule("number", periods=CLOSED), rule("block", target=NIGHT))
    assert stage.applying() == "number"
    stage.advance(at("2026-11-23T18:00"))
    assert (stage.applying(), stage.target()) == ("block", NIGHT)
    why = "it diverts nothing in these times (period 1). So the next one is looked at."
    assert stage.texts()["number"] == ("period", f"The rule for number +{CALLED} is armed but does not count now: {why}")
    stage.advance(at("2026-11-24T08:00"))
    assert stage.applying() == "number"


@pytest.mark.parametrize(
    ("evening", "changes"),
    [
        # 02:30-05:00 when 02:00-03:00 is missing, and when it comes twice.
        ("2026-03-28T20:00", ["2026-03-29T01:00", "2026-03-29T03:00"]),
        ("2026-10-24T20:00", ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T04:00"]),
    ],
)
def test_a_night_in_which_the_clocks_are_changed(evening: str, changes: list[str]) -> None:
    now = at(evening)
    stage = Stage(rule("order", periods=(period("02:30-05:00", NIGHT),)), now=now)
    expected = DAY
    for change in changes:
        upcoming = stage.compiler.next_change_at(now)
        assert upcoming == datetime.fromisoformat(change).replace(tzinfo=UTC)
        assert upcoming is not None
        now = upcoming
        stage.advance(now)
        expected = NIGHT if expected == DAY else DAY
        assert stage.target() == expected


def test_a_clock_that_is_put_back_undoes_what_came_too_early() -> None:
    stage = Stage(rule("order", periods=(period("18:00-08:00", NIGHT),)))
    stage.advance(at("2026-11-23T18:00:01"))
    assert stage.target() == NIGHT
    stage.advance(at("2026-11-23T17:59:59"))
    assert stage.target() == DAY
    stage.advance(at("2026-11-23T17:59:58"))
    assert stage.deltas == []
    stage.advance(at("2026-11-23T18:00:00"))
    assert stage.target() == NIGHT


def test_switching_the_plan_is_one_write_of_the_order_and_tells_only_what_changes() -> None:
    stage = Stage(rule("block"), rule("z", "block", target=FLOOD, plan="flood"), rule("order", target=NIGHT))
    assert stage.target() == DAY
    stage.change("order", order("flood"))
    assert stage.target() == FLOOD
    (delta,) = stage.deltas
    assert [spec["rule_id"] for spec in delta["rules"]] == ["z"]
    assert "exact" not in delta, "the single number has the order's rule before and after"
    stage.change("order", order("summer"))
    assert stage.target() == DAY
    reason, text = stage.texts()["z"]
    assert reason == "other_plan"
    assert "it belongs to the plan 'flood', and the plan 'summer' is on" in text
    stage.change("order", order())
    assert "it belongs to the plan 'flood', and no plan is on" in stage.texts()["z"][1]


def test_why_a_rule_of_the_plan_goes_first_is_said() -> None:
    stage = Stage(rule("block"), rule("z", "block", target=FLOOD, plan="flood"), order=order("flood"))
    texts = stage.texts()
    assert texts["block"][0] == "plan_first"
    assert "for the same numbers the rule of the plan 'flood' goes first" in texts["block"][1]
    assert texts["z"] == (
        "applies",
        "The rule for block b is armed and the most specific one that is: it applies. Its plan 'flood' is on.",
    )


def test_the_public_holidays_are_those_where_the_line_stands() -> None:
    corpus_christi = at("2026-06-04T12:00")  # a public holiday in North Rhine-Westphalia, not in Berlin
    rules = [rule(key, periods=(period("00:00-24:00", NIGHT, holidays="only"),)) for key in ("block", "order")]
    stage = Stage(*rules, now=corpus_christi, order=order(state="NW"))
    assert (stage.target(), stage.target("4922147100")) == (NIGHT, NIGHT)
    # The phone system moves to Berlin: its block follows the line, the order's own rule its order.
    berlin = Line(id="l", order="o", kind="registered", site=Site(id="t", address="", state="BE"))
    stage.change("line", berlin, corpus_christi)
    assert (stage.target(), stage.target("4922147100")) == (DAY, NIGHT)
    stage.change("order", order(state="BE"), corpus_christi)
    assert (stage.target(), stage.target("4922147100")) == (DAY, DAY)


def test_a_rule_for_a_number_keeps_the_holidays_of_the_line_to_which_that_moves() -> None:
    now = at("2026-06-04T12:00")
    closed = rule("order", periods=(period("00:00-24:00", NIGHT, holidays="only"),))
    single = closed.model_copy(update={"id": "single", "scope": NumberScope(number="+4922147100")})
    stage = Stage(single, now=now, order=order(state="BE"))
    stage.change("line", Line(id="west", order="o", kind="registered", site=Site(id="w", address="", state="NW")), now)
    assert stage.target("4922147100") == DAY
    stage.change("number", Number(id="n", order="o", line="west", number="+4922147100"), now)
    assert stage.target("4922147100") == NIGHT


def test_targets_for_the_phone_system_are_told_beside_the_others() -> None:
    stage = Stage(rule("block", phone_system_targets=to(PHONES), periods=(period("18:00-08:00", NIGHT),)))
    outcome = stage.table.outcome(CALLED)
    assert outcome is not None
    assert outcome[2] == ((DAY[1:], None), ("phone system", None), (PHONES[1:], None))
    # A period says both: it has none for the phone system, so at night there is no difference.
    stage.advance(at("2026-11-23T18:00"))
    outcome = stage.table.outcome(CALLED)
    assert outcome is not None
    assert outcome[2] == ((NIGHT[1:], None),)


def test_a_period_for_the_phone_system_alone_leaves_the_targets_for_other_faults_as_they_are() -> None:
    quiet = Period(name="night", phone_system_targets=to(PHONES))
    stage = Stage(rule("block", periods=(quiet,)), rule("order", target=NIGHT))
    stage.agrees(MONDAY_NOON)
    assert stage.applying() == "block"
    outcome = stage.table.outcome(CALLED)
    assert outcome is not None
    assert outcome[2] == ((DAY[1:], None), ("phone system", None), (PHONES[1:], None))
    said = "When only the phone system is out its targets are those for these times (night), for any other fault its own."
    assert stage.texts()["block"][1].endswith(said)


def test_targets_for_the_phone_system_are_better_than_none_when_the_others_are_barred() -> None:
    barred = rule("block", target="+431234567", phone_system_targets=to(PHONES))
    timed = rule("number", target="+431234567", periods=(Period(phone_system_targets=to(NIGHT)),))
    for each, digits, expected in ((barred, "493023125150", PHONES), (timed, CALLED, NIGHT)):
        stage = Stage(each)
        stage.agrees(MONDAY_NOON)
        assert stage.target(digits) == expected


def test_targets_that_may_not_be_used_at_this_time_are_told_as_a_problem_at_any_time() -> None:
    abroad = period("18:00-08:00", "+431234567", name="night")
    stage = Stage(rule("block", periods=(abroad,)), rule("order", target=NIGHT))
    (problem,) = stage.compiler.problems()
    assert (problem.kind, problem.id, problem.type) == ("diversion", "block", "target_international")
    assert stage.target() == DAY
    stage.advance(at("2026-11-23T18:00"))
    assert stage.target() == NIGHT
    assert stage.texts()["block"][0] == "barred"


def test_ring_times_are_said_to_act_only_where_the_call_is_forwarded_here() -> None:
    rings = (Target(number=DAY, ring_s=20), Target(number=NIGHT))
    stage = Stage(rule("block", targets=rings), rule("order"))
    assert "behind a 302 only the order of the targets counts" in stage.texts()["block"][1]
    assert "302" not in stage.texts()["order"][1]
    (spec,) = [spec for spec in stage.table.rules.values() if spec["rule_id"] == "block"]
    assert [target["digits"] for target in spec["targets"]] == [DAY[1:], NIGHT[1:]]


def test_the_engine_takes_the_list_for_the_place_of_the_fault_and_says_why_a_rule_rests() -> None:
    engine = RouteTable()
    compiler = Compiler()
    rules = rule("block", phone_system_targets=to(PHONES), periods=(period("18:00-08:00", name="night"),))
    for delta in compiler.load([*BASE, _ORDER, rules], MONDAY_NOON):
        engine.apply(delta)

    def targets(place: Any) -> list[str]:
        return engine.explain(CALLED, INTERCONNECT, "down", place)["targets"]

    assert [DAY in uri for uri in targets(None)] == [True]
    assert [DAY in uri for uri in targets("router")] == [True]
    assert [PHONES in uri for uri in targets("phone_system")] == [True]
    for delta in compiler.advance(at("2026-11-23T18:00")):
        engine.apply(delta)
    found = engine.explain(CALLED, INTERCONNECT, "down")
    assert found["decision"] == "proxy"
    said = "is armed, but does not count now: it diverts nothing in these times (night)"
    assert any(said in step["text"] for step in found["trace"])


def test_without_times_and_plans_nothing_ever_changes() -> None:
    stage = Stage(rule("number"), rule("block", phone_system_targets=to(PHONES)))
    assert stage.compiler.next_change_at(MONDAY_NOON) is None
    over = Period(last=date(2026, 1, 1), targets=to(NIGHT))
    assert Stage(rule("block", periods=(over,))).compiler.next_change_at(MONDAY_NOON) is None


INSTANTS = st.one_of(
    # Around the nights in which the clocks are changed, by the quarter of an hour.
    st.builds(
        lambda start, quarters: start + timedelta(minutes=15 * quarters),
        st.sampled_from([at("2026-03-28T20:00"), at("2026-10-24T20:00"), at("2026-12-31T20:00")]),
        st.integers(0, 60),
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
)
RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from("uvwxyz"),
        st.sampled_from(sorted(SCOPES)),
        armed=st.booleans(),
        plan=st.sampled_from([None, None, "flood", "summer"]),
        periods=st.lists(periods(), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.id,
)


@settings(max_examples=40)
@given(RULES, INSTANTS, st.lists(st.one_of(INSTANTS, PLANS), max_size=8))
def test_wherever_the_clock_goes_and_whatever_plan_is_on_the_table_is_what_a_naive_reading_says(
    rules: list[Diversion], start: datetime, steps: list[datetime | str | None]
) -> None:
    now = start
    stage = Stage(*rules, now=now)
    stage.agrees(now)
    for step in steps:
        if isinstance(step, datetime):
            now = step
            stage.advance(now)
        else:
            stage.change("order", order(step, state="BE"), now)
        upcoming = stage.compiler.next_change_at(now)
        if upcoming is not None and upcoming - now < timedelta(days=400):
            # Nothing changes before the instant that is named.
            stage.advance(now + (upcoming - now) / 2)
            assert stage.deltas == []
            stage.advance(now)
