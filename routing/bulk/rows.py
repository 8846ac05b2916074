"""From a row of cells to an entity: every fault of the row is noted with its column, nothing is raised half-way."""

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Final, Protocol

from pydantic import ValidationError

from routing.blocks import parse_range
from routing.bulk import cells
from routing.bulk.record import Cells
from routing.bulk.sheets import Sheet
from routing.linefile import ha1
from routing.model import KINDS, Entity, ExtensionRange, Order
from routing.numbers import parse_base, parse_number
from routing.products import product
from routing.reader import why_not
from routing.rejection import fault, reject
from routing.rulefile import default_id, without_mark
from routing.states import STATES, state_of

_RING: Final = re.compile(r"^(?P<number>.*?)\s*\(\s*(?P<ring>[0-9]{1,4})\s*s\s*\)$", re.DOTALL)
_PRIORITY: Final = re.compile(r"^(?P<address>.*?) ?\((?P<priority>[0-9]{1,4})\)\s*$", re.DOTALL)
_CANONICAL: Final = re.compile(r"^\+[1-9][0-9]{6,14}$")


class Context(Protocol):
    """What a row needs to know beside its own cells."""

    realm: str
    zone: tzinfo

    def order(self, key: str) -> Order | None:
        """Return an order of the file or of the store."""


