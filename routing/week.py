"""At which times of the week numbers are protected: windows by the clock on the wall, out of what holds from instant to instant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from routing.local_time import BERLIN, local_day, midnight
from routing.spans import Span, joined
from routing.stretches import Stretch

DAYS = 7


@dataclass(frozen=True, slots=True)
class Part:
    """Numbers that are protected at the same times of the week."""

    when: str
    """``at all times``, ``never``, or such as ``Mon–Fri 08:00–17:00`` and ``not on Sun``."""
    count: int
    spans: tuple[Span, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Week:
    """The seven days from that of the question on, as the rules stand now."""

    first: str
    last: str
    """Days, ISO."""
    parts: tuple[Part, ...]
    lowest: int
    """The fewest numbers that are protected at some time of the week."""
    whole: bool
    """False: there are so many changes that the end of the week was not looked at."""


def week_of(counted: list[Stretch], layers: list[list[Stretch]], edges: list[datetime]) -> Week:
    """Put into words what holds when: ``layers[i]`` is protected from ``edges[i]`` until ``edges[i + 1]``; one edge more than layers.

    ``counted``: the numbers that are looked at. The first edge is a midnight; the last is not that of the seventh day if some was left out.
    """
    first = local_day(edges[0])
    times = list(pairwise(edges))
    parts, lowest = _parts(counted, layers, times)
    whole = edges[-1] >= midnight(first + timedelta(days=DAYS))
    return Week(first.isoformat(), (first + timedelta(days=DAYS - 1)).isoformat(), tuple(parts), lowest, whole)


def _parts(counted: list[Stretch], layers: list[list[Stretch]], times: list[tuple[datetime, datetime]]) -> tuple[list[Part], int]:
    """Group the numbers that are there now by the times at which they are protected."""
    everything = (1 << len(layers)) - 1
    by_mask: dict[int, list[Stretch]] = {}
    for item, mask in _masked(counted, layers):
        by_mask.setdefault(mask, []).append(item)
    parts: list[tuple[int, Part]] = []
    for mask, found in by_mask.items():
        held = [time for index, time in enumerate(times) if mask >> index & 1]
        when = "at all times" if mask == everything else "never" if not mask else _windows(held, times[0][0], times[-1][1])
        spans, more = joined(found)
        parts.append((-mask.bit_count(), Part(when, sum(item.counted for item in found), spans, more)))
    sums = [sum(item.counted for mask, found in by_mask.items() for item in found if mask >> i & 1) for i in range(len(layers))]
    parts.sort(key=lambda pair: (pair[0], -pair[1].count))
    return [part for _, part in parts], min(sums, default=0)


def _masked(counted: list[Stretch], layers: list[list[Stretch]]) -> Iterator[tuple[Stretch, int]]:
    """Cut the stretches where the layers begin and end; with each part come the layers (bits) that hold it."""
    edges: dict[int, dict[int, int]] = {}
    for index, layer in enumerate(layers):
        for item in layer:
            row = edges.setdefault(item.length, {})
            row[item.low] = row.get(item.low, 0) ^ (1 << index)
            row[item.high + 1] = row.get(item.high + 1, 0) ^ (1 << index)
    for length, group in groupby(sorted(counted), key=lambda item: item.length):
        row = edges.get(length, {})
        points = sorted(row)
        mask, position = 0, 0
        for item in group:
            while position < len(points) and points[position] <= item.low:
                mask ^= row[points[position]]
                position += 1
            low = item.low
            while position < len(points) and points[position] <= item.high:
                yield item._replace(low=low, high=points[position] - 1), mask
                low = points[position]
                mask ^= row[low]
                position += 1
            yield item._replace(low=low), mask


_ALL_DAY = "all day"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _windows(held: list[tuple[datetime, datetime]], start: datetime, end: datetime) -> str:
    """Say when, by the clock on the wall: ``Mon–Fri 08:00–17:00``, days in the order of the week that begins with ``start``."""
    first = local_day(start)
    days: list[tuple[str, str]] = []
    for number in range((local_day(end - timedelta(seconds=1)) - first).days + 1):
        day = first + timedelta(days=number)
        begin, finish = midnight(day), midnight(day + timedelta(days=1))
        inside = [(max(a, begin), min(b, finish)) for a, b in held if a < finish and b > begin]
        joined: list[tuple[datetime, datetime]] = []
        for low, high in inside:
            if joined and joined[-1][1] == low:
                joined[-1] = (joined[-1][0], high)
            else:
                joined.append((low, high))
        days.append((_DAYS[day.weekday()], ", ".join(_window(low, high, begin, finish) for low, high in joined)))
    texts = {text for _, text in days}
    if texts == {"", _ALL_DAY} and sum(not text for _, text in days) < sum(bool(text) for _, text in days):
        return f"not on {', '.join(name for name, text in days if not text)}"
    told_days = []
    for text, group in groupby(days, key=lambda pair: pair[1]):
        names = [name for name, _ in group]
        name = names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}"
        if text:
            told_days.append(f"{name} {text}".strip())
    return "; ".join(told_days)


def _window(low: datetime, high: datetime, begin: datetime, finish: datetime) -> str:
    if (low, high) == (begin, finish):
        return _ALL_DAY
    first = low.astimezone(BERLIN).strftime("%H:%M")
    last = "24:00" if high == finish else high.astimezone(BERLIN).strftime("%H:%M")
    return f"{first}–{last}"
