"""Line profiles: the products' values with the configuration's changes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from routing.overrides import Changes
from routing.profiles import PROFILES
from sipproxy.config.load import Loaded

if TYPE_CHECKING:
    from sipproxy._engine import ProfileSettings


def profile_settings(loaded: Loaded) -> "list[ProfileSettings]":
    """Every profile with the file's changes."""
    changes = loaded.configuration.profiles
    merged: list[ProfileSettings] = []
    for name, profile in PROFILES.items():
        change = changes[name].model_dump(exclude_none=True) if name in changes else {}
        merged.append({**profile, **change})  # type: ignore[typeddict-item] # the model has the keys of ProfileSettings
    return merged


def derived_settings(
    profiles: "Sequence[ProfileSettings]", derived: Mapping[str, tuple[str, Changes]]
) -> "list[ProfileSettings]":
    """The profiles of lines with changes of their own, on top of what the file has changed."""
    bases = {profile["name"]: profile for profile in profiles}
    known = {name: (bases[base], changes) for name, (base, changes) in derived.items() if base in bases}
    return [{**base, **changes, "name": name} for name, (base, changes) in known.items()]  # type: ignore[typeddict-item] # as above
