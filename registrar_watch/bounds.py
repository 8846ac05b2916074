"""How long a silent fault goes unnoticed at most, as it follows from a profile (docs/verdicts.md)."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Detection(NamedTuple):
    """Seconds from the last sign of life to the verdict, when nothing answers and no call comes."""

    clean_s: float
    """On a line that was measured to lose nothing."""
    bound_s: float
    """On the worst line that is still judged."""


def detection_s(profile: Mapping[str, Any]) -> Detection:
    """Return the bounds of a profile.

    The next regular probe is an interval away; with the first one lost the fast ones begin, each with a time-out of its own, and
    the last of ``fall`` in a row must run out.
    """
    fall = int(profile["fall"])

    def bound(row: int) -> float:
        waits = 2 if row > 1 else 1
        return float(profile["interval_s"] + waits * profile["timeout_s"] + max(row - 2, 0) * profile["fast_interval_s"])

    return Detection(bound(fall), bound(max(int(profile.get("fall_max", fall)), fall)))
