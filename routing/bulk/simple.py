"""The table that a customer or clerk makes in a spreadsheet: ``number;target;armed``, one row a number, a range or a block.

A row without target and without armed says nothing. A row with armed alone switches the rule that there is. What else a rule has
(periods, plan, targets for the phone system, note) stays as it is. Numbers must be known; whose they are says which order is meant.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from pydantic import ValidationError

from routing.blocks import holds, parse_block
from routing.bulk import cells
from routing.bulk.cells import guarded, joined
from routing.bulk.reading import Reading, Tell, columns_of, table_rows
from routing.bulk.record import Cells
from routing.bulk.rows import e164, target_of
from routing.bulk.sheets import ALIASES, fold, target_item
from routing.bulk.tables import Table, encode
from routing.directory import Directory
from routing.model import Block, BlockScope, Diversion, Entity, ExtensionRange, Number, NumberScope, OrderScope, RangeScope, Scope
from routing.reader import why_not
from routing.rejection import Fault, RuleRejected, fault, reject
from routing.rulefile import default_id

_MORE: Final = 9
_TARGETS: Final = ("target", *(f"target{n}" for n in range(2, _MORE + 1)))
_COLUMNS: Final = ("number", *_TARGETS, "armed", "note")


def _known() -> dict[str, str]:
    names = {fold(column): column for column in _COLUMNS}
    for alias in ALIASES["number"]:
        names.setdefault(fold(alias), "number")
    for alias in ("Ziel", "Zielnummer", "Zielrufnummer", "targets", "to"):
        names[fold(alias)] = "target"
        names |= {fold(f"{alias}{n}"): f"target{n}" for n in range(2, _MORE + 1)}
    for column in ("armed", "note"):
        names |= {fold(alias): column for alias in ALIASES[column]}
    return names


NAMES: Final = _known()


def is_simple(table: Table) -> bool:
    """Return whether a table is of this form: it has numbers and targets, and neither ids nor orders."""
    columns = {NAMES.get(fold(cell)) for cell in table.header if cell.strip()}
    others = {fold(name) for column in ("id", "order", "base") for name in (column, *ALIASES.get(column, ()))}
    return {"number", "target"} <= columns and not others & {fold(cell) for cell in table.header}


class _Where:
    """Whose a number or block is; also of those that are not live yet."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        registry = directory.registry
        self._blocks: defaultdict[str, list[Block]] = defaultdict(list)  # base → blocks that are there now, else those to come
        for block in registry.blocks.values():
            self._blocks[block.base].append(block)
        present = frozenset(self._blocks)
        for block in registry.stored_blocks():
            if block.base not in present:
                self._blocks[block.base].append(block)

    def single(self, number: str) -> bool:
        """Return whether it is a single number."""
        registry = self.directory.registry
        return bool(registry.ids_of(number[1:])) or any(
            isinstance(item, Number) for item in registry.dated.with_number(number[1:])
        )

    def order(self, number: str) -> str | None:
        """Return whose a number is; of one that is to come, whose it will be."""
        place = self.directory.place(number[1:])
        if place is not None:
            return place.order
        return next((item.order for item in self.directory.registry.dated.with_number(number[1:])), None)

    def block(self, base: str, ranges: tuple[ExtensionRange, ...], place: str) -> Block | None:
        """Return the block with this base; of several the one that has these extensions. Raises `RuleRejected` if none is meant."""
        found = self._blocks.get(base, [])
        if len(found) <= 1:
            return found[0] if found else None
        for block in found:
            if set(block.ranges) == set(ranges) or (ranges and holds(base, block.ranges, base + ranges[0].first)):
                return block
        if ranges:
            return None
        raise reject("entry_block", place, number=base, example=_block_text(found[0], shared=True) or f"{base}-10…19")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a row is for."""

    order: str
    scope: Scope
    shown: str


def read_simple(table: Table, reading: Reading, directory: Directory, customer: str = "", tell: Tell = lambda _: None) -> None:
    """Read the table against what ``directory`` holds; with ``customer`` only that one's numbers may be in it."""
    try:
        columns = columns_of(table, NAMES, ("number", "target"))
    except RuleRejected as refused:
        reading.faults.add(*refused.faults)
        return
    reading.kinds.add("diversion")
    reading.simple = True
    where = _Where(directory)
    seen: dict[str, int] = {}
    for row in table_rows(table, reading.faults, tell):
        values = {column: row.cells[index] for index, column in enumerate(columns) if column is not None}
        faults: list[Fault] = []
        line = Cells(values, f"{table.name}:{row.number}", faults)
        rule = _rule(line, where, customer)
        reading.faults.add(*faults)
        if rule is None:
            continue
        first = seen.setdefault(rule.id, row.number)
        if first != row.number:
            shown = line.name("number")[:40]
            reading.faults.add(fault("entry_twice", line.at("number"), number=shown, other=str(first)))
        else:
            reading.take(line.where, rule)


