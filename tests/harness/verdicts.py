"""How long a verdict may take: the formulas of docs/verdicts.md."""

import math
from collections.abc import Mapping

TURN_S = 0.3
"""For the ways of packets and threads on a busy machine."""

FRESH_LOSS = 0.25
"""What an unknown way is taken to lose."""


def silence_to_down_s(profile: Mapping[str, float]) -> float:
    """Return the longest time from silence to the verdict down, for a line of which nothing is known yet."""
    asked = math.ceil(math.log(1e-6) / math.log(FRESH_LOSS))
    fall = min(max(asked, profile["fall"]), profile.get("fall_max", 14))
    step = profile["fast_interval_s"] / (2 if fall > 2 * profile["fall"] else 1)
    confirming = max(profile["timeout_s"], step) + (fall - 2) * step if fall > 1 else 0.0
    return profile["interval_s"] + profile["timeout_s"] + confirming


def answer_to_up_s(profile: Mapping[str, float]) -> float:
    """Return the longest time from answering again to the verdict up, after a first fall."""
    proven = profile["rise"] * profile["fast_interval_s"]
    return max(proven, profile["hold_s"] + profile["fast_interval_s"]) + profile["timeout_s"]
