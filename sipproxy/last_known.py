"""The last known rules in a file of our own: what a start without the store routes by.

Only for a store that is elsewhere; an embedded one is on the same disk. One JSON line a head, one an entity; written whole
beside the old file and renamed, so that a crash leaves the one or the other. Mode 0600: lines carry digest secrets (HA1).
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import structlog
from pydantic import ValidationError

from routing.model import KINDS, Entity
from routing.registry import Registry
from rules_store.older import upgraded

_log = structlog.get_logger(__name__)
_VERSION = 1


def entities_of(registry: Registry) -> list[Entity]:
    """Copy the references to all entities; they never change themselves, so a thread may write them."""
    return registry.entities()


def write(path: Path, entities: Iterable[Entity], sequence: int) -> None:
    """Replace the file. Raises `OSError`; the old file stays then."""
    kinds = {type_: kind for kind, type_ in KINDS.items()}
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps({"version": _VERSION, "sequence": sequence}) + "\n")
        for entity in entities:
            file.write(f'["{kinds[type(entity)]}",{entity.model_dump_json()}]\n')
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> tuple[list[Entity], int] | None:
    """Return entities and sequence, None when there is no file or it cannot be used (which is logged)."""
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline())
            if head["version"] != _VERSION:
                _log.warning("last known rules are of another version, not used", file=str(path))
                return None
            rows = (json.loads(line) for line in file)
            entities = [KINDS[kind].model_validate(upgraded(kind, fields)) for kind, fields in rows]
            return entities, int(head["sequence"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        _log.warning("last known rules cannot be read, not used", file=str(path), cause=type(error).__name__)
        return None