def _rule(row: Cells, where: _Where, customer: str) -> Diversion | None:
    if not any(row.has(column) for column in (*_TARGETS, "armed")):
        return None
    entry = row.read(lambda: _entry(row, where))
    if entry is None:
        return None
    order = where.directory.registry.orders.get(entry.order)
    if customer and (order is None or order.customer != customer):
        row.faults.append(fault("entry_foreign", row.at("number"), number=entry.shown))
        return None
    stored = _stored(entry, where.directory)
    fields = _fields(row, stored)
    if not row.faults and "targets" not in fields and stored is None:
        row.faults.append(fault("entry_target", row.at("target"), number=entry.shown))
    if row.faults:
        return None
    new = {"id": _new_id(entry, where.directory), "order": entry.order, "scope": entry.scope}
    try:
        return Diversion.model_validate({**(stored.model_dump() if stored is not None else new), **fields})
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            column = {"targets": "target"}.get(str(one["loc"][0]), str(one["loc"][0]))
            why = why_not(one["msg"], column)
            row.faults.append(fault("field_value", row.at(column), text=str(one["input"])[:40], why=why))
        return None


def _fields(row: Cells, stored: Diversion | None) -> dict[str, Any]:
    """Return what the row says; what it does not say stays as it is stored."""
    targets: list[dict[str, Any]] = []
    for column in _TARGETS:
        for item in row.items(column):
            found = row.read(lambda item=item, column=column: target_of(item, row.at(column)))  # type: ignore[misc] # bound now
            targets += [found] if found is not None else []
    # A row with a target and no word on armed means that it shall count; a stored rule keeps what it has.
    armed = row.flag("armed") if row.has("armed") else (stored.armed if stored is not None else True)
    fields: dict[str, Any] = {"armed": armed}
    if targets:
        fields["targets"] = tuple(targets)
    if row.values.get("note"):
        fields["note"] = row.free("note")
    return fields


def _entry(row: Cells, where: _Where) -> _Entry:
    """Return what the cell ``number`` is for. Raises `RuleRejected`."""
    place, cell = row.at("number"), row.values.get("number", "")
    text = cells.number_text(cell, place)
    if not text:
        raise reject("cell_empty", place, what="a number")
    number, refused = _number_of(cell, place)
    block: Block | None = None
    ranges: tuple[ExtensionRange, ...] = ()
    if number is None or not where.single(number):
        base, ranges = _block_of(text, place, refused)
        block = where.block(base, ranges, place)
        if block is not None and (not ranges or set(ranges) == set(block.ranges)):
            return _Entry(block.order, BlockScope(block=block.id), text)
        # A range goes before a number: without its hyphens "089 99998-10-19" could be one.
        if block is not None and ranges[0].first != ranges[0].last:
            return _Entry(block.order, RangeScope(block=block.id, first=ranges[0].first, last=ranges[0].last), text)
    order = where.order(number) if number is not None else None
    if number is not None and order is not None:
        return _Entry(order, NumberScope(number=number), number)
    if block is None or not ranges:
        raise reject("entry_unknown", place, number=text[:40])
    return _Entry(block.order, RangeScope(block=block.id, first=ranges[0].first, last=ranges[0].last), text)


