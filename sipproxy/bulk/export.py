"""An export: what is stored, or what of it is a customer's, in the form that was asked for."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from routing.bulk.check import KIND_OF, stored_orders
from routing.bulk.diff import directory_of
from routing.bulk.nested import nested
from routing.bulk.scope import Replace, inside
from routing.bulk.simple import write_simple
from routing.bulk.writing import lines, tables
from routing.document import parse_document
from routing.model import Entity, Line, User
from routing.rejection import RuleRejected
from routing.wishes import ENDED
from sipproxy.bulk.files import write_file, write_tables
from sipproxy.bulk.job import Options, State
from sipproxy.errors import SipproxyError

FORMS: Final = ("csv", "table", "json", "jsonl")
ONE_FILE: Final = frozenset({".csv", ".txt", ".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".xlsx"})
"""Names that nobody gives to a directory."""


def export(state: State, path: Path, form: str, customer: str = "", *, options: Options, secrets: bool = False) -> int:
    """Write the files; returns how many entities are in them, of a table of numbers how many rows. Raises `SipproxyError`."""
    known = state.entities()
    if customer and ("customer", customer) not in known:
        raise SipproxyError(f"there is no customer {customer!r}", "sipproxy export without --customer has all of them")
    orders = stored_orders(known)
    scope = Replace("customer", customer) if customer else Replace("all")
    chosen: list[Entity] = [entity for entity in known.values() if inside(entity, scope, orders)]
    if form == "csv":
        if path.suffix.casefold() in ONE_FILE and not path.is_dir():
            raise SipproxyError(f"{path} is one file; tables are several", "name a directory or a .zip, or take --format table")
        write_tables(path, tables(chosen, secrets=secrets))
    elif form == "table":
        held = {(KIND_OF[type(entity)], entity.id) for entity in chosen}
        directory = directory_of(known.values(), datetime.now(UTC))
        data = write_simple(directory, lambda entity: (KIND_OF[type(entity)], entity.id) in held)
        write_file(path, data)
        return max(data.count(b"\n") - 1, 0)
    elif form == "json":
        chosen = [entity for entity in chosen if not isinstance(entity, User)]
        write_file(path, _document(chosen, options, secrets=secrets))
    else:
        write_file(path, lines(chosen, secrets=secrets))
    return len(chosen)


def _document(chosen: Iterable[Entity], options: Options, *, secrets: bool) -> bytes:
    """Return a load file that is read back as what was chosen. Raises `SipproxyError` for what cannot be said in it."""
    wanted = [entity.model_copy(update=ENDED) if isinstance(entity, Line) else entity for entity in chosen]
    if not secrets and any(isinstance(entity, Line) and entity.credentials for entity in wanted):
        message = "a load file replaces a line whole: without their hashes the lines could not log in any more"
        raise SipproxyError(message, "add --secrets, or take --format csv or jsonl")
    document = nested(wanted)
    try:
        found = parse_document(document, options.realm, (), options.registrars, options.carrier)
        lost = _keys(wanted) ^ _keys(found)
    except RuleRejected as refused:
        lost = {str(one) for one in refused.faults}
    if lost:
        named = "; ".join(sorted(lost)[:3])
        raise SipproxyError(f"not all of this can be said in a load file: {named}", "take --format csv or jsonl")
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _keys(entities: Iterable[Entity]) -> set[str]:
    return {f"{KIND_OF[type(entity)]} {entity.model_dump_json()}" for entity in entities}
