"""From a row of cells to an entity: every fault of the row is noted with its column, nothing is raised half-way."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, Protocol, TypeVar

from pydantic import ValidationError

from routing.blocks import parse_range
from routing.bulk import cells
from routing.bulk.sheets import Sheet
from routing.linefile import ha1
from routing.model import KINDS, Entity, ExtensionRange, Order
from routing.numbers import parse_base, parse_number
from routing.products import product
from routing.reader import why_not
from routing.rejection import Fault, RuleRejected, fault, reject
from routing.states import STATES, state_of

T = TypeVar("T")
_RING: Final = re.compile(r"^(?P<number>.*?)\s*\(\s*(?P<ring>[0-9]{1,4})\s*s?\s*\)$", re.DOTALL)
_PRIORITY: Final = re.compile(r"^(?P<address>.*?) ?\((?P<priority>[0-9]{1,4})\)\s*$", re.DOTALL)
_CANONICAL: Final = re.compile(r"^\+[1-9][0-9]{6,14}$")
_KEEPS: Final = ("…", "...")


class Context(Protocol):
    """What a row needs to know beside its own cells."""

    realm: str
    zone: tzinfo

    def order(self, key: str) -> Order | None:
        """Return an order of the file or of the store."""


class Cells:
    """The cells of a row by column; a missing column reads as an empty cell."""

    def __init__(self, values: Mapping[str, str], where: str, faults: list[Fault]) -> None:
        self.values = values
        self.where = where
        self.faults = faults

    def at(self, column: str) -> str:
        """Return the place of a column."""
        return f"{self.where}.{column}"

    def has(self, column: str) -> bool:
        """Return whether there is anything in the column."""
        cell = self.values.get(column, "")
        return bool(cell) and not cell.isspace()

    def free(self, column: str) -> str:
        """Return a text as it is."""
        return cells.plain(self.values.get(column, ""))

    def optional(self, column: str) -> str | None:
        """Return a text as it is, None when there is none."""
        return cells.optional_text(self.values.get(column, ""))

    def name(self, column: str, what: str = "") -> str:
        """Return an id or keyword; with ``what``, an empty cell is a fault."""
        text = cells.tidy(self.values.get(column, ""))
        if not text and what:
            self.faults.append(fault("cell_empty", self.at(column), what=what))
        return text

    def whole(self, column: str) -> int | None:
        """Return a whole number, None for an empty cell."""
        text = self.name(column)
        if not text:
            return None
        try:
            return int(text.replace(".", "") if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+", text) else text)
        except ValueError:
            self.faults.append(fault("cell_list", self.at(column), text=text[:40], why="a whole number is wanted"))
            return None

    def flag(self, column: str) -> bool:
        """Return yes or no; an empty cell is no."""
        if not self.has(column):
            return False
        return self.read(lambda: cells.yes_no(self.values[column], self.at(column))) or False

    def items(self, column: str) -> tuple[str, ...]:
        """Return a list."""
        return tuple(cells.split(self.values.get(column, "")))

    def json(self, column: str, kind: type[T]) -> T | None:
        """Return a cell of JSON."""
        text = cells.plain(self.values.get(column, "")).strip()
        if not text:
            return None
        try:
            found = json.loads(text)
        except ValueError as error:
            self.faults.append(fault("line_json", self.at(column), why=str(error)[:80]))
            return None
        if isinstance(found, kind):
            return found
        self.faults.append(fault("cell_list", self.at(column), text=text[:40], why=f"JSON of another form than {kind.__name__}"))
        return None

    def instant(self, column: str, zone: tzinfo) -> datetime | None:
        """Return a time."""
        return self.read(lambda: cells.instant(self.values.get(column, ""), self.at(column), zone))

    def read(self, parse: Callable[[], T]) -> T | None:
        """Return what ``parse`` returns; note its faults if it refuses."""
        try:
            return parse()
        except RuleRejected as refused:
            self.faults.extend(refused.faults)
            return None


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
    base = row.read(lambda: parse_base(cells.number_text(row.name("base", "the base"), row.at("base")), location=row.at("base")))
    key = row.name("id") or (f"b{base[1:]}" if base is not None else "")
    return {**fields, "id": key, "base": base, "ranges": tuple(ranges)}


def _range(text: str, place: str) -> ExtensionRange:
    return parse_range(cells.extension_text(text, place), place)


def _number(row: Cells, context: Context) -> dict[str, Any]:
    fields = _numbered(row, context)
    number = row.read(lambda: e164(row.values.get("number", ""), row.at("number")))
    return {**fields, "id": row.name("id") or (f"n{number[1:]}" if number is not None else ""), "number": number}


def e164(cell: str, place: str) -> str:
    """Return the number of a cell. Raises `RuleRejected` with the remedy for what a spreadsheet made of it."""
    return parse_number(cells.number_text(cell, place), location=place).e164


def _diversion(row: Cells, _: Context) -> dict[str, Any]:
    order = row.name("order", "the order")
    scope, derived = _scope(row, order)
    targets = [row.read(lambda item=item: target_of(item, row.at("targets"))) for item in row.items("targets")]  # type: ignore[misc]
    others = [
        row.read(lambda item=item: target_of(item, row.at("phone_system_targets")))  # type: ignore[misc]
        for item in row.items("phone_system_targets")
    ]
    if not targets:
        row.faults.append(fault("cell_empty", row.at("targets"), what="one target or more"))
    head = {
        "id": row.name("id") or derived,
        "order": order,
        "scope": scope,
        "armed": row.flag("armed"),
        "targets": tuple(targets),
    }
    rest = {"phone_system_targets": tuple(others), "periods": row.json("periods", list)}
    return {**head, **rest, "plan": row.optional("plan"), "note": row.free("note")}


def _scope(row: Cells, order: str) -> tuple[dict[str, Any] | None, str]:
    """Return what a rule is for, and the id that it gets if it has none."""
    if row.has("number"):
        if row.has("block") or row.has("extensions"):
            why = "a rule is for a number or for a block, not both"
            row.faults.append(fault("cell_list", row.at("number"), text=row.name("number")[:40], why=why))
        number = _ruled(row)
        return {"kind": "number", "number": number}, f"{order}.n{(number or '+')[1:]}"
    block = row.name("block", "the block" if row.has("extensions") else "")
    if row.has("extensions"):
        held = row.read(lambda: _range(row.free("extensions"), row.at("extensions")))
        first, last = (held.first, held.last) if held is not None else ("", "")
        return {"kind": "range", "block": block, "first": first, "last": last}, f"{block}.r{first}-{last}"
    return ({"kind": "block", "block": block}, f"{block}.block") if block else ({"kind": "order"}, f"{order}.order")


def _ruled(row: Cells) -> str | None:
    """Return the number that a rule is for. A canonical one is not looked up: it must be one of those that there are."""
    text = cells.tidy(row.values["number"])
    return text if _CANONICAL.match(text) else row.read(lambda: e164(row.values["number"], row.at("number")))


def target_of(item: str, place: str) -> dict[str, Any]:
    """Return the fields of a target; whether the customer may divert there is not looked at. Raises `RuleRejected`."""
    match = _RING.match(item)
    text, ring = (match["number"], int(match["ring"])) if match is not None else (item, None)
    text = cells.number_text(text, place)
    keep = text.endswith((*_KEEPS, "x", "X"))
    if keep:
        short = text.rstrip("xX").removesuffix("…").removesuffix("...").rstrip(" -/")
        return {"number": parse_base(short, location=place), "keep_extension": True, "ring_s": ring}
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
