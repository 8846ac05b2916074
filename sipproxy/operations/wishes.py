"""Writing an operator's wish: a version of the line, with who wished it, why, and until when."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from routing.model import Line, Wish
from rules_store import ConflictError, NumberTakenError, Put, Stored, StoreError
from sipproxy.admin.peer import PEER
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import not_stored
from sipproxy.operations.authors import operator

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)
MAX_MINUTES = 60 * 24 * 31
_NOTE = 500


def end_after(minutes: int | None, longest: int = MAX_MINUTES) -> datetime | None:
    """Return when a wish of so many minutes ends, None without. Raises `AdminError`."""
    if minutes is None:
        return None
    if not 1 <= minutes <= longest:
        raise AdminError("bad_request", f"{minutes} minutes are not possible", f"give 1 to {longest} minutes")
    return datetime.now(UTC) + timedelta(minutes=minutes)


async def write_wish(
    service: "Service", lines: Iterable[str], wish: Wish, until: datetime | None, note: str
) -> dict[str, Stored[Line]]:
    """Store a wish for lines, all or none; returns them as they are now stored. Raises `AdminError`."""
    if len(note) > _NOTE:
        raise AdminError("bad_request", "the note is too long", f"at most {_NOTE} characters")
    change: dict[str, Any] = {"wish": wish, "wish_until": until, "wish_by": PEER.get()[:64], "wish_note": note}
    wanted = list(lines)
    try:
        held = await service.rules.get_many("line", wanted)
        for key in wanted:
            if key not in held:
                raise unknown_line(key)
        puts = [Put(held[key].entity.model_copy(update=change), held[key].version) for key in wanted]
        versions = await service.rules.write_many(puts, author=operator(), note=note)
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    _log.info("wish stored", lines=len(wanted), wish=wish, by=change["wish_by"], until=str(until or ""))
    stored = zip(wanted, puts, versions, strict=True)
    return {key: Stored(put.entity, version) for key, put, version in stored if isinstance(put.entity, Line)}


def unknown_line(key: str) -> AdminError:
    """Return the refusal of a name that is no line's."""
    return AdminError("unknown", f"there is no line {key!r}", "sipproxy status lists the lines")


def unix_ms(moment: datetime | None) -> int | None:
    """Return a time as events carry it."""
    return None if moment is None else int(moment.timestamp() * 1000)
