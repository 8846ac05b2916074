"""``drill``: divert on purpose for some minutes, and prove afterwards what happened."""

from typing import TYPE_CHECKING, Any

from routing.wishes import OUT
from rules_store import StoredEvent, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_read
from sipproxy.operations.wishes import end_after, unix_ms, unknown_line, write_wish

if TYPE_CHECKING:
    from routing.directory import Directory
    from sipproxy.service import Service

LONGEST_MINUTES = 240
_CALLS_SHOWN = 100


async def drill(service: "Service", args: dict[str, Json]) -> Json:
    """Begin (or prolong) a drill, end it, or report the last one of a line."""
    action, what = argument(args, "action", str), argument(args, "what", str)
    if action == "report":
        return await _report(service, what)
    if action == "end":
        return await _end(service, what)
    if action != "begin":
        raise AdminError("bad_request", f"unknown action {action!r}", "use begin, end or report")
    minutes = argument(args, "minutes", int)
    until = end_after(minutes, LONGEST_MINUTES)
    async with service.supply.settled() as compiler:
        lines = _lines(compiler.directory, what)
        bare = [key for key in lines if not service.lines.is_armed(key)]
        taken = [(key, wish) for key in lines if (wish := service.lines.wish_of(key).wish) in OUT - {"drill"}]
    if taken:
        key, wish = taken[0]
        raise AdminError("refused", f"line {key} is {wish} already", f"take that back first: sipproxy line enable {key}")
    chosen = [key for key in lines if key not in bare]
    if not chosen:
        shown = what if what in bare else f"none of the {len(bare)} lines of {what}"
        message = (
            f"{shown} has no armed rule" if what not in bare else f"line {what} has no armed rule: no call would be diverted"
        )
        remedy = "set targets and arm them first: sipproxy divert set NUMBER|block:ID|order:ID --to TARGET (or divert arm …)"
        raise AdminError("not_armed", message, remedy)
    await write_wish(service, chosen, "drill", until, argument(args, "note", str, ""))
    return {"lines": chosen, "not_armed": bare, "until_unix_ms": unix_ms(until), "minutes": minutes}


async def _end(service: "Service", what: str) -> Json:
    async with service.supply.settled() as compiler:
        lines = [key for key in _lines(compiler.directory, what) if service.lines.wish_of(key).wish == "drill"]
    if not lines:
        raise AdminError("refused", f"no drill is under way on {what}", "sipproxy drill report LINE shows the last one")
    await write_wish(service, lines, "enabled", None, "")
    return {"lines": lines}


def _lines(directory: "Directory", what: str) -> list[str]:
    """Return the lines that are meant. Raises `AdminError`."""
    registry = directory.registry
    kind, colon, name = what.partition(":")
    if colon and kind == "order":
        if name not in registry.orders:
            raise AdminError("unknown", f"there is no order {name!r}", "sipproxy status lists the lines and their products")
        lines = sorted(registry.lines_of.get(name, ()))
    elif colon and kind == "site":
        lines = sorted(registry.lines_of_site(name))
        if not lines and name not in registry.orders_at:
            raise AdminError("unknown", f"there is no site {name!r}", "the load file names the sites of the orders")
    elif what in registry.lines:
        return [what]
    else:
        raise unknown_line(what)
    if not lines:
        raise AdminError("unknown", f"{what} has no lines", "load its lines first")
    return lines


async def _report(service: "Service", key: str) -> dict[str, Any]:
    """Put the proof together: from the events, so that it is the same after a restart."""
    try:
        told = await service.events.history(key, service.events.retention.per_line)
        began = _last(told, "drill", "began")
        if began is None:
            async with service.supply.settled() as compiler:
                if key not in compiler.directory.registry.lines:
                    raise unknown_line(key)
            raise AdminError("unknown", f"no drill of line {key!r} is known", "begin one: sipproxy drill LINE --minutes 5")
        calls = await service.events.diverted(key, service.events.retention.per_line, began.record["at_unix_ms"])
    except StoreError as error:
        raise not_read(error) from None
    later = [event for event in told if event.number >= began.number]
    ended, latest = _last(later, "drill", "ended"), _last(later, "drill", "prolonged") or began
    over_ms = ended.record["at_unix_ms"] if ended is not None else None
    shown = [event.record for event in calls if event.record["drill"] and (over_ms is None or event.number <= _bound(ended))]
    back = next((event.record for event in later if event.record["kind"] == "returned" and event.number > _bound(ended)), None)
    return {
        "line": key,
        "began_unix_ms": began.record["at_unix_ms"],
        "by": began.record["by"],
        "note": began.record["note"],
        "until_unix_ms": latest.record["until_unix_ms"],
        "ended_unix_ms": over_ms,
        "ended_by": "" if ended is None else "itself" if ended.record["by_itself"] else ended.record["by"],
        "armed": began.record["armed"],
        "unarmed": began.record["unarmed"],
        "unarmed_count": began.record["unarmed_count"],
        "diverted": max(ended.record["diverted"] if ended is not None else 0, len(shown)),
        "calls": [
            {name: call[name] for name in ("at_unix_ms", "number", "target", "how", "rule")} for call in shown[-_CALLS_SHOWN:]
        ],
        "returned_unix_ms": back["at_unix_ms"] if back is not None else None,
    }


def _last(events: list[StoredEvent], kind: str, change: str) -> StoredEvent | None:
    found = [event for event in events if event.record["kind"] == kind and event.record.get("change") == change]
    return found[-1] if found else None


def _bound(ended: StoredEvent | None) -> int:
    return ended.number if ended is not None else 0
