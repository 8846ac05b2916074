"""How many rules a line may have, and whose limits count."""

from datetime import UTC, datetime

import pytest

from routing.directory import Directory
from routing.document import parse_document
from routing.limits import limits_of, lines_of_rule, order_limits, rules_by_line, rules_fault, rules_warning
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Limits,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Scope,
    Site,
    Target,
)
from routing.products import DEFAULT_LIMITS, PRODUCTS
from routing.rejection import RuleRejected, RuleWarning
from routing.review import review

FEW = Customer(id="c", name="c", limits=Limits(rules_per_line=2, diverted_per_hour=7))


def world(*rules: Diversion) -> Directory:
    directory = Directory()
    directory.registry.load(
        [
            FEW,
            Order(id="o", customer="c", product="sipTrunk 2.0", site=Site(id="s", address="")),
            Line(id="l1", order="o", kind="registered"),
            Line(id="l2", order="o", kind="registered"),
            Block(id="b", order="o", line="l1", base="+493023125"),
            Number(id="n", order="o", line="l2", number="+496990009000"),
            *rules,
        ]
    )
    directory.settle()
    return directory


def rule(key: str, scope: Scope) -> Diversion:
    return Diversion(id=key, order="o", scope=scope, targets=(Target(number="+491713920001"),))


ON_L1 = [rule("a", BlockScope(block="b")), rule("b", RangeScope(block="b", first="10", last="19"))]
ONE_MORE = rule("c", NumberScope(number="+493023125010"))


def test_the_customers_own_limits_go_before_those_of_the_product() -> None:
    trunk = PRODUCTS["sipTrunk 2.0"].limits
    assert limits_of(None, "sipTrunk 2.0") == trunk
    assert limits_of(None, "no such product") == DEFAULT_LIMITS
    limits = order_limits(world(), "o")
    assert (limits.rules_per_line, limits.diverted_per_hour) == (2, 7)
    assert (limits.changes_per_hour, limits.diverted_per_day) == (trunk.changes_per_hour, trunk.diverted_per_day)


def test_rules_are_counted_by_the_line_of_their_numbers() -> None:
    assert rules_by_line(world(*ON_L1, rule("o", OrderScope())), "o") == {"l1": 3, "l2": 1}


def test_one_rule_too_many_is_refused_and_staff_is_only_told() -> None:
    directory = world(*ON_L1)
    refused = rules_fault(ONE_MORE, directory)
    assert refused is not None
    assert (refused.type, dict(refused.context)) == ("limit_rules", {"line": "l1", "count": "2", "limit": "2"})
    told = rules_warning(ONE_MORE, directory)
    assert told is not None
    assert told.context["count"] == "3"
    assert rules_fault(rule("c", NumberScope(number="+496990009000")), directory) is None
    assert rules_fault(rule("c", OrderScope()), directory) is not None


def test_a_document_may_set_limits_and_is_told_what_it_passes() -> None:
    order = {
        "id": "o",
        "product": "sipTrunk 2.0",
        "site": {"id": "s", "address": ""},
        "lines": [{"id": "l", "user": "u", "password": "p"}],
        "blocks": [{"id": "b", "base": "030 23125", "extensions": "000-099"}],
        "diversions": [
            {"block": "b", "to": "0171 3920001", "armed": True},
            {"number": "030 23125010", "to": "0171 3920001", "armed": True},
        ],
    }
    customer = {"id": "c", "name": "c", "limits": {"rules_per_line": 1, "diverted_per_day": 9}, "orders": [order]}
    told: list[RuleWarning] = []
    entities = parse_document({"customers": [customer]}, "realm", told=told)
    assert isinstance(entities[0], Customer)
    assert entities[0].limits == Limits(rules_per_line=1, diverted_per_day=9)
    assert [(w.type, w.context["count"]) for w in told] == [("target_shared", "100"), ("limit_rules_passed", "2")]
    for wrong in ({"rules_per_line": 0}, {"rules": 3}, {"diverted_per_day": "many"}):
        with pytest.raises(RuleRejected) as refused:
            parse_document({"customers": [{**customer, "limits": wrong}]}, "realm")
        assert refused.value.faults[0].location.startswith("customers[0].limits")


def test_changing_a_rule_needs_no_room() -> None:
    directory = world(*ON_L1, ONE_MORE)
    assert rules_fault(ONE_MORE.model_copy(update={"armed": True}), directory) is None
    moved = ONE_MORE.model_copy(update={"scope": NumberScope(number="+496990009000")})
    assert rules_fault(moved, directory) is None
    assert rules_fault(rule("n", NumberScope(number="+493023125011")), directory) is not None


def test_a_rule_for_later_counts_for_the_line_of_that_time() -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    orders = [Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address="")) for key in "ab"]
    block = Block(id="m", order="a", line="a", base="+492214710", move=Move(at=at, order="b", line="b"))
    directory = Directory()
    directory.registry.load([*orders, *(Line(id=key, order=key, kind="registered") for key in "ab"), block])
    directory.settle()
    rules = [
        Diversion(id=f"{key}r", order=key, scope=BlockScope(block="m"), targets=(Target(number="+491713920000"),)) for key in "ab"
    ]
    assert [lines_of_rule(rule, directory) for rule in rules] == [{"a"}, {"b"}]


def test_a_review_refuses_a_customer_what_it_only_tells_staff() -> None:
    directory = world(*ON_L1)
    customers, staffs = review(ONE_MORE, directory, staff=False), review(ONE_MORE, directory, staff=True)
    assert [found.type for found in customers.faults] == ["limit_rules"]
    assert (staffs.faults, [found.type for found in staffs.warnings]) == ((), ["limit_rules_passed"])


def test_switching_off_is_always_possible() -> None:
    barred = rule("a", BlockScope(block="b")).model_copy(update={"armed": True, "targets": (Target(number="+49110"),)})
    directory = world(barred)
    assert review(barred, directory, staff=False).faults != ()
    assert review(barred.model_copy(update={"armed": False}), directory, staff=False).faults == ()
    other = barred.model_copy(update={"armed": False, "targets": (Target(number="+49112"),)})
    assert review(other, directory, staff=False).faults != ()
