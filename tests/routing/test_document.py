"""The load file: the sample as it stands, and every fault with its place, all at once."""

import copy
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from routing.compile import Compiler
from routing.document import parse_document
from routing.model import BlockScope, Diversion, Entity, Line, Number, NumberScope, Order, RangeScope
from routing.rejection import RuleRejected

SAMPLE = Path(__file__).parents[2] / "docs" / "samples" / "customers.yaml"
REALM = "sip.example.invalid"


@pytest.fixture
def sample() -> Any:
    return yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))


def faults(document: object, existing: list[Entity] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(RuleRejected) as refused:
        parse_document(document, REALM, existing or [])
    return [(fault.type, fault.location) for fault in refused.value.faults]


def of(entities: list[Entity], key: str) -> Any:
    (found,) = [entity for entity in entities if entity.id == key]
    return found


def test_the_sample_is_read_whole_and_compiles_without_a_problem(sample: Any) -> None:
    entities = parse_document(sample, REALM)
    compiler = Compiler()
    list(compiler.load(entities, datetime(2026, 3, 1, tzinfo=UTC)))
    assert compiler.problems() == []
    assert [c.rule_id for c in compiler.explain_rules("+493023125010")] == ["A-1001.n493023125010", "block-berlin.block"]
    keeping = of(entities, "block-berlin.r100-199")
    assert isinstance(keeping, Diversion)
    assert keeping.scope == RangeScope(block="block-berlin", first="100", last="199")
    assert (keeping.targets[0].number, keeping.targets[0].keep_extension) == ("+496990009", True)
    assert of(entities, "block-hamburg.block").scope == BlockScope(block="block-hamburg")
    assert of(entities, "A-1001.n493023125010").scope == NumberScope(number="+493023125010")
    assert isinstance(of(entities, "n492214710000"), Number)


def test_loading_the_same_file_again_changes_nothing(sample: Any) -> None:
    first = parse_document(sample, REALM)
    assert parse_document(sample, REALM, first) == first


def test_passwords_become_hashes_for_the_realm_and_are_kept_nowhere(sample: Any) -> None:
    entities = parse_document(sample, REALM)
    line = of(entities, "line-trunk")
    assert isinstance(line, Line)
    secret = f"trunk-a:{REALM}:change me: trunk".encode()
    assert {(c.algorithm, c.ha1) for c in line.credentials} == {
        ("MD5", hashlib.md5(secret, usedforsecurity=False).hexdigest()),
        ("SHA-256", hashlib.sha256(secret).hexdigest()),
    }
    assert "change me" not in repr(entities)


def test_a_day_begins_at_midnight_in_the_time_zone_of_the_file(sample: Any) -> None:
    order = of(parse_document(sample, REALM), "A-2001")
    assert isinstance(order, Order)
    assert order.active_from == datetime(2026, 3, 1, 23, tzinfo=UTC)


def test_a_static_line_has_its_peers_in_the_order_of_the_file(sample: Any) -> None:
    line = of(parse_document(sample, REALM), "line-gateway")
    assert [(peer.address, peer.priority) for peer in line.peers] == [("192.0.2.10:5060", 1), ("192.0.2.11:5060", 2)]


O1 = "customers[0].orders[0]"


def changed(sample: Any, path: str, value: object) -> Any:
    """The sample with one value changed; a value of None takes the field out."""
    document = copy.deepcopy(sample)
    *parents, last = [int(part) if part.isdigit() else part for part in path.replace("[", ".").replace("]", "").split(".")]
    holder = document
    for part in parents:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("customers[0].name", None, [("field_missing", "customers[0].name")]),
        ("customers[0].id", 100001, [("field_type", "customers[0].id")]),
        ("customers[0].nmae", "x", [("field_unknown", "customers[0].nmae")]),
        ("customers[0].orders", {}, [("field_type", "customers[0].orders")]),
        ("time_zone", "Mars/Olympus", [("field_value", "time_zone")]),
        (f"{O1}.product", "sipTrunk 9", [("product_unknown", f"{O1}.product")]),
        (f"{O1}.active_from", "soon", [("field_value", f"{O1}.active_from")]),
        (f"{O1}.site.id", None, [("field_missing", f"{O1}.site.id")]),
        (f"{O1}.lines[0].user", "a b", [("field_value", f"{O1}.lines[0].user")]),
        (f"{O1}.lines[0].kind", "static", [("line_kind", f"{O1}.lines[0].kind")]),
        (f"{O1}.lines[0].wish", "on", [("field_value", f"{O1}.lines[0].wish")]),
        (f"{O1}.lines[0].user", "account-b", [("line_user_taken", "customers[0].orders[1].lines[0].users")]),
        (f"{O1}.blocks[0].base", "0900 1", [("target_special", f"{O1}.blocks[0].base")]),
        (f"{O1}.blocks[0].base", 3023125, [("field_type", f"{O1}.blocks[0].base")]),
        (f"{O1}.blocks[0].extensions[1]", "99-1", [("extension_range", f"{O1}.blocks[0].extensions[1]")]),
        (f"{O1}.blocks[0].line", "nix", [("reference_missing", f"{O1}.blocks[0].line")]),
        (f"{O1}.blocks[0].line", "line-account", [("line_other_order", f"{O1}.blocks[0].line")]),
        (f"{O1}.diversions[0].to", "112", [("target_emergency", f"{O1}.diversions[0].to")]),
        (f"{O1}.diversions[0].to", "030 23125 020", [("target_self", f"{O1}.diversions[0].to")]),
        (f"{O1}.diversions[0].block", "nix", [("scope_block", f"{O1}.diversions[0].block")]),
        (f"{O1}.diversions[2].to[1]", "0171#1", [("number_extension", f"{O1}.diversions[2].to[1]")]),
        (f"{O1}.diversions[2].number", "069 90009000", [("scope_number", f"{O1}.diversions[2].number")]),
        (f"{O1}.diversions[1].id", "block-berlin.block", [("id_duplicate", f"{O1}.diversions[1]")]),
        (
            "customers[1].orders[0].lines[0].peers[1]",
            "gateway.example",
            [("field_value", "customers[1].orders[0].lines[0].peers[1].address")],
        ),
        ("customers[1].orders[0].numbers", ["040 66969000"], [("order_numbers", "customers[1].orders[0].numbers[0]")]),
    ],
)
def test_each_fault_is_named_at_its_place(sample: Any, path: str, value: object, expected: list[tuple[str, str]]) -> None:
    assert faults(changed(sample, path, value)) == expected


