"""How long a verdict may take: the formulas of docs/verdicts.md."""

from collections.abc import Mapping

TURN_S = 0.3
"""For the ways of packets and threads on a busy machine."""


def silence_to_down_s(profile: Mapping[str, float]) -> float:
    """Return the longest time from silence to the verdict down."""
    step = max(profile["fast_interval_s"], profile["timeout_s"])
    return profile["interval_s"] + profile["timeout_s"] + (profile["fall"] - 1) * step


def answer_to_up_s(profile: Mapping[str, float]) -> float:
    """Return the longest time from answering again to the verdict up."""
    step = max(profile["fast_interval_s"], profile["timeout_s"])
    rising = step + (profile["rise"] - 1) * profile["fast_interval_s"]
    return max(profile["hold_s"], rising) + step + profile["timeout_s"]
