"""The table ``number;target;armed``: what a clerk writes becomes the rules that were meant, and nothing else of them changes."""

import pytest

from routing.bulk.check import check
from routing.bulk.diff import compare, directory_of
from routing.bulk.reading import Reading
from routing.bulk.scope import Replace
from routing.bulk.simple import is_simple, read_simple, write_simple
from routing.bulk.tables import Table
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Period,
    RangeScope,
    Site,
    Target,
)

_MOBILE, _OTHER = Target(number="+491713920000"), Target(number="+491713920001")
_RULE = Diversion(
    id="r-1",
    order="A-1",
    scope=NumberScope(number="+493023125010"),
    targets=(_MOBILE,),
    periods=(Period(name="night", start="20:00", end="06:00", targets=(_OTHER,)),),
    note="reception",
)
_PLANNED = _RULE.model_copy(update={"id": "r-2", "plan": "fair"})
_ORDER_RULE = Diversion(id="r-3", order="A-1", scope=OrderScope(), armed=True, targets=(_OTHER,))
_WORLD: dict[tuple[str, str], Entity] = {
    ("customer", "100001"): Customer(id="100001", name="Muster"),
    ("customer", "100002"): Customer(id="100002", name="Beispiel"),
    ("order", "A-1"): Order(id="A-1", customer="100001", product="sipTrunk 2.0", site=Site(id="berlin", address="")),
    ("order", "A-2"): Order(id="A-2", customer="100002", product="sipTrunk 2.0", site=Site(id="koeln", address="")),
    ("line", "l-1"): Line(id="l-1", order="A-1", kind="registered", users=("u1",)),
    ("line", "l-2"): Line(id="l-2", order="A-2", kind="registered", users=("u2",)),
    ("block", "b-1"): Block(
        id="b-1", order="A-1", line="l-1", base="+494066969", ranges=(ExtensionRange(first="000", last="999"),)
    ),
    ("block", "b-2"): Block(id="b-2", order="A-1", line="l-1", base="+498999998"),
    ("number", "n-1"): Number(id="n-1", order="A-1", line="l-1", number="+493023125010"),
    ("number", "n-2"): Number(id="n-2", order="A-1", line="l-1", number="+493023125011"),
    ("number", "n-3"): Number(id="n-3", order="A-2", line="l-2", number="+492214710000"),
    ("diversion", "r-1"): _RULE,
    ("diversion", "r-2"): _PLANNED,
    ("diversion", "r-3"): _ORDER_RULE,
}


def _read(text: str, customer: str = "", replace: Replace | None = None) -> tuple[Reading, set[tuple[str, str]]]:
    reading = Reading(_WORLD, "realm")
    table = Table("table.csv", text.encode())
    assert is_simple(table)
    read_simple(table, reading, directory_of(_WORLD.values()), customer)
    return reading, set(check(reading, replace))


def _rules(text: str) -> list[Entity]:
    reading, _ = _read(text)
    assert reading.faults.kept == []
    return [entity for _, entity in reading.placed]


