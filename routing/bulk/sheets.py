"""The columns of each kind's table, by their English names and the others that are understood, and an entity as a row of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from routing.bulk.cells import guarded, joined, optional
from routing.local_time import BERLIN
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    RangeScope,
    Site,
    Target,
    User,
)

_DATES: Final = ("active_from", "active_until", "move_at", "move_order", "move_line")
_SITE: Final = ("site", "address", "region", "state")

ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "id": ("Kennung", "Schlüssel"),
    "name": ("Firma", "Bezeichnung"),
    "allowances": ("Freigaben", "erlaubte Ziele"),
    "rules_per_line": ("Regeln je Leitung",),
    "changes_per_hour": ("Änderungen je Stunde",),
    "diverted_per_hour": ("Umleitungen je Stunde",),
    "diverted_per_day": ("Umleitungen je Tag",),
    "role": ("Rolle",),
    "customer": ("Kunde", "Kundennummer", "customer number"),
    "orders": ("Aufträge",),
    "locked": ("gesperrt",),
    "order": ("Auftrag", "Auftragsnummer", "NGN-Auftrag"),
    "product": ("Produkt",),
    "site": ("Standort", "Standort-Nr"),
    "address": ("Adresse", "Anschrift"),
    "region": ("Gebiet",),
    "state": ("Bundesland", "Land"),
    "data_line": ("Datenleitung",),
    "bandwidth": ("Bandbreite",),
    "active_from": ("aktiv ab", "gültig ab", "Portierung"),
    "active_until": ("aktiv bis", "gültig bis"),
    "plan": ("Plan",),
    "kind": ("Art",),
    "users": ("user", "Benutzer", "SIP-Benutzer"),
    "password": ("Passwort", "Kennwort"),
    "credentials": ("Zugangsdaten",),
    "peers": ("Gegenstellen", "Adressen"),
    "registrar": ("Registrar",),
    "request_uri": ("Request-URI",),
    "profile": ("Profil",),
    "profile_changes": ("Profiländerungen",),
    "access": ("Zugang", "Zugangsknoten"),
    "wish": ("Wunsch",),
    "wish_until": ("Wunsch bis",),
    "wish_by": ("Wunsch von",),
    "wish_note": ("Wunsch Notiz",),
    "line": ("Leitung", "Anschluss"),
    "base": ("Stammnummer", "Kopfnummer", "Rufnummernblock"),
    "extensions": ("extension", "Durchwahl", "Durchwahlen", "Durchwahlbereich", "Nebenstellen"),
    "move_at": ("Umzug am",),
    "move_order": ("Umzug zu Auftrag",),
    "move_line": ("Umzug zu Leitung",),
    "number": ("Nummer", "Rufnummer", "MSN", "Nebenstelle/MSN", "Telefonnummer"),
    "block": ("Block",),
    "armed": ("Aktiv", "Status", "scharf", "Rufumleitung"),
    "targets": ("target", "to", "Ziel", "Ziele", "Zielnummer", "Zielnummern"),
    "phone_system_targets": ("Ziele Telefonanlage",),
    "periods": ("Zeiten",),
    "note": ("Notiz", "Bemerkung"),
}


@dataclass(frozen=True)
class Sheet:
    """One kind's table."""

    kind: str
    file: str
    """Name of the file, without the ending."""
    columns: tuple[str, ...]
    row: Callable[[Any], list[str]]
    """The cells of an entity, in the order of the columns."""
    only_read: tuple[str, ...] = ()
    """Columns that are understood and never written."""

    @cached_property
    def known(self) -> Mapping[str, str]:
        """Folded name → column."""
        names = {fold(column): column for column in (*self.columns, *self.only_read)}
        for column in tuple(names.values()):
            for alias in ALIASES.get(column, ()):
                names.setdefault(fold(alias), column)
        return names


def fold(name: str) -> str:
    """Return the name of a column without what does not tell it from others: case, blanks, hyphens, points."""
    text = name.casefold().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"})
    return "".join(c for c in text if c.isalnum())


def instant_cell(at: datetime | None) -> str:
    """Return a time as a cell: the wall clock in Germany with its offset, which a spreadsheet leaves alone."""
    return at.astimezone(BERLIN).isoformat(" ") if at is not None else ""


def range_cell(item: ExtensionRange) -> str:
    """Return extensions as a cell; with ``…`` in the middle no spreadsheet takes them for a day, or drops a zero."""
    return f"{item.first}…{item.last}"


def target_item(target: Target) -> str:
    """Return a target as one item of a cell: ``+4969900090… (20 s)``."""
    return target.number + "…" * target.keep_extension + (f" ({target.ring_s} s)" if target.ring_s is not None else "")


def _flag(value: bool) -> str:  # noqa: FBT001 - one value in, one cell out
    return "yes" if value else "no"


