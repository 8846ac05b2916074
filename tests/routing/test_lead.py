"""From which day on customers manage targets: midnight in Germany, so many days before calls reach the numbers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing.lead import lead_fault, opening, rule_opening
from routing.model import (
    Block,
    BlockScope,
    Diversion,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Scope,
    Site,
    Target,
    User,
)
from routing.products import PRODUCTS
from routing.registry import Registry

BERLIN = ZoneInfo("Europe/Berlin")
CUSTOMER = User(id="u", name="Ada", role="editor", customer="c")
STAFF = User(id="s", name="Op", role="operator")


def berlin(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type,misc] # year to minute


def order(key: str = "o", **more: Any) -> Order:
    return Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id="s", address=""), **more)


def rule(scope: Scope, of: str = "o") -> Diversion:
    return Diversion(id="r", order=of, scope=scope, targets=(Target(number="+491713920000"),))


@pytest.mark.parametrize(
    ("live", "opens", "hours"),
    [
        (berlin(2026, 12, 1), berlin(2026, 11, 17), 14 * 24),
        # live in the middle of a day: the day counts
        (berlin(2026, 12, 1, 14), berlin(2026, 11, 17), 14 * 24 + 14),
        (berlin(2026, 12, 1, 23, 59), berlin(2026, 11, 17), 14 * 24 + 24 - 1 / 60),
        # one hour less, and one more, lie in between when the clocks change
        (berlin(2026, 3, 30), berlin(2026, 3, 16), 14 * 24 - 1),
        (berlin(2026, 10, 26), berlin(2026, 10, 12), 14 * 24 + 1),
        # the first day itself is that of a change
        (berlin(2026, 4, 12), berlin(2026, 3, 29), 14 * 24 - 1),
        (berlin(2026, 11, 8), berlin(2026, 10, 25), 14 * 24 + 1),
        (berlin(2026, 3, 29), berlin(2026, 3, 15), 14 * 24),
    ],
)
def test_the_first_day_begins_at_midnight_on_the_wall(live: datetime, opens: datetime, hours: float) -> None:
    found = opening(order(active_from=live))
    assert found.at == opens
    assert (live - opens).total_seconds() / 3600 == pytest.approx(hours)
    assert not found.is_open(opens - timedelta(microseconds=1))
    assert found.is_open(opens)
    assert found.is_open(live + timedelta(days=365))


def test_the_lead_is_set_by_product_and_fourteen_days_as_a_rule() -> None:
    assert {item.edit_lead_days for item in PRODUCTS.values()} == {14}
    unknown = order(active_from=berlin(2026, 12, 1)).model_copy(update={"product": "gone"})
    assert opening(unknown).day == date(2026, 11, 17)


def test_without_a_date_targets_are_managed_at_any_time() -> None:
    assert opening(order()).is_open(datetime(1990, 1, 1, tzinfo=UTC))
    assert opening(order(active_until=berlin(2020, 1, 1))).is_open(berlin(2026, 1, 1)), "an end closes nothing"
    assert opening(order(active_from=datetime(1, 1, 2, tzinfo=UTC))).is_open(berlin(2026, 1, 1))


AT = berlin(2026, 12, 1)
MOVED = Number(id="n", order="o", line="l", number="+496990009000", move=Move(at=AT, order="p", line="p"))
PORTED = Number(id="m", order="o", line="l", number="+496990009001", active_from=AT)
PLAIN = Number(id="k", order="o", line="l", number="+49302312515")
BLOCK = Block(id="b", order="o", line="l", base="+493023125", active_from=AT)


def registry(**dates: Any) -> Registry:
    held = Registry()
    held.now = berlin(2026, 11, 1)
    lines = (Line(id="l", order="o", kind="registered"), Line(id="p", order="p", kind="registered"))
    held.load([order(**dates), order("p"), *lines, MOVED, PORTED, PLAIN, BLOCK])
    return held


@pytest.mark.parametrize(
    ("scope", "of", "day"),
    [
        (OrderScope(), "o", None),
        (NumberScope(number="+496990009000"), "o", None),
        (NumberScope(number="+496990009000"), "p", date(2026, 11, 17)),
        (NumberScope(number="+496990009001"), "o", date(2026, 11, 17)),
        (BlockScope(block="b"), "o", date(2026, 11, 17)),
        (NumberScope(number="+49302312599"), "o", date(2026, 11, 17)),
        (NumberScope(number="+49302312515"), "o", None),
        (NumberScope(number="+4940669690"), "o", None),
    ],
    ids=["order", "leaving", "arriving", "ported in", "block", "in the block", "single in the block", "nobody's"],
)
def test_a_rule_opens_with_the_number_block_or_order_that_it_is_for(scope: Scope, of: str, day: date | None) -> None:
    found = rule_opening(rule(scope, of), registry())
    assert found is not None
    assert found.day == day


def test_the_later_of_both_dates_counts() -> None:
    late, early = registry(active_from=berlin(2027, 1, 15)), registry(active_from=berlin(2026, 11, 15))
    found = [rule_opening(rule(NumberScope(number="+496990009001")), held) for held in (late, early)]
    assert [item.day for item in found if item is not None] == [date(2027, 1, 1), date(2026, 11, 17)]


def test_customers_are_told_the_day_and_staff_is_not_bound() -> None:
    held, early = registry(), berlin(2026, 11, 16, 23, 59)
    ported = rule(NumberScope(number="+496990009001"))
    refused = lead_fault(ported, held, early, CUSTOMER)
    assert refused is not None
    assert refused.type == "lead_time"
    assert refused.context == {"what": "+496990009001", "day": "2026-11-17", "days": "14", "live": "2026-12-01 00:00 CET"}
    assert lead_fault(ported, held, berlin(2026, 11, 17), CUSTOMER) is None
    assert lead_fault(ported, held, early, STAFF) is None
    assert lead_fault(ported, held, early, None) is None
    assert lead_fault(rule(OrderScope(), "gone"), held, early, CUSTOMER) is None
    block = lead_fault(rule(BlockScope(block="b")), held, early, CUSTOMER)
    assert block is not None
    assert block.context["what"] == "block +493023125…"