@pytest.mark.parametrize(
    ("number", "key", "scope"),
    [
        ("030 23125011", "A-1.n493023125011", NumberScope(number="+493023125011")),
        ("040 66969 123", "A-1.n494066969123", NumberScope(number="+494066969123")),
        ("040 66969", "b-1.block", BlockScope(block="b-1")),
        ("040 66969-XXX", "b-1.block", BlockScope(block="b-1")),
        ("089 99998", "b-2.block", BlockScope(block="b-2")),
        ("040 66969-100-199", "b-1.r100-199", RangeScope(block="b-1", first="100", last="199")),
        ("089 99998-10-19", "b-2.r10-19", RangeScope(block="b-2", first="10", last="19")),
        ("089 99998-10…19", "b-2.r10-19", RangeScope(block="b-2", first="10", last="19")),
        ("089 99998 123", "A-1.n498999998123", NumberScope(number="+498999998123")),
        ("'+494066969-100…199", "b-1.r100-199", RangeScope(block="b-1", first="100", last="199")),
    ],
)
def test_a_number_a_block_or_a_part_of_it(number: str, key: str, scope: object) -> None:
    (rule,) = _rules(f"Rufnummer;Zielnummer;Aktiv\n{number};0171 3920000;ja\n")
    assert rule == Diversion.model_validate({"id": key, "order": "A-1", "scope": scope, "armed": True, "targets": (_MOBILE,)})


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        ("0171 3920001;;;", {"targets": (_OTHER,)}),
        ("0171 3920001;0171 3920000;ja;", {"targets": (_OTHER, _MOBILE), "armed": True}),
        ("0171 3920001 | 0171 3920000;;nein;new", {"targets": (_OTHER, _MOBILE), "note": "new"}),
        (";;ja;", {"armed": True}),
    ],
)
def test_a_stored_rule_keeps_what_the_row_does_not_say(row: str, changes: dict[str, object]) -> None:
    assert _rules(f"number;target;target2;armed;note\n+493023125010;{row}\n") == [_RULE.model_copy(update=changes)]


def test_an_empty_row_says_nothing_and_a_new_rule_counts() -> None:
    (rule,) = _rules("number;target;armed\n030 23125010;;\n030 23125011;0171 3920000;\n")
    assert isinstance(rule, Diversion)
    assert (rule.id, rule.armed) == ("A-1.n493023125011", True)


@pytest.mark.parametrize(
    ("rows", "place", "slug"),
    [
        ("030 23125999;0171 3920000;ja", "table.csv:2.number", "entry_unknown"),
        ("030 23125011;;ja", "table.csv:2.target", "entry_target"),
        ("030 23125011;0171 3920000;vielleicht", "table.csv:2.armed", "cell_yes_no"),
        ("030 23125011;110;ja", "table.csv:2.target", "target_emergency"),
        ("030 23125011;0900 1234567;ja", "table.csv:2.target", "target_premium"),
        ("030 23125011;4,9171E+11;ja", "table.csv:2.target", "cell_scientific"),
        ("493023125011;0171 3920000;ja", "table.csv:2.number", "cell_plus_lost"),
        ("030 23125011;0171 3920000;ja\n+493023125011;0171 3920001;ja", "table.csv:3.number", "entry_twice"),
        ("0221 4710000;0171 3920000;ja", "table.csv:2.number", "entry_foreign"),
    ],
)
def test_a_row_that_cannot_be_right_is_told(rows: str, place: str, slug: str) -> None:
    reading, _ = _read(f"number;target;armed\n{rows}\n", customer="100001")
    assert [(item.location, item.type) for item in reading.faults.kept] == [(place, slug)]


def test_replace_leaves_what_the_table_cannot_express() -> None:
    reading, gone = _read("number;target;armed\n030 23125011;0171 3920000;ja\n", replace=Replace("customer", "100001"))
    assert reading.faults.kept == []
    assert gone == {("diversion", "r-1")}


@pytest.mark.parametrize(
    ("header", "simple"),
    [
        ("number;target", True),
        ("Nebenstelle/MSN;Zielnummer;Status", True),
        ("id;number;targets", False),
        ("order;number;target", False),
    ],
)
def test_the_form_is_told_by_its_columns(header: str, simple: bool) -> None:  # noqa: FBT001 - what is expected
    assert is_simple(Table("x.csv", header.encode())) is simple


_CUT: dict[tuple[str, str], Entity] = {
    **{key: entity for key, entity in _WORLD.items() if key[0] in {"customer", "order", "line"}},
    **{
        ("block", key): Block(
            id=key, order="A-1", line="l-1", base="+493023125", ranges=(ExtensionRange(first=first, last=last),)
        )
        for key, first, last in (("b-low", "000", "499"), ("b-high", "500", "999"))
    },
    **{
        ("diversion", f"r-{key}"): Diversion(id=f"r-{key}", order="A-1", scope=BlockScope(block=f"b-{key}"), targets=(target,))
        for key, target in (("low", _MOBILE), ("high", _OTHER))
    },
}


