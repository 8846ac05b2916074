"""Texts in the store that anybody may have written: what cannot be ours becomes None, never an exception."""

from __future__ import annotations

import json
from typing import Any, Final

MOST: Final = 2**53
"""From here on the scripts do not count exactly."""
LATEST_MS: Final = 253_402_300_799_999
"""The last time that a calendar has, in the year 9999."""
_DIGITS: Final = 16
_DEPTH: Final = 40


def whole(text: bytes | str | None) -> int | None:
    """Return a number from 0 to below 2⁵³; None for anything else."""
    if text is None or len(text) > _DIGITS:
        return None
    plain = text if isinstance(text, bytes) else text.encode(errors="replace")
    number = int(plain) if plain.isdigit() else MOST
    return number if number < MOST else None


def json_object(text: bytes) -> dict[str, Any] | None:
    """Return a JSON object that is not nested deeper than anything of ours; None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and not _is_deep(found) else None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
