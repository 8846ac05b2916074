"""Back to before an import: what it wrote is undone in one piece, and what was changed since is named, and kept or refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from routing.bulk.check import KIND_OF, Name, check_with
from routing.bulk.diff import compare
from routing.bulk.reading import Reading
from routing.target_policy import NATIONAL
from rules_store import ABSENT, Author, Delete, Expect, Guard, Put, StoreConnection, Undo, VersionLog, Write
from sipproxy.bulk.job import Applied, Options, Prepared, Progress, State, apply, matters, name_of, silent


@dataclass(frozen=True, slots=True)
class Rollback:
    """What going back would write."""

    version: int
    """The import that is taken back."""
    prepared: Prepared
    changed_since: Sequence[Name]
    """What the import wrote and somebody changed after it; nothing is written there."""


async def plan(connection: StoreConnection, import_version: int, state: State, options: Options | None = None) -> Rollback:
    """Say what taking back an import would do; of ``options`` what may be a target counts.

    Raises `VersionGoneError`, `StoreError`, and `BulkRejected` when what stood there before no longer fits with what is there now.
    """
    whole = await Undo(connection).plan(import_version, whole_write=True, force=True)
    made = {(entry.kind, entry.id): entry.version for entry in whole.entries}
    imported = whole.entries[0].imported
    log = VersionLog(connection)
    writes: list[Write] = []
    since: list[Name] = []
    for write in whole.writes:
        name = name_of(write)
        stored = state.known.get(name)
        # What the import put has the version that the import gave it; what it removed was removed under that version.
        own = made.get(name, imported)
        version = stored.version if stored is not None else await log.removed_at(*name) if isinstance(write, Put) else own
        if version != own:
            since.append(name)
        elif stored is not None or isinstance(write, Put):
            expect: Expect = stored.version if stored is not None else ABSENT
            writes.append(Put(write.entity, expect) if isinstance(write, Put) else Delete(write.kind, write.id, expect))
    known = state.entities()
    puts = [write.entity for write in writes if isinstance(write, Put)]
    gone = {(write.kind, write.id): known[write.kind, write.id] for write in writes if isinstance(write, Delete)}
    now = datetime.now(UTC)
    reading = Reading(known, "", now=now)
    for entity in puts:
        reading.take(f"{KIND_OF[type(entity)]} {entity.id}", entity)
    check_with(reading, gone, carrier=options.carrier if options is not None else NATIONAL)
    reading.faults.raise_if_any()
    diff = compare(puts, known, gone, now)
    return Rollback(
        import_version, Prepared(state, diff, writes, Guard(state.sequence, matters(writes, state, None))), tuple(since)
    )


async def carry_out(connection: StoreConnection, rollback: Rollback, author: Author, progress: Progress = silent) -> Applied:
    """Write it, as an import is written; the log says which version it takes back. Raises as `sipproxy.bulk.job.apply`."""
    note = f"back to before import {rollback.version}"
    return await apply(connection, rollback.prepared, author, note=note, undoes=rollback.version, progress=progress)
