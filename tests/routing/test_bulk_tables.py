"""Tables as spreadsheets write them, and what spreadsheets do to numbers: each caught at its row and column, with its remedy."""

from datetime import UTC, datetime

import pytest

from routing.bulk.check import check
from routing.bulk.faults import KEPT, BulkRejected, Faults
from routing.bulk.reading import Known, Reading, read_lines, read_tables
from routing.bulk.scope import Replace
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    Number,
    NumberScope,
    Order,
    Site,
    Target,
)
from routing.rejection import fault

_HEAD = "id;order;line;number"
_CORE: list[Entity] = [
    Customer(id="100001", name="Muster"),
    Order(id="A-1", customer="100001", product="sipTrunk 2.0", site=Site(id="berlin", address="")),
    Line(id="l-1", order="A-1", kind="registered", users=("u1",)),
    Number(id="n-1", order="A-1", line="l-1", number="+493023125010"),
    Block(id="b-1", order="A-1", line="l-1", base="+494066969"),
    Diversion(id="r-1", order="A-1", scope=BlockScope(block="b-1"), armed=True, targets=(Target(number="+491713920000"),)),
]
KINDS = {Customer: "customer", Order: "order", Line: "line", Number: "number", Block: "block", Diversion: "diversion"}


def known() -> dict[tuple[str, str], Entity]:
    return {(KINDS[type(entity)], entity.id): entity for entity in _CORE}


def read(text: str | bytes, name: str = "numbers.csv", stored: Known | None = None) -> Reading:
    reading = Reading(known() if stored is None else stored, "realm")
    read_tables({name: text if isinstance(text, bytes) else text.encode()}, reading)
    return reading


def entities(reading: Reading) -> list[Entity]:
    assert reading.faults.kept == []
    return [entity for _, entity in reading.placed]


_ROWS = "id;order;line;number\nn-9;A-1;l-1;030 23125-019\n"


@pytest.mark.parametrize(
    "data",
    [
        _ROWS.encode(),
        _ROWS.encode("utf-8-sig"),
        _ROWS.encode("utf-16"),
        _ROWS.encode("utf-16-le"),
        _ROWS.encode("utf-16-be"),
        _ROWS.encode("cp1252"),
        _ROWS.replace(";", ",").encode(),
        _ROWS.replace(";", "\t").encode(),
        _ROWS.replace("\n", "\r\n").encode(),
        _ROWS.replace("\n", "\r").encode(),
        b"sep=;\r\n" + _ROWS.encode(),
        _ROWS.replace("id;order;line;number", "Kennung;Auftrag;Leitung;Nebenstelle/MSN").encode("cp1252"),
        _ROWS.replace("id;order;line;number", ' "ID" ; ORDER;Line; "number";;').replace('"', "").encode(),
        (_ROWS + ";;;\n\n").encode(),
        (_ROWS + " ; ;\u00a0; \n").encode(),
    ],
)
def test_whatever_a_spreadsheet_writes_is_read(data: bytes) -> None:
    assert entities(read(data)) == [Number(id="n-9", order="A-1", line="l-1", number="+493023125019")]


@pytest.mark.parametrize(
    "cell",
    [
        "+493023125019",
        "'+493023125019",
        '="+493023125019"',
        '="0049 30 23125019"',
        "'030 23125-019",
        "030\u00a023125\u202f019",
        "\u202a030 23125019\u202c",
        "\uff10\uff13\uff10 23125019",
        "0049 (0)30 23125019",
        "(030) 23125-019",
        "(030) 23125 (019)",
    ],
)
def test_every_form_of_a_number_is_understood(cell: str) -> None:
    quoted = cell.replace('"', '""')
    assert entities(read(f'{_HEAD}\nn-9;A-1;l-1;"{quoted}"\n')) == [
        Number(id="n-9", order="A-1", line="l-1", number="+493023125019")
    ]


@pytest.mark.parametrize(
    ("cell", "slug", "hint"),
    [
        ("4,93023E+11", "cell_scientific", "as Text"),
        ("4.93023125019E11", "cell_scientific", "as Text"),
        ("493023125019,00", "cell_scientific", "as Text"),
        ("493023125019", "cell_plus_lost", "+493023125019"),
        ("3023125019", "cell_zero_lost", "03023125019"),
        ("01.04.2026", "cell_date", "as Text"),
        ("12. Jan", "cell_date", "as Text"),
        ("Jan 99", "cell_date", "as Text"),
        ("2026-04-01", "cell_date", "as Text"),
        ("#WERT!", "cell_error", "value itself"),
        ("#NAME?", "cell_error", "value itself"),
        ("=A1", "cell_formula", "value itself"),
        ("23125019", "cell_zero_lost", "area code"),
        ("(30) 23125-019", "cell_zero_lost", "03023125019"),
        ("110", "target_emergency", ""),
        ("030 2312#19", "number_extension", "digits"),
        ("", "number_empty", "Enter"),
    ],
)
def test_what_a_spreadsheet_broke_is_caught_with_its_remedy(cell: str, slug: str, hint: str) -> None:
    reading = read(f"{_HEAD}\nn-8;A-1;l-1;030 23125018\nn-9;A-1;l-1;{cell}\n")
    (found,) = reading.faults.kept
    assert (found.type, found.location) == (slug, "numbers.csv:3.number")
    assert hint in found.message
    assert [place for place, _ in reading.placed] == ["numbers.csv:2"]


