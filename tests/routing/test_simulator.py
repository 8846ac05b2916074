"""What a call would get, as tables: number, time, fault and caller on one side, the answer on the other."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from routing.answers import Answer, Question
from routing.faults import FAULTS, FaultName
from routing.local_time import BERLIN
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
    Peer,
    Period,
    RangeScope,
    Site,
    Target,
)
from routing.simulator import Simulator, Surroundings
from tests.routing.test_compile_properties import INTERCONNECT

NOON = datetime(2026, 11, 25, 11, tzinfo=UTC)
"""A Wednesday, 12:00 in Germany."""
NIGHT = datetime(2026, 11, 25, 21, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 11, tzinfo=UTC)
USUAL, PHONES, EVENING, FEAST, SECOND = (f"+4917139200{n:02}" for n in range(5))
AROUND = Surroundings(INTERCONNECT)


def target(number: str, **more: Any) -> Target:
    return Target(number=number, **more)


def world() -> list[Entity]:
    """A trunk with a block, a gateway at the same site, and an account elsewhere that is not live yet."""
    berlin, hamburg = (Site(id=name, address=f"{name} 1", state=state) for name, state in (("berlin", "BE"), ("hamburg", "HH")))
    every = (ExtensionRange(first="00", last="99"),)
    return [
        Customer(id="c", name="Bakery"),
        Order(id="trunk", customer="c", product="sipTrunk 2.0", site=berlin, plan="winter"),
        Line(id="trunk", order="trunk", kind="registered", users=("trunk",)),
        Block(id="b", order="trunk", line="trunk", base="+49302312500", ranges=every),
        Order(id="gate", customer="c", product="PMX NGN", site=berlin),
        Line(id="gate", order="gate", kind="static", peers=(Peer(address="192.0.2.1:5060"),)),
        Number(id="g", order="gate", line="gate", number="+493023125900"),
        Order(id="new", customer="c", product="sipAccount 2.0", site=hamburg, active_from=datetime(2026, 12, 1, tzinfo=UTC)),
        Line(id="new", order="new", kind="registered", users=("new",)),
        Number(id="n", order="new", line="new", number="+494066969000"),
        Diversion(
            id="block",
            order="trunk",
            scope=BlockScope(block="b"),
            armed=True,
            targets=(target(USUAL, ring_s=20), target(SECOND)),
            phone_system_targets=(target(PHONES),),
            periods=(
                Period(name="feast", holidays="only", targets=(target(FEAST),)),
                Period(name="evening", start="18:00", end="08:00", targets=(target(EVENING),)),
            ),
        ),
        Diversion(
            id="range",
            order="trunk",
            scope=RangeScope(block="b", first="30", last="42"),
            armed=False,
            targets=(target(SECOND),),
        ),
        Diversion(
            id="floods",
            order="trunk",
            scope=NumberScope(number="+4930231250050"),
            armed=True,
            targets=(target(SECOND),),
            plan="flood",
        ),
        Diversion(
            id="to-gate",
            order="trunk",
            scope=NumberScope(number="+4930231250060"),
            armed=True,
            targets=(target("+493023125900"),),
        ),
        Diversion(id="new", order="new", scope=OrderScope(), armed=True, targets=(target(USUAL),)),
    ]


def ask(number: str, at: datetime = NOON, fault: FaultName = "data_line", around: Surroundings = AROUND, **more: Any) -> Answer:
    return Simulator(world(), at, around).ask(Question(number, at, fault, **more))


def numbers(answer: Answer) -> list[str]:
    return [contact.number for contact in answer.targets]


TRUNK = "030 231250010"


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "targets"),
    [
        ("none", "line", 0, []),
        ("no_answer", "rescued", 0, [USUAL, SECOND]),
        ("data_line", "diverted", 302, [USUAL, SECOND]),
        ("network", "diverted", 302, [USUAL, SECOND]),
        ("router", "diverted", 302, [USUAL, SECOND]),
        ("phone_system", "diverted", 302, [PHONES]),
        ("unregistered", "diverted", 302, [USUAL, SECOND]),
        ("drained", "diverted", 302, [USUAL, SECOND]),
        ("forced_down", "diverted", 302, [USUAL, SECOND]),
        ("drill", "diverted", 302, [USUAL, SECOND]),
    ],
)
def test_each_fault_of_the_service_description_has_its_answer(
    fault: FaultName, outcome: str, status: int, targets: list[str]
) -> None:
    answer = ask(TRUNK, fault=fault)
    assert (answer.outcome, answer.status, numbers(answer)) == (outcome, status, targets)


def test_all_faults_are_in_the_table() -> None:
    assert set(FAULTS) == {
        *("none", "no_answer", "data_line", "network", "router"),
        *("phone_system", "unregistered", "drained", "forced_down", "drill"),
    }


@pytest.mark.parametrize(
    ("at", "target", "period"),
    [
        (NOON, USUAL, ""),
        (NIGHT, EVENING, "evening"),
        (CHRISTMAS, FEAST, "feast"),
        # Twice 02:30 in October, both in the evening that lasts until 08:00.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), EVENING, "evening"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), EVENING, "evening"),
        (datetime(2026, 11, 25, 6, 59, tzinfo=UTC), EVENING, "evening"),
        (datetime(2026, 11, 25, 7, 0, tzinfo=UTC), USUAL, ""),
    ],
)
def test_the_time_says_which_targets_count(at: datetime, target: str, period: str) -> None:
    answer = ask(TRUNK, at)
    assert numbers(answer)[0] == target
    assert answer.times is not None
    assert answer.times.period == period
    assert answer.times.holiday == (at == CHRISTMAS)
    assert answer.times.state == "BE"


@pytest.mark.parametrize(
    ("number", "fault", "outcome", "reason", "rules"),
    [
        # An inactive rule for a range is passed over; the block's applies.
        ("030 231250035", "data_line", "diverted", "", [("range", "not_armed"), ("block", "applies")]),
        ("030 231250050", "data_line", "diverted", "", [("floods", "other_plan"), ("block", "applies")]),
        # The gateway of the target stands at the same site: out with the data line, reached when only the phone system is out.
        ("030 231250060", "data_line", "last_try", "", [("to-gate", "applies"), ("block", "less_specific")]),
        ("030 231250060", "phone_system", "diverted", "", [("to-gate", "applies"), ("block", "less_specific")]),
        ("030 23125900", "data_line", "last_try", "", []),
        # A gateway does not register, so it still has its address.
        ("030 23125900", "unregistered", "last_try", "", []),
        ("040 66969000", "data_line", "not_found", "not_live", [("new", "applies")]),
        ("040 66969001", "data_line", "not_found", "unknown_number", []),
        ("112", "data_line", "bad_number", "emergency", []),
        ("116117", "none", "bad_number", "short_code", []),
        ("23125", "none", "bad_number", "local", []),
        ("no number", "none", "bad_number", "no_number", []),
    ],
)
def test_each_rule_says_why_it_applies_or_not(
    number: str, fault: FaultName, outcome: str, reason: str, rules: list[tuple[str, str]]
) -> None:
    answer = ask(number, fault=fault)
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert [(rule.rule_id, rule.reason) for rule in answer.rules] == rules


def test_an_order_goes_live_at_its_instant() -> None:
    before, after = (ask("040 66969000", datetime(2026, *day, tzinfo=UTC)) for day in ((11, 30, 23, 59), (12, 1)))
    assert (before.status, after.status) == (404, 302)
    assert before.dates == ("Order new goes live from 2026-12-01 01:00 CET on.",)
    assert numbers(after) == [USUAL]


@pytest.mark.parametrize(
    ("diverted_from", "outcome", "reason", "targets"),
    [
        ((), "diverted", "", [USUAL, SECOND]),
        ((USUAL,), "diverted", "", [SECOND]),
        (("0171 3920000",), "diverted", "", [SECOND]),
        # It came from both that count in this fault; then from all that the rule has just now.
        ((USUAL, SECOND), "unavailable", "", []),
        ((USUAL, SECOND, PHONES), "last_try", "back", []),
        (("+4930231250010",), "last_try", "circle", []),
        (tuple(f"+49406696900{n}" for n in range(5)), "last_try", "too_often", []),
    ],
)
def test_where_a_call_came_from_counts(diverted_from: tuple[str, ...], outcome: str, reason: str, targets: list[str]) -> None:
    answer = ask(TRUNK, diverted_from=tuple("".join(number.split()) for number in diverted_from))
    assert (answer.outcome, answer.reason, numbers(answer)) == (outcome, reason, targets)


def test_the_interconnect_says_how_numbers_are_written() -> None:
    around = Surroundings({**INTERCONNECT, "number_format": "national", "uri_scheme": "tel", "unknown_number_status": 503})
    assert ask(TRUNK, around=around).targets[0].uri == "tel:01713920000"
    assert ask("040 66969001", around=around).status == 503
    plain = ask(TRUNK)
    assert plain.targets[0].uri == f"sip:{USUAL}@example.invalid;user=phone"


def test_the_targets_are_told_in_order_with_q_and_ring_time() -> None:
    answer = ask(TRUNK)
    assert [(contact.number, contact.q, contact.ring_s) for contact in answer.targets] == [
        (USUAL, "1.0", 20),
        (SECOND, "0.9", None),
    ]
    assert answer.sentence == f"302 to {USUAL}, then {SECOND}"
    headers = dict(answer.headers)
    assert headers["Contact"].startswith(f"<sip:{USUAL}@example.invalid;user=phone;cause=503>;q=1.0, <sip:{SECOND}@")
    assert headers["Diversion"] == "<sip:+4930231250010@example.invalid;user=phone>;reason=out-of-service;counter=1"
    assert headers["Reason"].startswith("Q.850;cause=27")
    assert "History-Info" not in headers
    assert "History-Info" in dict(ask(TRUNK, offers_history=True).headers)


def test_whose_number_it_is_is_told() -> None:
    owner = ask(TRUNK).owner
    assert owner is not None
    assert (owner.customer_name, owner.order, owner.line, owner.held_by) == ("Bakery", "trunk", "trunk", "block b")
    assert ask("040 66969001").owner is None


def test_a_caller_who_is_the_target_is_told_so() -> None:
    assert any("is a target himself" in note for note in ask(TRUNK, caller=USUAL).notes)
    assert not any("is a target himself" in note for note in ask(TRUNK, caller=EVENING).notes)


def test_what_the_operator_wishes_of_the_line_holds_unless_another_wish_is_supposed() -> None:
    wished = [replace_wish(entity, "forced_up") for entity in world()]
    question = Question(TRUNK, NOON, "data_line")
    assert Simulator(wished, NOON, AROUND).ask(question).outcome == "line"
    assert Simulator(wished, NOON, AROUND).ask(replace(question, fault="forced_down")).outcome == "diverted"


def replace_wish(entity: Entity, wish: str) -> Entity:
    return entity.model_copy(update={"wish": wish}) if isinstance(entity, Line) else entity


def test_orders_that_the_brake_holds_rest() -> None:
    answer = ask(TRUNK, around=Surroundings(INTERCONNECT, braked={"trunk": "too many calls"}))
    assert answer.outcome == "last_try"
    assert answer.rules[0].reason == "brake"


def test_an_instant_may_be_told_in_any_zone() -> None:
    berlin = NIGHT.astimezone(BERLIN)
    assert numbers(ask(TRUNK, berlin)) == numbers(ask(TRUNK, NIGHT))


def test_a_simulator_goes_to_any_instant_and_back() -> None:
    simulator = Simulator(world(), NOON, AROUND)
    asked = [Question(TRUNK, at, "data_line") for at in (NIGHT, CHRISTMAS, NOON, NIGHT)]
    assert [numbers(simulator.ask(question))[0] for question in asked] == [EVENING, FEAST, USUAL, EVENING]
