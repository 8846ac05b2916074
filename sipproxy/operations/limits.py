"""Limits of a customer's changes around a write: a customer is refused above them, staff is told."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from routing.limits import order_limits
from routing.rejection import RuleWarning
from rules_store import StoreError

if TYPE_CHECKING:
    from sipproxy.service import Service


@contextlib.asynccontextmanager
async def counted(service: "Service", order: str, *, staff: bool) -> AsyncIterator[tuple[RuleWarning, ...]]:
    """Count a change around its write, and take it back when the write fails. Raises `RuleRejected`, `StoreError`."""
    async with service.supply.settled() as compiler:
        held = compiler.directory.registry.orders.get(order)
        limits = order_limits(compiler.directory, order)
    admitted = await service.pace.admit(held.customer if held is not None else "unknown", limits, staff=staff)
    try:
        yield admitted.warnings
    except BaseException:
        with contextlib.suppress(StoreError):
            await service.pace.give_back(admitted)
        raise
