"""``coverage``: how much of an order, or of all orders of a customer, is protected in a fault, and what is not."""

import asyncio
from typing import TYPE_CHECKING

from routing.excerpt import TooLargeError, excerpt
from routing.faults import FAULTS
from routing.model import Entity
from routing.protection import Protection, protection
from routing.simulator import Simulator
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument
from sipproxy.operations.simulating import fault, instant, now, plain, surroundings, too_large

if TYPE_CHECKING:
    from routing.registry import Registry
    from sipproxy.service import Service

MAX_ORDERS = 1000
"""Orders of a customer that one report tells of."""


async def coverage(service: "Service", args: dict[str, Json]) -> Json:
    """Return the sums and a report (`routing.protection.Protection`) for each order."""
    at, supposed, week = instant(args), fault(args, "data_line"), argument(args, "week", bool, default=True)
    async with service.supply.settled() as compiler:
        directory = compiler.directory
        around = surroundings(service, args, at)
        orders = _orders(directory.registry, argument(args, "order", str, ""), argument(args, "customer", str, ""))

        def cut_out() -> list[tuple[str, list[Entity]]]:
            return [(order, excerpt(directory, [order])) for order in orders]

        try:
            excerpts = await asyncio.to_thread(cut_out)
        except TooLargeError:
            raise too_large() from None
        owner = directory.registry.customers.get(directory.registry.orders[orders[0]].customer)
    when = at or now()

    def reports() -> list[Protection]:
        return [protection(Simulator(entities, when, around), order, supposed, week=week) for order, entities in excerpts]

    found = await asyncio.to_thread(reports)
    return {
        "at": when.isoformat(),
        "fault": supposed,
        "fault_words": FAULTS[supposed].words,
        "seen": FAULTS[supposed].seen,
        "customer": owner.id if owner is not None else "",
        "customer_name": owner.name if owner is not None else "",
        "counted": sum(item.counted for item in found),
        "protected": sum(item.protected for item in found),
        "orders": plain(found),
    }


def _orders(registry: "Registry", order: str, customer: str) -> list[str]:
    """Return the orders that are asked about. Raises `AdminError`."""
    if bool(order) == bool(customer):
        raise AdminError(
            "bad_request", "name an order or a customer", "sipproxy coverage ORDER, or sipproxy coverage --customer C"
        )
    if order:
        if order not in registry.orders:
            raise AdminError(
                "unknown", f"there is no order {order!r}", "sipproxy export shows all; --customer C asks for all of one"
            )
        return [order]
    found = sorted(registry.orders_of.get(customer, ()))
    if not found:
        raise AdminError("unknown", f"there is no customer {customer!r} with orders", "check the customer number")
    if len(found) > MAX_ORDERS:
        raise AdminError(
            "too_large", f"customer {customer} has {len(found)} orders, more than {MAX_ORDERS}", "ask order by order"
        )
    return found
