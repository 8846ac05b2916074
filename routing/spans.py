"""Numbers in a row, as people write them: base, a dash, and the extensions."""

from collections.abc import Collection
from dataclasses import dataclass

from routing.numbers import pretty
from routing.stretches import Stretch

MAX_SPANS = 200
"""Rows of numbers that are named at once; what is more is counted."""


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers in a row."""

    first: str
    last: str
    """E.164."""
    count: int
    """0: what a block without ranges holds besides what is named."""
    text: str
    """For people: ``+49 221 4710-30…-42``."""


def joined(found: Collection[Stretch]) -> tuple[tuple[Span, ...], int]:
    """Join neighbours and put them into words, at most `MAX_SPANS`; with them comes how many more there are.

    What no range names is told once a block.
    """
    spans: list[Stretch] = []
    rests = sorted({item.base for item in found if item.rest})
    for item in sorted(item for item in found if not item.rest):
        last = spans[-1] if spans else None
        if last is not None and (last.length, last.base) == (item.length, item.base) and item.low == last.high + 1:
            spans[-1] = last._replace(high=item.high)
        else:
            spans.append(item)
    told = [_span(item) for item in spans[:MAX_SPANS]]
    told += [Span(base, base, 0, f"{pretty(base)}-… any other extension") for base in rests[: MAX_SPANS - len(told)]]
    return tuple(told), len(spans) + len(rests) - len(told)


def _span(item: Stretch) -> Span:
    first, last = f"+{item.low}", f"+{item.high}"
    if item.base and len(first) > len(item.base):
        ends = [number[len(item.base) :] for number in (first, last)]
        text = f"{pretty(item.base)}-{ends[0]}" + (f"…-{ends[1]}" if first != last else "")
    else:
        text = pretty(first) + (f" … {pretty(last)}" if first != last else "")
    return Span(first, last, item.counted, text)
