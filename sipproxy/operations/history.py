"""``history``: what happened to a line. ``events``: what happens to all of them."""

from typing import TYPE_CHECKING, Any

from rules_store import EventFeed, Gap, StoredEvent, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_read
from sipproxy.operations.wishes import unknown_line

if TYPE_CHECKING:
    from sipproxy.service import Service

_MOST = 10_000


async def history(service: "Service", args: dict[str, Json]) -> Json:
    """Return a line's events since a time, oldest first, at most ``limit``; with ``calls`` single diverted calls too.

    ``after`` (a number of an answer before) leaves out what is known.
    """
    line, limit = argument(args, "line", str), _limit(args)
    since, after = argument(args, "since_unix_ms", int, 0), argument(args, "after", int, 0)
    try:
        found = await service.events.history(line, limit, since)
        if argument(args, "calls", bool, default=False):
            found += await service.events.diverted(line, limit, since)
    except StoreError as error:
        raise not_read(error) from None
    if not found and not after:
        async with service.supply.settled() as compiler:
            if line not in compiler.directory.registry.lines:
                raise unknown_line(line)
    found.sort(key=lambda event: event.number)
    found = [event for event in found if event.number > after][-limit:]
    return {"line": line, "events": [_shown(event) for event in found], "last": found[-1].number if found else after}


async def events(service: "Service", args: dict[str, Json]) -> Json:
    """Return the newest events of all lines and a position; with that ``position``, what came since then."""
    position = args.get("position")
    try:
        if position is None:
            feed = EventFeed(service.connection)
            await feed.page()
            found: list[StoredEvent | Gap] = list(
                await service.events.recent(_limit(args), argument(args, "since_unix_ms", int, 0))
            )
        else:
            feed = EventFeed(service.connection, argument(args, "position", str))
            found = await feed.page()
    except StoreError as error:
        raise not_read(error) from None
    except ValueError as error:
        raise AdminError("bad_request", str(error), "leave the position away") from None
    return {"events": [_shown(item) for item in found], "position": feed.position}


def _shown(item: StoredEvent | Gap) -> dict[str, Any]:
    if isinstance(item, Gap):
        return {"kind": "gap", "line": "", "shard": item.shard, "missing": item.missing}
    return {**item.record, "shard": item.shard, "position": item.number}


def _limit(args: dict[str, Json]) -> int:
    return max(1, min(argument(args, "limit", int, 100), _MOST))
