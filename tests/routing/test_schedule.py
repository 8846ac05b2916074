"""Which period holds, at midnight, on holidays, and in the nights in which the clocks are changed; and when that changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.holiday import is_holiday
from routing.model import Period, State, Weekday
from routing.schedule import next_change, period_at
from tests.routing.strategies import STATES, periods

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")


def at(text: str, fold: int = 0) -> datetime:
    """A time on the wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = Period(days=WORK, start="08:00", end="17:00")
NIGHT = Period(days=WORK, start="22:00", end="06:00")
SATURDAY = Period(days=("sat",))


@pytest.mark.parametrize(
    ("period", "time", "holds"),
    [
        # 2026-11-23 is a Monday.
        (OFFICE, "2026-11-23T07:59:59", False),
        (OFFICE, "2026-11-23T08:00:00", True),
        (OFFICE, "2026-11-23T16:59:59", True),
        (OFFICE, "2026-11-23T17:00:00", False),
        (OFFICE, "2026-11-22T12:00:00", False),
        # Past midnight the day is that of the start: Friday's night ends on Saturday, Sunday's never began.
        (NIGHT, "2026-11-23T05:59:00", False),
        (NIGHT, "2026-11-23T22:00:00", True),
        (NIGHT, "2026-11-24T05:59:00", True),
        (NIGHT, "2026-11-28T05:59:00", True),
        (NIGHT, "2026-11-28T06:00:00", False),
        (NIGHT, "2026-11-28T22:00:00", False),
        # 24:00 is the end of the day, 00:00 the start of the next: no gap and no overlap.
        (SATURDAY, "2026-11-27T23:59:59", False),
        (SATURDAY, "2026-11-28T00:00:00", True),
        (SATURDAY, "2026-11-28T23:59:59", True),
        (SATURDAY, "2026-11-29T00:00:00", False),
        (Period(days=("sat",), start="18:00", end="00:00"), "2026-11-28T23:59:59", True),
        (Period(days=("sat",), start="18:00", end="00:00"), "2026-11-29T00:00:00", False),
        # The same start and end is one whole day from there on.
        (Period(days=("sat",), start="08:00", end="08:00"), "2026-11-28T07:59:00", False),
        (Period(days=("sat",), start="08:00", end="08:00"), "2026-11-29T07:59:00", True),
        (Period(days=("sat",), start="08:00", end="08:00"), "2026-11-29T08:00:00", False),
        # Dates are those of the start, the last one included.
        (Period(first=date(2026, 12, 24), last=date(2027, 1, 3)), "2026-12-23T23:59:00", False),
        (Period(first=date(2026, 12, 24), last=date(2027, 1, 3)), "2026-12-24T00:00:00", True),
        (Period(first=date(2026, 12, 24), last=date(2027, 1, 3)), "2027-01-03T23:59:00", True),
        (Period(first=date(2026, 12, 24), last=date(2027, 1, 3)), "2027-01-04T00:00:00", False),
        (Period(last=date(2026, 12, 24), start="20:00", end="04:00"), "2026-12-25T03:59:00", True),
        (Period(last=date(2026, 12, 24), start="20:00", end="04:00"), "2026-12-25T20:00:00", False),
    ],
)
def test_a_period_holds_on_its_days_and_times(period: Period, time: str, holds: bool) -> None:  # noqa: FBT001 - a table
    assert (period_at([period], None, at(time)) == 0) is holds


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        # 29 March 2026: 02:00 becomes 03:00; there is no 02:30.
        ("02:30", "05:00", [("2026-03-29T01:00", "2026-03-29T03:00")]),
        ("01:00", "02:30", [("2026-03-29T00:00", "2026-03-29T01:00")]),
        ("02:10", "02:50", []),
        ("22:00", "02:30", [("2026-03-29T20:00", "2026-03-30T00:30")]),
        ("00:00", "24:00", [("2026-03-28T23:00", "2026-03-29T22:00")]),
    ],
)
def test_a_missing_hour_is_passed_over(start: str, end: str, times: list[tuple[str, str]]) -> None:
    period = Period(start=start, end=end, days=("sun",))
    assert spans(period, utc("2026-03-28T12:00"), utc("2026-03-30T12:00")) == [(utc(a), utc(b)) for a, b in times]


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        # 25 October 2026: 03:00 becomes 02:00; the hour between comes twice, and counts twice.
        ("02:00", "03:00", [("2026-10-25T00:00", "2026-10-25T02:00")]),
        ("02:30", "05:00", [("2026-10-25T00:30", "2026-10-25T01:00"), ("2026-10-25T01:30", "2026-10-25T04:00")]),
        ("01:00", "02:30", [("2026-10-24T23:00", "2026-10-25T00:30"), ("2026-10-25T01:00", "2026-10-25T01:30")]),
        ("02:10", "02:20", [("2026-10-25T00:10", "2026-10-25T00:20"), ("2026-10-25T01:10", "2026-10-25T01:20")]),
        ("00:00", "24:00", [("2026-10-24T22:00", "2026-10-25T23:00")]),
        ("02:30", "02:30", [("2026-10-25T00:30", "2026-10-25T01:00"), ("2026-10-25T01:30", "2026-10-26T01:30")]),
    ],
)
def test_a_doubled_hour_counts_twice(start: str, end: str, times: list[tuple[str, str]]) -> None:
    period = Period(start=start, end=end, days=("sun",))
    assert spans(period, utc("2026-10-24T12:00"), utc("2026-10-26T12:00")) == [(utc(a), utc(b)) for a, b in times]


