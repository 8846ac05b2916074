"""Entities as a load file: customers with their orders, orders with what they have (docs/load-file.md).

Operators' wishes are not in it: a line that is stored keeps the one it has. Nor are users. Whether everything else that was
asked for can be said in a load file is up to its reader; `sipproxy.bulk.export` reads it back.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    Period,
    RangeScope,
    Site,
    Target,
)

Group = dict[str, Any]
_DIVERSION_FIELDS = ("plan", "note")


def nested(entities: Iterable[Entity]) -> Group:
    """Return the document. Fields that have their default are left out."""
    customers: list[Customer] = []
    orders: defaultdict[str, list[Order]] = defaultdict(list)
    inside: defaultdict[str, list[Line | Block | Number | Diversion]] = defaultdict(list)
    for entity in entities:
        match entity:
            case Customer():
                customers.append(entity)
            case Order():
                orders[entity.customer].append(entity)
            case Line() | Block() | Number() | Diversion():
                inside[entity.order].append(entity)
            case _:
                pass
    return {
        "time_zone": "UTC",
        "customers": [
            {**_customer(customer), "orders": [_order(order, inside[order.id]) for order in orders[customer.id]]}
            for customer in customers
        ],
    }


def _customer(customer: Customer) -> Group:
    limits = customer.limits.model_dump(exclude_none=True)
    return _filled({"id": customer.id, "name": customer.name, "allowances": list(customer.allowances), "limits": limits})


def _order(order: Order, inside: Iterable[Line | Block | Number | Diversion]) -> Group:
    group: Group = {
        **_filled({"id": order.id, "product": order.product, "site": _site(order.site)}),
        **_filled({"data_line": order.data_line, "bandwidth": order.bandwidth}),
        # An order that is stored keeps its plan unless another one is named; "" is none.
        "plan": order.plan or "",
        **_dates(order.active_from, order.active_until),
    }
    held: dict[str, list[Group]] = {"lines": [], "blocks": [], "numbers": [], "diversions": []}
    for entity in inside:
        match entity:
            case Line():
                held["lines"].append(_line(entity))
            case Block():
                held["blocks"].append(_block(entity))
            case Number():
                held["numbers"].append(_number(entity))
            case Diversion():
                held["diversions"].append(_diversion(entity))
    return {**group, **_filled(held)}


def _site(site: Site | None) -> Group | None:
    return _filled(site.model_dump()) if site is not None else None


def _line(line: Line) -> Group:
    fields = {
        "id": line.id,
        "kind": line.kind,
        "users": list(line.users),
        "credentials": [credential.model_dump() for credential in line.credentials],
        "peers": [peer.model_dump() for peer in line.peers],
        "registrar": line.registrar,
        "request_uri": line.request_uri,
        "profile": line.profile,
        "profile_changes": {name: list(v) if isinstance(v, tuple) else v for name, v in line.profile_changes.items()},
        "site": _site(line.site),
        "access": line.access,
    }
    return _filled(fields)


def _block(block: Block) -> Group:
    extensions = [_extensions(item) for item in block.ranges]
    return {**_filled({"id": block.id, "base": block.base, "extensions": extensions, "line": block.line}), **_item_dates(block)}


def _number(number: Number) -> Group:
    return {"id": number.id, "number": number.number, "line": number.line, **_item_dates(number)}


def _item_dates(item: Block | Number) -> Group:
    dates = _dates(item.active_from, item.active_until)
    if item.move is not None:
        dates["move"] = {"at": item.move.at.isoformat(), "order": item.move.order, "line": item.move.line}
    return dates


def _diversion(rule: Diversion) -> Group:
    scope = rule.scope
    held: Group = {"id": rule.id}
    if isinstance(scope, NumberScope):
        held["number"] = scope.number
    elif isinstance(scope, BlockScope | RangeScope):
        held["block"] = scope.block
        if isinstance(scope, RangeScope):
            held["extensions"] = _extensions(ExtensionRange(first=scope.first, last=scope.last))
    held["to"] = [_target(target) for target in rule.targets]
    held["armed"] = rule.armed
    if rule.phone_system_targets:
        held["phone_system_to"] = [_target(target) for target in rule.phone_system_targets]
    if rule.periods:
        held["periods"] = [_period(period) for period in rule.periods]
    return {**held, **_filled({name: getattr(rule, name) for name in _DIVERSION_FIELDS})}


def _period(period: Period) -> Group:
    fields = period.model_dump(mode="json", exclude_defaults=True, exclude={"targets", "phone_system_targets"})
    others = [_target(target) for target in period.phone_system_targets]
    return {**fields, "to": [_target(target) for target in period.targets], **_filled({"phone_system_to": others})}


def _target(target: Target) -> str | Group:
    text = target.number + "…" * target.keep_extension
    return text if target.ring_s is None else {"number": text, "ring_s": target.ring_s}


def _extensions(item: ExtensionRange) -> str:
    return item.first if item.first == item.last else f"{item.first}-{item.last}"


def _dates(start: datetime | None, end: datetime | None) -> Group:
    return {name: moment.isoformat() for name, moment in (("active_from", start), ("active_until", end)) if moment is not None}


def _filled(fields: Group) -> Group:
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}
