"""The report on an order: how many numbers are protected, which are not and why, and at which times of the week."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from routing.compile import Compiler
from routing.excerpt import excerpt, excerpt_of_number
from routing.faults import FaultName
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
    Period,
    RangeScope,
    Site,
    Target,
)
from routing.protection import Protection, protection
from routing.simulator import Simulator, Surroundings
from tests.routing.test_compile_properties import INTERCONNECT

NOON = datetime(2026, 11, 25, 11, tzinfo=UTC)
"""A Wednesday, 12:00 in Germany."""
MOBILE = Target(number="+491713920001")
BASE = "+49221471"
AROUND = Surroundings(INTERCONNECT)


def order(key: str, site: str = "cologne", **more: Any) -> list[Entity]:
    return [
        Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=site, address=site, state="NW"), **more),
        Line(id=key, order=key, kind="registered"),
    ]


def block(key: str, of: str, base: str = BASE, ranges: Iterable[tuple[str, str]] = (("000", "099"),), **more: Any) -> Block:
    held = tuple(ExtensionRange(first=first, last=last) for first, last in ranges)
    return Block(id=key, order=of, line=of, base=base, ranges=held, **more)


def rule(key: str, of: str, scope: Any, *targets: Target, armed: bool = True, **more: Any) -> Diversion:
    return Diversion(id=key, order=of, scope=scope, armed=armed, targets=targets or (MOBILE,), **more)


def report(
    entities: Iterable[Entity],
    of: str = "o",
    at: datetime = NOON,
    fault: FaultName = "data_line",
    around: Surroundings = AROUND,
    **more: Any,
) -> Protection:
    compiler = Compiler()
    list(compiler.load([Customer(id="c", name="Bakery"), *entities], at))
    return protection(Simulator(excerpt(compiler.directory, [of]), at, around), of, fault, **more)


def gaps(found: Protection) -> list[tuple[int, str, list[str]]]:
    return [(group.count, group.gap.text, [span.text for span in group.spans]) for group in found.groups if group.gap is not None]


BLOCK = BlockScope(block="b")


def test_the_gaps_of_a_block_are_named_as_ranges() -> None:
    found = report(
        [
            *order("o"),
            block("b", "o"),
            rule("first", "o", RangeScope(block="b", first="000", last="086")),
            rule("off", "o", RangeScope(block="b", first="087", last="090"), armed=False),
        ]
    )
    assert (found.protected, found.counted) == (87, 100)
    assert gaps(found) == [
        (9, "no rule", ["+49 221 471-091…-099"]),
        (4, "the rule for the range is inactive", ["+49 221 471-087…-090"]),
    ]
    (held,) = [group for group in found.groups if group.protected]
    assert (held.rule, held.says, held.count) == ("first", "rule for the range → +49 171 3920001", 87)


SUNDAYS = Period(name="Sundays", days=("sun",))


@pytest.mark.parametrize(
    ("rules", "at", "gap"),
    [
        ([], NOON, "no rule"),
        ([rule("r", "o", BLOCK, armed=False)], NOON, "the rule for the block is inactive"),
        (
            [rule("r", "o", BLOCK, armed=False), rule("s", "o", OrderScope(), armed=False)],
            NOON,
            "the rule for the block is inactive; the rule for the order is inactive",
        ),
        (
            [rule("r", "o", BLOCK, periods=(SUNDAYS,))],
            datetime(2026, 11, 29, 11, tzinfo=UTC),
            "the rule for the block rests now (Sundays)",
        ),
        (
            [rule("r", "o", BLOCK, plan="flood")],
            NOON,
            "the rule for the block belongs to the plan 'flood', and no plan is on",
        ),
        (
            [rule("r", "o", BLOCK, Target(number="+499001234567"))],
            NOON,
            "its rule cannot be used",
        ),
        ([rule("r", "o", BLOCK, Target(number="+498999998001"))], NOON, "the target is at the same site, which is out as well"),
        ([rule("r", "o", BLOCK, Target(number="+492214720"))], NOON, "the target leads back to the same line"),
    ],
)
def test_each_gap_says_why(rules: list[Entity], at: datetime, gap: str) -> None:
    beside = [*order("p"), Number(id="p", order="p", line="p", number="+498999998001")]
    found = report(
        [*order("o"), block("b", "o"), Number(id="own", order="o", line="o", number="+492214720"), *beside, *rules], at=at
    )
    texts = {span: text for _, text, spans in gaps(found) for span in spans}
    assert texts["+49 221 471-000…-099"].startswith(gap)


def test_a_target_at_the_same_site_helps_when_only_the_phone_system_is_out() -> None:
    world = [
        *order("o"),
        block("b", "o"),
        *order("p"),
        Number(id="p", order="p", line="p", number="+498999998001"),
        rule("r", "o", BLOCK, Target(number="+498999998001")),
    ]
    assert [report(world, fault=fault).protected for fault in ("data_line", "phone_system", "no_answer")] == [0, 100, 100]


def test_only_those_are_gaps_whose_own_target_leads_back() -> None:
    """A block that keeps the extension: some of the targets are numbers of the same line, or of a line at the same site."""
    world = [
        *order("o"),
        block("b", "o"),
        Number(id="own", order="o", line="o", number="+498999998007"),
        *order("p"),
        block("c", "p", "+498999998", [("030", "041")]),
        rule("r", "o", BLOCK, Target(number="+498999998", keep_extension=True)),
    ]
    found = report(world)
    assert gaps(found) == [
        (12, "the target is at the same site, which is out as well", ["+49 221 471-030…-041"]),
        (1, "no rule", ["+49 89 99998007"]),
        (1, "the target leads back to the same line", ["+49 221 471-007"]),
    ]
    assert (found.protected, found.counted) == (87, 101)


def test_an_order_that_is_not_live_protects_nothing_and_says_from_when_on() -> None:
    found = report([*order("o", active_from=datetime(2026, 12, 1, tzinfo=UTC)), block("b", "o"), rule("r", "o", BLOCK)])
    assert gaps(found) == [(100, "not live until 2026-12-01 01:00 CET", ["+49 221 471-000…-099"])]
    assert found.week is not None
    assert [(part.when, part.count) for part in found.week.parts] == [("Tue 01:00–24:00", 100)]


def test_calls_to_a_line_that_is_forced_up_are_rescued_one_by_one() -> None:
    world = [*order("o"), block("b", "o"), rule("r", "o", BLOCK)]
    up = [entity.model_copy(update={"wish": "forced_up"}) if isinstance(entity, Line) else entity for entity in world]
    assert report(up).protected == 100
    # Where the core is sent to the line itself, nobody can.
    sent = report(up, around=Surroundings({**INTERCONNECT, "redirect_only": True}))
    assert (sent.protected, gaps(sent)[0][0]) == (0, 100)


def test_what_the_brake_holds_is_not_protected() -> None:
    world = [*order("o"), block("b", "o"), rule("r", "o", BLOCK)]
    braked = report(world, around=Surroundings(INTERCONNECT, braked={"o": "too many calls were diverted"}))
    assert gaps(braked)[0][1] == "the rule for the block rests: too many calls were diverted"


def test_of_a_block_without_ranges_what_is_named_is_counted() -> None:
    world = [
        *order("o"),
        block("b", "o", ranges=()),
        rule("number", "o", NumberScope(number=f"{BASE}5")),
        rule("range", "o", RangeScope(block="b", first="10", last="19")),
    ]
    found = report(world)
    assert (found.protected, found.counted) == (11, 12)
    assert gaps(found) == [(1, "no rule", ["+49 221 471", "+49 221 471-… any other extension"])]
    assert found.open_blocks == (BASE,)


@pytest.mark.parametrize(
    ("periods", "when"),
    [
        ((), "at all times"),
        ((SUNDAYS,), "not on Sun"),
        ((Period(start="17:00", end="08:00"),), "Wed–Tue 08:00–17:00"),
        (
            (Period(start="17:00", end="08:00"), Period(days=("sat", "sun"))),
            "Wed–Fri 08:00–17:00; Mon–Tue 08:00–17:00",
        ),
        ((Period(start="12:00", end="13:00", days=("thu",)),), "Wed all day; Thu 00:00–12:00, 13:00–24:00; Fri–Tue all day"),
        ((Period(targets=(MOBILE,)),), "at all times"),
        ((Period(),), "never"),
    ],
)
def test_the_week_says_when(periods: tuple[Period, ...], when: str) -> None:
    found = report([*order("o"), block("b", "o"), rule("r", "o", BLOCK, periods=periods)])
    assert found.week is not None
    assert (found.week.first, found.week.last, found.week.whole) == ("2026-11-25", "2026-12-01", True)
    assert [part.when for part in found.week.parts] == [when]


def test_in_the_doubled_night_the_clock_on_the_wall_is_told() -> None:
    rests = (Period(name="night", start="02:00", end="03:00"),)
    found = report(
        [*order("o"), block("b", "o"), rule("r", "o", BLOCK, periods=rests)], at=datetime(2026, 10, 25, 12, tzinfo=UTC)
    )
    assert found.week is not None
    assert [part.when for part in found.week.parts] == ["Sun–Sat 00:00–02:00, 03:00–24:00"]
    assert found.week.lowest == 0


def test_numbers_that_come_later_are_told_and_not_counted() -> None:
    moves = Move(at=datetime(2026, 12, 1, tzinfo=UTC), order="o", line="o")
    world = [*order("o"), *order("p"), block("b", "p", move=moves), rule("r", "o", BLOCK)]
    now, later = report(world), report(world, at=datetime(2026, 12, 2, tzinfo=UTC))
    assert (now.counted, later.counted, later.protected) == (0, 100, 100)
    (told,) = now.later
    assert told.startswith("Block +49221471… belongs to order p on line p until 2026-12-01 01:00 CET, then to order o")
    assert later.later == ()


def test_a_large_block_is_a_few_questions() -> None:
    world = [
        *order("o"),
        block("b", "o", ranges=[("000000", "099999")]),
        rule("r", "o", BLOCK, Target(number="+49899999", keep_extension=True), periods=(SUNDAYS,)),
        rule("off", "o", NumberScope(number=f"{BASE}050000"), armed=False),
    ]
    asked: list[int] = []

    class Counted(Simulator):
        def survey(self, numbers: list[str], fault: FaultName) -> Any:
            asked.append(len(numbers))
            return super().survey(numbers, fault)

    began = time.process_time()
    found = protection(Counted([Customer(id="c", name="Bakery"), *world], NOON, AROUND), "o", "data_line")
    assert (found.protected, found.counted) == (100_000, 100_000)
    # Once now, and at each instant of the week at which something changes.
    assert len(asked) == 4
    assert max(asked) < 100
    assert time.process_time() - began < 5


def test_an_excerpt_has_what_is_needed_and_nothing_of_the_rest() -> None:
    far = [
        entity for n in range(50) for entity in (*order(f"far-{n}", site=f"far-{n}"), block(f"far-{n}", f"far-{n}", f"+4930{n}"))
    ]
    world = [*order("o"), block("b", "o"), rule("r", "o", BLOCK, Target(number="+49301000")), *far]
    compiler = Compiler()
    list(compiler.load(world, NOON))
    for found in (excerpt(compiler.directory, ["o"]), excerpt_of_number(compiler.directory, f"{BASE[1:]}010")):
        # The block that the target leads to comes along, with its order and line.
        assert {entity.id for entity in found} == {"o", "b", "r", "far-10", "far-1"}
