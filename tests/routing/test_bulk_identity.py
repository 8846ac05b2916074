"""What is exported is read back as it was: every kind, every field, and whatever people have written into them."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bulk.cells import guarded, joined, optional, optional_text, plain, split
from routing.bulk.reading import Reading, read_lines, read_tables
from routing.bulk.writing import lines, tables
from routing.model import Entity
from routing.products import product
from tests.routing.bulk_strategies import ENTITIES, TEXTS


def _fits(entity: Entity, others: list[Entity]) -> bool:
    """Leave out what an order's product does not allow: that is refused for good reasons, and tested elsewhere."""
    orders = {other.id: other for other in others if type(other).__name__ == "Order"}
    held = orders.get(getattr(entity, "order", ""))
    sort = product(held.product) if held is not None else None  # type: ignore[attr-defined]
    if sort is None:
        return True
    kind = type(entity).__name__
    return not (
        (kind == "Line" and entity.kind not in sort.line_kinds)  # type: ignore[attr-defined]
        or (kind in {"Number", "Block"} and kind.lower() not in sort.numbers)
    )


def _sorted(entities: list[Entity]) -> list[str]:
    return sorted(f"{type(entity).__name__} {entity.model_dump_json()}" for entity in entities)


@settings(max_examples=60)
@given(st.lists(ENTITIES, max_size=8))
def test_tables_are_read_back_as_they_were(entities: list[Entity]) -> None:
    entities = [entity for entity in entities if _fits(entity, entities)]
    reading = Reading({}, "realm")
    read_tables(tables(entities, secrets=True), reading)
    assert reading.faults.kept == []
    assert _sorted([entity for _, entity in reading.placed]) == _sorted(entities)


@settings(max_examples=60)
@given(st.lists(ENTITIES, max_size=8))
def test_json_lines_are_read_back_as_they_were(entities: list[Entity]) -> None:
    reading = Reading({}, "realm")
    read_lines("all.jsonl", lines(entities, secrets=True), reading)
    assert reading.faults.kept == []
    assert [entity for _, entity in reading.placed] == entities


@settings(max_examples=60)
@given(st.lists(ENTITIES, max_size=4))
def test_an_export_without_secrets_leaves_the_stored_ones_alone(entities: list[Entity]) -> None:
    known = {(type(entity).__name__.lower(), entity.id): entity for entity in entities}
    entities = [entity for entity in known.values() if _fits(entity, list(known.values()))]
    for read, files in ((read_tables, tables(entities, secrets=False)), (_read_lines, {"x": lines(entities, secrets=False)})):
        assert not any(b"ha1" in data or b"a" * 64 in data for data in files.values())
        reading = Reading(known, "realm")
        read(files, reading)
        assert reading.faults.kept == []
        assert _sorted([entity for _, entity in reading.placed]) == _sorted(entities)


def _read_lines(files: Mapping[str, bytes], reading: Reading) -> None:
    for name, data in files.items():
        read_lines(name, data, reading)


@given(TEXTS)
def test_a_cell_is_read_back_and_is_no_formula(text: str) -> None:
    cell = guarded(text)
    assert plain(cell) == text
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


@given(st.none() | TEXTS)
def test_a_missing_text_differs_from_an_empty_one(text: str | None) -> None:
    assert optional_text(optional(text)) == text


@given(st.lists(TEXTS, max_size=4))
def test_a_list_is_read_back(items: list[str]) -> None:
    assert split(joined(items)) == items
