"""Line profiles: the products' values with the configuration's changes."""

from typing import TYPE_CHECKING

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
