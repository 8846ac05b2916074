"""Public holidays in Germany, by state; a year is worked out once.

Those that only some towns or parishes of a state have (Augsburg's peace festival, Assumption in parts of Bavaria, Corpus Christi in
parts of Saxony and Thuringia) do not count: a period with that date says it.
"""

from datetime import date
from functools import lru_cache

from holidays import country_holidays

from routing.model import State


def is_holiday(day: date, state: State | None) -> bool:
    """Return whether the day is a public holiday of the state; None: one that all states have."""
    return day in holidays_of(day.year, state)


@lru_cache(maxsize=17 * 16)
def holidays_of(year: int, state: State | None) -> frozenset[date]:
    """Return the public holidays of a year; 16 states and none of them, for some years."""
    return frozenset(country_holidays("DE", subdiv=state, years=year, expand=False))
