"""Precedence, dates, slots and what a single change touches."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing.compile import NOT_LIVE, Compiler
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
    RangeScope,
    Scope,
    Site,
    Target,
)
from routing.products import PRODUCTS, product
from routing.profiles import PROFILES
from tests.routing.oracle import Table

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def order(key: str = "o", **more: Any) -> Order:
    return Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id="s", address=""), **more)


BASE: list[Entity] = [
    Customer(id="c", name="c"),
    order(),
    Line(id="l", order="o", kind="registered", users=("u",)),
    Block(id="b", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first="000", last="999"),)),
    Number(id="n", order="o", line="l", number="+496990009000"),
]
RULES: dict[str, Scope] = {
    "number": NumberScope(number="+493023125015"),
    "narrow": RangeScope(block="b", first="015", last="016"),
    "wide": RangeScope(block="b", first="010", last="019"),
    "block": BlockScope(block="b"),
    "order": OrderScope(),
}


def rule(key: str, *, armed: bool = True, target: str = "+491713920000") -> Diversion:
    return Diversion(id=key, order="o", scope=RULES[key], armed=armed, targets=(Target(number=target),))


def loaded(*more: Entity, now: datetime = NOW) -> tuple[Compiler, Table]:
    compiler, table = Compiler(), Table()
    fill(table, compiler.load([*BASE, *more], now))
    return compiler, table


def fill(table: Table, deltas: Iterable[Any]) -> None:
    for delta in deltas:
        table.apply(delta)


def applying(table: Table, digits: str) -> str | None:
    outcome = table.outcome(digits)
    return outcome[1] if outcome is not None and outcome[3] else None


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("493023125015", ["number", "narrow", "wide", "block", "order"]),
        ("493023125016", ["narrow", "wide", "block", "order"]),
        ("493023125011", ["wide", "block", "order"]),
        ("493023125500", ["block", "order"]),
        ("496990009000", ["order"]),
    ],
)
def test_the_most_specific_armed_rule_applies_and_one_that_is_not_armed_is_passed_over(digits: str, expected: list[str]) -> None:
    compiler, table = loaded(*(rule(key) for key in RULES))
    for key in expected:
        considered = compiler.explain_rules(f"+{digits}")
        assert [c.rule_id for c in considered] == expected
        assert [c.rule_id for c in considered if c.applies] == [key]
        assert applying(table, digits) == key
        fill(table, compiler.change([("diversion", key, rule(key, armed=False))], NOW))
    assert applying(table, digits) is None


def test_without_an_armed_rule_the_most_specific_one_is_named_so_that_arming_it_changes_a_rule_only() -> None:
    compiler, _ = loaded(rule("block", armed=False))
    (delta,) = compiler.change([("diversion", "block", rule("block"))], NOW)
    assert list(delta) == ["rules"]


def test_new_targets_change_the_rule_and_no_number() -> None:
    compiler, _ = loaded(rule("block"), rule("number"))
    (delta,) = compiler.change([("diversion", "number", rule("number", target="+491713920001"))], NOW)
    assert list(delta) == ["rules"]
    assert [spec["rule_id"] for spec in delta["rules"]] == ["number"]


def test_a_rule_for_a_number_touches_that_number_only() -> None:
    compiler, _ = loaded(rule("block"))
    (delta,) = compiler.change([("diversion", "number", rule("number"))], NOW)
    assert [row[0] for row in delta["exact"]] == ["493023125015"]
    assert "prefixes" not in delta
    first, second = compiler.change([("diversion", "number", None)], NOW)
    assert first == {"exact_removed": ["493023125015"]}
    assert list(second) == ["rules_removed"]


def test_a_change_of_nothing_says_nothing() -> None:
    compiler, _ = loaded(rule("block"))
    assert compiler.change([("diversion", "block", rule("block"))], NOW) == []
    assert compiler.change([("number", "missing", None)], NOW) == []
    assert compiler.advance(NOW + timedelta(days=1)) == []


def test_slots_are_never_used_again_for_another_thing() -> None:
    compiler, table = loaded(rule("block"))
    slot = compiler.rule_slot("block")
    assert slot is not None
    fill(table, compiler.change([("diversion", "block", None), ("diversion", "order", rule("order"))], NOW))
    assert compiler.rule_slot("order") != slot
    assert compiler.rule_id(slot) == "block"
    fill(table, compiler.change([("diversion", "block", rule("block"))], NOW))
    assert compiler.rule_slot("block") == slot
    line = compiler.line_slot("l")
    assert line is not None
    assert compiler.line_id(line) == "l"
    assert compiler.line_id(99) is None


def test_a_second_load_yields_the_difference_and_removes_ghosts() -> None:
    compiler, table = loaded(rule("block"), rule("number"))
    fill(table, compiler.load([*BASE, rule("block")], NOW))
    assert [spec["rule_id"] for spec in table.rules.values()] == ["block"]
    assert applying(table, "493023125015") == "block"
    assert list(compiler.load([*BASE, rule("block")], NOW)) == []


@pytest.mark.parametrize(
    "midnight",
    [datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN), datetime(2026, 12, 1, tzinfo=BERLIN)],
)
def test_an_order_goes_live_at_local_midnight_also_on_the_days_when_the_clocks_change(midnight: datetime) -> None:
    end = midnight + timedelta(days=1)  # the next local midnight
    before = midnight.astimezone(UTC) - timedelta(milliseconds=1)
    compiler, table = loaded(order(active_from=midnight, active_until=end), now=before)
    assert compiler.next_change_at(before) == midnight
    assert table.outcome("496990009000") == ("l", None, (), False, False)
    assert table.exact["496990009000"][2] == NOT_LIVE
    fill(table, compiler.advance(midnight.astimezone(UTC)))
    assert table.outcome("493023125000") == ("l", None, (), False, True)
    assert compiler.next_change_at(midnight) == end
    fill(table, compiler.advance(end.astimezone(UTC) - timedelta(milliseconds=1)))
    assert table.exact["496990009000"][2] == 0
    fill(table, compiler.advance(end.astimezone(UTC)))
    assert table.exact["496990009000"][2] == NOT_LIVE
    assert compiler.next_change_at(end) is None
    fill(table, compiler.advance(before))  # the clock was put right
    assert table.exact["496990009000"][2] == NOT_LIVE


def test_a_wish_ends_by_itself_at_its_instant_and_not_before() -> None:
    end = NOW + timedelta(minutes=5)
    drill = Line(id="l", order="o", kind="registered", users=("u",), wish="drill", wish_until=end)
    compiler, table = loaded(drill)
    assert compiler.next_change_at(NOW) == end
    assert [spec["wish"] for spec in table.lines.values()] == ["drill"]
    fill(table, compiler.advance(end - timedelta(milliseconds=1)))
    assert [spec["wish"] for spec in table.lines.values()] == ["drill"]
    fill(table, compiler.advance(end))
    assert [spec["wish"] for spec in table.lines.values()] == ["enabled"]
    assert compiler.next_change_at(end) is None

    longer = drill.model_copy(update={"wish_until": end + timedelta(minutes=5)})
    fill(table, compiler.change([("line", "l", longer)], end))
    assert [spec["wish"] for spec in table.lines.values()] == ["drill"], "a new end counts from now on"
    _, table = loaded(drill, now=end)
    assert [spec["wish"] for spec in table.lines.values()] == ["enabled"], "it ended while nobody looked"


def test_an_order_without_duration_is_never_live() -> None:
    _, table = loaded(order(active_from=NOW, active_until=NOW))
    assert table.exact["496990009000"][2] == NOT_LIVE


@pytest.mark.parametrize(
    ("entity", "slug"),
    [
        (Number(id="x", order="none", line="l", number="+496990009001"), "reference_missing"),
        (Number(id="x", order="o", line="none", number="+496990009001"), "reference_missing"),
        (Number(id="x", order="o", line="l", number="+496990009000"), "number_taken"),
        (Line(id="x", order="none", kind="registered"), "reference_missing"),
        (Line(id="x", order="o", kind="registered", profile="none"), "profile_unknown"),
        (Block(id="x", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first="0", last="0"),) * 2), None),
        (
            Block(id="x", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first="000", last="999"),)),
            "block_overlap",
        ),
        (Diversion(id="x", order="o", scope=BlockScope(block="none"), targets=(Target(number="+491713920000"),)), "scope_block"),
        (Diversion(id="x", order="o", scope=OrderScope(), targets=(Target(number="+499001234567"),)), "target_premium"),
        (
            Diversion(id="x", order="o", scope=NumberScope(number="+49301234"), targets=(Target(number="+491713920000"),)),
            "scope_number",
        ),
        (Order(id="x", customer="none", product="sipTrunk 2.0", site=Site(id="s", address="")), "reference_missing"),
    ],
)
def test_what_cannot_be_used_is_reported_with_its_remedy_and_the_rest_goes_on(entity: Entity, slug: str | None) -> None:
    compiler, table = loaded(entity)
    assert [(p.id, p.type) for p in compiler.problems()] == ([("x", slug)] if slug else [])
    assert table.outcome("496990009000") is not None
    kind = {Number: "number", Line: "line", Block: "block", Diversion: "diversion", Order: "order"}[type(entity)]  # type: ignore[index]
    compiler.change([(kind, "x", None)], NOW)
    assert compiler.problems() == []


def test_a_rule_of_another_order_never_takes_a_number() -> None:
    thief = Diversion(
        id="t", order="p", scope=NumberScope(number="+496990009000"), armed=True, targets=(Target(number="+491713920009"),)
    )
    _, table = loaded(order("p"), thief)
    assert applying(table, "496990009000") is None


def test_ranges_of_one_prefix_and_of_lengths_that_do_not_touch_stand_side_by_side() -> None:
    one = Block(id="x", order="o", line="l", base="+492214710", ranges=(ExtensionRange(first="1", last="1"),))
    three = Block(id="y", order="o", line="m", base="+492214710", ranges=(ExtensionRange(first="100", last="199"),))
    five = Block(id="z", order="o", line="l", base="+492214710", ranges=(ExtensionRange(first="10000", last="19999"),))
    compiler, table = loaded(Line(id="m", order="o", kind="registered"), one, three)
    for fresh in (table, filled(compiler.change([("block", "z", five)], NOW), table)):
        found = {ext: fresh.outcome(f"492214710{ext}") for ext in ("1", "12", "123", "1234", "12345")}
        lines = {ext: outcome[0] for ext, outcome in found.items() if outcome is not None}
        assert lines == {"1": "l", "123": "m", "12345": "l"}


def filled(deltas: Iterable[Any], table: Table) -> Table:
    fill(table, deltas)
    return table


def test_rules_that_keep_the_extension_say_after_how_many_digits() -> None:
    keep = Diversion(
        id="k",
        order="o",
        scope=BlockScope(block="b"),
        armed=True,
        targets=(Target(number="+492214710", keep_extension=True), Target(number="+491713920000")),
    )
    _, table = loaded(keep)
    outcome = table.outcome("493023125123")
    assert outcome is not None
    assert outcome[2] == (("492214710", 9), ("491713920000", None))


def test_each_product_has_profiles_that_exist() -> None:
    assert len(PRODUCTS) == 9
    for item in PRODUCTS.values():
        assert item.eligible
        assert set(item.profiles) == set(item.line_kinds)
        assert set(item.profiles.values()) <= set(PROFILES)
    assert product("siptrunk 2.0") is PRODUCTS["sipTrunk 2.0"]
    assert product("sipTrunk 3.0") is None


def test_a_page_never_holds_more_than_the_engine_wants_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.compile.PAGE", 7)
    numbers = [Number(id=f"x{i}", order="o", line="l", number=f"+49302100{i:04}") for i in range(40)]
    compiler = Compiler()
    deltas = list(compiler.load([*BASE, *numbers], NOW))
    assert max(len(rows) for delta in deltas for rows in delta.values()) == 7  # type: ignore[arg-type]
    table = Table()
    fill(table, deltas)
    assert sum(digits.startswith("49302100") for digits in table.exact) == 40