def entity_of(sheet: Sheet, row: Cells, context: Context) -> Entity | None:
    """Return the entity of a row, None if it cannot be read; then the faults say why."""
    before = len(row.faults)
    fields = _READERS[sheet.kind](row, context)
    if len(row.faults) > before:
        return None
    try:
        return KINDS[sheet.kind](**{name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            place = str(item["loc"][0]) if item["loc"] else ""
            column = _column(sheet, place, item["loc"])
            shown = "" if column == "credentials" else str(item["input"])[:40]
            row.faults.append(fault("field_value", row.at(column), text=shown, why=why_not(item["msg"], place)))
        return None


def id_of(sheet: Sheet, row: Cells) -> str:
    """Return the id of a row: its own, or what a number, a block or a rule has that names none; "" if that cannot be told.

    What is wrong with the row is not noted.
    """
    scratch = Cells(row.values, row.where, [])
    key = scratch.name("id")
    if key:
        return key
    match sheet.kind:
        case "number":
            key = _number_id(scratch.read(lambda: e164(row.values.get("number", ""), "")))
        case "block":
            key = _block_id(_base(scratch))
        case "diversion":
            key = default_id(scratch.name("order"), _scope(scratch), scratch.optional("plan"))
        case _:
            pass
    return "" if scratch.faults else key


def _number_id(number: str | None) -> str:
    return f"n{number[1:]}" if number is not None else ""


def _block_id(base: str | None) -> str:
    return f"b{base[1:]}" if base is not None else ""


def _column(sheet: Sheet, field: str, loc: tuple[int | str, ...]) -> str:
    inner = str(loc[1]) if len(loc) > 1 else ""
    if field == "limits":
        return inner
    if field == "site":
        return "site" if inner in {"id", ""} else inner
    if field == "move":
        return f"move_{inner}" if inner else "move_at"
    if field == "scope":
        return {"number": "number", "first": "extensions", "last": "extensions"}.get(str(loc[-1]), "block")
    return {"ranges": "extensions"}.get(field, field if field in sheet.columns else "id")


def _customer(row: Cells, _: Context) -> dict[str, Any]:
    names = ("rules_per_line", "changes_per_hour", "diverted_per_hour", "diverted_per_day")
    limits = {name: value for name in names if (value := row.whole(name)) is not None}
    key = row.name("id", "the customer number")
    if not row.has("name"):
        row.faults.append(fault("cell_empty", row.at("name"), what="the customer's name"))
    return {"id": key, "name": row.free("name"), "allowances": row.items("allowances"), "limits": limits}


def _user(row: Cells, _: Context) -> dict[str, Any]:
    head = {"id": row.name("id", "an id"), "name": row.free("name"), "role": row.name("role", "a role").casefold()}
    return {**head, "customer": row.name("customer") or None, "orders": row.items("orders"), "locked": row.flag("locked")}


def _site(row: Cells) -> dict[str, Any] | None:
    if not any(row.has(column) for column in ("site", "address", "region", "state")):
        return None
    site = {"id": row.name("site", "a name of the site"), "address": row.free("address"), "region": row.optional("region")}
    text = row.name("state")
    state = state_of(text)
    if text and state is None:
        known = ", ".join(f"{code} ({name})" for code, name in STATES.items())
        row.faults.append(fault("state_unknown", row.at("state"), text=text[:40], known=known))
    return {**site, "state": state}


def _order(row: Cells, context: Context) -> dict[str, Any]:
    key, customer = row.name("id", "an id"), row.name("customer", "the customer number")
    text = row.free("product")
    held = product(text)
    site = _site(row)
    if site is None:
        row.faults.append(fault("cell_empty", row.at("site"), what="a name of the site"))
    start, end = (row.instant(column, context.zone) for column in ("active_from", "active_until"))
    head = {"id": key, "customer": customer, "product": held.name if held is not None else text, "site": site}
    rest = {name: row.optional(name) for name in ("data_line", "bandwidth", "plan")}
    return {**head, **rest, "active_from": start, "active_until": end}


def _line(row: Cells, context: Context) -> dict[str, Any]:
    key, order = row.name("id", "an id"), row.name("order", "the order")
    held = context.order(order)
    sort = product(held.product) if held is not None else None
    users, peers, registrar = row.items("users"), _peers(row), row.optional("registrar")
    kind = row.name("kind").casefold()
    if not kind:
        kind = "foreign" if registrar is not None else "static" if peers else "registered"
    credentials: list[Any] = [
        dict(zip(("username", "algorithm", "ha1"), item, strict=False)) if isinstance(item, list) else item
        for item in row.json("credentials", list) or ()
    ]
    if row.has("password"):
        credentials = [c for user in users for c in ha1(user, context.realm, row.free("password"))]
        if not users:
            row.faults.append(
                fault("line_kind", row.at("password"), problem="There is a password without a user", remedy="Add the user")
            )
    head = {"id": key, "order": order, "kind": kind, "users": users, "credentials": tuple(credentials), "peers": peers}
    uri = row.name("request_uri").casefold() or (sort.request_uri if sort is not None else "number")
    judged = {"request_uri": uri, "profile": row.optional("profile"), "profile_changes": row.json("profile_changes", dict)}
    wish = {"wish": row.name("wish").casefold() or None, "wish_until": row.instant("wish_until", context.zone)}
    texts = {"wish_by": row.free("wish_by"), "wish_note": row.free("wish_note"), "access": row.optional("access")}
    return {**head, **judged, **wish, **texts, "registrar": registrar, "site": _site(row)}


def _peers(row: Cells) -> tuple[dict[str, Any], ...]:
    found = []
    for rank, item in enumerate(row.items("peers"), start=1):
        match = _PRIORITY.match(item)
        found.append(
            {"address": item, "priority": rank}
            if match is None
            else {"address": match["address"], "priority": int(match["priority"])}
        )
    return tuple(found)


def _numbered(row: Cells, context: Context) -> dict[str, Any]:
    """Read what numbers and blocks have in common."""
    order = row.name("order", "the order")
    start, end = (row.instant(column, context.zone) for column in ("active_from", "active_until"))
    move = None
    if any(row.has(column) for column in ("move_at", "move_order", "move_line")):
        at = row.instant("move_at", context.zone)
        if not row.has("move_at"):
            row.faults.append(fault("cell_empty", row.at("move_at"), what="the time of the move"))
        move = {"at": at, "order": row.name("move_order", "the new order"), "line": row.name("move_line", "the new line")}
    line = row.name("line", "the line")
    return {"order": order, "line": line, "active_from": start, "active_until": end, "move": move}


def _block(row: Cells, context: Context) -> dict[str, Any]:
    fields = _numbered(row, context)
    ranges = [row.read(lambda item=item: _range(item, row.at("extensions"))) for item in row.items("extensions")]  # type: ignore[misc]
    base = _base(row)
    return {**fields, "id": row.name("id") or _block_id(base), "base": base, "ranges": tuple(ranges)}


def _base(row: Cells) -> str | None:
    text = row.name("base", "the base")
    if not text:
        return None
    return row.read(lambda: parse_base(cells.number_text(text, row.at("base")), location=row.at("base")))


def _range(text: str, place: str) -> ExtensionRange:
    return parse_range(cells.extension_text(text, place), place)


def _number(row: Cells, context: Context) -> dict[str, Any]:
    fields = _numbered(row, context)
    number = row.read(lambda: e164(row.values.get("number", ""), row.at("number")))
    return {**fields, "id": row.name("id") or _number_id(number), "number": number}


def e164(cell: str, place: str) -> str:
    """Return the number of a cell. Raises `RuleRejected` with the remedy for what a spreadsheet made of it."""
    return parse_number(cells.number_text(cell, place), location=place).e164


def _diversion(row: Cells, _: Context) -> dict[str, Any]:
    order, scope = row.name("order", "the order"), _scope(row)
    targets = [row.read(lambda item=item: target_of(item, row.at("targets"))) for item in row.items("targets")]  # type: ignore[misc]
    others = [
        row.read(lambda item=item: target_of(item, row.at("phone_system_targets")))  # type: ignore[misc]
        for item in row.items("phone_system_targets")
    ]
    if not targets:
        row.faults.append(fault("cell_empty", row.at("targets"), what="one target or more"))
    plan = row.optional("plan")
    key = row.name("id") or default_id(order, scope, plan)
    head = {"id": key, "order": order, "scope": scope, "armed": row.flag("armed"), "targets": tuple(targets)}
    rest = {"phone_system_targets": tuple(others), "periods": row.json("periods", list)}
    return {**head, **rest, "plan": plan, "note": row.free("note")}


def _scope(row: Cells) -> dict[str, str]:
    """Return the fields of what a rule is for; those that cannot be read are empty."""
    if row.has("number"):
        if row.has("block") or row.has("extensions"):
            why = "a rule is for a number or for a block, not both"
            row.faults.append(fault("cell_list", row.at("number"), text=row.name("number")[:40], why=why))
        return {"kind": "number", "number": _ruled(row) or ""}
    block = row.name("block", "the block" if row.has("extensions") else "")
    if row.has("extensions"):
        held = row.read(lambda: _range(row.free("extensions"), row.at("extensions")))
        first, last = (held.first, held.last) if held is not None else ("", "")
        return {"kind": "range", "block": block, "first": first, "last": last}
    return {"kind": "block", "block": block} if block else {"kind": "order"}


def _ruled(row: Cells) -> str | None:
    """Return the number that a rule is for. A canonical one is not looked up: it must be one of those that there are."""
    text = cells.tidy(row.values["number"])
    return text if _CANONICAL.match(text) else row.read(lambda: e164(row.values["number"], row.at("number")))


def target_of(item: str, place: str) -> dict[str, Any]:
    """Return the fields of a target; whether the customer may divert there is not looked at. Raises `RuleRejected`."""
    match = _RING.match(item)
    text, ring = (match["number"], int(match["ring"])) if match is not None else (item, None)
    text, keep = without_mark(cells.number_text(text, place))
    if keep:
        return {"number": parse_base(text, location=place), "keep_extension": True, "ring_s": ring}
    if not text:
        raise reject("number_empty", place)
    return {"number": parse_number(text, location=place).e164, "ring_s": ring}


_READERS: Final[Mapping[str, Callable[[Cells, Context], dict[str, Any]]]] = {
    "customer": _customer,
    "user": _user,
    "order": _order,
    "line": _line,
    "block": _block,
    "number": _number,
    "diversion": _diversion,
}
