"""``brake``: how many calls were diverted by order, whose rules rest, and ending that by hand."""

from typing import TYPE_CHECKING, Any

from registrar_watch.outbox import now_ms
from routing.limits import order_limits
from rules_store import StoreError
from sipproxy.admin.peer import PEER
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_stored

if TYPE_CHECKING:
    from sipproxy.service import Service

_RANK = {"resting": 0, "warned": 1, "free": 2}


async def brake(service: "Service", args: dict[str, Json]) -> Json:
    """Show the counts (at most ``limit`` orders) or release the rules of an ``order``; returns the counts after it."""
    action = argument(args, "action", str, default="show")
    if action == "release":
        await _release(service, argument(args, "order", str))
    elif action != "show":
        raise AdminError("bad_request", f"unknown action {action!r}", "use show or release")
    async with service.supply.settled():
        rows = _rows(service)
    limit = argument(args, "limit", int, default=50)
    return {
        "enabled": service.brake.is_enabled,
        "orders": rows[: max(limit, 1)],
        "orders_counted": len(rows),
        "trips": dict(service.brake.trips),
        "unsaved": service.brake.is_unsaved,
    }


def _rows(service: "Service") -> list[dict[str, Any]]:
    """Return what is counted by order: those that rest first, then the fullest."""
    now, directory = now_ms(), service.supply.directory
    found: list[tuple[int, float, str, dict[str, Any]]] = []
    for order, counted in service.brake.brakes().items():
        limits, held = order_limits(directory, order), directory.registry.orders.get(order)
        hour, day = counted.hour.total(now), counted.day.total(now)
        row = {
            "order": order,
            "customer": held.customer if held is not None else "",
            "level": counted.level,
            "since_unix_ms": counted.since_ms,
            "hour": hour,
            "hour_limit": limits.diverted_per_hour,
            "day": day,
            "day_limit": limits.diverted_per_day,
            "ends_unix_ms": service.brake.ends_at(order, counted, now) if counted.level == "resting" else 0,
        }
        fullness = max(hour / limits.diverted_per_hour, day / limits.diverted_per_day)
        found.append((_RANK[counted.level], -fullness, order, row))
    return [row for *_, row in sorted(found, key=lambda item: item[:3])]


async def _release(service: "Service", order: str) -> None:
    async with service.supply.settled() as compiler:
        known = order in compiler.directory.registry.orders
    if not known:
        raise AdminError("unknown", f"there is no order {order!r}", "sipproxy brake lists the orders with diverted calls")
    try:
        released = await service.brake.release(order, PEER.get()[:64] or "?")
    except StoreError as error:
        raise not_stored(error) from None
    if not released:
        raise AdminError("conflict", f"the rules of order {order} do not rest", "sipproxy brake shows which do")
