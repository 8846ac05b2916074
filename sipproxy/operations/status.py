"""``status``: lines with their state, and the service itself."""

import asyncio
import math
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sipproxy._engine import VERSION
from sipproxy.admin.protocol import Json
from sipproxy.operations.arguments import argument

if TYPE_CHECKING:
    from sipproxy._engine import LineState
    from sipproxy.service import Service

_PAGE = 1000
CAUSES = {
    "options_timeout": "OPTIONS not answered",
    "options_code": "OPTIONS answered with a fault",
    "not_registered": "not registered",
    "expired": "registration ran out",
    "call_failed": "calls not answered",
    "port_unreachable": "nobody listens on its port",
    "host_unreachable": "host unreachable",
    "network_unreachable": "network unreachable",
    "prohibited": "the network refuses to reach it",
    "no_route": "no route to it",
    "name_unresolved": "its name cannot be resolved",
    "connection_lost": "connection lost",
    "icmp": "host or port unreachable",
    "wish": "set by the operator",
    "registered": "registered",
    "options_answered": "OPTIONS answered",
    "removed": "de-registered by the phone",
    "call_silent": "a call got no answer",
    "call_answered": "a call was answered",
    "start": "",
    "": "",
}
"""Slug of the engine → words; a slug that is not here is shown as it is."""

_STORE = {
    "starting": "not reached yet, trying on",
    "reading": "being read",
    "live": "followed",
    "disconnected": "not reachable: routing goes on with these rules, changes are refused",
}


async def status(service: "Service", args: dict[str, Json]) -> Json:
    """Return the lines (``faulty`` only, at most ``limit``) and facts about the service."""
    faulty, limit = argument(args, "faulty", bool, default=False), argument(args, "limit", int, default=200)
    shown: list[LineState] = []
    matching = 0
    for state in await asyncio.to_thread(_states, service):
        if faulty and state["effective"] == "up":
            continue
        matching += 1
        if len(shown) < limit:
            shown.append(state)
    async with service.supply.settled():
        rows = [_row(service, state) for state in shown]
    rows.sort(key=lambda row: row["line_id"])
    sites = [asdict(site) for site in service.sites.faulty()]
    return {"lines": rows, "lines_matching": matching, "sites": sites, "service": _sentences(service), "facts": _facts(service)}


def _states(service: "Service") -> "list[LineState]":
    """Read all pages; a thread does it, because there may be a million lines."""
    states: list[LineState] = []
    while page := service.engine.line_states(len(states), _PAGE):
        states += page
    return states


def _row(service: "Service", state: "LineState") -> dict[str, Any]:
    line = state["line_id"]
    armed = service.lines.is_armed(line)
    # What was observed stands before the colon, each single piece of it behind: `sipproxy line show`.
    observed = state["evidence"].partition(": ")[0]
    cause = cause_text(state["cause"], observed if state["effective"] != "up" else "")
    return {
        **state,
        "armed": armed,
        "rests": service.lines.rests(line),
        "diverting": state["diverting"] and armed,
        "product": service.supply.product_of(line),
        "cause_text": cause,
    }


def cause_text(cause: str, evidence: str) -> str:
    """Return a verdict's cause in words, with what led there."""
    words = CAUSES.get(cause, cause)
    return f"{words}: {evidence}" if words and evidence else words or evidence


def _facts(service: "Service") -> dict[str, Any]:
    """Return the same for programs."""
    supply = service.supply
    age_s = supply.age_s()
    return {
        "state": service.state,
        "version": VERSION,
        "pid": os.getpid(),
        "uptime_s": round(time.time() - service.started_at, 1),
        "listen": service.engine.addresses(),
        "snapshot": {
            "sequence": supply.sequence,
            "age_s": round(age_s, 3) if math.isfinite(age_s) else None,
            **service.engine.counts(),
        },
        "store": {"state": supply.state, "resyncs": supply.resyncs, "fault": supply.fault},
        "unsaved": {"bindings": len(service.saving.bindings), "verdicts": len(service.saving.verdicts)},
        "events": {"taken": service.watch.events, "lost": service.watch.lost},
        "history": {"waiting": len(service.outbox), "written": service.outbox.written, "lost": service.outbox.lost},
    }


def _sentences(service: "Service") -> dict[str, str]:
    facts = _facts(service)
    snapshot, store, unsaved = facts["snapshot"], facts["store"], facts["unsaved"]
    numbers = f"{snapshot['exact']} numbers, {snapshot['prefixes']} prefixes, {snapshot['rules']} rules"
    age = "never read" if snapshot["age_s"] is None else f"{snapshot['age_s']:.1f} s old"
    text = {
        "service": f"{facts['state']}, version {facts['version']}, pid {facts['pid']}, up {facts['uptime_s']:.0f} s",
        "listens": ", ".join(facts["listen"]),
        "rules": f"version {snapshot['sequence']}, {age}: {snapshot['lines']} lines, {numbers}",
        "store": _STORE.get(store["state"], store["state"]),
    }
    if store["fault"]:
        text["fault"] = store["fault"]
    text |= {f"registrar {name}": words for name, words in service.foreign.watch.sentences().items()}
    resting = service.brake.resting()
    if resting:
        more = f" and {len(resting) - 1} more" if len(resting) > 1 else ""
        text["brake"] = f"the rules of order {resting[0]}{more} rest: too many calls were diverted (sipproxy brake)"
    waiting = unsaved["bindings"] + unsaved["verdicts"]
    history = []
    if service.outbox.failing:
        history.append(f"{facts['history']['waiting']} events wait for the store, {service.outbox.limit} at most")
    if facts["history"]["lost"]:
        history.append(f"{facts['history']['lost']} were lost while it was away for too long")
    if history:
        text["history"] = "; ".join(history)
    if waiting and (service.saving.bindings.failing or service.saving.verdicts.failing):
        text["unsaved"] = f"{waiting} changes wait for the store; calls are not affected"
    return text