def foreign(key: str) -> dict[str, Any]:
    return {"id": f"F-{key}", "product": "sipAccount 2.0", "site": {"id": "f"}, "lines": [{"id": f"f-{key}", "user": f"f{key}"}]}


def test_all_faults_come_at_once(sample: Any) -> None:
    document = changed(changed(sample, f"{O1}.lines[0].wish", "on"), "customers[1].name", None)
    document = changed(document, f"{O1}.diversions[0].to", "112")
    assert {place for _, place in faults(document)} == {
        f"{O1}.lines[0].wish",
        "customers[1].name",
        f"{O1}.diversions[0].to",
    }


@pytest.mark.parametrize("document", [None, [], "text", 7, {}, {"customers": {}}, {"customers": [None, 3]}, {"customers": [{}]}])
def test_what_is_no_document_at_all_is_refused_in_words(document: object) -> None:
    assert faults(document)


def test_a_number_cannot_be_taken_out_of_another_customers_block(sample: Any) -> None:
    theft = {"id": "100003", "name": "x", "orders": [{**foreign("1"), "numbers": ["030 23125 555", "0221 4710000"]}]}
    sample["customers"].append(theft)
    place = "customers[2].orders[0].numbers"
    assert ("number_taken", f"{place}[0].number") in faults(sample)
    assert ("id_duplicate", f"{place}[1]") in faults(sample)


def test_an_id_cannot_be_taken_from_another_order(sample: Any) -> None:
    stored = parse_document(sample, REALM)
    document = {
        "customers": [
            {
                "id": "100003",
                "name": "x",
                "orders": [{**foreign("1"), "lines": [{"id": "line-trunk", "user": "z"}]}],
            }
        ]
    }
    assert ("id_taken", "customers[0].orders[0].lines[0]") in faults(document, stored)


def test_blocks_must_not_share_numbers_also_not_with_a_stored_one(sample: Any) -> None:
    stored = parse_document(sample, REALM)
    order = {
        "id": "A-9",
        "product": "sipTrunk 2.0",
        "site": {"id": "x"},
        "lines": [{"id": "l9", "user": "u9"}],
        "blocks": [{"id": "b9", "base": "030 231251", "extensions": "50-60"}],
    }
    document = {"customers": [{"id": "100009", "name": "x", "orders": [order]}]}
    assert faults(document, stored) == [("block_overlap", "customers[0].orders[0].blocks[0].base")]
