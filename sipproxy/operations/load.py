"""``load``: a document checked whole, compared with the store, and written in one piece."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from routing.document import parse_document
from routing.model import KINDS, Entity, Line, Order
from routing.rejection import RuleRejected, RuleWarning
from routing.wishes import ENDED, effective_wish
from rules_store import ABSENT, Author, ConflictError, NumberTakenError, Put, Stored, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.document import lines_of, read_document
from sipproxy.operations.arguments import argument, not_stored, rejected
from sipproxy.operations.authors import operator
from sipproxy.target_policy import carrier_policy

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)
_ONE_SCRIPT = 500
"""Up to this number one script writes them; more are staged and switched (`RulesStore.import_many`)."""

Known = dict[tuple[str, str], Stored[Entity]]


async def load(service: "Service", args: dict[str, Json]) -> Json:
    """Write the document, or with ``dry_run`` say what would change."""
    name, text = argument(args, "name", str), argument(args, "text", str)
    dry_run = argument(args, "dry_run", bool, default=False)
    document = await asyncio.to_thread(read_document, name, text)
    try:
        known = await _known(service)
        told: list[RuleWarning] = []
        entities = [_wished(entity, known) for entity in await _parsed(service, (name, text, document), known, told)]
        puts, summary = _difference(entities, known)
        if puts and not dry_run:
            await _write(service, puts, operator("import", name))
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    if not dry_run:
        _log.info("document loaded", written=len(puts), of=len(entities))
    return {"summary": summary, "written": 0 if dry_run else len(puts), "warnings": [str(warning) for warning in told]}


async def _known(service: "Service") -> Known:
    known: Known = {}
    for kind in KINDS:
        async for page in service.rules.pages(kind):
            known.update({(kind, stored.entity.id): stored for stored in page})
    return known


async def _parsed(service: "Service", document: tuple[str, str, Any], known: Known, told: list[RuleWarning]) -> list[Entity]:
    """Check a document (its name, its text, what was read of it); warnings are added to ``told``."""
    name, text, parsed = document
    configuration = service.loaded.configuration
    realm, registrars = configuration.registrar.realm, [entry.name for entry in configuration.registrars]
    existing = [stored.entity for stored in known.values()]
    carrier = carrier_policy(configuration.targets)
    try:
        return await asyncio.to_thread(
            parse_document, parsed, realm, existing, registrars, carrier, now=datetime.now(UTC), told=told
        )
    except RuleRejected as error:
        raise rejected(error, name, await asyncio.to_thread(lines_of, text)) from None


def _wished(entity: Entity, known: Known) -> Entity:
    """Leave alone what is switched by hand and the document does not name: an operator's wish, an order's plan.

    A wish whose end is past is over.
    """
    if isinstance(entity, Order):
        held = known.get(("order", entity.id))
        if "plan" in entity.model_fields_set or held is None or not isinstance(held.entity, Order):
            return entity
        return entity.model_copy(update={"plan": held.entity.plan})
    if not isinstance(entity, Line):
        return entity
    stored = known.get(("line", entity.id))
    if "wish" not in entity.model_fields_set and stored is not None:
        return entity.model_copy(update={name: getattr(stored.entity, name) for name in ENDED})
    if effective_wish(entity, datetime.now(UTC)) != entity.wish:
        return entity.model_copy(update=ENDED)
    return entity


def _difference(entities: Iterable[Entity], known: Known) -> tuple[list[Put], Mapping[str, dict[str, int]]]:
    """Return what has to be written, each with the version it replaces, and the numbers by kind."""
    kinds = {type_: kind for kind, type_ in KINDS.items()}
    summary = {kind: {"new": 0, "changed": 0, "unchanged": 0} for kind in KINDS}
    puts: list[Put] = []
    for entity in entities:
        kind = kinds[type(entity)]
        stored = known.get((kind, entity.id))
        if stored is None:
            summary[kind]["new"] += 1
            puts.append(Put(entity, ABSENT))
        elif stored.entity != entity:
            summary[kind]["changed"] += 1
            puts.append(Put(entity, stored.version))
        else:
            summary[kind]["unchanged"] += 1
    return puts, summary


async def _write(service: "Service", puts: list[Put], author: Author) -> None:
    if len(puts) <= _ONE_SCRIPT:
        await service.rules.write_many(puts, author=author)
    else:
        # A new generation is built from what is valid when it begins; it cannot expect versions.
        await service.rules.import_many([Put(put.entity) for put in puts], author=author)
