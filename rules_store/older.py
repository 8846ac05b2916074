"""Entities of older schemas in the shape of the present one.

Schema 1 had no log of versions; of its records only customers look different: ``allow_international`` became a list of
``allowances``.
"""

from __future__ import annotations

import json
from typing import Any


def upgraded(kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return an entity's JSON object in the present schema; the same object when it is already."""
    if kind == "customer" and "allow_international" in state:
        rest = {name: value for name, value in state.items() if name != "allow_international"}
        given = rest.get("allowances")
        allowances = list(given) if isinstance(given, list) else []
        if state["allow_international"] is True and "international" not in allowances:
            allowances.append("international")
        return rest | {"allowances": allowances}
    return state


def upgraded_text(kind: str, text: bytes) -> bytes | None:
    """Return an entity's text in the present schema; None when it is already, or is no JSON object."""
    if kind != "customer" or b'"allow_international"' not in text:
        return None
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return json.dumps(upgraded(kind, state)).encode() if isinstance(state, dict) else None
