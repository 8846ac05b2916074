"""How long a verdict may take: as the engine promises it for a profile."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from routing.profiles import DEFAULT_PROFILE, PROFILES
from sipproxy._engine import detection_bounds

if TYPE_CHECKING:
    from sipproxy._engine import DetectionBounds, ProfileSettings

TURN_S = 0.3
"""For the ways of packets and threads on a busy machine."""


def _bounds(changes: Mapping[str, float]) -> "DetectionBounds":
    return detection_bounds(cast("ProfileSettings", {**PROFILES[DEFAULT_PROFILE], **changes}))


def silence_to_down_s(changes: Mapping[str, float]) -> float:
    """Return the longest time from silence to the verdict down, for a line of which nothing is known yet."""
    return _bounds(changes)["fresh_s"]


def answer_to_up_s(changes: Mapping[str, float]) -> float:
    """Return the longest time from answering again to the verdict up, after a first fall."""
    return _bounds(changes)["recovery_s"]