def _number_of(cell: str, place: str) -> tuple[str | None, RuleRejected | None]:
    try:
        return e164(cell, place), None
    except RuleRejected as refused:
        return None, refused


def _block_of(text: str, place: str, whole: RuleRejected | None) -> tuple[str, tuple[ExtensionRange, ...]]:
    try:
        return parse_block(text, location=place)
    except RuleRejected as refused:
        raise whole or refused from None


def _stored(entry: _Entry, directory: Directory) -> Diversion | None:
    registry = directory.registry
    scope = entry.scope
    if isinstance(scope, NumberScope):
        keys = registry.number_rules.get(scope.number[1:], ())
    elif isinstance(scope, RangeScope):
        keys = registry.range_rules.get(scope.block, ())
    elif isinstance(scope, BlockScope):
        keys = registry.block_rules.get(scope.block, ())
    else:
        keys = ()
    for key in sorted(keys):
        rule = registry.diversions[key]
        if rule.order == entry.order and rule.scope == scope and rule.plan is None:
            return rule
    return None


def _new_id(entry: _Entry, directory: Directory) -> str:
    """Return the id of a new rule, as a load file gives it; where another rule has that, with a number behind it."""
    key = default_id(entry.order, entry.scope.model_dump())
    held = directory.registry.diversions
    return next(each for n in count(1) if (each := key if n == 1 else f"{key}.{n}") not in held)


def write_simple(directory: Directory, wanted: Callable[[Entity], bool]) -> bytes:
    """Return a table of all single numbers and blocks, with the rule that each has of its own; those without have empty cells."""
    return encode(("number", "target", "armed", "note"), _rows(directory, wanted))


def _rows(directory: Directory, wanted: Callable[[Entity], bool]) -> Iterator[list[str]]:
    registry = directory.registry
    ruled: set[str] = set()
    bases = Counter(block.base for block in registry.blocks.values())
    for rule in sorted(registry.diversions.values(), key=lambda rule: (rule.order, rule.id)):
        if rule.plan is not None or not wanted(rule):
            continue
        shown = _shown(rule.scope, directory, bases)
        if shown is None or (isinstance(rule.scope, NumberScope) and shown in bases and not registry.ids_of(shown[1:])):
            continue  # the bare base of a block, which a reader takes for the block
        ruled.add(shown)
        targets = joined(map(target_item, rule.targets))
        yield [guarded(shown), targets, "yes" if rule.armed else "no", guarded(rule.note)]
    for block in sorted(registry.blocks.values(), key=lambda block: (block.base, block.id)):
        shown = _block_text(block, shared=bases[block.base] > 1) if wanted(block) else None
        if shown is not None and shown not in ruled:
            yield [guarded(shown), "", "", ""]
    for digits in registry.watched():
        key = registry.single(digits)
        found = registry.find("number", key) if key is not None else None
        if found is not None and f"+{digits}" not in ruled and wanted(found):
            yield [guarded(f"+{digits}"), "", "", ""]


def _shown(scope: Scope, directory: Directory, bases: Mapping[str, int]) -> str | None:
    """Return what a rule is for as a reader understands it, None for what cannot be said in such a table."""
    if isinstance(scope, NumberScope):
        return scope.number
    if isinstance(scope, OrderScope):
        return None
    block = directory.registry.blocks.get(scope.block)
    if block is None:
        return None
    if isinstance(scope, BlockScope):
        return _block_text(block, shared=bases[block.base] > 1)
    part = ExtensionRange(first=scope.first, last=scope.last)
    return _range_text(block, part) if block.ranges != (part,) else None


def _block_text(block: Block, *, shared: bool) -> str | None:
    """Return a whole block by its base; one that has the base not for itself by its extensions, if they are one range."""
    if not shared or not block.ranges:
        return block.base
    return _range_text(block, block.ranges[0]) if len(block.ranges) == 1 else None


def _range_text(block: Block, part: ExtensionRange) -> str:
    # Behind a hyphen: "+4930231 25-10…19" is nothing that a spreadsheet repairs.
    return f"{block.base}-{part.first}…{part.last}"
