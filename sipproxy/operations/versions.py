"""``log``: who changed what. ``undo``: take a version back. ``audit``: the log by pages, for files."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from routing.differences import differences
from routing.model import KINDS, Diversion
from routing.rejection import RuleRejected
from routing.restoring import restoring_faults
from routing.targets import check_diversion
from rules_store import (
    ConflictError,
    NumberTakenError,
    Put,
    StoreError,
    Undo,
    UndoPlan,
    Version,
    VersionGoneError,
    VersionLog,
    audit_record,
)
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_read, not_stored, rejected
from sipproxy.operations.authors import operator
from sipproxy.target_policy import carrier_policy

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)
_MOST = 10_000
_LAST = 2**53
"""No store gets there, and what is larger is no number to it."""
_PAGE = 1000
_SHOWN = 200


async def log(service: "Service", args: dict[str, Json]) -> Json:
    """Return versions, newest first: one by its ``version``, those of one entity (``kind``, ``id``), or of a span of time.

    Arguments: ``since_unix_ms``, ``until_unix_ms``, ``customer``, ``limit``.
    """
    keeper, limit = VersionLog(service.connection), max(1, min(argument(args, "limit", int, 50), _MOST))
    try:
        if "version" in args:
            wanted = min(max(argument(args, "version", int), 0), _LAST)
            entry = await keeper.version(wanted)
            if entry is None:
                message = f"there is no version {wanted} in the log"
                raise AdminError("gone", message, "it never was a change, or is older than what is kept (versions.keep_days)")
            found = await keeper.between(entry.first, entry.last) if argument(args, "write", bool, default=False) else [entry]
        elif "kind" in args:
            kind = argument(args, "kind", str)
            if kind not in KINDS:
                raise AdminError("bad_request", f"{kind!r} is no kind of entity", f"use one of: {', '.join(KINDS)}")
            found = await keeper.history(kind, argument(args, "id", str), limit)
        else:
            found = []
            async for page in keeper.log(**_span(args)):
                found += page
                if len(found) >= limit:
                    break
    except StoreError as error:
        raise not_read(error) from None
    return {"versions": [_shown(entry) for entry in found[:limit]]}


async def audit(service: "Service", args: dict[str, Json]) -> Json:
    """Return a page of the log as auditors get it, newest first; ``before`` (a version) says where to go on.

    ``next`` is the ``before`` of the next page, None after the last.
    """
    before = args.get("before")
    if before is not None:
        before = argument(args, "before", int)
    found: list[Version] = []
    try:
        async for page in VersionLog(service.connection).log(**_span(args), before=before):
            found += page
            if len(found) >= _PAGE:
                break
    except StoreError as error:
        raise not_read(error) from None
    return {"versions": [audit_record(entry) for entry in found], "next": found[-1].version if len(found) >= _PAGE else None}


async def undo(service: "Service", args: dict[str, Json]) -> Json:
    """Take a version back, with ``write`` all that was written with it; ``dry_run`` says what would be written."""
    version, note = min(max(argument(args, "version", int), 0), _LAST), argument(args, "note", str, "")
    whole, force = argument(args, "write", bool, default=False), argument(args, "force", bool, default=False)
    keeper = Undo(service.connection)
    try:
        plan = await keeper.plan(version, whole_write=whole, force=force)
        await _check(service, plan)
        told = await _told(service, plan)
        dry_run = argument(args, "dry_run", bool, default=False)
        versions = [] if dry_run else await keeper.carry_out(plan, operator(), note=note)
    except RuleRejected as error:
        raise rejected(error, "") from None
    except VersionGoneError as error:
        raise _gone(error) from None
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    if versions:
        _log.info("version taken back", version=version, entities=len(plan.writes), by=operator().who)
    return {"version": version, "entities": len(plan.writes), "changes": told, "versions": versions[:_SHOWN]}


def _span(args: dict[str, Json]) -> dict[str, Any]:
    until = args.get("until_unix_ms")
    customer = args.get("customer")
    return {
        "since_unix_ms": argument(args, "since_unix_ms", int, 0),
        "until_unix_ms": None if until is None else argument(args, "until_unix_ms", int),
        "customer": None if customer is None else argument(args, "customer", str),
    }


def _shown(entry: Version) -> dict[str, Any]:
    changes = [str(one) for one in differences(entry.before, entry.after)] if entry.op in {"put", "delete"} else []
    return {**audit_record(entry), "at_unix_ms": entry.at_unix_ms, "changes": changes}


def _gone(error: VersionGoneError) -> AdminError:
    return AdminError("gone", str(error), "sipproxy log shows what can be taken back")


async def _check(service: "Service", plan: UndoPlan) -> None:
    """Judge what is restored like anything new. Raises `RuleRejected`."""
    restored = [write.entity for write in plan.writes if isinstance(write, Put)]
    removed = {(write.kind, write.id) for write in plan.writes if not isinstance(write, Put)}
    carrier = carrier_policy(service.loaded.configuration.targets)
    only_rules = all(isinstance(entity, Diversion) for entity in restored) and all(kind == "diversion" for kind, _ in removed)
    async with service.supply.settled() as compiler:
        if only_rules and len(restored) <= _SHOWN:  # nothing refers to a rule
            directory = compiler.directory
            faults = [
                fault
                for entity in restored
                if isinstance(entity, Diversion)
                for fault in check_diversion(entity, directory.policy(entity.order), directory)
            ]
            entities = None
        else:
            faults, entities = [], compiler.directory.registry.entities()
    if entities is not None:
        faults = await asyncio.to_thread(restoring_faults, restored, removed, entities, carrier, now=datetime.now(UTC))
    if faults:
        raise RuleRejected(faults)


async def _told(service: "Service", plan: UndoPlan) -> list[dict[str, Any]]:
    """Say what becomes different, for the first entities."""
    told: list[dict[str, Any]] = []
    for write in plan.writes[:_SHOWN]:
        if isinstance(write, Put):
            kind = next(kind for kind, model in KINDS.items() if isinstance(write.entity, model))
            entity_id, wanted = write.entity.id, write.entity
        else:
            kind, entity_id, wanted = write.kind, write.id, None
        stored = await service.rules.get(kind, entity_id)
        found = differences(stored.entity if stored is not None else None, wanted)
        told.append({"kind": kind, "id": entity_id, "changes": [str(one) for one in found]})
    return told
