"""The load file: the sample as it stands, and every fault with its place, all at once."""

import copy
import hashlib
from datetime import UTC, date, datetime
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
    considered = compiler.explain_rules("+493023125010")
    expected = ["A-1001.n493023125010", "block-berlin.block.Hochwasser", "block-berlin.block"]
    assert [c.rule_id for c in considered] == expected
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


TIMES = f"{O1}.diversions[0].periods"


def with_periods(sample: Any, *periods: object, **fields: object) -> Any:
    """The sample, with times for its first diversion."""
    document = copy.deepcopy(sample)
    document["customers"][0]["orders"][0]["diversions"][0] |= {"periods": list(periods), **fields}
    return document


def test_times_in_short_and_in_long_come_to_the_same(sample: Any) -> None:
    to = "0171 3920005"
    short = {"times": "Mo-Fr 17:00-08:00", "to": to, "name": "night"}
    long = {"days": ["mon", "Di", "Mittwoch", "do", "fri"], "start": "17:00", "end": "8:00", "to": to, "name": "night"}
    more = {"times": ["Sa, So", "Feiertage 10-16"], "first": date(2026, 12, 1), "last": "31.12.2026", "to": []}
    found = of(parse_document(with_periods(sample, short, more), REALM), "block-berlin.block")
    same = of(parse_document(with_periods(sample, long, more), REALM), "block-berlin.block")
    assert found == same
    night, weekend, holidays = found.periods
    assert (night.days, night.start, night.end) == (("mon", "tue", "wed", "thu", "fri"), "17:00", "08:00")
    assert night.targets[0].number == "+491713920005"
    assert (weekend.days, weekend.start, weekend.end, weekend.holidays) == (("sat", "sun"), "00:00", "24:00", "any")
    assert (holidays.days, holidays.start, holidays.holidays) == ((), "10:00", "only")
    assert {(p.first, p.last, p.targets) for p in (weekend, holidays)} == {(date(2026, 12, 1), date(2026, 12, 31), ())}


def test_plans_ring_times_and_targets_for_the_phone_system_are_read(sample: Any) -> None:
    document = copy.deepcopy(sample)
    order = document["customers"][0]["orders"][0]
    order["plan"] = "Hochwasser"
    order["site"]["state"] = "berlin"
    order["lines"][0]["site"] = {"id": "koeln", "state": "NRW"}
    order["diversions"].append(
        {
            "block": "block-berlin",
            "plan": "Hoch wasser",
            "to": [{"number": "0171 3920006", "ring_s": 20}, "0171 3920007"],
            "phone_system_to": "089 99998001",
        }
    )
    entities = parse_document(document, REALM)
    held = of(entities, "A-1001")
    assert (held.plan, held.site.state, of(entities, "line-trunk").site.state) == ("Hochwasser", "BE", "NW")
    rule = of(entities, "block-berlin.block.Hoch-wasser")
    assert (rule.plan, [target.ring_s for target in rule.targets]) == ("Hoch wasser", [20, None])
    assert [target.number for target in rule.phone_system_targets] == ["+498999998001"]


def test_a_plan_that_is_not_named_is_not_set_and_an_empty_one_is(sample: Any) -> None:
    assert "plan" not in of(parse_document(sample, REALM), "A-1001").model_fields_set
    document = copy.deepcopy(sample)
    document["customers"][0]["orders"][0]["plan"] = ""
    held = of(parse_document(document, REALM), "A-1001")
    assert "plan" in held.model_fields_set
    assert held.plan is None


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"times": "Mo-Xx 8-17", "to": []}, [("times_text", f"{TIMES}[1].times")]),
        ({"times": ["Mo", "werktags"], "to": []}, [("times_text", f"{TIMES}[1].times[1]")]),
        ({"times": 5, "to": []}, [("field_type", f"{TIMES}[1].times")]),
        ({"times": "Mo 8-9", "days": ["tue"], "to": []}, [("field_value", f"{TIMES}[1].times")]),
        ({"times": "nicht an Feiertagen", "holidays": "only", "to": []}, [("field_value", f"{TIMES}[1].holidays")]),
        ({"days": ["someday"], "to": []}, [("times_text", f"{TIMES}[1].days[0]")]),
        ({"days": "Mo 8-17", "to": []}, [("times_text", f"{TIMES}[1].days")]),
        ({"start": "8 am", "to": []}, [("field_value", f"{TIMES}[1].start")]),
        ({"end": 1020, "to": []}, [("field_type", f"{TIMES}[1].end")]),
        ({"holidays": "sometimes", "to": []}, [("field_value", f"{TIMES}[1].holidays")]),
        ({"first": "2026-02-30", "to": []}, [("field_value", f"{TIMES}[1].first")]),
        ({"first": "2026-12-24", "last": "2026-12-23", "to": []}, [("period_dates", f"{TIMES}[1].last")]),
        ({"times": "Sa"}, [("period_targets", f"{TIMES}[1].to")]),
        ({"times": "Sa", "to": "0900 1234567"}, [("target_premium", f"{TIMES}[1].to")]),
        ({"times": "Sa", "to": [{"number": "0171 3920005", "ring_s": 3}]}, [("field_value", f"{TIMES}[1].to.ring_s")]),
        ({"times": "Sa", "at": "noon", "to": []}, [("field_unknown", f"{TIMES}[1].at")]),
        # What only the other entities tell is said at the entry of the file too, though the first one came to two periods.
        ({"times": "Sa", "to": ["0171 3920005", "030 23125 011"]}, [("target_self", f"{TIMES}[1].to[1]")]),
        ({"times": "Sa", "to": [], "phone_system_to": "030 23125 011"}, [("target_self", f"{TIMES}[1].phone_system_to")]),
    ],
)
def test_each_fault_of_a_period_is_named_at_its_place(
    sample: Any, period: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    first = {"times": "Mo-Fr 17-8, Sa 9-12", "to": "0171 3920005"}
    found = faults(with_periods(sample, first, period))
    assert [(type_, place.replace(".to[0].", ".to.")) for type_, place in found] == expected


def test_more_periods_than_a_rule_has_are_refused(sample: Any) -> None:
    document = with_periods(sample, *({"times": "Mo 8-9, Di 9-10, Mi 10-11", "to": []} for _ in range(7)))
    assert faults(document) == [("periods_many", TIMES)]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("site", {"id": "x", "state": "Preußen"}, [("state_unknown", f"{O1}.site.state")]),
        ("plan", "x" * 50, [("field_value", f"{O1}.plan")]),
    ],
)
def test_faults_of_an_order_s_state_and_plan(sample: Any, path: str, value: object, expected: list[tuple[str, str]]) -> None:
    document = copy.deepcopy(sample)
    document["customers"][0]["orders"][0][path] = value
    assert faults(document)[:1] == expected


def test_two_rules_for_the_same_numbers_need_different_plans(sample: Any) -> None:
    document = copy.deepcopy(sample)
    rules = document["customers"][0]["orders"][0]["diversions"]
    rules += [{"block": "block-berlin", "plan": plan, "to": "0171 3920006", "id": f"r{n}"} for n, plan in enumerate("aab")]
    assert [type_ for type_, _ in faults(document)] == ["scope_duplicate", "scope_duplicate"]
