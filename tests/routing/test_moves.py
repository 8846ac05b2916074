"""Numbers and blocks with dates of their own, and their moves from one order to another, at the very instant."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing.compile import NOT_LIVE, Compiler
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Scope,
    Site,
    Target,
)
from routing.registry import NumberRow, Registry
from routing.stays import Stay, stays, told
from tests.routing.oracle import Table

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 12, 1, tzinfo=BERLIN).astimezone(UTC)
BEFORE = AT - timedelta(milliseconds=1)
HUNDRED = (ExtensionRange(first="00", last="99"),)


def order(key: str, **more: Any) -> Order:
    return Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address=""), **more)


def to(key: str = "new", at: datetime = AT) -> Move:
    return Move(at=at, order=key, line=key)


def number(**more: Any) -> Number:
    return Number(id="n", order="old", line="old", number="+496990009000", **more)


def block(key: str = "b", **more: Any) -> Block:
    given: dict[str, Any] = {"order": "old", "line": "old", "base": "+493023125", "ranges": HUNDRED, **more}
    return Block(id=key, **given)


def rule(key: str, of: str, scope: Scope) -> Diversion:
    return Diversion(id=key, order=of, scope=scope, armed=True, targets=(Target(number="+491713920000"),))


BASE: list[Entity] = [
    Customer(id="c", name="c"),
    *(order(key) for key in ("old", "new")),
    *(Line(id=key, order=key, kind="registered", users=(key,)) for key in ("old", "new")),
    *(rule(f"{key}.order", key, OrderScope()) for key in ("old", "new")),
]


def loaded(*more: Entity, now: datetime = BEFORE) -> tuple[Compiler, Table]:
    compiler, table = Compiler(), Table()
    fill(table, compiler.load([*BASE, *more], now))
    return compiler, table


def fill(table: Table, deltas: Iterable[Any]) -> None:
    for delta in deltas:
        table.apply(delta)


def place(table: Table, digits: str) -> tuple[str, str | None, bool] | None:
    """Line, armed rule, live."""
    found = table.outcome(digits)
    return (found[0], found[1] if found[3] else None, found[4]) if found is not None else None


# -- moves ------------------------------------------------------------------------------------------------------------------


def test_a_number_moves_at_its_instant_and_the_rules_of_the_new_order_count_from_then_on() -> None:
    own = rule("own", "new", NumberScope(number="+496990009000"))
    compiler, table = loaded(number(move=to()), own)
    assert compiler.problems() == [], "a rule for what comes later is right"
    assert place(table, "496990009000") == ("old", "old.order", True)
    assert compiler.next_change_at(BEFORE) == AT
    assert compiler.advance(AT - timedelta(microseconds=1)) == []
    deltas = compiler.advance(AT)
    assert [list(delta) for delta in deltas] == [["exact"]], "a move touches the number and nothing else"
    fill(table, deltas)
    assert place(table, "496990009000") == ("new", "own", True)
    assert compiler.next_change_at(AT) is None
    fill(table, compiler.advance(BEFORE))
    assert place(table, "496990009000") == ("old", "old.order", True), "the clock was put back"


def test_a_block_moves_whole_with_the_rules_that_each_order_has_for_it() -> None:
    rules = [
        rule("old.block", "old", BlockScope(block="b")),
        rule("old.range", "old", RangeScope(block="b", first="10", last="19")),
        rule("new.range", "new", RangeScope(block="b", first="15", last="15")),
        rule("new.number", "new", NumberScope(number="+49302312516")),
    ]
    compiler, table = loaded(block(move=to()), *rules)
    assert compiler.problems() == []
    expected = {"493023125" + ext: ("old", key, True) for ext, key in (("00", "old.block"), ("15", "old.range"))}
    assert {digits: place(table, digits) for digits in expected} == expected
    fill(table, compiler.advance(AT))
    expected = {
        "493023125" + ext: ("new", key, True)
        for ext, key in (("00", "new.order"), ("14", "new.order"), ("15", "new.range"), ("16", "new.number"))
    }
    assert {digits: place(table, digits) for digits in expected} == expected
    assert compiler.problems() == []


def test_a_number_leaves_the_block_of_its_order_which_stays() -> None:
    compiler, table = loaded(
        block(),
        Number(id="n", order="old", line="old", number="+49302312515", move=to()),
        rule("block", "old", BlockScope(block="b")),
    )
    assert place(table, "49302312515") == ("old", "block", True), "the rules of its block are for it too"
    fill(table, compiler.advance(AT))
    assert place(table, "49302312515") == ("new", "new.order", True)
    assert place(table, "49302312514") == ("old", "block", True)


def test_a_move_may_be_to_another_line_of_the_same_order() -> None:
    compiler, table = loaded(
        Line(id="second", order="old", kind="registered"), number(move=Move(at=AT, order="old", line="second"))
    )
    fill(table, compiler.advance(AT))
    assert place(table, "496990009000") == ("second", "old.order", True)


@pytest.mark.parametrize(
    ("fold", "instant"), [(0, "2026-10-25T00:30:00+00:00"), (1, "2026-10-25T01:30:00+00:00")], ids=["first", "second"]
)
def test_in_the_doubled_hour_a_move_happens_once_at_the_instant_that_was_meant(fold: int, instant: str) -> None:
    at = datetime.fromisoformat(instant)
    compiler, table = loaded(
        number(move=to(at=datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold))), now=at - timedelta(minutes=50)
    )
    fill(table, compiler.advance(at - timedelta(microseconds=1)))
    assert place(table, "496990009000") == ("old", "old.order", True)
    fill(table, compiler.advance(at))
    assert place(table, "496990009000") == ("new", "new.order", True)
    assert compiler.next_change_at(at) is None


def test_what_moved_while_nobody_looked_is_loaded_where_it_is_now() -> None:
    _, table = loaded(number(move=to()), block(move=to()), now=AT)
    assert place(table, "496990009000") == ("new", "new.order", True)
    assert place(table, "49302312500") == ("new", "new.order", True)


def test_a_change_before_the_instant_takes_its_place() -> None:
    compiler, table = loaded(number(move=to()))
    later = AT + timedelta(days=1)
    fill(table, compiler.change([("number", "n", number(move=to(at=later)))], BEFORE))
    assert compiler.next_change_at(BEFORE) == later
    fill(table, compiler.advance(AT))
    assert place(table, "496990009000") == ("old", "old.order", True)
    fill(table, compiler.change([("number", "n", number())], AT))
    assert compiler.next_change_at(AT) is None
    fill(table, compiler.advance(later))
    assert place(table, "496990009000") == ("old", "old.order", True), "the move was called off"


def test_the_new_order_may_go_live_after_the_move_and_the_old_one_may_be_gone() -> None:
    live = AT + timedelta(days=2)
    compiler, table = loaded(order("new", active_from=live), number(move=to()))
    fill(table, compiler.advance(AT))
    assert table.exact["496990009000"][2] == NOT_LIVE
    fill(table, compiler.change([("order", "old", None), ("line", "old", None)], AT))
    fill(table, compiler.advance(live))
    assert place(table, "496990009000") == ("new", "new.order", True)


# -- dates of their own -----------------------------------------------------------------------------------------------------


def test_a_number_is_there_between_its_own_dates_only() -> None:
    end = AT + timedelta(days=31)
    compiler, table = loaded(number(active_from=AT, active_until=end))
    seen = {}
    for now in (BEFORE, AT, end - timedelta(microseconds=1), end):
        fill(table, compiler.advance(now))
        seen[now] = place(table, "496990009000")
    here = ("old", "old.order", True)
    assert list(seen.values()) == [None, here, here, None]
    assert compiler.next_change_at(end) is None


def test_own_dates_narrow_those_of_the_order() -> None:
    compiler, table = loaded(
        order("old", active_from=AT, active_until=AT + timedelta(days=10)),
        number(active_from=AT - timedelta(days=5), active_until=AT + timedelta(days=20)),
    )
    live = []
    for days in (-6, -4, 1, 11, 21):
        fill(table, compiler.advance(AT + timedelta(days=days)))
        found = place(table, "496990009000")
        live.append(found[2] if found is not None else None)
    assert live == [None, False, True, False, None]


def test_outside_of_its_dates_a_number_is_its_blocks() -> None:
    inside = Number(id="n", order="new", line="new", number="+49302312515", active_from=AT, active_until=AT + timedelta(days=1))
    compiler, table = loaded(block(), inside)
    assert place(table, "49302312515") == ("old", "old.order", True)
    fill(table, compiler.advance(AT))
    assert place(table, "49302312515") == ("new", "new.order", True)
    fill(table, compiler.advance(AT + timedelta(days=1)))
    assert place(table, "49302312515") == ("old", "old.order", True)


def test_a_block_is_cut_anew_at_an_instant_without_a_gap() -> None:
    low, high = (ExtensionRange(first="000", last="499"),), (ExtensionRange(first="500", last="999"),)
    whole = (ExtensionRange(first="000", last="999"),)
    compiler, table = loaded(
        block(ranges=whole, active_until=AT),
        block("low", ranges=low, active_from=AT),
        block("high", ranges=high, active_from=AT, order="new", line="new"),
    )
    assert {place(table, f"493023125{ext}") for ext in ("000", "499", "500", "999")} == {("old", "old.order", True)}
    fill(table, compiler.advance(AT))
    assert [place(table, f"493023125{ext}") for ext in ("000", "499", "500", "999")] == [
        *[("old", "old.order", True)] * 2,
        *[("new", "new.order", True)] * 2,
    ]
    assert compiler.problems() == []


def test_rules_of_a_block_that_is_not_there_divert_nothing_and_are_no_problem() -> None:
    keep = Diversion(
        id="keep",
        order="old",
        scope=BlockScope(block="b"),
        armed=True,
        targets=(Target(number="+492214710", keep_extension=True),),
    )
    compiler, table = loaded(block(active_from=AT), keep)
    assert compiler.problems() == []
    assert "keep" not in {spec["rule_id"] for spec in table.rules.values()}
    fill(table, compiler.advance(AT))
    found = table.outcome("49302312515")
    assert found is not None
    assert found[1:3] == ("keep", (("492214710", 9),))


# -- what is wrong ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "slug"),
    [
        (number(move=Move(at=AT, order="none", line="new")), "reference_missing"),
        (number(move=Move(at=AT, order="new", line="none")), "reference_missing"),
        (number(move=Move(at=AT, order="new", line="old")), "line_other_order"),
        (number(active_from=AT, move=to()), "move_before_start"),
        (number(active_until=AT, move=to()), "move_after_end"),
        (number(active_from=AT, active_until=AT), "item_dates"),
        (block(move=Move(at=AT, order="none", line="new")), "reference_missing"),
        (block(active_from=AT + timedelta(days=1), active_until=AT), "item_dates"),
        (block(active_from=AT, move=to(at=AT + timedelta(days=1))), None),
    ],
)
def test_a_move_that_cannot_be_is_told_before_it_is_due(item: Number | Block, slug: str | None) -> None:
    compiler, _ = loaded(item, now=AT - timedelta(days=100))
    assert [(p.id, p.type) for p in compiler.problems()] == ([(item.id, slug)] if slug else [])
    compiler.change([("number" if isinstance(item, Number) else "block", item.id, None)], BEFORE)
    assert compiler.problems() == []


def test_a_move_to_an_order_that_comes_later_is_a_problem_until_then() -> None:
    compiler, table = loaded(number(move=to("third")))
    assert [p.type for p in compiler.problems()] == ["reference_missing"]
    assert place(table, "496990009000") == ("old", "old.order", True), "it is routed all the same until the move"
    third: list[Entity] = [order("third"), Line(id="third", order="third", kind="registered")]
    fill(table, compiler.change([(kind, "third", item) for kind, item in zip(("order", "line"), third, strict=True)], BEFORE))
    assert compiler.problems() == []
    fill(table, compiler.change([("line", "third", None)], BEFORE))
    assert [p.type for p in compiler.problems()] == ["reference_missing"]
    fill(table, compiler.advance(AT))
    assert place(table, "496990009000") is None, "nobody knows where to deliver it"
    fill(table, compiler.change([("line", "third", third[1])], AT))
    assert place(table, "496990009000") == ("third", None, True)
    assert compiler.problems() == []


def test_a_rule_for_a_number_that_never_belongs_to_its_order_is_a_problem() -> None:
    compiler, _ = loaded(number(move=to()), order("third"), rule("thief", "third", NumberScope(number="+496990009000")))
    assert [(p.id, p.type) for p in compiler.problems()] == [("thief", "scope_number")]


# -- stays ------------------------------------------------------------------------------------------------------------------


def test_stays_are_what_the_dates_leave() -> None:
    first, last = AT - timedelta(days=9), AT + timedelta(days=9)
    assert stays(number()) == (Stay("old", "old", None, None),)
    assert stays(number(active_from=first, active_until=last)) == (Stay("old", "old", first, last),)
    assert stays(number(move=to())) == (Stay("old", "old", None, AT), Stay("new", "new", AT, None))
    assert stays(number(active_from=AT, move=to())) == (Stay("new", "new", AT, None),)
    assert stays(number(active_until=AT, move=to(at=last))) == (Stay("old", "old", None, AT),)
    assert stays(number(active_from=AT, active_until=AT)) == ()


def test_stays_are_told_in_a_sentence() -> None:
    text = "Number +496990009000 belongs to order old on line old until 2026-12-01 00:00 CET, then to order new on line new from "
    assert told(number(move=to())) == f"{text}2026-12-01 00:00 CET on."
    assert told(block(active_from=AT, active_until=AT)).endswith("nobody: its dates leave no time.")


def test_numbers_without_dates_cost_what_they_did() -> None:
    registry = Registry()
    registry.load([Number(id=f"n{i}", order="o", line="l", number=f"+49302100{i:04}") for i in range(1000)])
    assert NumberRow._fields == ("digits", "order", "line")
    assert registry.dated.of == {}
    assert registry.due(AT) == []
