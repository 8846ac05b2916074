"""Dates and moves in a load file: what is accepted, and every fault with its place."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from routing.document import parse_document
from routing.model import Block, Entity, Number
from routing.rejection import RuleRejected

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AT = "2026-12-01"
MIDNIGHT = datetime(2026, 11, 30, 23, tzinfo=UTC)
FILE = """
customers:
  - id: "c"
    name: "C"
    orders:
      - {id: old, product: sipTrunk 2.0, site: {id: s1}, lines: [{id: old, user: u1}]}
      - {id: new, product: sipTrunk 2.0, site: {id: s2}, lines: [{id: new, user: u2}, {id: new2, user: u3}]}
      - {id: pmx, product: PMX NGN, site: {id: s3}, lines: [{id: pmx, peers: ["192.0.2.1:5060"]}]}
  - id: "d"
    name: "D"
    orders:
      - {id: other, product: sipTrunk 2.0, site: {id: s4}, lines: [{id: other, user: u4}]}
"""
OLD, NEW, OTHER = "customers[0].orders[0]", "customers[0].orders[1]", "customers[1].orders[0]"
MOVE = {"at": AT, "order": "new", "line": "new"}
AWAY = {"at": AT, "order": "other", "line": "other"}
"""To another customer."""


def document(**orders: dict[str, Any]) -> Any:
    """The file above with more fields in some of its orders."""
    found = yaml.safe_load(FILE)
    for customer in found["customers"]:
        for order in customer["orders"]:
            order.update(orders.get(order["id"], {}))
    return found


def read(existing: list[Entity] | None = None, now: datetime = NOW, **orders: dict[str, Any]) -> list[Entity]:
    return parse_document(document(**orders), "realm", existing or (), now=now)


def faults(existing: list[Entity] | None = None, now: datetime = NOW, **orders: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(RuleRejected) as refused:
        read(existing, now, **orders)
    return [(item.type, item.location) for item in refused.value.faults]


def number(text: str = "069 90009000", **more: Any) -> dict[str, Any]:
    return {"number": text, **more}


def block(key: str, extensions: Any = "000-999", base: str = "030 23125", **more: Any) -> dict[str, Any]:
    return {"id": key, "base": base, "extensions": extensions, **more}


def test_dates_and_moves_are_read_for_numbers_and_blocks() -> None:
    entities = read(
        old={
            "numbers": [number(active_from=AT, active_until="2027-01-01T12:00+00:00")],
            "blocks": [{"base": "030 23125-XX", "move": MOVE}],
        }
    )
    (held,) = (item for item in entities if isinstance(item, Number))
    assert (held.active_from, held.active_until) == (MIDNIGHT, datetime(2027, 1, 1, 12, tzinfo=UTC))
    (moving,) = (item for item in entities if isinstance(item, Block))
    assert moving.move is not None
    assert (moving.move.at, moving.move.order, moving.move.line) == (MIDNIGHT, "new", "new")


def test_the_time_zone_of_the_document_says_where_a_day_begins() -> None:
    written = {**document(old={"numbers": [number(active_from=AT)]}), "time_zone": "America/New_York"}
    (held,) = (item for item in parse_document(written, "realm") if isinstance(item, Number))
    assert held.active_from == datetime(2026, 12, 1, 5, tzinfo=UTC)


N, B = f"{OLD}.numbers[0]", f"{OLD}.blocks[0]"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (number(active_from="soon"), [("field_value", f"{N}.active_from")]),
        (number(active_from="2026-10-25T02:30"), [("field_value", f"{N}.active_from")]),
        (number(active_until="2026-03-29T02:30"), [("field_value", f"{N}.active_until")]),
        (number(active_from=20261201), [("field_type", f"{N}.active_from")]),
        (number(active_from=AT, active_until=AT), [("item_dates", f"{N}.active_until")]),
        (number(move="new"), [("field_type", f"{N}.move")]),
        (number(move={}), [("field_missing", f"{N}.move.{field}") for field in ("at", "order", "line")]),
        (number(move={**MOVE, "to": "x"}), [("field_unknown", f"{N}.move.to")]),
        (number(move={**MOVE, "at": "later"}), [("field_value", f"{N}.move.at")]),
        (number(move={**MOVE, "order": "none"}), [("reference_missing", f"{N}.move.order")]),
        (number(move={**MOVE, "line": "none"}), [("reference_missing", f"{N}.move.line")]),
        (number(move={**MOVE, "line": "old"}), [("line_other_order", f"{N}.move.line")]),
        (number(move=MOVE, active_from=AT), [("move_before_start", f"{N}.move.at")]),
        (number(move=MOVE, active_until="2026-11-30"), [("move_after_end", f"{N}.move.at")]),
        (number(move={"at": AT, "order": "pmx", "line": "pmx"}), [("order_numbers", f"{N}.move.order")]),
    ],
)
def test_each_fault_of_a_date_is_named_at_its_place(item: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert sorted(faults(old={"numbers": [item]})) == sorted(expected)


# -- whose numbers they are, by time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (block("a"), block("b", "500-599"), "block_overlap"),
        (block("a", active_until=AT), block("b", "500-599", active_from=AT), None),
        (
            block("a", active_until=AT),
            block("b", "500-599", active_from="2026-11-30"),
            "block_overlap",
        ),
        (block("a", active_until=AT), block("b", active_from=AT), "block_again"),
        (block("a", move=MOVE), block("b", "500-599"), "block_overlap"),
        # one within the open rest of another, of the same customer only
        (block("a", None), block("b", "50", "030 231259"), None),
        (block("a", None, move={**MOVE, "line": "new2"}), block("b", "50", "030 231259"), None),
        (block("a", None, move=AWAY), block("b", "50", "030 231259"), "block_overlap"),
        (block("a", None, move=AWAY), block("b", "50", "030 231259", active_until=AT), None),
    ],
)
def test_blocks_may_have_the_same_numbers_one_after_the_other(
    first: dict[str, Any], second: dict[str, Any], expected: str | None
) -> None:
    orders = {"old": {"blocks": [first]}, "new": {"blocks": [{**second, "line": "new"}]}}
    if expected is None:
        read(**orders)
    else:
        assert [slug for slug, _ in faults(**orders)] == [expected]


@pytest.mark.parametrize(
    ("blocks", "numbers", "expected"),
    [
        ([block("a")], [number("030 23125 015")], [("number_taken", f"{OTHER}.numbers[0].number")]),
        ([block("a", active_until=AT)], [number("030 23125 015", active_from=AT)], []),
        ([block("a", move=AWAY)], [number("030 23125 015", active_from=AT)], []),
        ([block("a", move=MOVE)], [number("030 23125 015", active_from=AT)], [("number_taken", f"{OTHER}.numbers[0].number")]),
        ([block("a")], [number("030 23125 015", active_from=AT)], [("number_taken", f"{OTHER}.numbers[0].number")]),
    ],
)
def test_a_number_is_taken_out_of_anothers_block_only_when_that_has_gone(
    blocks: list[Any], numbers: list[Any], expected: list[tuple[str, str]]
) -> None:
    orders: dict[str, dict[str, Any]] = {"old": {"blocks": blocks}, "other": {"numbers": numbers}}
    if expected:
        assert expected[0] in faults(**orders)
    else:
        read(**orders)


def test_a_block_does_not_swallow_the_numbers_of_another_customer_by_moving() -> None:
    stored = read(old={"blocks": [block("a")], "numbers": [number("030 23125 015")]})
    moved = {"id": "a", "base": "030 23125", "extensions": "000-999", "move": AWAY}
    assert faults(stored, old={"blocks": [moved], "numbers": [number("030 23125 015")]}) == [
        ("number_taken", f"{OLD}.numbers[0].number"),
        ("number_taken", f"{B}.base"),
    ]


# -- rules before a move ----------------------------------------------------------------------------------------------------


def rule(to: str, text: str = "069 90009000", **more: Any) -> dict[str, Any]:
    return {"number": text, "to": to, "armed": True, **more}


def test_rules_of_both_orders_are_accepted_and_those_of_a_third_are_not() -> None:
    moving = {"numbers": [number(move=MOVE)]}
    rules = {"old": {**moving, "diversions": [rule("0171 3920000")]}, "new": {"diversions": [rule("0171 3920001")]}}
    assert len(read(**rules)) == len(read(old=moving)) + 2
    assert faults(old=moving, other={"diversions": [rule("0171 3920000")]}) == [("scope_number", f"{OTHER}.diversions[0].number")]


def test_a_rule_for_later_is_checked_where_the_number_will_be() -> None:
    moving = number(move=MOVE)
    at_the_old_site, at_the_new_site = number("069 90009001"), number("069 90009002", line="new")
    orders: dict[str, dict[str, Any]] = {"old": {"numbers": [moving, at_the_old_site]}, "new": {"numbers": [at_the_new_site]}}
    orders["new"]["diversions"] = [rule("069 90009001")]
    read(**orders)
    orders["new"]["diversions"] = [rule("069 90009002")]
    with pytest.raises(RuleRejected) as refused:
        read(**orders)
    (fault,) = refused.value.faults
    assert (fault.type, fault.location) == ("target_same_line", f"{NEW}.diversions[0].to")
    assert fault.message.startswith("From 2026-12-01 00:00 CET on: ")
    assert fault.context["since"] == "2026-12-01 00:00 CET"


def test_a_target_that_moves_to_the_same_line_is_found_before_it_does() -> None:
    orders: dict[str, dict[str, Any]] = {
        "old": {"numbers": [number()], "diversions": [rule("069 90009001")]},
        "other": {"numbers": [number("069 90009001", move={"at": AT, "order": "old", "line": "old"})]},
    }
    assert faults(**orders) == [("target_same_line", f"{OLD}.diversions[0].to")]


def test_what_was_wrong_in_the_past_is_not_looked_at() -> None:
    gone = number("069 90009001", move={"at": "2026-10-01", "order": "new", "line": "new"})
    orders: dict[str, dict[str, Any]] = {"old": {"numbers": [number(), gone], "diversions": [rule("069 90009001")]}}
    read(**orders)
    assert faults(now=datetime(2026, 9, 1, tzinfo=UTC), **orders) == [("target_same_line", f"{OLD}.diversions[0].to")]


# -- after the move ---------------------------------------------------------------------------------------------------------


def test_after_the_move_the_number_may_be_loaded_under_its_new_order() -> None:
    stored = read(old={"numbers": [number(move=MOVE)]})
    moved = {"new": {"numbers": [number(line="new")]}}
    assert faults(stored, **moved) == [("id_taken", f"{NEW}.numbers[0]")]
    (held,) = (item for item in read(stored, now=MIDNIGHT, **moved) if isinstance(item, Number))
    assert (held.order, held.move) == ("new", None)
    assert read(stored, now=MIDNIGHT, old={"numbers": [number(move=MOVE)]}), "the old file still loads"