@pytest.mark.parametrize(
    ("text", "place", "slug"),
    [
        ("", "numbers.csv", "table_empty"),
        ("\n", "numbers.csv", "table_empty"),
        ("id;colour\nx;red\n", "numbers.csv:1", "column_unknown"),
        ("id;number;Rufnummer\n", "numbers.csv:1", "column_twice"),
        (f"{_HEAD}\na;b;c;d;e\n", "numbers.csv:2", "row_cells"),
        (f'{_HEAD}\na;"b"c;d;e\n', "numbers.csv:2", "row_quotes"),
        (f'{_HEAD}\na;"b', "numbers.csv:2", "row_quotes"),
        (b"PK\x03\x04 a workbook", "numbers.csv", "table_text"),
        (b"id;order\n\x81\xff;x", "numbers.csv", "table_text"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_at_its_place(text: str | bytes, place: str, slug: str) -> None:
    assert [(item.type, item.location) for item in read(text).faults.kept] == [(slug, place)]


def test_a_file_of_another_name_is_refused() -> None:
    assert [item.type for item in read("id\n", "nummern.csv").faults.kept] == ["table_unknown"]


def test_a_quoted_line_end_does_not_shift_the_rows() -> None:
    text = (
        'id;order;number;block;armed;targets;note\nr-8;A-1;;b-1;ja;0171 3920000;"two\nlines"\nr-9;A-1;030 23125010;;x;4,9E+11;\n'
    )
    reading = read(text, "rules.csv")
    (found,) = reading.faults.kept
    assert found.location == "rules.csv:3.targets"
    (rule,) = [entity for _, entity in reading.placed]
    assert isinstance(rule, Diversion)
    assert (rule.note, rule.armed) == ("two\nlines", True)


def test_a_missing_column_leaves_what_is_stored_and_an_empty_cell_empties() -> None:
    (rule,) = entities(read("id;armed\nr-1;nein\n", "rules.csv"))
    assert rule == _CORE[5].model_copy(update={"armed": False})
    (order,) = entities(read("id;product;data_line\nA-1;siptrunk 2.0;\n", "orders.csv"))
    assert order == _CORE[1]


@pytest.mark.parametrize("cell", ["BE", "be", "Berlin", "DE-BE"])
def test_a_state_by_code_or_name(cell: str) -> None:
    (order,) = entities(read(f"id;Standort;Bundesland\nA-1;berlin;{cell}\n", "orders.csv"))
    assert isinstance(order, Order)
    assert order.site.state == "BE"


@pytest.mark.parametrize(("cell", "armed"), [("WAHR", True), ("Aktiv", True), ("1", True), ("FALSCH", False), ("", False)])
def test_yes_and_no_in_both_languages(cell: str, armed: bool) -> None:  # noqa: FBT001 - what is expected
    (rule,) = entities(read(f"id;Aktiv\nr-1;{cell}\n", "rules.csv"))
    assert isinstance(rule, Diversion)
    assert rule.armed is armed


def test_a_day_and_what_became_of_it() -> None:
    text = "id;aktiv ab;aktiv bis\nn-1;01.12.2026;2026-12-24 08:00\n"
    (number,) = entities(read(text))
    assert isinstance(number, Number)
    assert number.active_from is not None
    assert number.active_from.isoformat() == "2026-11-30T23:00:00+00:00"
    (found,) = read("id;active_from\nn-1;46357\n").faults.kept
    assert found.type == "cell_serial"
    assert "2026-12-01" in found.message


def test_every_bad_row_is_counted_and_the_list_is_bounded() -> None:
    rows = "".join(f"n-{n};A-1;l-1;12\n" for n in range(KEPT + 500))
    reading = read(f"{_HEAD}\n{rows}")
    with pytest.raises(BulkRejected) as refused:
        reading.faults.raise_if_any()
    assert (refused.value.count, refused.value.rows, len(refused.value.faults)) == (KEPT + 500, KEPT + 500, KEPT)


def test_several_faults_of_a_row_are_one_row() -> None:
    faults = Faults()
    faults.add(fault("cell_formula", "a.csv:3.x", text=""), fault("cell_formula", "a.csv:3.y", text=""))
    assert (faults.count, faults.rows) == (2, 1)


def _checked(files: dict[str, str], replace: Replace | None = None) -> tuple[list[tuple[str, str]], set[tuple[str, str]]]:
    reading = Reading(known(), "realm")
    read_tables({name: text.encode() for name, text in files.items()}, reading)
    gone = check(reading, replace)
    return [(item.location, item.type) for item in reading.faults.kept], set(gone)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("numbers.csv", f"{_HEAD}\nn-9;A-2;l-1;030 23125019\n", [("numbers.csv:2.order", "reference_missing")]),
        ("numbers.csv", f"{_HEAD}\nn-9;A-1;l-2;030 23125019\n", [("numbers.csv:2.line", "reference_missing")]),
        ("numbers.csv", f"{_HEAD}\nn-9;A-1;l-1;030 23125010\n", [("numbers.csv:2.number", "number_taken")]),
        ("rules.csv", "id;order;block;targets\nr-2;A-1;b-2;0171 3920000\n", [("rules.csv:2.block", "reference_missing")]),
        ("rules.csv", "id;order;block;targets\nr-2;A-1;b-1;0171 3920000\n", [("rules.csv:2", "scope_duplicate")]),
        ("rules.csv", "order;number;targets\nA-1;030 23125010;0900 1234567\n", [("rules.csv:2.targets", "target_premium")]),
        ("rules.csv", "order;number;targets\nA-1;030 23125999;0171 3920000\n", [("rules.csv:2.number", "scope_number")]),
        ("lines.csv", "id;order;users\nl-2;A-1;u1\n", [("lines.csv:2.users", "line_user_taken")]),
        ("lines.csv", "id;order;kind;peers\nl-2;A-1;static;192.0.2.1:5060\n", [("lines.csv:2.kind", "line_kind")]),
        ("orders.csv", "id;customer;product;site\nA-1;100002;sipTrunk 2.0;x\n", [("orders.csv:2.customer", "reference_missing")]),
        ("orders.csv", "id;customer;product;site\nA-2;100001;ISDN;x\n", [("orders.csv:2.product", "product_unknown")]),
        ("orders.csv", "id;aktiv ab;aktiv bis\nA-1;2026-02-01;2026-01-01\n", [("orders.csv:2.active_until", "order_dates")]),
        ("orders.csv", "id;site;Bundesland\nA-1;berlin;Preußen\n", [("orders.csv:2.state", "state_unknown")]),
        ("users.csv", "id;name;role;customer\nu;x;editor;\n", [("users.csv:2.customer", "field_value")]),
        ("users.csv", "id;name;role;customer\nu;x;auditor;100001\n", [("users.csv:2.role", "field_value")]),
        (
            "users.csv",
            "id;name;role;customer;orders\nu;x;editor;100001;A-1 | A-9\n",
            [("users.csv:2.orders", "reference_missing")],
        ),
        (
            "lines.csv",
            "id;order;users;peers\nl-2;A-1;;nowhere\n",
            [("lines.csv:2.kind", "line_kind"), ("lines.csv:2.peers", "field_value")],
        ),
        ("blocks.csv", "id;order;line;base;extensions\nb-2;A-1;l-1;030 99;12. Jan\n", [("blocks.csv:2.extensions", "cell_date")]),
    ],
)
def test_rows_that_do_not_fit_are_told_with_row_and_column(name: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert _checked({name: text})[0] == expected


def test_what_refers_to_an_unreadable_row_is_not_blamed() -> None:
    files = {"orders.csv": "id;customer;product;site\nA-2;100001;ISDN;x\n", "lines.csv": "id;order;users\nl-2;A-2;u2\n"}
    assert _checked(files)[0] == [("orders.csv:2.product", "product_unknown")]


@pytest.mark.parametrize(
    ("scope", "gone"),
    [
        (None, set()),
        (Replace("order", "A-1"), {("diversion", "r-1")}),
        (Replace("order", "A-9"), set()),
        (Replace("customer", "100001"), {("diversion", "r-1")}),
        (Replace("all"), {("diversion", "r-1")}),
    ],
)
def test_replace_removes_what_the_file_lacks_of_its_kinds_alone(scope: Replace | None, gone: set[tuple[str, str]]) -> None:
    text = "order;number;targets\nA-1;030 23125010;0171 3920000\n"
    faults, found = _checked({"rules.csv": text}, scope)
    assert found == gone
    outside = ["reference_missing", "scope_outside"]
    assert [slug for _, slug in faults] == (outside if scope == Replace("order", "A-9") else [])


def test_what_something_else_needs_is_not_removed() -> None:
    faults, _ = _checked({"lines.csv": "id;order;users\nl-2;A-1;u2\n"}, Replace("all"))
    assert faults == [("", "reference_kept"), ("", "reference_kept")]


def test_json_lines_name_the_line_and_the_field() -> None:
    reading = Reading(known(), "realm")
    text = (
        '{"kind":"number","id":"n-1","line":"l-2"}\n\n{"kind":"phone"}\nnonsense\n[1]\n{"kind":"number","id":"n-9"}\n'
        '{"kind":"diversion","id":"r-1","armed":"maybe"}\n{"kind":"diversion","id":"r-1","note":"\\ud800"}\n'
    )
    read_lines("x.jsonl", text.encode(), reading)
    found = [(item.location, item.type) for item in reading.faults.kept]
    assert found == [
        ("x.jsonl:3", "kind_unknown"),
        ("x.jsonl:4", "line_json"),
        ("x.jsonl:5", "kind_unknown"),
        ("x.jsonl:6.order", "field_missing"),
        ("x.jsonl:6.line", "field_missing"),
        ("x.jsonl:6.number", "field_missing"),
        ("x.jsonl:7.armed", "field_value"),
        ("x.jsonl:8", "line_json"),
    ]
    assert [entity for _, entity in reading.placed] == [_CORE[3].model_copy(update={"line": "l-2"})]


@pytest.mark.parametrize(
    ("number", "slug"),
    [
        ("+49110", "field_value"),
        ("+4930112", "field_value"),
        ("+49116117", "field_value"),
        ("+881612345678", "field_value"),
        ("+4903023125011", "number_zero_after_country"),
        ("+493023125011", None),
    ],
)
def test_json_lines_bring_no_number_that_is_none(number: str, slug: str | None) -> None:
    reading = Reading(known(), "realm")
    row = f'{{"kind":"number","id":"n-9","order":"A-1","line":"l-1","number":"{number}"}}\n'
    read_lines("x.jsonl", row.encode(), reading)
    check(reading)
    assert [(item.location, item.type) for item in reading.faults.kept] == ([("x.jsonl:1.number", slug)] if slug else [])


def test_an_extension_in_brackets_is_no_ring_time() -> None:
    (rule,) = entities(read("order;number;targets\nA-1;030 23125010;(069) 90009 (010) | 069 90009011 (20 s)\n", "rules.csv"))
    assert isinstance(rule, Diversion)
    assert rule.targets == (Target(number="+496990009010"), Target(number="+496990009011", ring_s=20))


def test_a_missing_column_leaves_what_is_stored_also_where_the_id_is_left_out() -> None:
    scope = NumberScope(number="+493023125010")
    rule = Diversion(id="A-1.n493023125010", order="A-1", scope=scope, armed=True, targets=_CORE[5].targets, note="desk")  # type: ignore[attr-defined]
    planned = rule.model_copy(update={"id": "A-1.n493023125010.fair-1", "plan": "fair 1", "note": "hall"})
    number = Number(
        id="n493023125011", order="A-1", line="l-1", number="+493023125011", active_until=datetime(2026, 12, 1, tzinfo=UTC)
    )
    stored = known() | {("diversion", rule.id): rule, ("diversion", planned.id): planned, ("number", number.id): number}
    text = "order;number;armed\nA-1;030 23125010;nein\n"
    assert entities(read(text, "rules.csv", stored)) == [rule.model_copy(update={"armed": False})]
    text = "order;number;plan;targets\nA-1;030 23125010;fair 1;0171 3920001\n"
    targets = (Target(number="+491713920001"),)
    assert entities(read(text, "rules.csv", stored)) == [planned.model_copy(update={"targets": targets})]
    assert entities(read("order;line;number\nA-1;l-1;030 23125011\n", stored=stored)) == [number]


def test_a_rule_of_a_plan_gets_an_id_of_its_own() -> None:
    text = "order;number;targets;plan\nA-1;030 23125010;0171 3920000;\nA-1;030 23125010;0171 3920001;fair 1\n"
    assert [rule.id for rule in entities(read(text, "rules.csv"))] == ["A-1.n493023125010", "A-1.n493023125010.fair-1"]


def test_a_rule_for_a_number_gets_the_id_of_a_load_file() -> None:
    (rule,) = entities(read("order;number;targets\nA-1;030 23125010;0171 3920000 | 069 90009… (20 s)\n", "rules.csv"))
    assert isinstance(rule, Diversion)
    assert (rule.id, rule.scope) == ("A-1.n493023125010", NumberScope(number="+493023125010"))
    assert rule.targets == (Target(number="+491713920000"), Target(number="+496990009", keep_extension=True, ring_s=20))
