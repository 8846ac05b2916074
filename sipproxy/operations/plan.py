"""``plan``: which plan of an order is on, and switching it: one write of the order, a version like any other."""

from typing import TYPE_CHECKING, Any

import structlog

from routing.model import Order
from routing.plans import Plan, plan_fault, plan_warning, plans_of
from routing.rejection import RuleRejected
from rules_store import Asker, ConflictError, NumberTakenError, Put, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_stored, rejected
from sipproxy.operations.authors import operator

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)


async def plan(service: "Service", args: dict[str, Json]) -> Json:
    """Show the plans of an order (action ``show``), or switch to ``plan``, with null to none (action ``switch``)."""
    action, key = argument(args, "action", str), argument(args, "order", str)
    if action == "show":
        return await _show(service, key)
    if action != "switch":
        raise AdminError("bad_request", f"unknown action {action!r}", "use show or switch")
    wanted = None if args.get("plan") is None else argument(args, "plan", str)
    note = argument(args, "note", str, "")
    asker = Asker(operator(), argument(args, "user", str, default="") or None)
    async with service.supply.settled() as compiler:
        if key not in compiler.directory.registry.orders:
            raise _unknown(key)
        plans = plans_of(key, compiler.directory)
        wrong, told = plan_fault(key, wanted, compiler.directory), plan_warning(key, wanted, compiler.directory)
    try:
        if wrong is not None:
            raise RuleRejected([wrong])  # noqa: TRY301 - one exit for refusals
        current = await service.rules.get("order", key)
        if current is None or not isinstance(current.entity, Order):
            raise _unknown(key)
        before = current.entity.plan
        version, warnings = current.version, [told] if told is not None else []
        if before != wanted:
            switched = current.entity.model_copy(update={"plan": wanted})
            saved = await service.rule_saving.save([Put(switched, current.version)], asker, note=note)
            version = saved.versions[0]
            warnings += saved.warnings
            _log.info("plan switched", order=key, plan=wanted or "", before=before or "", version=version)
    except RuleRejected as error:
        raise rejected(error, "") from None
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    return {
        "order": key,
        "plan": wanted,
        "before": before,
        "version": version,
        "plans": [_shown(item) for item in plans],
        "warnings": [str(warning) for warning in warnings],
    }


async def _show(service: "Service", key: str) -> dict[str, Any]:
    async with service.supply.settled() as compiler:
        order = compiler.directory.registry.orders.get(key)
        if order is None:
            raise _unknown(key)
        plans = plans_of(key, compiler.directory)
    return {"order": key, "plan": order.plan, "plans": [_shown(item) for item in plans]}


def _unknown(key: str) -> AdminError:
    return AdminError("unknown", f"there is no order {key!r}", "sipproxy status lists the lines and their products")


def _shown(item: Plan) -> dict[str, Any]:
    return {"name": item.name, "rules": list(item.rules), "armed": item.armed}