def spans(period: Period, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When it holds, by going from change to change."""
    found: list[tuple[datetime, datetime]] = []
    now: datetime | None = start
    began = None
    while now is not None and now < end:
        if period_at([period], None, now) == 0:
            began = now
        elif began is not None:
            found.append((began, now))
            began = None
        now = next_change([period], None, now)
    return found


@pytest.mark.parametrize(
    ("day", "state", "expected"),
    [
        (date(2026, 10, 3), None, True),
        (date(2026, 6, 4), "NW", True),  # Corpus Christi
        (date(2026, 6, 4), "BE", False),
        (date(2026, 6, 4), None, False),
        (date(2026, 3, 8), "BE", True),  # Women's Day
        (date(2026, 11, 18), "SN", True),  # Repentance Day
        (date(2026, 11, 18), "BY", False),
        (date(2026, 10, 31), "BB", True),  # Reformation Day
        (date(2026, 11, 1), "BW", True),  # All Saints
        (date(2026, 9, 20), "TH", True),  # Children's Day
        (date(2026, 8, 15), "SL", True),  # Assumption
        (date(2026, 12, 24), "HH", False),
    ],
)
def test_holidays_are_those_of_the_state(day: date, state: State | None, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_holiday(day, state) is expected
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=BERLIN)
    assert (period_at([Period(holidays="only")], state, noon) == 0) is expected
    assert (period_at([Period(holidays="except")], state, noon) == 0) is not expected


def test_of_several_periods_the_first_that_holds_has_the_say() -> None:
    rule = [Period(holidays="only"), OFFICE, NIGHT]
    assert period_at(rule, None, at("2026-12-25T10:00")) == 0
    assert period_at(rule, None, at("2026-11-23T10:00")) == 1
    assert period_at(rule, None, at("2026-11-23T23:00")) == 2
    assert period_at(rule, None, at("2026-11-23T19:00")) is None
    assert next_change(rule, None, at("2026-11-23T19:00")) == at("2026-11-23T22:00")


@pytest.mark.parametrize(
    ("periods_", "state", "now", "then"),
    [
        ([], None, "2026-11-23T10:00", None),
        ([Period()], None, "2026-11-23T10:00", None),
        ([Period(), OFFICE], None, "2026-11-23T10:00", None),
        ([Period(first=date(2026, 11, 1))], None, "2026-11-23T10:00", None),
        ([Period(last=date(2025, 1, 1)), OFFICE], None, "2026-11-23T10:00", "2026-11-23T17:00"),
        ([Period(first=date(2051, 1, 1))], None, "2026-11-23T10:00", "2051-01-01T00:00"),
        ([Period(first=date(9999, 12, 31))], None, "2026-11-23T10:00", None),
        ([Period(last=date(9999, 12, 31), days=("sun",))], None, "2026-11-23T10:00", "2026-11-29T00:00"),
        ([OFFICE], None, "2026-11-27T17:00", "2026-11-30T08:00"),
        # Christmas Day is a Friday: the office is closed from Thursday to Monday.
        ([OFFICE.model_copy(update={"holidays": "except"})], None, "2026-12-24T17:00", "2026-12-28T08:00"),
        # The next Wednesday that is a public holiday in all states: the third of October 2029.
        ([Period(holidays="only", days=("wed",))], None, "2026-11-23T10:00", "2029-10-03T00:00"),
    ],
)
def test_the_next_change_is_found_however_far_away(
    periods_: list[Period], state: State | None, now: str, then: str | None
) -> None:
    assert next_change(periods_, state, at(now)) == (at(then) if then is not None else None)


MINUTE = timedelta(minutes=1)
STARTS = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone
    # The nights in which the clocks are changed, and the ends of years.
    st.sampled_from([utc("2026-03-28T12:00"), utc("2026-10-24T12:00"), utc("2027-03-27T12:00"), utc("2026-12-30T12:00")]),
)


@settings(max_examples=60)
@given(st.lists(periods(), min_size=1, max_size=3), STATES, STARTS)
def test_the_next_change_is_that_of_a_scan_minute_by_minute(rule: list[Period], state: State | None, start: datetime) -> None:
    """A day and a half on from any instant; whole minutes, for periods have no seconds."""
    start = start.replace(second=0, microsecond=0)
    expected = period_at(rule, state, start)
    found = next_change(rule, state, start)
    assert found is None or found > start
    now = start
    for _ in range(36 * 60):
        now += MINUTE
        plain = next((index for index, each in enumerate(rule) if plainly(each, state, now)), None)
        if now.minute % 30 in {0, 29}:
            assert period_at(rule, state, now) == plain
        if plain != expected:
            assert found == now
            return
    assert found is None or found > now


def plainly(period: Period, state: State | None, now: datetime) -> bool:
    """The definition, word by word: a window that began on this day or the one before and has not ended, by the wall clock."""
    wall = now.astimezone(BERLIN).replace(tzinfo=None)
    for back in (0, 1):
        midnight = datetime(wall.year, wall.month, wall.day) - timedelta(days=back)  # noqa: DTZ001 - wall clock
        began, ended = (midnight + timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in (period.start, period.end))
        if ended <= began:
            ended += timedelta(days=1)
        day = midnight.date()
        fits = (
            (period.first is None or period.first <= day)
            and (period.last is None or day <= period.last)
            and (not period.days or WEEK[day.weekday()] in period.days)
            and (period.holidays == "any" or (period.holidays == "only") == is_holiday(day, state))
        )
        if fits and began <= wall < ended:
            return True
    return False
