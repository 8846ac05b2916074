"""What the carrier bars, what a customer is allowed, and what is worth a warning; in every list that a rule has."""

from typing import Any

import pytest

from routing.directory import Directory
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
    Target,
)
from routing.rejection import RuleRejected
from routing.shared_targets import shared_targets
from routing.target_classes import NEVER, TARGET_CLASSES, TargetClass, target_class
from routing.target_policy import NATIONAL, CarrierPolicy, parse_target, target_fault, target_policy
from routing.targets import check_diversion

ABROAD = Customer(id="c", name="c", allowances=("international", "shared_cost"))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+493023125010", "geographic"),
        ("+491713920001", "mobile"),
        ("+4917604069001", "mobile"),
        ("+4915112345678", "mobile"),
        ("+4916412345", "special"),
        ("+493222123456", "national"),
        ("+498001234567", "freephone"),
        ("+4918051234", "shared_cost"),
        ("+499001234567", "premium"),
        ("+491371234567", "premium"),
        ("+4970012345678", "special"),
        ("+49110", "emergency"),
        ("+4930112", "emergency"),
        ("+49116117", "short_code"),
        ("+8811234567", "satellite"),
        ("+979123456789", "premium"),
        ("+431580580", "international"),
    ],
)
def test_each_number_has_one_class(number: str, expected: TargetClass) -> None:
    assert target_class(number) == expected


def test_what_is_never_allowed_is_refused_whatever_a_customer_has() -> None:
    examples = {"premium": "+499001234567", "special": "+4970012345678", "satellite": "+8811234567", "emergency": "+49112"}
    for kind in NEVER - {"short_code"}:
        assert target_fault(examples[kind], target_policy(ABROAD)) is not None, kind
    assert target_fault("+49115", target_policy(ABROAD)) is not None


@pytest.mark.parametrize("barred", [kind for kind in TARGET_CLASSES if kind not in NEVER])
def test_a_class_that_the_carrier_bars_is_barred_for_all(barred: TargetClass) -> None:
    numbers = {
        "geographic": "069 90009000",
        "mobile": "0171 3920001",
        "national": "032 22123456",
        "freephone": "0800 1234567",
        "shared_cost": "0180 512345",
        "international": "+43 1 580580",
    }
    policy = target_policy(ABROAD, CarrierPolicy(barred=frozenset({barred})))
    if barred != "national":  # not given out by the library's plan
        assert parse_target(numbers[barred], target_policy(ABROAD))
    refused: dict[str, str] = {}
    for kind, text in numbers.items():
        try:
            assert target_fault(parse_target(text, policy), policy) is None
        except RuleRejected as error:
            refused[kind] = error.faults[0].type
    assert refused.pop(barred) in {"target_barred", "number_invalid", "number_unknown_type"}
    assert refused.keys() <= {"national"}


def test_leading_digits_are_barred_for_numbers_and_for_bases_that_come_to_them() -> None:
    policy = target_policy(None, CarrierPolicy(barred_prefixes=("+49699000", "+4340")))
    assert [target_fault(n, policy) is None for n in ("+496990009000", "+493023125010")] == [False, True]
    assert target_fault("+49699", policy, base=True) is not None
    assert target_fault("+49698", policy, base=True) is None


def test_a_premium_number_abroad_is_seen_at_the_time_of_use_too() -> None:
    assert target_fault("+449098790000", target_policy(ABROAD)) is not None
    assert target_fault("+431580580", target_policy(ABROAD)) is None


# -- one rule beside others ------------------------------------------------------------------------------------------------


