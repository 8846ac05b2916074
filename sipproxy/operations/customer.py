"""``customer``: everything that is stored about a customer, given out or erased."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from rules_store import ConflictError, Erasure, NumberTakenError, StoreError, export_customer
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_read, not_stored
from sipproxy.operations.authors import operator

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)
_SETTLE_S = 10.0


async def customer(service: "Service", args: dict[str, Json]) -> Json:
    """Action ``export``: return all data. Action ``erase``: remove them, and return how much of what there was.

    To erase, ``confirm`` must be the customer's number again.
    """
    action, key = argument(args, "action", str), argument(args, "customer", str)
    if action == "export":
        try:
            found = await export_customer(service.connection, key)
        except StoreError as error:
            raise not_read(error) from None
        if found is None:
            raise _unknown(key)
        return found
    if action != "erase":
        raise AdminError("bad_request", f"unknown action {action!r}", "use export or erase")
    if argument(args, "confirm", str, "") != key:
        raise AdminError("refused", "erasing was not confirmed", "repeat the customer number as confirmation")
    return await _erase(service, key)


async def _erase(service: "Service", key: str) -> dict[str, Any]:
    erasure, author = Erasure(service.connection), operator()
    try:
        found = await erasure.find(key)
        if not found:
            raise _unknown(key)
        last = await erasure.remove_rules(found, author)
        await _settled(service, last)
        counts = await erasure.remove_traces(found, author)
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    _log.info("customer erased", by=author.who, removed=counts)
    return {"customer": key, "removed": counts}


async def _settled(service: "Service", sequence: int) -> None:
    """Wait until the engine routes without the customer, and what there was to tell of it is told; not for ever."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(service.supply.reached(sequence), _SETTLE_S)
    service.history.tick()
    for waiting in (service.saving.bindings, service.saving.verdicts, service.outbox):
        await waiting.drained(_SETTLE_S)


def _unknown(key: str) -> AdminError:
    return AdminError("unknown", f"nothing is stored about a customer {key!r}", "give the customer number as in the load file")
