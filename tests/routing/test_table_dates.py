"""The table of dates: what is written in a file, the instant that it means, and what calls get to the millisecond around it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routing.lead import opening
from routing.model import Entity, Order
from routing.rejection import RuleRejected
from tests.routing.stage import Stage, document, order

CALLED = "+493023125010"
MS = timedelta(milliseconds=1)

WRITTEN = [
    # written, the instant that it means
    ("2026-12-01", "2026-11-30T23:00:00"),
    ("2026-07-01", "2026-06-30T22:00:00"),
    ("2027-01-01", "2026-12-31T23:00:00"),
    ("2028-02-29", "2028-02-28T23:00:00"),
    ("2028-03-01", "2028-02-29T23:00:00"),
    # the night in which an hour is missing: the midnights around it, and the edges of the hour
    ("2026-03-29", "2026-03-28T23:00:00"),
    ("2026-03-30", "2026-03-29T22:00:00"),
    ("2026-03-29T01:59:59", "2026-03-29T00:59:59"),
    ("2026-03-29T03:00", "2026-03-29T01:00:00"),
    # the night in which an hour comes twice
    ("2026-10-25", "2026-10-24T22:00:00"),
    ("2026-10-26", "2026-10-25T23:00:00"),
    ("2026-10-25T01:59:59", "2026-10-24T23:59:59"),
    ("2026-10-25T02:30+02:00", "2026-10-25T00:30:00"),
    ("2026-10-25T02:30+01:00", "2026-10-25T01:30:00"),
    ("2026-10-25T03:00", "2026-10-25T02:00:00"),
    # the last second of a day, midnight in UTC, and a time with its offset
    ("2026-11-30T23:59:59", "2026-11-30T22:59:59"),
    ("2026-12-01T00:00Z", "2026-12-01T00:00:00"),
    ("2026-12-01T00:00+01:00", "2026-11-30T23:00:00"),
]
NUMBER = {"id": "n", "number": CALLED}
BLOCK = {"id": "b", "base": "030 23125", "extensions": "000-099"}


def diverting(key: str, **more: Any) -> dict[str, Any]:
    return order(key, diversions=[{"id": f"r-{key}", "to": "0171 3920000", "armed": True}], **more)


KINDS: dict[str, tuple[Callable[[str], list[dict[str, Any]]], str | None, str | None]] = {
    # what is dated; whose rule a call gets before and from the instant on
    "an order begins": (lambda at: [diverting("o", numbers=[NUMBER], active_from=at)], None, "r-o"),
    "an order ends": (lambda at: [diverting("o", numbers=[NUMBER], active_until=at)], "r-o", None),
    "a number comes": (lambda at: [diverting("o", numbers=[{**NUMBER, "active_from": at}])], None, "r-o"),
    "a number goes": (lambda at: [diverting("o", numbers=[{**NUMBER, "active_until": at}])], "r-o", None),
    "a block comes": (lambda at: [diverting("o", blocks=[{**BLOCK, "active_from": at}])], None, "r-o"),
    "a block goes": (lambda at: [diverting("o", blocks=[{**BLOCK, "active_until": at}])], "r-o", None),
    "a number moves": (
        lambda at: [diverting("o", numbers=[{**NUMBER, "move": {"at": at, "order": "p", "line": "p"}}]), diverting("p")],
        "r-o",
        "r-p",
    ),
    "a block moves": (
        lambda at: [diverting("o", blocks=[{**BLOCK, "move": {"at": at, "order": "p", "line": "p"}}]), diverting("p")],
        "r-o",
        "r-p",
    ),
    "a block moves into an order that begins then": (
        lambda at: [
            diverting("o", blocks=[{**BLOCK, "move": {"at": at, "order": "p", "line": "p"}}], active_until=at),
            diverting("p", active_from=at),
        ],
        "r-o",
        "r-p",
    ),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("written", "means"), WRITTEN)
def test_what_is_written_holds_from_its_instant_on(written: str, means: str, kind: str) -> None:
    made, before, after = KINDS[kind]
    entities, at = document(*made(written)), utc(means)
    running = Stage(entities, at - timedelta(days=2))
    assert running.compiler.problems() == []
    assert running.compiler.next_change_at(at - timedelta(days=2)) == at
    seen: dict[str, str | None] = {}
    for name, now in (
        ("days before", at - timedelta(days=2)),
        ("a millisecond before", at - MS),
        ("then", at),
        ("after", at + MS),
    ):
        running.advance(now)
        seen[name] = running.call(CALLED).rule
        assert Stage(entities, now).call(CALLED) == running.call(CALLED), "a start at that time comes to the same"
    assert seen == {"days before": before, "a millisecond before": before, "then": after, "after": after}
    assert running.compiler.next_change_at(at) is None
    running.advance(at - MS)
    assert running.call(CALLED).rule == before, "the clock was put back"


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        ("2026-03-28", "2026-03-29", 24),
        ("2026-03-29", "2026-03-30", 23),
        ("2026-10-25", "2026-10-26", 25),
        ("2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", 1),
        ("2026-03-29T01:30", "2026-03-29T03:30", 1),
        ("2026-12-31", "2027-01-01", 24),
    ],
)
def test_how_long_an_order_lives_from_day_to_day(first: str, last: str, hours: int) -> None:
    entities = document(diverting("o", numbers=[NUMBER], active_from=first, active_until=last))
    stage = Stage(entities, utc("2026-01-01"))
    begins = stage.compiler.next_change_at(utc("2026-01-01"))
    assert begins is not None
    ends = stage.compiler.next_change_at(begins)
    assert ends is not None
    assert (ends - begins).total_seconds() / 3600 == hours
    assert {now: Stage(entities, now).call(CALLED).rule for now in (begins - MS, begins, ends - MS, ends)} == {
        begins - MS: None,
        begins: "r-o",
        ends - MS: "r-o",
        ends: None,
    }


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2026-03-29T02:00", "the clocks go forward over 02:00"),
        ("2026-03-29T02:30", "the clocks go forward over 02:30"),
        ("2026-10-25T02:00", "comes twice"),
        ("2026-10-25T02:59:59", "comes twice"),
        ("2026-02-29", "no date"),
        ("2026-12-01T24:00", "no date"),
    ],
)
@pytest.mark.parametrize("place", ["active_from", "active_until", "numbers[0].active_from", "numbers[0].move.at"])
def test_what_is_no_instant_is_refused_where_it_stands(written: str, why: str, place: str) -> None:
    number: dict[str, Any] = dict(NUMBER)
    dates: dict[str, str] = {}
    match place:
        case "numbers[0].active_from":
            number["active_from"] = written
        case "numbers[0].move.at":
            number["move"] = {"at": written, "order": "p", "line": "p"}
        case _:
            dates[place] = written
    with pytest.raises(RuleRejected) as refused:
        document(diverting("o", numbers=[number], **dates), diverting("p"))
    assert [fault.location for fault in refused.value.faults] == [f"customers[0].orders[0].{place}"]
    assert why in refused.value.faults[0].message


@pytest.mark.parametrize(
    ("live", "opens"),
    [
        # 14 days before, from the midnight at which that day begins, also when the clocks are changed between the two
        ("2026-12-15", "2026-11-30T23:00:00"),
        ("2026-12-15T18:00", "2026-11-30T23:00:00"),
        ("2026-04-05", "2026-03-21T23:00:00"),
        ("2026-04-12", "2026-03-28T23:00:00"),
        ("2026-04-13", "2026-03-29T22:00:00"),
        ("2026-11-01", "2026-10-17T22:00:00"),
        ("2026-11-08", "2026-10-24T22:00:00"),
        ("2026-11-09", "2026-10-25T23:00:00"),
        ("2027-01-10", "2026-12-26T23:00:00"),
        ("2028-03-14", "2028-02-28T23:00:00"),
    ],
)
def test_from_when_on_a_customer_manages_his_targets(live: str, opens: str) -> None:
    found = opening(the_order(document(diverting("o", numbers=[NUMBER], active_from=live))))
    assert found.at == utc(opens)
    assert [found.is_open(now) for now in (utc(opens) - MS, utc(opens))] == [False, True]


def the_order(entities: list[Entity]) -> Order:
    return next(each for each in entities if isinstance(each, Order))