def world(*more: Entity, carrier: CarrierPolicy = NATIONAL) -> Directory:
    """Order o1 has two sites: block b1 on l1 (berlin), extension 050 of it and n9 on l9 (bonn); o2 is in berlin too."""
    directory = Directory(carrier)
    directory.registry.load(
        [
            Customer(id="c", name="c"),
            Order(id="o1", customer="c", product="centrex Premium", site=Site(id="berlin", address="")),
            Order(id="o2", customer="c", product="sipTrunk 2.0", site=Site(id="berlin", address="")),
            Order(id="o3", customer="c", product="sipTrunk 2.0", site=Site(id="koeln", address="")),
            Line(id="l1", order="o1", kind="registered"),
            Line(id="l9", order="o1", kind="registered", site=Site(id="bonn", address="")),
            Line(id="l2", order="o2", kind="registered"),
            Line(id="l3", order="o3", kind="registered"),
            Line(id="l4", order="o3", kind="registered", site=Site(id="bonn", address="")),
            Block(id="b1", order="o1", line="l1", base="+493023125", ranges=(ExtensionRange(first="000", last="099"),)),
            Number(id="n5", order="o1", line="l9", number="+493023125050"),
            Number(id="n9", order="o1", line="l9", number="+496990009009"),
            Number(id="n2", order="o2", line="l2", number="+496990009002"),
            Block(id="b3", order="o3", line="l3", base="+492214710", ranges=(ExtensionRange(first="000", last="099"),)),
            Number(id="n4", order="o3", line="l4", number="+492214710077"),
            *more,
        ]
    )
    directory.settle()
    return directory


def rule(scope: Scope, *numbers: str, key: str = "d", of: str = "o1", **more: object) -> Diversion:
    targets = tuple(Target(number=number.rstrip("…"), keep_extension=number.endswith("…")) for number in numbers)
    fields = {"id": key, "order": of, "scope": scope, "armed": True, "targets": targets, **more}
    return Diversion.model_validate(fields)


def found(diversion: Diversion, directory: Directory | None = None) -> list[tuple[str, str]]:
    view = directory or world()
    return [(fault.location, fault.type) for fault in check_diversion(diversion, view.policy(diversion.order), view)]


ONE = NumberScope(number="+493023125010")
BLOCK = BlockScope(block="b1")
FINE = "+491713920001"


def targets(*numbers: str) -> tuple[Target, ...]:
    return tuple(Target(number=number) for number in numbers)


def test_each_list_of_a_rule_is_checked() -> None:
    bad: dict[str, Any] = {
        "phone_system_targets": targets("+49110", FINE),
        "periods": (
            Period(targets=targets(FINE, "+493023125010")),
            Period(targets=(), phone_system_targets=targets("+499001234567", "+499001234567")),
        ),
    }
    assert found(rule(ONE, FINE, **bad)) == [
        ("phone_system_targets[0]", "target_emergency"),
        ("periods[0].targets[1]", "target_self"),
        ("periods[1].phone_system_targets[0]", "target_premium"),
        ("periods[1].phone_system_targets[1]", "target_duplicate"),
    ]


@pytest.mark.parametrize(
    ("scope", "number", "expected"),
    [
        # The line has a site of its own: what counts is where the numbers are delivered, not where the order is.
        (ONE, "+496990009002", "target_same_site"),
        (ONE, "+496990009009", None),
        (NumberScope(number="+496990009009"), "+496990009002", None),
        (NumberScope(number="+496990009009"), "+492214710077", "target_same_site"),
        # An extension of the block is delivered on l9, so the rule for the block is for that line as well.
        (BLOCK, "+496990009009", "target_same_line"),
        (BLOCK, "+492214710077", "target_same_site"),
        (RangeScope(block="b1", first="000", last="049"), "+496990009009", None),
        (RangeScope(block="b1", first="050", last="050"), "+496990009009", "target_same_line"),
        (OrderScope(), "+492214710077", "target_same_site"),
        (OrderScope(), "+492214710001", None),
        # Extension 077 of the target's block is delivered at a site of these numbers.
        (BLOCK, "+492214710…", "target_same_site"),
        (RangeScope(block="b1", first="000", last="049"), "+492214710…", None),
        # Not the base itself, but some of its extensions are the rule's own.
        (RangeScope(block="b1", first="000", last="009"), "+4930231250…", None),
        (RangeScope(block="b1", first="020", last="029"), "+493023125…", "target_self"),
    ],
)
def test_the_line_and_the_site_that_fail_together_are_those_of_the_numbers(
    scope: Scope, number: str, expected: str | None
) -> None:
    assert [type_ for _, type_ in found(rule(scope, number))] == ([expected] if expected else [])


