"""Target policy: what may be a target at all, and what may not be one for this rule."""

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
    RangeScope,
    Scope,
    Site,
    Target,
)
from routing.rejection import RuleRejected
from routing.targets import TargetPolicy, check_diversion, parse_target, target_fault

NATIONAL = TargetPolicy()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("112", "target_emergency"),
        ("115", "target_short_code"),
        ("0900 1234567", "target_premium"),
        ("0190 123456", "target_premium"),
        ("0137 1234567", "target_premium"),
        ("+979 123456789", "target_premium"),
        ("0180 5 12345", "target_shared_cost"),
        ("0700 12345678", "target_special"),
        ("0181 123456", "target_special"),
        ("+881 612345678", "target_satellite"),
        ("+882 1234567", "target_satellite"),
        ("+883 510001234567", "target_satellite"),
        ("+43 1 58058 0", "target_international"),
    ],
)
def test_barred_numbers_are_refused(text: str, slug: str) -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_target(text, NATIONAL)
    assert [fault.type for fault in refused.value.faults] == [slug]


def test_what_the_customer_is_allowed_is_accepted() -> None:
    assert parse_target("0171 3920000", NATIONAL) == "+491713920000"
    assert parse_target("0800 1234567", NATIONAL) == "+498001234567"
    assert parse_target("+43 1 58058 0", TargetPolicy(allow_international=True)) == "+431580580"
    assert parse_target("0180 5 12345", TargetPolicy(allow_shared_cost=True)) == "+49180512345"
    assert parse_target("069 90009", NATIONAL, base=True) == "+496990009"


def test_allowing_targets_abroad_allows_no_satellite_and_no_premium_number() -> None:
    abroad = TargetPolicy(allow_international=True, allow_shared_cost=True)
    for text in ("+881 612345678", "+979 123456789", "0900 1234567", "+44 909 879 0000"):
        with pytest.raises(RuleRejected):
            parse_target(text, abroad)


def test_the_cheap_check_at_the_time_of_use_sees_the_same_german_numbers() -> None:
    assert target_fault("+491713920000", NATIONAL) is None
    for number in ("+499001234567", "+49110", "+4930112", "+49116117", "+49180512345", "+8811234567", "+431580580"):
        assert target_fault(number, NATIONAL) is not None, number


def world(*more: Entity) -> Directory:
    directory = Directory()
    directory.registry.load(
        [
            Customer(id="c", name="c"),
            order("o1", "berlin"),
            order("o2", "berlin"),
            order("o3", "koeln"),
            Line(id="l1", order="o1", kind="registered"),
            Line(id="l2", order="o2", kind="registered"),
            Line(id="l3", order="o3", kind="registered"),
            Block(id="b1", order="o1", line="l1", base="+493023125", ranges=(ExtensionRange(first="000", last="999"),)),
            Number(id="n1", order="o1", line="l1", number="+496990009000"),
            Number(id="n2", order="o2", line="l2", number="+496990009002"),
            Block(id="b3", order="o3", line="l3", base="+492214710", ranges=(ExtensionRange(first="000", last="999"),)),
            *more,
        ]
    )
    directory.settle()
    return directory


def order(key: str, site: str) -> Order:
    return Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=site, address=""))


def rule(scope: Scope, *targets: Target | str, key: str = "d", of: str = "o1", armed: bool = True) -> Diversion:
    made = tuple(Target(number=t) if isinstance(t, str) else t for t in targets)
    return Diversion(id=key, order=of, scope=scope, targets=made, armed=armed)


def slugs(diversion: Diversion, directory: Directory) -> list[str]:
    return [fault.type for fault in check_diversion(diversion, NATIONAL, directory)]


KEEP_1 = Target(number="+493023125", keep_extension=True)
KEEP_3 = Target(number="+492214710", keep_extension=True)
ONE = NumberScope(number="+493023125010")
BLOCK = BlockScope(block="b1")


@pytest.mark.parametrize(
    ("scope", "targets", "expected"),
    [
        (ONE, ("+491713920000",), []),
        (ONE, ("+493023125010",), ["target_self"]),
        (ONE, ("+493023125011",), ["target_same_line"]),
        (ONE, ("+496990009000",), ["target_same_line"]),
        (ONE, ("+496990009002",), ["target_same_site"]),
        (ONE, ("+492214710000",), []),
        (ONE, ("+491713920000", "+491713920000"), ["target_duplicate"]),
        (ONE, ("+499001234567", "+49110"), ["target_premium", "target_emergency"]),
        (ONE, (KEEP_3,), ["target_keep_extension"]),
        (BLOCK, (KEEP_3,), []),
        (BLOCK, (KEEP_1,), ["target_self"]),
        (BLOCK, ("+493023125999",), ["target_self"]),
        (BLOCK, (Target(number="+492214710000111", keep_extension=True),), ["target_keep_length"]),
        (RangeScope(block="b1", first="010", last="019"), ("+493023125015",), ["target_self"]),
        (RangeScope(block="b1", first="010", last="019"), ("+493023125020",), ["target_same_line"]),
        (RangeScope(block="b1", first="10", last="19"), ("+491713920000",), ["scope_range"]),
        (RangeScope(block="b1", first="9", last="10"), ("+491713920000",), ["extension_range"]),
        (OrderScope(), ("+493023125000",), ["target_self"]),
        (OrderScope(), ("+496990009002",), ["target_same_site"]),
        (BlockScope(block="b3"), ("+491713920000",), ["scope_block"]),
        (NumberScope(number="+492214710000"), ("+491713920000",), ["scope_number"]),
        (NumberScope(number="+491713920000"), ("+491713920001",), ["scope_number"]),
    ],
)
def test_a_rule_is_checked_against_its_own_numbers_line_and_site(
    scope: Scope, targets: tuple[Target | str, ...], expected: list[str]
) -> None:
    assert slugs(rule(scope, *targets), world()) == expected


def test_a_circle_through_another_order_is_refused() -> None:
    back = rule(BlockScope(block="b3"), KEEP_1, key="back", of="o3")
    assert slugs(rule(BLOCK, KEEP_3), world(back)) == ["target_loop"]
    assert slugs(rule(ONE, "+492214710010"), world(back)) == ["target_loop"]
    # Its calls come back to another extension, which this rule is not for.
    assert slugs(rule(ONE, "+492214710011"), world(back)) == []


def test_a_single_number_inside_a_range_that_is_another_orders_is_none_of_its_numbers() -> None:
    taken = Number(id="n7", order="o3", line="l3", number="+493023125015")
    for scope in (BLOCK, RangeScope(block="b1", first="010", last="019")):
        assert slugs(rule(scope, "+493023125015"), world(taken)) == []


def test_a_rule_that_is_not_armed_closes_no_circle() -> None:
    back = rule(BlockScope(block="b3"), KEEP_1, key="back", of="o3", armed=False)
    assert slugs(rule(BLOCK, KEEP_3), world(back)) == []


def test_checking_a_rule_that_is_stored_already_finds_no_circle_with_itself() -> None:
    mine = rule(BLOCK, KEEP_3)
    assert slugs(mine, world(mine)) == []
