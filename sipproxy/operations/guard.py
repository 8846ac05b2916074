"""``guard``: whether falls of many lines are held, freezing and releasing by hand."""

from typing import TYPE_CHECKING

import structlog

from sipproxy.admin.peer import PEER
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)
_LONGEST_S = 86_400.0


async def guard(service: "Service", args: dict[str, Json]) -> Json:
    """Show, freeze or release; returns the state of the guard after it."""
    action, by = argument(args, "action", str, default="show"), PEER.get()[:64]
    engine = service.engine
    if action == "freeze":
        limit_s = float(argument(args, "limit_s", int, default=3600))
        if not 0 <= limit_s <= _LONGEST_S:
            raise AdminError("bad_request", f"a freeze of {limit_s:.0f} s is not possible", "use 0 (no limit) to 86400 seconds")
        if not engine.guard_freeze(by, limit_s):
            remedy = "release it first: sipproxy guard release"
            raise AdminError("conflict", f"falls are held already ({engine.guard()['reason']})", remedy)
        _log.warning("falls are held by hand", by=by, limit_s=limit_s)
    elif action == "release":
        if not engine.guard_release(by):
            raise AdminError("conflict", "nothing is held", "sipproxy guard shows the state")
        _log.warning("falls are released by hand", by=by)
    elif action != "show":
        raise AdminError("bad_request", f"unknown action {action!r}", "use show, freeze or release")
    return engine.guard()