def test_when_the_phone_system_alone_is_out_another_line_at_the_site_is_reached() -> None:
    assert found(rule(ONE, FINE, phone_system_targets=targets("+496990009002"))) == []
    same = rule(ONE, FINE, phone_system_targets=targets("+493023125011"))
    assert found(same) == [("phone_system_targets[0]", "target_same_line")]


def test_a_base_whose_extensions_come_to_an_emergency_number_is_refused() -> None:
    block = Block(id="b8", order="o1", line="l1", base="+4989999980", ranges=(ExtensionRange(first="10", last="19"),))
    short = rule(BlockScope(block="b8"), "+492111…")
    assert [type_ for _, type_ in found(short, world(block))] == ["target_keep_emergency"]
    without = block.model_copy(update={"ranges": (ExtensionRange(first="13", last="19"),)})
    assert found(short, world(without)) == []


@pytest.mark.parametrize(
    "back",
    [
        {"targets": targets("+493023125010")},
        {"targets": targets(FINE), "phone_system_targets": targets("+493023125010")},
        {"targets": targets(FINE), "periods": (Period(days=("sun",), targets=targets("+493023125010")),)},
        {"targets": targets(FINE), "periods": (Period(targets=(), phone_system_targets=targets("+493023125010")),)},
        {"targets": targets("+493023125010"), "plan": "Betriebsferien"},
    ],
)
def test_a_circle_at_any_time_in_any_plan_is_refused(back: dict[str, object]) -> None:
    scope = NumberScope(number="+492214710001")
    other = Diversion.model_validate({"id": "back", "order": "o3", "scope": scope, "armed": True, **back})
    assert [type_ for _, type_ in found(rule(ONE, "+492214710001"), world(other))] == ["target_loop"]
    assert found(rule(ONE, "+492214710001"), world(other.model_copy(update={"armed": False}))) == []


def test_the_way_of_a_circle_is_told() -> None:
    one = rule(NumberScope(number="+492214710001"), "+496990009002", key="one", of="o3")
    two = rule(NumberScope(number="+496990009002"), "+493023125010", key="two", of="o2")
    view = world(one, two)
    refused = check_diversion(rule(ONE, "+492214710001"), view.policy("o1"), view)
    assert refused[0].context["path"] == "+493023125010 → +492214710001 → +496990009002 → +493023125010"


# -- shared targets --------------------------------------------------------------------------------------------------------


def counts(diversion: Diversion, directory: Directory, bound: int = 0) -> list[tuple[str, str]]:
    return [(warning.location, warning.context["count"]) for warning in shared_targets(diversion, directory, bound)]


def test_a_target_of_many_numbers_is_worth_a_warning_and_no_fault() -> None:
    view = world()
    assert counts(rule(BLOCK, FINE), view, 99) == [("targets[0]", "100")]
    assert counts(rule(BLOCK, FINE), view, 100) == []
    assert found(rule(BLOCK, FINE), view) == []
    assert counts(rule(BLOCK, "+4940669690…"), view) == []


def test_numbers_of_several_rules_are_added_up() -> None:
    view = world(
        rule(NumberScope(number="+496990009002"), FINE, key="x", of="o2"),
        rule(BlockScope(block="b3"), "+491713920002", key="y", of="o3", phone_system_targets=targets(FINE)),
        rule(NumberScope(number="+492214710077"), FINE, key="z", of="o3").model_copy(update={"armed": False}),
    )
    assert counts(rule(ONE, FINE), view) == [("targets[0]", "102")]
    # A rule for the order has its other rules' numbers already.
    assert counts(rule(OrderScope(), FINE), view) == [("targets[0]", "203")]
    # Saving a rule again counts it once.
    assert counts(rule(NumberScope(number="+496990009002"), FINE, key="x", of="o2"), view) == [("targets[0]", "101")]
