"""Line profiles: the products' values with the configuration's changes."""

import difflib
from typing import TYPE_CHECKING

from routing.profiles import PROFILES
from sipproxy.config.load import Loaded
from sipproxy.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from sipproxy._engine import ProfileSettings


def profile_settings(loaded: Loaded) -> "list[ProfileSettings]":
    """Every profile with the file's changes. Raises `ConfigurationError` for a profile that no product has."""
    changes = loaded.configuration.profiles
    faults = [_unknown(name, loaded) for name in changes if name not in PROFILES]
    if faults:
        raise ConfigurationError(tuple(faults))
    merged: list[ProfileSettings] = []
    for name, profile in PROFILES.items():
        change = changes[name].model_dump(exclude_none=True) if name in changes else {}
        merged.append({**profile, **change})  # type: ignore[typeddict-item] # the model has the keys of ProfileSettings
    return merged


def _unknown(name: str, loaded: Loaded) -> Fault:
    near = difflib.get_close_matches(name, PROFILES, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(PROFILES))}"
    return Fault(str(loaded.file), f"profiles.{name}", "no such line profile", remedy, loaded.line_of(("profiles", name)))