def _read_cut(rows: str | bytes, world: dict[tuple[str, str], Entity] = _CUT) -> Reading:
    reading = Reading(world, "realm")
    data = rows if isinstance(rows, bytes) else f"number;target;armed\n{rows}\n".encode()
    read_simple(Table("table.csv", data), reading, directory_of(world.values()))
    check(reading)
    return reading


def test_blocks_with_the_same_base_are_told_apart_by_their_extensions() -> None:
    written = write_simple(directory_of(_CUT.values()), lambda _: True)
    assert b"+493023125-500\xe2\x80\xa6999;" in written
    reading = _read_cut(written)
    assert reading.faults.kept == []
    assert [entity for _, entity in reading.placed] == [_CUT["diversion", "r-high"], _CUT["diversion", "r-low"]]
    (rule,) = (entity for _, entity in _read_cut("030 23125-600…699;0171 3920000;ja").placed)
    assert isinstance(rule, Diversion)
    assert rule.scope == RangeScope(block="b-high", first="600", last="699")
    (found,) = _read_cut("030 23125;0171 3920000;ja").faults.kept
    assert (found.location, found.type) == ("table.csv:2.number", "entry_block")
    assert "+493023125-000…499" in found.message


def test_a_new_rule_takes_no_other_rules_id() -> None:
    held = _PLANNED.model_copy(update={"id": "A-1.n493023125011", "scope": NumberScope(number="+493023125011")})
    reading = _read_cut("030 23125011;0171 3920000;ja", {**_WORLD, ("diversion", held.id): held})
    assert reading.faults.kept == []
    (rule,) = (entity for _, entity in reading.placed)
    assert rule.id == "A-1.n493023125011.2"


def test_what_is_written_changes_nothing_when_it_is_read() -> None:
    reading = Reading(_WORLD, "realm")
    table = Table("out.csv", write_simple(directory_of(_WORLD.values()), lambda _: True))
    assert is_simple(table)
    read_simple(table, reading, directory_of(_WORLD.values()))
    assert check(reading) == {}
    assert reading.faults.kept == []
    diff = compare([entity for _, entity in reading.placed], _WORLD, {})
    assert diff.changes == []
    assert diff.unchanged["diversion"] == 1


def test_the_difference_says_what_it_means_for_callers() -> None:
    armed = _RULE.model_copy(update={"armed": True, "targets": (_OTHER,)})
    diff = compare([armed, _WORLD["customer", "100001"]], _WORLD, {("diversion", "r-3"): _ORDER_RULE})
    assert diff.counts()["diversion"] == {"added": 0, "changed": 1, "removed": 1, "unchanged": 0}
    first = diff.changes[0].fields[0]
    assert (first.path, first.before, first.after) == ("armed", False, True)
    assert diff.switched_on == ["r-1 (number +493023125010)"]
    assert diff.switched_off == ["r-3 (order A-1)"]
    assert diff.unprotected == ["+493023125011", "block b-1", "block b-2"]
    assert diff.as_json()["changes"][1]["what"] == "removed"


def test_secrets_are_not_in_the_difference() -> None:
    line = _WORLD["line", "l-1"]
    with_secret = Line.model_validate(
        {**line.model_dump(), "credentials": [{"username": "u1", "algorithm": "MD5", "ha1": "a" * 32}]}
    )
    other = with_secret.model_copy(update={"credentials": ()})
    for diff in (compare([with_secret], _WORLD, {}), compare([other], {("line", "l-1"): with_secret}, {})):
        assert "a" * 32 not in str(diff.as_json())
        assert diff.changes[0].fields[0].path.startswith("credentials")
    added = compare([with_secret], {}, {})
    assert "a" * 32 not in str(added.as_json())
