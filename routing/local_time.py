"""Days and times on the wall clock in Germany, as instants: daylight saving time makes one hour missing and one come twice.

An instant is an aware `datetime` in UTC. Two of the same local time zone must never be compared: Python then compares what the
clock on the wall shows, and in the doubled hour that is the same for two instants.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime

BERLIN: Final = ZoneInfo("Europe/Berlin")
DAWN: Final = datetime.min.replace(tzinfo=UTC)
"""Before all dates."""


class NoInstantError(ValueError):
    """What the clock on the wall shows is no instant, or not a single one. The text says why and what to write instead."""


def checked_instant(value: datetime) -> datetime:
    """Return an aware time in UTC. Raises `NoInstantError` if the calendar has no such day in UTC."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise NoInstantError("it is at the very end of the calendar, leave it out instead") from None


Instant = Annotated[AwareDatetime, AfterValidator(checked_instant)]
"""Field of a model: any time with an offset, kept in UTC."""


def instant_of(clock: datetime, zone: tzinfo = BERLIN) -> datetime:
    """Return the instant at which the clock on the wall shows a time (without offset).

    Raises `NoInstantError` for a time that is left out or comes twice when the clocks change, because it would be a guess.
    """
    early, late = (clock.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    first, second = checked_instant(early), checked_instant(late)
    if first == second:
        return first
    if first > second:
        # PEP 495: of a time that is left out, the first reading is the later instant.
        raise NoInstantError(f"the clocks go forward over {clock:%H:%M} on {clock:%Y-%m-%d}, choose another time")
    both = " or ".join(moment.isoformat(timespec="minutes") for moment in (early, late))
    raise NoInstantError(f"{clock:%H:%M} comes twice on {clock:%Y-%m-%d}, when the clocks go back: write {both}")


def midnight(day: date, zone: tzinfo = BERLIN) -> datetime:
    """Return the instant at which a day begins. Raises `NoInstantError` at the ends of the calendar."""
    # Of a midnight that comes twice this is the first one, of one that is left out the instant at which the clocks go forward.
    return checked_instant(datetime.combine(day, time(), tzinfo=zone))


def read_instant(value: object, zone: tzinfo = BERLIN) -> datetime | None:
    """Read a date as files have it, None for none: a day, from its midnight on, or a time with or without offset.

    Raises `NoInstantError`, and `TypeError` for what is neither text nor a date.
    """
    if isinstance(value, str):
        value = _read_text(value.strip())
    if isinstance(value, datetime):
        return checked_instant(value) if value.tzinfo is not None else instant_of(value, zone)
    if isinstance(value, date):
        return midnight(value, zone)
    if value is not None:
        raise TypeError
    return None


def _read_text(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NoInstantError("it is no date such as 2026-12-01 and no time such as 2026-12-01T14:00+01:00") from None


def local_day(moment: datetime, zone: tzinfo = BERLIN) -> date:
    """Return the day that the calendar on the wall shows at an instant."""
    return _local(moment, zone).date()


def shown(moment: datetime, zone: tzinfo = BERLIN) -> str:
    """Return an instant as people read it: ``2026-12-01 00:00 CET``; the name of the offset tells a doubled hour apart."""
    return _local(moment, zone).strftime("%Y-%m-%d %H:%M %Z")


def _local(moment: datetime, zone: tzinfo) -> datetime:
    """Return an instant on the wall; at the very ends of the calendar there is no other day, so it is one day less there."""
    day = timedelta(days=1)
    return min(max(moment, DAWN + day), datetime.max.replace(tzinfo=UTC) - day).astimezone(zone)
