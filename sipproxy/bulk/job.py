"""An import from its files to the switch: read what is stored, parse, check, compare; then write what was seen, or nothing.

What was compared is what is written: a change that somebody else made meanwhile to something that the import writes, refers to or
removes is a refusal, with the difference to be looked at anew. `Prepared.plan` names the difference, so that a dry run and the import
that follows it later can be held against each other.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from routing.bulk.check import KIND_OF, Name, check, stored_orders
from routing.bulk.diff import Diff, compare, directory_of
from routing.bulk.reading import Reading, Tell, read_lines, read_tables
from routing.bulk.scope import Replace, inside
from routing.bulk.simple import is_simple, read_simple
from routing.bulk.tables import Table, decode
from routing.document import parse_document
from routing.model import KINDS, Block, Entity, Line, Number, Order
from routing.references import references
from routing.rejection import RuleRejected, RuleWarning
from routing.target_policy import NATIONAL, CarrierPolicy
from routing.wishes import ENDED, effective_wish
from rules_store import (
    ABSENT,
    Author,
    Change,
    Delete,
    Expect,
    Guard,
    Put,
    RulesStore,
    StoreConnection,
    Stored,
    Write,
    to_the_end,
    unchanged,
)
from sipproxy.bulk.files import Source
from sipproxy.document import lines_of, read_document
from sipproxy.operations.arguments import rejected

SMALL: Final = 2000
"""Up to this many entities one script writes them, each with the version it expects; more are staged and switched."""
Progress = Callable[[str, int, int], None]
"""Is told a step (``read``, ``parse``, ``check``, ``compare``, ``copy``, ``stage``, ``switch``), how much is done, and of how much."""


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class State:
    """What is stored, as it was at ``sequence`` or later."""

    sequence: int
    known: Mapping[Name, Stored[Entity]]

    def entities(self) -> dict[Name, Entity]:
        """Return the entities without their versions."""
        return {name: stored.entity for name, stored in self.known.items()}


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is to be understood."""

    realm: str
    registrars: Sequence[str] = ()
    replace: Replace | None = None
    customer: str = ""
    """A table of numbers may have only those of this customer."""
    carrier: CarrierPolicy = NATIONAL


@dataclass(frozen=True, slots=True)
class Prepared:
    """An import that was checked and may be applied."""

    state: State
    diff: Diff
    writes: Sequence[Write]
    guard: Guard
    told: Sequence[RuleWarning] = ()
    """What keeps nothing from being saved, and is worth a word."""

    @property
    def plan(self) -> str:
        """Name what would be done to which versions: two that are the same have the same name."""
        digest = hashlib.sha256()
        for write in sorted(self.writes, key=name_of):
            kind, key = name_of(write)
            text = write.entity.model_dump_json() if isinstance(write, Put) else ""
            digest.update(f"{kind}\0{key}\0{write.expect}\0{text}\n".encode())
        return digest.hexdigest()[:12]


async def read_state(connection: StoreConnection, progress: Progress = silent) -> State:
    """Read everything by pages. Raises `StoreError`."""
    rules = RulesStore(connection)
    await connection.open()
    sequence = await rules.sequence()
    known: dict[Name, Stored[Entity]] = {}
    for kind in KINDS:
        async for page in rules.pages(kind):
            known.update({(kind, stored.entity.id): stored for stored in page})
            progress("read", len(known), 0)
    return State(sequence, known)


def prepare(source: Source, state: State, options: Options, progress: Progress = silent) -> Prepared:
    """Parse, check and compare; takes its time, and may be interrupted. Raises `RuleRejected`, `AdminError`."""
    known, now = state.entities(), datetime.now(UTC)
    reading = Reading(known, options.realm, now=now)
    if source.form == "document":
        entities, gone = _document(source, reading, options, progress)
    else:
        _read(source, reading, options, progress)
        gone = check(
            reading, options.replace, options.registrars, options.carrier, _counted("check", 2 * len(reading.placed), progress)
        )
        reading.faults.raise_if_any()
        entities = [entity for _, entity in reading.placed]
    progress("compare", 0, len(entities))
    diff = compare(entities, known, gone, now, options.carrier)
    progress("compare", len(entities), len(entities))
    writes = [_write(change.kind, change.id, change.after, state) for change in diff.changes]
    return Prepared(state, diff, writes, Guard(state.sequence, matters(writes, state, options.replace)), reading.told)


def _read(source: Source, reading: Reading, options: Options, progress: Progress) -> None:
    tell = _counted("parse", sum(data.count(b"\n") for data in source.files.values()), progress)
    if source.form == "lines":
        for name, data in source.files.items():
            read_lines(name, data, reading, tell)
        return
    table = _simple(source)
    if table is not None:
        read_simple(table, reading, directory_of(reading.known.values(), reading.now), options.customer, tell)
    else:
        read_tables(source.files, reading, tell)


