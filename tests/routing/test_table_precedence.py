"""The table of precedence: which of the rules for a number applies, and why each of the others was passed over.

Rules are written in short, most specific first: ``-number`` is not armed, ``block@flood`` belongs to the plan flood, ``wide~`` diverts
nothing at this time, ``order*`` has targets that may not be used.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from routing.compile import Compiler
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
    Period,
    RangeScope,
    Scope,
    Site,
    Target,
)
from tests.routing.stage import Answer, Stage

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)
"""A Monday, noon in Germany."""
LATER = datetime(2026, 12, 1, tzinfo=UTC)
CALLED = "+493023125015"
GOOD, BARRED = Target(number="+491713920000"), Target(number="+499001234567")
SCOPES: dict[str, Scope] = {
    "number": NumberScope(number=CALLED),
    "narrow": RangeScope(block="b", first="010", last="019"),
    "wide": RangeScope(block="b", first="000", last="099"),
    "block": BlockScope(block="b"),
    "order": OrderScope(),
}
MARKS = "-~*"


def rule(short: str, of: str = "o") -> Diversion:
    """Read a rule written in short."""
    level, _, plan = short.strip(MARKS).partition("@")
    fields: dict[str, Any] = {"plan": plan or None, "armed": not short.startswith("-")}
    if short.endswith("~"):
        fields["periods"] = (Period(start="08:00", end="17:00"),)
    return Diversion(
        id=short.strip(MARKS).replace("@", "."),
        order=of,
        scope=SCOPES[level],
        targets=(BARRED if short.endswith("*") else GOOD,),
        **fields,
    )


def world(plan: str | None = None, **more: Any) -> list[Entity]:
    return [
        Customer(id="c", name="c"),
        Order(id="o", customer="c", product="sipTrunk 2.0", site=Site(id="s", address=""), plan=plan, **more),
        Line(id="l", order="o", kind="registered"),
        Block(id="b", order="o", line="l", base="+493023125", ranges=(ExtensionRange(first="000", last="199"),)),
    ]


@pytest.mark.parametrize(
    ("rules", "plan", "applies", "others"),
    [
        # armed or not: the levels one after the other
        ("number narrow wide block order", None, "number", ["less_specific"] * 4),
        ("-number narrow wide block order", None, "narrow", ["not_armed", *["less_specific"] * 3]),
        ("-number -narrow wide block order", None, "wide", ["not_armed"] * 2 + ["less_specific"] * 2),
        ("-number -narrow -wide block order", None, "block", ["not_armed"] * 3 + ["less_specific"]),
        ("-number -narrow -wide -block order", None, "order", ["not_armed"] * 4),
        ("-number -narrow -wide -block -order", None, None, ["not_armed"] * 5),
        ("-number order", None, "order", ["not_armed"]),
        ("", None, None, []),
        # a rule that diverts nothing at this time is passed over like one that is not armed
        ("number~ narrow~ block order", None, "block", ["period", "period", "less_specific"]),
        ("number~ -narrow wide~ order", None, "order", ["period", "not_armed", "period"]),
        ("number~ block~ order~", None, None, ["period"] * 3),
        ("narrow wide~", None, "narrow", ["period"]),
        ("-number~ order", None, "order", ["not_armed"]),
        # a plan that is not on, or another one
        ("number@flood narrow@flood block", None, "block", ["other_plan", "other_plan"]),
        ("number@flood narrow@flood block", "summer", "block", ["other_plan", "other_plan"]),
        ("number@flood order@flood", None, None, ["other_plan", "other_plan"]),
        # the plan that is on: before the rule without one for the same numbers, not before what is more specific
        ("number@flood number block", "flood", "number.flood", ["plan_first", "less_specific"]),
        ("narrow@flood narrow", "flood", "narrow.flood", ["plan_first"]),
        ("wide@flood wide", "flood", "wide.flood", ["plan_first"]),
        ("block@flood block", "flood", "block.flood", ["plan_first"]),
        ("order@flood order", "flood", "order.flood", ["plan_first"]),
        ("number order@flood order", "flood", "number", ["less_specific", "less_specific"]),
        ("narrow wide@flood block@flood", "flood", "narrow", ["less_specific", "less_specific"]),
        ("number@flood number@summer", "summer", "number.summer", ["other_plan"]),
        # plan, time and arming together
        ("-number@flood number block", "flood", "number", ["not_armed", "less_specific"]),
        ("number@flood~ number block", "flood", "number", ["period", "less_specific"]),
        ("number@flood~ number~ -wide@flood wide", "flood", "wide", ["period", "period", "not_armed"]),
        ("-number@flood~ order@flood", "flood", "order.flood", ["not_armed"]),
        # what is without any target that may be used is left out, not looked at
        ("number* block", None, "block", []),
        ("number* narrow* order*", None, None, []),
        ("number@flood* number block@flood", "flood", "number", ["less_specific"]),
    ],
)
def test_which_rule_applies_and_why_the_others_do_not(
    rules: str, plan: str | None, applies: str | None, others: list[str]
) -> None:
    stage = Stage([*world(plan), *(rule(short) for short in rules.split())], NOW)
    assert stage.call(CALLED) == Answer("l", applies, ("+491713920000",) if applies else ())
    considered = stage.compiler.explain_rules(CALLED)
    assert [each.rule_id for each in considered if each.applies] == ([applies] if applies else [])
    assert [each.reason for each in considered if not each.applies] == others


@pytest.mark.parametrize(
    ("number", "levels"),
    [
        ("+493023125015", ["number", "narrow", "wide", "block", "order"]),
        ("+493023125010", ["narrow", "wide", "block", "order"]),
        ("+493023125019", ["narrow", "wide", "block", "order"]),
        ("+493023125009", ["wide", "block", "order"]),
        ("+493023125020", ["wide", "block", "order"]),
        ("+493023125099", ["wide", "block", "order"]),
        ("+493023125100", ["block", "order"]),
        ("+493023125199", ["block", "order"]),
        ("+496990009000", ["order"]),
    ],
)
def test_which_levels_a_number_has_from_edge_to_edge(number: str, levels: list[str]) -> None:
    single = Number(id="n", order="o", line="l", number="+496990009000")
    stage = Stage([*world(), single, *(rule(level) for level in SCOPES)], NOW)
    assert [each.rule_id for each in stage.compiler.explain_rules(number)] == levels
    assert stage.call(number).rule == levels[0]


SECOND: list[Entity] = [
    Order(id="p", customer="c", product="sipTrunk 2.0", site=Site(id="t", address="")),
    Line(id="m", order="p", kind="registered"),
]
TO_SECOND = Move(at=LATER, order="p", line="m")


def moving(*, block: bool = False, number: bool = False) -> list[Entity]:
    """The block, or the number in it, goes to the order p on the line m."""
    found = [each.model_copy(update={"move": TO_SECOND}) if block and isinstance(each, Block) else each for each in world()]
    own = Number(id="n", order="o", line="l", number=CALLED, move=TO_SECOND)
    return [*found, *SECOND, *([own] if number else [])]


@pytest.mark.parametrize(
    ("entities", "of_o", "of_p", "before", "after"),
    [
        # A block moves: the rules of an order count as long as it has the block, at each level.
        (moving(block=True), "number block order", "order", ("l", "number"), ("m", "p.order")),
        (moving(block=True), "-number block order", "number order", ("l", "block"), ("m", "p.number")),
        (moving(block=True), "order", "narrow block order", ("l", "order"), ("m", "p.narrow")),
        (moving(block=True), "order", "-narrow block order", ("l", "order"), ("m", "p.block")),
        (moving(block=True), "number", "", ("l", "number"), ("m", None)),
        (moving(block=True), "", "number", ("l", None), ("m", "p.number")),
        # A number leaves its block: what is for the block, or for a part of it, stays behind.
        (moving(number=True), "narrow block order", "order", ("l", "narrow"), ("m", "p.order")),
        (moving(number=True), "number narrow order", "number order", ("l", "number"), ("m", "p.number")),
        (moving(number=True), "block", "-number", ("l", "block"), ("m", None)),
    ],
)
def test_rules_count_as_long_as_their_order_has_the_number(
    entities: list[Entity], of_o: str, of_p: str, before: tuple[str, str | None], after: tuple[str, str | None]
) -> None:
    rules = [rule(short) for short in of_o.split()]
    rules += [each.model_copy(update={"id": f"p.{each.id}"}) for each in (rule(short, "p") for short in of_p.split())]
    stage = Stage([*entities, *rules], NOW)
    assert stage.compiler.problems() == []
    assert stage.call(CALLED)[:2] == before
    stage.advance(LATER)
    assert stage.call(CALLED)[:2] == after
    assert Stage([*entities, *rules], LATER).call(CALLED)[:2] == after


@pytest.mark.parametrize(
    ("dates", "live"),
    [
        ({}, True),
        ({"active_from": NOW}, True),
        ({"active_from": LATER}, False),
        ({"active_until": NOW}, False),
        ({"active_until": LATER}, True),
    ],
)
def test_of_an_order_that_is_not_live_no_rule_of_any_level_counts(dates: dict[str, datetime], *, live: bool) -> None:
    for level in SCOPES:
        found = Stage([*world(**dates), rule(level)], NOW).call(CALLED)
        assert found == (Answer("l", level, ("+491713920000",)) if live else Answer(None, None, ()))


@pytest.mark.parametrize(
    ("dates", "place"),
    [
        # A single number that is not there yet, or no more, is the block's, with the block's rules.
        ({}, ("m2", "number")),
        ({"active_from": LATER}, ("l", "number")),
        ({"active_until": NOW}, ("l", "number")),
    ],
)
def test_a_number_outside_of_its_dates_is_the_blocks(dates: dict[str, datetime], place: tuple[str, str]) -> None:
    own = Number(id="n", order="o", line="m2", number=CALLED, **dates)
    second = Line(id="m2", order="o", kind="registered")
    assert Stage([*world(), second, own, rule("number"), rule("block")], NOW).call(CALLED)[:2] == place


def test_the_text_names_the_rule_that_goes_first() -> None:
    compiler = Compiler()
    list(compiler.load([*world("flood"), rule("block@flood"), rule("block"), rule("-number")], NOW))
    texts = {each.rule_id: each.text for each in compiler.explain_rules(CALLED)}
    assert texts == {
        "number": f"The rule for number {CALLED} is not armed, so the next one is looked at.",
        "block.flood": "The rule for block b is armed and the most specific one that is: it applies. Its plan 'flood' is on.",
        "block": "The rule for block b is armed, but for the same numbers the rule of the plan 'flood' goes first.",
    }
