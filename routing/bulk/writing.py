"""Entities as files: a table a kind, or JSON lines. What `routing.bulk.reading` reads of them are the same entities."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from routing.bulk.sheets import SHEETS
from routing.bulk.tables import encode
from routing.model import KINDS, Entity, Line

_KIND_OF: Final = {model: kind for kind, model in KINDS.items()}


def tables(entities: Iterable[Entity], *, secrets: bool) -> Mapping[str, bytes]:
    """Return the tables by file name, those without rows too. Without ``secrets`` lines lack the column ``credentials``."""
    rows: dict[str, list[list[str]]] = {kind: [] for kind in KINDS}
    for entity in entities:
        kind = _KIND_OF[type(entity)]
        rows[kind].append(SHEETS[kind].row(entity))
    found: dict[str, bytes] = {}
    for kind, held in rows.items():
        sheet = SHEETS[kind]
        header = list(sheet.columns)
        if kind == "line" and not secrets:
            left_out = header.index("credentials")
            header = header[:left_out] + header[left_out + 1 :]
            held = [row[:left_out] + row[left_out + 1 :] for row in held]  # noqa: PLW2901 - the same rows, one cell less
        found[f"{sheet.file}.csv"] = encode(header, held)
    return found


def lines(entities: Iterable[Entity], *, secrets: bool) -> bytes:
    """Return JSON lines. ``kind`` is the entity's; a line's own kind is ``line_kind``."""
    written: list[str] = []
    for entity in entities:
        fields = entity.model_dump(mode="json")
        if isinstance(entity, Line):
            fields["line_kind"] = fields.pop("kind")
            if not secrets:
                del fields["credentials"]
        written.append(json.dumps({"kind": _KIND_OF[type(entity)], **fields}, ensure_ascii=False, separators=(",", ":")))
    return "".join(f"{line}\n" for line in written).encode()