def _counted(step: str, total: int, progress: Progress) -> Tell:
    """Return what is told of each further piece, and tells the progress how much that makes."""
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(step, done, max(total, done))

    tell(0)
    return tell


def _simple(source: Source) -> Table | None:
    """Return the only table if it is one of numbers and targets. Raises `RuleRejected` for one that cannot be read."""
    if len(source.files) != 1:
        return None
    ((name, data),) = source.files.items()
    table = Table(name, data)
    return table if is_simple(table) else None


def _document(source: Source, reading: Reading, options: Options, progress: Progress) -> tuple[list[Entity], dict[Name, Entity]]:
    """Read a load file; it checks itself, and what is to be removed is checked after it."""
    ((name, data),) = source.files.items()
    text, known, now = decode(data, name), reading.known, reading.now
    document = read_document(name, text)
    progress("check", 0, 0)
    registrars, carrier = options.registrars, options.carrier
    try:
        found = parse_document(document, options.realm, known.values(), registrars, carrier, now=now, told=reading.told)
    except RuleRejected as refused:
        raise rejected(refused, name, lines_of(text)) from None
    entities = [wished(entity, known.get((KIND_OF[type(entity)], entity.id)), now) for entity in found]
    if options.replace is None:
        return entities, {}
    whole = Reading(known, options.realm, now=now, kinds=set(KINDS) - {"user"})
    for entity in entities:
        whole.take(name, entity)
    gone = check(whole, options.replace, registrars, carrier)
    whole.faults.raise_if_any()
    return entities, gone


def wished(entity: Entity, stored: Entity | None, now: datetime) -> Entity:
    """Leave alone what is switched by hand and a load file does not name: an operator's wish, an order's plan.

    A wish whose end is past is over.
    """
    if isinstance(entity, Order) and isinstance(stored, Order) and "plan" not in entity.model_fields_set:
        return entity.model_copy(update={"plan": stored.plan})
    if not isinstance(entity, Line):
        return entity
    if "wish" not in entity.model_fields_set and stored is not None:
        return entity.model_copy(update={name: getattr(stored, name) for name in ENDED})
    if effective_wish(entity, now) != entity.wish:
        return entity.model_copy(update=ENDED)
    return entity


def _write(kind: str, key: str, after: Entity | None, state: State) -> Write:
    stored = state.known.get((kind, key))
    expect: Expect = stored.version if stored is not None else ABSENT
    return Put(after, expect) if after is not None else Delete(kind, key, expect)


def name_of(write: Write) -> Name:
    """Return kind and id of what is written."""
    return (KIND_OF[type(write.entity)], write.entity.id) if isinstance(write, Put) else (write.kind, write.id)


def matters(writes: Sequence[Write], state: State, scope: Replace | None) -> Callable[[Change], bool]:
    """Return which changes of others make the difference that was shown untrue."""
    names = {name_of(write) for write in writes}
    for write in writes:
        if isinstance(write, Put):
            names.update((kind, key) for _, kind, key in references(write.entity))
    # Whether numbers overlap was judged against all that there were.
    numbers = any(isinstance(write, Put) and isinstance(write.entity, Number | Block) for write in writes)
    orders = stored_orders(state.entities()) if scope is not None else {}

    def does(change: Change) -> bool:
        if (change.kind, change.id) in names or (numbers and change.kind in {"number", "block"}):
            return True
        return scope is not None and change.entity is not None and inside(change.entity, scope, orders)

    return does


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written. ``version`` names it: by that it is taken back."""

    version: int
    count: int
    staged: bool


async def apply(
    connection: StoreConnection,
    prepared: Prepared,
    author: Author,
    *,
    note: str = "",
    undoes: int | None = None,
    progress: Progress = silent,
) -> Applied:
    """Write what was prepared, all or nothing; ``undoes`` is the version that this takes back.

    Raises `ConflictError` when somebody else changed what matters since, `NumberTakenError`, `StoreError`. Cancelled before the
    switch, nothing was changed; cancelled at the switch, it is done to its end.
    """
    rules = RulesStore(connection)
    writes = prepared.writes
    if not writes:
        return Applied(await rules.sequence(), 0, staged=False)
    if len(writes) <= SMALL:
        await unchanged(connection, prepared.guard)
        progress("switch", 0, len(writes))
        versions = await to_the_end(rules.write_many(writes, author=author, note=note, undoes=undoes))
        progress("switch", len(writes), len(writes))
        return Applied(versions[0], len(writes), staged=False)
    anyhow = map(_anyhow, writes)
    result = await rules.import_many(
        anyhow, author=author, note=note, undoes=undoes, guard=prepared.guard, progress=progress, staged=True
    )
    return Applied(result.sequence, result.count, staged=True)


def _anyhow(write: Write) -> Write:
    """Drop the version: a new generation is built from what is valid then, and the guard sees to the rest."""
    return Put(write.entity) if isinstance(write, Put) else Delete(write.kind, write.id)
