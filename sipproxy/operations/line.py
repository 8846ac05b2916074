"""``line``: what the operator wants of a line, and everything that is known about it."""

import asyncio
from typing import TYPE_CHECKING, Any

from routing.model import Wish
from rules_store import StoreError
from sipproxy._engine import detection_bounds
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument
from sipproxy.operations.status import cause_text
from sipproxy.operations.wishes import end_after, unix_ms, unknown_line, write_wish

if TYPE_CHECKING:
    from sipproxy._engine import LineState
    from sipproxy.service import Service

_WISHES: dict[str, Wish] = {
    "enable": "enabled",
    "drain": "drained",
    "force-down": "forced_down",
    "force-up": "forced_up",
}
_SHOWN = 10
_HISTORY_PATIENCE_S = 1.0
"""A store that hangs must not keep the rest from the operator."""


async def line(service: "Service", args: dict[str, Json]) -> Json:
    """Set a wish and return how it is stored, or with action ``show`` tell about the line."""
    action, key = argument(args, "action", str), argument(args, "line", str)
    if action == "show":
        return await _show(service, key)
    wish = _WISHES.get(action)
    if wish is None:
        raise AdminError("bad_request", f"unknown action {action!r}", f"use show, {', '.join(_WISHES)}")
    minutes = args.get("minutes")
    if wish == "enabled" and minutes is not None:
        raise AdminError("bad_request", "enabled has no end", "leave --minutes away")
    until = end_after(argument(args, "minutes", int) if minutes is not None else None)
    stored = (await write_wish(service, [key], wish, until, argument(args, "note", str, "")))[key]
    async with service.supply.settled():
        armed = service.lines.is_armed(key)
    return {
        "line": key,
        "wish": wish,
        "until_unix_ms": unix_ms(until),
        "by": stored.entity.wish_by,
        "version": stored.version,
        "armed": armed,
    }


async def _show(service: "Service", key: str) -> dict[str, Any]:
    async with service.supply.settled() as compiler:
        spec, held = compiler.spec_of(key), compiler.directory.registry.lines.get(key)
        if spec is None or held is None:
            raise unknown_line(key)
        wish, covered = service.lines.wish_of(key), service.lines.coverage_of(key)
        rests = service.lines.rests(key)
    state = await asyncio.to_thread(line_state, service, spec["slot"])
    going = service.history.going_on(key)
    try:
        async with asyncio.timeout(_HISTORY_PATIENCE_S):
            last = [event.record for event in await service.events.history(key, _SHOWN)]
    except (StoreError, TimeoutError):
        last = None
    profile = service.profiles.get(spec["profile"])
    return {
        "line": key,
        "order": held.order,
        "product": spec["product"],
        "profile": spec["profile"],
        "wish": {"wish": wish.wish, "until_unix_ms": wish.until_unix_ms, "by": wish.by, "note": wish.note},
        "observed": None if state is None else {**state, "cause_text": cause_text(state["cause"], state["evidence"])},
        "effective": state["effective"] if state is not None else "unknown",
        "diverting_since_unix_ms": going.diversion.began_unix_ms if going.diversion is not None else None,
        "diverted": going.diversion.diverted if going.diversion is not None else 0,
        "armed": list(covered.armed),
        "rests": rests,
        "unarmed": list(covered.unarmed),
        "unarmed_count": covered.unarmed_count,
        "detection": detection_bounds(profile) if profile is not None else None,
        "last": last,
    }


def line_state(service: "Service", slot: int) -> "LineState | None":
    """Return what the engine knows of a line; slots rise with the place in its table, which has gaps where lines went."""
    low, high = 0, slot
    while low <= high:
        middle = high if high - low < 2 else (low + high) // 2  # noqa: PLR2004 - as a rule there are no gaps
        page = service.engine.line_states(middle, 1)
        found = page[0]["line"] if page else slot + 1
        if page and found == slot:
            return page[0]
        if found < slot:
            low = middle + 1
        else:
            high = middle - 1
    return None
