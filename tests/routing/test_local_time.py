"""Days and times of the wall clock in Germany: the hour that is missing, the one that comes twice, and midnight."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from routing.local_time import BERLIN, NoInstantError, instant_of, local_day, midnight, read_instant, shown
from routing.model import Move


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        # days begin at midnight on the wall, in winter and summer, and on the days when the clocks change
        (date(2026, 12, 1), "2026-11-30T23:00"),
        ("2026-12-01", "2026-11-30T23:00"),
        (" 2026-07-01 ", "2026-06-30T22:00"),
        ("2026-03-29", "2026-03-28T23:00"),
        ("2026-03-30", "2026-03-29T22:00"),
        ("2026-10-25", "2026-10-24T22:00"),
        ("2026-10-26", "2026-10-25T23:00"),
        # times without offset are of the same clock
        (datetime(2026, 12, 1, 14), "2026-12-01T13:00"),  # noqa: DTZ001 - as YAML reads it
        ("2026-03-29 01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29T03:00", "2026-03-29T01:00"),
        ("2026-10-25T01:59", "2026-10-24T23:59"),
        ("2026-10-25T03:00", "2026-10-25T02:00"),
        # an offset says it all, also in the doubled hour
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30"),
        ("2026-12-01T00:00Z", "2026-12-01T00:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), "2026-10-25T01:30"),
    ],
)
def test_what_stands_in_a_file_is_one_instant(written: object, expected: str | None) -> None:
    assert read_instant(written) == (utc(expected) if expected is not None else None)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2026-03-29T02:30", "the clocks go forward over 02:30 on 2026-03-29"),
        ("2026-03-29T02:00", "the clocks go forward over 02:00"),
        ("2026-10-25T02:30", "write 2026-10-25T02:30+02:00 or 2026-10-25T02:30+01:00"),
        ("2026-10-25 02:00:00", "comes twice"),
        ("2026-02-30", "it is no date such as 2026-12-01"),
        ("soon", "it is no date"),
        ("01.12.2026", "it is no date"),
        ("0001-01-01", "very end of the calendar"),
        ("9999-12-31T23:59-05:00", "very end of the calendar"),
    ],
)
def test_what_would_be_a_guess_is_refused_with_what_to_write(written: str, why: str) -> None:
    with pytest.raises(NoInstantError) as refused:
        read_instant(written)
    assert why in str(refused.value)


@pytest.mark.parametrize("written", [5, 2026.5, ["2026-12-01"], True])
def test_what_is_no_date_at_all_is_a_type_error(written: object) -> None:
    with pytest.raises(TypeError):
        read_instant(written)


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    hours = [
        (midnight(date(2026, month, day + 1)) - midnight(date(2026, month, day))).total_seconds() / 3600
        for month, day in ((3, 28), (3, 29), (10, 25), (10, 26))
    ]
    assert hours == [24, 23, 25, 24]


def test_an_instant_is_of_the_day_that_the_wall_shows() -> None:
    assert local_day(utc("2026-11-30T22:59:59")) == date(2026, 11, 30)
    assert local_day(utc("2026-11-30T23:00")) == date(2026, 12, 1)
    assert shown(utc("2026-10-25T00:30")) == "2026-10-25 02:30 CEST"
    assert shown(utc("2026-10-25T01:30")) == "2026-10-25 02:30 CET"


def test_two_instants_of_the_doubled_hour_stay_two_in_an_entity() -> None:
    first, second = (Move(at=datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold), order="o", line="l") for fold in (0, 1))
    assert first.at.tzinfo is UTC
    assert (second.at - first.at).total_seconds() == 3600
    assert Move.model_validate_json(second.model_dump_json()) == second


def test_another_zone_may_begin_its_day_when_the_clocks_go_forward() -> None:
    cairo = ZoneInfo("Africa/Cairo")  # the clocks went forward at midnight
    assert midnight(date(2026, 4, 24), cairo) == utc("2026-04-23T22:00")
    with pytest.raises(NoInstantError):
        instant_of(datetime(2026, 4, 24, 0, 30), cairo)  # noqa: DTZ001 - without offset on purpose
