"""From the files of an import to entities, each with its place; all that cannot be read is told, row by row.

Read are tables (one a kind: ``customers.csv`` to ``rules.csv``) and JSON lines. A column or field that a file does not have leaves
what is stored as it is; a cell that is there and empty means empty.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from pydantic import ValidationError

from routing.bulk.cells import tidy
from routing.bulk.faults import Faults
from routing.bulk.record import Cells
from routing.bulk.rows import entity_of, id_of
from routing.bulk.sheets import FILES, SHEETS, Sheet, fold, row_of
from routing.bulk.tables import Row, Table, decode
from routing.local_time import BERLIN, DAWN
from routing.model import KINDS, Entity, Order
from routing.reader import why_not
from routing.rejection import Fault, RuleRejected, RuleWarning, fault

Known = Mapping[tuple[str, str], Entity]
"""What is stored, by kind and id."""
Tell = Callable[[int], None]
"""Is told how many rows were read since it was told before."""
STEP: Final = 500
"""Rows between two words of progress."""


@dataclass
class Reading:
    """What was read so far; also what the rows are told about orders (`routing.bulk.rows.Context`)."""

    known: Known
    realm: str
    zone: tzinfo = BERLIN
    now: datetime = DAWN
    """Of numbers that move, what is over at this time is not checked."""
    placed: list[tuple[str, Entity]] = field(default_factory=list)
    """Place (``rules.csv:17``) and entity."""
    unread: set[tuple[str, str]] = field(default_factory=set)
    """Kind and id of what stands in a file but could not be read: what refers to it is not to blame."""
    faults: Faults = field(default_factory=Faults)
    told: list[RuleWarning] = field(default_factory=list)
    """What keeps nothing from being saved, and is worth a word."""
    orders: dict[str, Order] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    """The kinds that the files are about: only these can be removed by what they do not mention."""
    simple: bool = False
    """It is a table of numbers and targets: rules that it cannot express are not removed by it."""

    def order(self, key: str) -> Order | None:
        """Return an order of the files, else one that is stored."""
        found = self.orders.get(key)
        if found is None:
            stored = self.known.get(("order", key))
            found = stored if isinstance(stored, Order) else None
        return found

    def take(self, place: str, entity: Entity) -> None:
        """Note an entity."""
        self.placed.append((place, entity))
        if isinstance(entity, Order):
            self.orders[entity.id] = entity


def read_tables(files: Mapping[str, bytes], reading: Reading, tell: Tell = lambda _: None) -> None:
    """Read the tables of a directory, by file name; the kinds in the order in which they refer to each other."""
    sheets: dict[str, str] = {}
    for name in files:
        kind = FILES.get(name.rpartition("/")[2].casefold().removesuffix(".csv"))
        if kind is None:
            slug = "table_unknown" if len(files) == 1 else "file_unknown"
            reading.faults.add(fault(slug, name, file=name, known=", ".join(f"{stem}.csv" for stem in FILES)))
        else:
            sheets[kind] = name
            reading.kinds.add(kind)
    for kind in KINDS:
        if kind in sheets:
            try:
                table = Table(sheets[kind], files[sheets[kind]])
                _read_table(table, SHEETS[kind], reading, tell)
            except RuleRejected as refused:
                reading.faults.add(*refused.faults)


def columns_of(table: Table, known: Mapping[str, str], needed: Sequence[str]) -> list[str | None]:
    """Return the column of each header cell, None for an empty one. Raises `RuleRejected` with all that is wrong."""
    found: list[str | None] = []
    faults: list[Fault] = []
    place = f"{table.name}:{table.header_row}"
    for cell in table.header:
        name = cell.strip()
        column = known.get(fold(name)) if name else None
        if name and column is None:
            shown = ", ".join(dict.fromkeys(known.values()))
            faults.append(fault("column_unknown", place, column=name[:40], known=shown))
        elif column is not None and column in found:
            faults.append(fault("column_twice", place, column=name[:40]))
        found.append(column)
    faults += [fault("column_missing", place, column=column) for column in needed if column not in found and not faults]
    if faults:
        raise RuleRejected(faults)
    return found


def _read_table(table: Table, sheet: Sheet, reading: Reading, tell: Tell) -> None:
    columns = columns_of(table, sheet.known, ())
    at = [(index, column) for index, column in enumerate(columns) if column is not None]
    whole = set(sheet.columns) <= set(columns)
    for row in table_rows(table, reading.faults, tell):
        values = {column: row.cells[index] for index, column in at}
        faults: list[Fault] = []
        cells = Cells(values, f"{table.name}:{row.number}", faults)
        if not whole:
            key = id_of(sheet, cells)
            stored = reading.known.get((sheet.kind, key))
            if stored is not None:
                cells.values = row_of(stored, sheet.kind) | values | {"id": key}
        entity = entity_of(sheet, cells, reading)
        if entity is not None:
            reading.take(cells.where, entity)
            continue
        reading.faults.add(*faults)
        reading.unread.add((sheet.kind, tidy(values.get("id", ""))))


def table_rows(table: Table, faults: Faults, tell: Tell) -> Iterator[Row]:
    """Yield the rows that have as many cells as the header; the others are faults."""
    count = 0
    for row in table:
        count += 1
        if count % STEP == 0:
            tell(STEP)
        if isinstance(row, Row):
            yield row
        else:
            faults.add(*row.faults)
    tell(count % STEP)


def read_lines(name: str, data: bytes, reading: Reading, tell: Tell = lambda _: None) -> None:
    """Read JSON lines: ``{"kind": "number", "id": …}``, each with the fields of its entity as they are stored.

    The kinds may stand in any order; what stands twice is told by the check.
    """
    try:
        text = decode(data, name)
    except RuleRejected as refused:
        reading.faults.add(*refused.faults)
        return
    for count, line in enumerate(text.split("\n"), start=1):
        if count % STEP == 0:
            tell(STEP)
        if line.strip():
            _read_line(f"{name}:{count}", line, reading)


def _read_line(place: str, line: str, reading: Reading) -> None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        reading.faults.add(fault("line_json", place, why=str(error)[:80]))
        return
    kind = str(found.pop("kind", None)) if isinstance(found, dict) else "None"
    model = KINDS.get(kind)
    if model is None:
        reading.faults.add(fault("kind_unknown", place, kind=kind[:40], known=", ".join(KINDS)))
        return
    stored = reading.known.get((kind, str(found.get("id"))))
    fields: dict[str, Any] = {**(stored.model_dump(mode="json") if stored is not None else {}), **found}
    if "line_kind" in fields and kind == "line":
        fields["kind"] = fields.pop("line_kind")
    try:
        reading.kinds.add(kind)
        reading.take(place, model.model_validate_json(json.dumps(fields)))
    except ValidationError as error:
        reading.unread.add((kind, str(found.get("id"))))
        for item in error.errors(include_url=False, include_context=False):
            where = ".".join(str(part) for part in item["loc"])
            if item["type"] == "json_invalid":  # half of a surrogate pair, which json lets pass
                reading.faults.add(fault("line_json", place, why=item["msg"][:80]))
                continue
            if item["type"] == "missing":
                reading.faults.add(fault("field_missing", f"{place}.{where}", field=where))
                continue
            shown = "" if "ha1" in where else str(item["input"])[:40]
            why = why_not(item["msg"], where)
            reading.faults.add(fault("field_value", f"{place}.{where}", text=shown, why=why))
