"""Compares two systems' rows of the same run, figure by figure."""

from collections.abc import Mapping
from typing import Any

FIGURES: Mapping[str, str] = {
    "lost": "lost",
    "open_at_kill": "open at kill",
    "wrongly_diverted": "wrongly diverted",
    "diverted_after_repair": "diverted after repair",
    "first_diverted_s": "first diverted",
    "slowest_diverted_s": "slowest",
    "fault_to_all_s": "fault → all",
    "fault_to_at_once_s": "fault → at once",
    "fault_to_down_s": "fault → down",
    "slowest_down_s": "slowest down",
    "lines_unnoticed": "not noticed",
    "repair_to_delivered_s": "repair → delivered",
    "false_verdicts": "false verdicts",
    "violations": "violations",
}
"""What is better the smaller it is, by the name that the table has for it."""
SAME_S, SAME_PART = 0.05, 1.05
"""Times that differ by less are the same: callers come every 50 ms."""
_DUE = {"fault_to_at_once_s", "fault_to_down_s", "slowest_down_s"}
"""Times of which none is worse than any, when the fault took lines out."""
_OF_FAULT = {"first_diverted_s", "slowest_diverted_s", "fault_to_all_s", "fault_to_at_once_s"}
"""Where no line is out, it is no gain to divert all calls soon."""
_OF_MANY = {"slowest_down_s", "lines_unnoticed"}
"""Of one line, `fault_to_down_s` says the same."""


def seconds(value: float | None) -> str:
    """Write a time."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def worse(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, str]:
    """Return each figure in which the first row stands behind the second: its name in the row, and both values in words."""
    found = {}
    for name, words in FIGURES.items():
        out = max(ours["lines_out"], theirs["lines_out"])
        if (name in _OF_MANY and out == 1) or (name in _OF_FAULT and not out):
            continue
        mine, other = _value(ours, name), _value(theirs, name)
        if name.endswith("_s"):
            if _later(mine, other, due=name in _DUE and out > 0):
                found[name] = f"{words} {_said(mine)}, {theirs['system']} {seconds(other)}"
        elif mine > other:
            found[name] = f"{words} {mine:,}, {theirs['system']} {other:,}"
    if ours["never_delivered"] and not theirs["never_delivered"]:
        found["never_delivered"] = f"repair → delivered never for a line, {theirs['system']} always"
    if ours["completed"] + ours["rang"] < theirs["completed"] + theirs["rang"] or (
        ours["rang"] > theirs["rang"] and ours["completed"] < theirs["completed"]
    ):
        found["completed"] = f"completed {ours['completed']:,}, {theirs['system']} {theirs['completed']:,}"
    return found


def _value(row: Mapping[str, Any], name: str) -> Any:
    value = row[name]
    return len(value) if isinstance(value, list) else value


def _later(mine: float | None, other: float | None, *, due: bool) -> bool:
    if other is None:
        return False
    return due if mine is None else mine > other * SAME_PART + SAME_S


def _said(mine: float | None) -> str:
    return "never" if mine is None else seconds(mine)
