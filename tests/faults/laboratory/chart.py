"""The picture of a run as SVG: calls over time by what became of them, the fault marked, verdicts, and each diverted call's delay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from tests.faults.laboratory.measure import Observation

COLOURS = {
    "completed": "#2a9d8f",
    "rang": "#8ecae6",
    "declined": "#b7b7d7",
    "diverted": "#e9a23b",
    "diverted after repair": "#f6d9a0",
    "wrongly diverted": "#d1495b",
    "lost": "#1d1d1d",
    "open at kill": "#8d99ae",
}
_HEALTH = {"up": "#bfe3dc", "suspect": "#ffe08a", "down": "#e9a23b", "unknown": "#dddddd"}
_LEFT, _RIGHT, _WIDTH = 64, 16, 920
_BARS, _BAND, _DELAYS, _GAP = 120, 12, 72, 44
_HEAD, _FOOT = 64, 40
_FONT = 'font-family="system-ui, sans-serif"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One system's part of the picture."""

    seen: Observation
    outcomes: Sequence[str]
    line: str
    """The line whose verdicts are shown."""


def svg(title: str, description: str, panels: Sequence[Panel], begun: float) -> str:
    """Return the picture. The time axis is common to all panels; 0 is the fault, or the first call where there is none."""
    zero = next((panel.seen.fault for panel in panels if panel.seen.fault), begun)
    low = begun - zero
    high = max((record.sent for panel in panels for record in panel.seen.records), default=begun) - zero + 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    height = _HEAD + len(panels) * (_BARS + _BAND + _DELAYS + _GAP + 24) + _FOOT

    def x(moment: float) -> float:
        return _LEFT + (min(max(moment, low), high) - low) * scale

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="17" font-weight="600" fill="#222">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="46" font-size="12" fill="#555">{escape(description)}</text>',
    ]
    top = _HEAD
    for panel in panels:
        parts += _panel(panel, zero, (low, high), x, top)
        top += _BARS + _BAND + _DELAYS + _GAP + 24
    return "\n".join([*parts, *_legend(panels, height - 16), "</svg>", ""])


def _panel(panel: Panel, zero: float, span: tuple[float, float], x, top: float) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    low, high = span
    seen = panel.seen
    bars, band = top + 24, top + 24 + _BARS + 4
    delays, bottom = band + _BAND + 8, band + _BAND + 8 + _DELAYS
    parts = [f'<text x="{_LEFT}" y="{top + 14}" font-size="13" font-weight="600" fill="#222">{escape(seen.system)}</text>']
    repair = (seen.repair or seen.end) - zero
    if seen.fault:
        parts.append(
            f'<rect x="{x(0):.1f}" y="{bars}" width="{x(repair) - x(0):.1f}" height="{bottom - bars}" fill="#f3f0ea"/>'
            f'<text x="{x(0) + 3:.1f}" y="{bars - 3}" font-size="10" fill="#a33">fault</text>'
            f'<text x="{x(repair) + 3:.1f}" y="{bars - 3}" font-size="10" fill="#267">repaired</text>'
        )
    parts += _bars(panel, zero, x, bars)
    parts += _band(panel, zero, span, x, band)
    parts += _delays(panel, zero, x, delays)
    parts += [
        f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{bars}" y2="{bottom}" stroke="{colour}" stroke-width="1.2"/>'
        for at, colour in ((0.0, "#a33"), (repair, "#267"))
        if seen.fault
    ]
    step = 5 if high - low < 120 else 30
    ticks = range(int(low // step) * step, int(high) + 1, step)
    parts += [
        f'<text x="{x(tick):.1f}" y="{bottom + 14}" font-size="10" fill="#555" text-anchor="middle">{tick} s</text>'
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{bottom}" y2="{bottom + 3}" stroke="#999"/>'
        for tick in ticks
        if tick >= low
    ]
    return parts


def _bars(panel: Panel, zero: float, x, top: float) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Calls placed per second, by outcome."""
    bins: dict[int, Counter[str]] = {}
    for record, outcome in zip(panel.seen.records, panel.outcomes, strict=True):
        bins.setdefault(int((record.sent - zero) // 1), Counter())[outcome] += 1
    most = max((sum(counts.values()) for counts in bins.values()), default=1)
    parts = [_axis(top, _BARS, f"{most}", "calls/s")]
    for second, counts in sorted(bins.items()):
        left, width, level = x(second), max(x(second + 1) - x(second) - 0.6, 0.4), top + _BARS
        for outcome, colour in COLOURS.items():
            if counts[outcome]:
                size = counts[outcome] / most * _BARS
                level -= size
                parts.append(f'<rect x="{left:.1f}" y="{level:.1f}" width="{width:.1f}" height="{size:.1f}" fill="{colour}"/>')
    return parts


def _band(panel: Panel, zero: float, span: tuple[float, float], x, top: float) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """The verdict over time."""
    changes = [(verdict.at - zero, verdict.health) for verdict in panel.seen.verdicts if verdict.line == panel.line]
    edges = [(span[0], "up"), *((at, health) for at, health in changes if at > span[0]), (span[1], "")]
    parts = [f'<text x="{_LEFT - 6}" y="{top + 10}" font-size="10" fill="#555" text-anchor="end">verdict</text>']
    for (begin, health), (end, _) in pairwise(edges):
        colour = _HEALTH.get(health, "#dddddd")
        width = x(end) - x(begin)
        parts.append(f'<rect x="{x(begin):.1f}" y="{top}" width="{width:.1f}" height="{_BAND}" fill="{colour}"/>')
        if width > 40:
            parts.append(f'<text x="{x(begin) + 4:.1f}" y="{top + 9.5}" font-size="9" fill="#333">{health}</text>')
    return parts


def _delays(panel: Panel, zero: float, x, top: float) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """INVITE to 302 of each diverted call."""
    dots = [
        (record.sent - zero, record.delay_s, COLOURS[outcome])
        for record, outcome in zip(panel.seen.records, panel.outcomes, strict=True)
        if record.diverted
    ]
    most = max(2.0, max((delay for _, delay, _ in dots), default=0.0))
    parts = [_axis(top, _DELAYS, f"{most:.1f} s", "to 302")]
    parts += [
        f'<circle cx="{x(at):.1f}" cy="{top + _DELAYS - delay / most * _DELAYS:.1f}" r="1.4" fill="{colour}"/>'
        for at, delay, colour in dots
    ]
    return parts


def _axis(top: float, height: float, most: str, what: str) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{top + height}" y2="{top + height}" stroke="#999"/>'
        f'<text x="{_LEFT - 6}" y="{top + 10}" font-size="10" fill="#555" text-anchor="end">{most}</text>'
        f'<text x="{_LEFT - 6}" y="{top + height / 2 + 4}" font-size="10" fill="#555" text-anchor="end">{what}</text>'
        f'<text x="{_LEFT - 6}" y="{top + height}" font-size="10" fill="#555" text-anchor="end">0</text>'
    )


def _legend(panels: Sequence[Panel], y: float) -> list[str]:
    used = {outcome for panel in panels for outcome in panel.outcomes}
    parts, left = [], float(_LEFT)
    for outcome, colour in COLOURS.items():
        if outcome in used:
            parts.append(
                f'<rect x="{left}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
                f'<text x="{left + 14}" y="{y}" font-size="11" fill="#333">{outcome}</text>'
            )
            left += 26 + 6.4 * len(outcome)
    return parts
