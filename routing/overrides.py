"""What one line, or one product, has other than its profile says.

The fields are those of ``sipproxy._engine.ProfileSettings``, with their bounds; the configuration's ``[profiles.NAME]`` and a line's
``profile_changes`` are checked alike. Lines with the same profile and the same changes share a derived profile, so that the
engine has as many profiles as there are different ones, not as there are lines.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Seconds = Annotated[float, Field(gt=0, le=86_400)]
SipStatus = Annotated[int, Field(ge=400, le=699)]

MAX_DERIVED = 1000
"""Derived profiles at once: more are a mistake of an import, not a wish of anybody."""


class ProfileChanges(BaseModel):
    """Changes to a line profile; what is not set keeps its value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    interval_s: Seconds | None = Field(None, description="seconds between OPTIONS while all is well")
    fast_interval_s: Seconds | None = Field(None, description="seconds between OPTIONS while in doubt or down")
    timeout_s: Seconds | None = Field(None, description="seconds until one OPTIONS counts as unanswered")
    timeout_max_s: Seconds | None = Field(None, description="the longest time-out that a measured round trip brings about")
    fall: int | None = Field(
        None, ge=1, le=20, description="consecutive faults until the line is down, where it was measured to lose nothing"
    )
    fall_max: int | None = Field(None, ge=1, le=40, description="the most consecutive faults that measured loss asks for")
    rise: int | None = Field(None, ge=1, le=20, description="consecutive good answers until it is up again")
    hold_s: float | None = Field(None, ge=0, le=86_400, description="shortest stay in down, in seconds")
    hold_max_s: float | None = Field(
        None, ge=0, le=86_400, description="the longest stay that falling again and again asks for, in seconds"
    )
    flap_half_life_s: Seconds | None = Field(None, description="seconds in which half of the penalty for falling is forgotten")
    hold_down_max_s: float | None = Field(
        None, ge=0, le=3600, description="the longest that a 503 with Retry-After holds judgement back, in seconds"
    )
    judge_options: bool | None = Field(None, description="judge by OPTIONS")
    judge_registration: bool | None = Field(None, description="judge by registration: none means down")
    answer_timer_s: Seconds | None = Field(None, description="INVITE: seconds of silence until the call is diverted")
    trying_timer_s: Seconds | None = Field(None, description="INVITE: seconds with 100 only until it is diverted")
    ring_timer_s: float | None = Field(None, ge=180, le=86_400, description="INVITE: seconds of ringing (RFC 3261 Timer C)")
    suspect_timer_s: Seconds | None = Field(None, description="the silence timer while the line is suspect")
    fault_codes: list[SipStatus] | None = Field(None, description="answers before any 18x that count as a fault")
    return_calls: int | None = Field(None, ge=0, le=1000, description="so many calls after a recovery carry the suspect timer")
    ill_codes: list[SipStatus] | None = Field(None, description="OPTIONS answers that are faults; any other shows life")
    from_uri: str | None = Field(None, pattern=r"^sips?:[^\s<>]+$", description="From of the probe")
    contact_uri: str | None = Field(
        None, pattern=r"^(sips?:[^\s<>]+)?$", description='Contact of the probe; "" means our address'
    )


FIELDS = tuple(ProfileChanges.model_fields)
"""What may be changed."""

Changes = Mapping[str, Any]
"""Field → value, checked."""


def checked(values: Mapping[str, Any]) -> Changes | str:
    """Return the changes as the engine takes them, or what is wrong with them: "fall: input should be …"."""
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    try:
        return ProfileChanges.model_validate(given).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        message = str(first["msg"])
        return f"{'.'.join(str(part) for part in first['loc'])}: {message[0].lower()}{message[1:]}"


_NOT_ABOVE = (
    ("fast_interval_s", "interval_s"),
    ("timeout_s", "interval_s"),
    ("timeout_s", "timeout_max_s"),
    ("fall", "fall_max"),
    ("hold_s", "hold_max_s"),
    ("suspect_timer_s", "answer_timer_s"),
)


def contradictions(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, what is wrong, remedy) of a whole profile whose bounds cross; the engine would change them silently."""
    return [
        (low, f"{values[low]} is more than {high}, which is {values[high]}", f"make {low} at most {high}")
        for low, high in _NOT_ABOVE
        if values[low] > values[high]
    ]


def derived_name(base: str, changes: Changes) -> str:
    """Return the name of a profile with changes: the same for the same, in every process."""
    text = json.dumps(changes, sort_keys=True)
    return f"{base}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Derived:
    """The derived profiles that lines use."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}  # line → its derived profile
        self._users: dict[str, int] = {}
        self._profiles: dict[str, tuple[str, Changes]] = {}

    def profiles(self) -> dict[str, tuple[str, Changes]]:
        """Return name → (profile, changes)."""
        return dict(self._profiles)

    def take(self, line: str, base: str, changes: Changes) -> str | None:
        """Return the profile for a line with these changes; None when there are too many different ones."""
        name = derived_name(base, changes)
        if self._lines.get(line) == name:
            return name
        self.drop(line)
        if name not in self._profiles and len(self._profiles) >= MAX_DERIVED:
            return None
        self._profiles[name] = (base, changes)
        self._users[name] = self._users.get(name, 0) + 1
        self._lines[line] = name
        return name

    def drop(self, line: str) -> None:
        """The line has no changes any more, or is gone."""
        name = self._lines.pop(line, None)
        if name is None:
            return
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._profiles[name]