def _whole(value: int | None) -> str:
    return str(value) if value is not None else ""


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""


def _customer(e: Customer) -> list[str]:
    held = e.limits
    limits = (held.rules_per_line, held.changes_per_hour, held.diverted_per_hour, held.diverted_per_day)
    return [guarded(e.id), guarded(e.name), joined(e.allowances), *map(_whole, limits)]


def _user(e: User) -> list[str]:
    return [guarded(e.id), guarded(e.name), e.role, guarded(e.customer or ""), joined(e.orders), _flag(e.locked)]


def _site(site: Site | None) -> list[str]:
    if site is None:
        return [""] * len(_SITE)
    return [guarded(site.id), guarded(site.address), optional(site.region), site.state or ""]


def _order(e: Order) -> list[str]:
    head = [guarded(e.id), guarded(e.customer), guarded(e.product), *_site(e.site), optional(e.data_line), optional(e.bandwidth)]
    return [*head, instant_cell(e.active_from), instant_cell(e.active_until), optional(e.plan)]


def _line(e: Line) -> list[str]:
    credentials = [[c.username, c.algorithm, c.ha1] for c in e.credentials]
    peers = joined(f"{p.address} ({p.priority})" for p in e.peers)
    head = [guarded(e.id), guarded(e.order), e.kind, joined(e.users), _compact(credentials), peers, optional(e.registrar)]
    judged = [e.request_uri, optional(e.profile), _compact(e.profile_changes), *_site(e.site), optional(e.access)]
    return [*head, *judged, e.wish, instant_cell(e.wish_until), guarded(e.wish_by), guarded(e.wish_note)]


def _dates(e: Block | Number) -> list[str]:
    move: Move | None = e.move
    moved = [instant_cell(move.at), guarded(move.order), guarded(move.line)] if move is not None else ["", "", ""]
    return [instant_cell(e.active_from), instant_cell(e.active_until), *moved]


def _block(e: Block) -> list[str]:
    return [guarded(e.id), guarded(e.order), guarded(e.line), guarded(e.base), joined(map(range_cell, e.ranges)), *_dates(e)]


def _number(e: Number) -> list[str]:
    return [guarded(e.id), guarded(e.order), guarded(e.line), guarded(e.number), *_dates(e)]


def _diversion(e: Diversion) -> list[str]:
    scope = e.scope
    number = guarded(scope.number) if isinstance(scope, NumberScope) else ""
    block = guarded(scope.block) if isinstance(scope, BlockScope | RangeScope) else ""
    extensions = range_cell(ExtensionRange(first=scope.first, last=scope.last)) if isinstance(scope, RangeScope) else ""
    targets = joined(map(target_item, e.targets))
    others = joined(map(target_item, e.phone_system_targets))
    periods = _compact([p.model_dump(mode="json", exclude_defaults=True) for p in e.periods])
    head = [guarded(e.id), guarded(e.order), number, block, extensions, _flag(e.armed), targets, others]
    return [*head, periods, optional(e.plan), guarded(e.note)]


_SHEETS: Final = (
    Sheet(
        "customer",
        "customers",
        ("id", "name", "allowances", "rules_per_line", "changes_per_hour", "diverted_per_hour", "diverted_per_day"),
        _customer,
    ),
    Sheet("user", "users", ("id", "name", "role", "customer", "orders", "locked"), _user),
    Sheet(
        "order",
        "orders",
        ("id", "customer", "product", *_SITE, "data_line", "bandwidth", "active_from", "active_until", "plan"),
        _order,
    ),
    Sheet(
        "line",
        "lines",
        (
            *("id", "order", "kind", "users", "credentials", "peers", "registrar", "request_uri", "profile", "profile_changes"),
            *(*_SITE, "access", "wish", "wish_until", "wish_by", "wish_note"),
        ),
        _line,
        only_read=("password",),
    ),
    Sheet("block", "blocks", ("id", "order", "line", "base", "extensions", *_DATES), _block),
    Sheet("number", "numbers", ("id", "order", "line", "number", *_DATES), _number),
    Sheet(
        "diversion",
        "rules",
        (
            *("id", "order", "number", "block", "extensions", "armed", "targets", "phone_system_targets", "periods"),
            *("plan", "note"),
        ),
        _diversion,
    ),
)

SHEETS: Final[Mapping[str, Sheet]] = {sheet.kind: sheet for sheet in _SHEETS}
"""Kind → its table, in the order in which the kinds refer to each other."""
FILES: Final[Mapping[str, str]] = {sheet.file: sheet.kind for sheet in _SHEETS}
"""Name of a file, without the ending → kind."""


def row_of(entity: Entity, kind: str) -> dict[str, str]:
    """Return an entity's cells by column."""
    sheet = SHEETS[kind]
    return dict(zip(sheet.columns, sheet.row(entity), strict=True))
