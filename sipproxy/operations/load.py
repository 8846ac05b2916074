"""``load``: a load file checked whole, compared with the store, and written in one piece; the same as an import without questions."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from routing.rejection import RuleRejected
from rules_store import ConflictError, NumberTakenError, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.bulk import job
from sipproxy.bulk.files import Source
from sipproxy.operations.arguments import argument, not_stored, rejected
from sipproxy.operations.authors import operator
from sipproxy.target_policy import carrier_policy

if TYPE_CHECKING:
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)


async def load(service: "Service", args: dict[str, Json]) -> Json:
    """Write the document, or with ``dry_run`` say what would change."""
    name, text = argument(args, "name", str), argument(args, "text", str)
    dry_run = argument(args, "dry_run", bool, default=False)
    configuration = service.loaded.configuration
    registrars = [entry.name for entry in configuration.registrars]
    options = job.Options(configuration.registrar.realm, registrars, carrier=carrier_policy(configuration.targets))
    written = 0
    try:
        state = await job.read_state(service.connection)
        prepared = await asyncio.to_thread(job.prepare, Source("document", {name: text.encode()}), state, options)
        if not dry_run:
            written = (await job.apply(service.connection, prepared, operator("import", name))).count
    except RuleRejected as error:
        raise rejected(error, name) from None
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    counts = prepared.diff.counts()
    if not dry_run:
        _log.info("document loaded", written=written, of=sum(sum(row.values()) for row in counts.values()))
    summary = {
        kind: {"new": row["added"], "changed": row["changed"], "unchanged": row["unchanged"]} for kind, row in counts.items()
    }
    return {"summary": summary, "written": written, "warnings": [str(warning) for warning in prepared.told]}
