"""The load file: customers to diversions in one nested document, checked whole before anything is written."""

from collections.abc import Iterable

from routing.model import Entity


def parse_document(obj: object, realm: str, existing: Iterable[Entity] = ()) -> list[Entity]:
    """Turn a parsed YAML or JSON document into entities, in the order in which they refer to each other.

    ``realm`` is the registrar's, for HA1. ``existing`` are the entities already stored; those with the same kind and id are
    replaced, the others must fit with the new ones. Raises `RuleRejected` with all faults at once; then nothing is returned.
    """
    raise NotImplementedError
