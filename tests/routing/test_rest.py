"""Orders whose rules rest, and targets that the carrier bars later: as the engine sees them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from routing.compile import Compiler
from routing.coverage import is_armed
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    NumberScope,
    Order,
    OrderScope,
    Period,
    Site,
    Target,
)
from routing.target_policy import CarrierPolicy
from sipproxy._engine import RouteTable
from tests.routing.test_compile_properties import INTERCONNECT

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHY = "612 calls of its order were diverted within an hour, and 600 are allowed"
MINE, OTHER = "+493023125010", "+492214710010"


def entities() -> list[Entity]:
    found: list[Entity] = [Customer(id="c", name="c")]
    for order, base in (("o", "+493023125"), ("p", "+492214710")):
        found += [
            Order(id=order, customer="c", product="sipTrunk 2.0", site=Site(id=order, address="")),
            Line(id=order, order=order, kind="registered"),
            Block(id=order, order=order, line=order, base=base),
            Diversion(id=order, order=order, scope=OrderScope(), armed=True, targets=(Target(number="+491713920001"),)),
        ]
    found.append(Diversion(id="b", order="o", scope=BlockScope(block="o"), armed=True, targets=(Target(number="+498999998001"),)))
    return found


class Engine:
    """A compiler and the table that it fills."""

    def __init__(self) -> None:
        self.compiler, self.table = Compiler(), RouteTable()
        self.take(self.compiler.load(entities(), NOW))

    def take(self, deltas: Iterable[Any]) -> int:
        count = 0
        for delta in deltas:
            self.table.apply(delta)
            count += 1
        return count

    def explain(self, number: str) -> Any:
        return self.table.explain(number, INTERCONNECT, "down")

    def diverts(self, number: str) -> bool:
        return self.explain(number)["decision"] == "redirect"


def test_all_rules_of_an_order_rest_and_count_again_and_others_are_not_touched() -> None:
    engine = Engine()
    assert engine.diverts(MINE)
    engine.take(engine.compiler.rest({"o": WHY}))
    assert (engine.diverts(MINE), engine.diverts(OTHER)) == (False, True)
    assert any(WHY in step["text"] for step in engine.explain(MINE)["trace"])
    considered = engine.compiler.explain_rules(MINE)
    assert [(c.rule_id, c.armed, c.applies) for c in considered] == [("b", True, False), ("o", True, False)]
    assert all(WHY in c.text for c in considered)
    assert not is_armed(engine.compiler.directory, "o")
    assert is_armed(engine.compiler.directory, "p")
    assert engine.take(engine.compiler.rest({"o": WHY})) == 0
    engine.take(engine.compiler.rest({}))
    assert engine.diverts(MINE)
    assert engine.explain(MINE)["targets"] == Engine().explain(MINE)["targets"]


def test_a_rule_that_is_changed_or_new_rests_with_its_order() -> None:
    engine = Engine()
    engine.take(engine.compiler.rest({"o": WHY}))
    targets = (Target(number="+491713920002"),)
    for key, scope in (("b", BlockScope(block="o")), ("n", NumberScope(number=MINE))):
        rule = Diversion(id=key, order="o", scope=scope, armed=True, targets=targets)
        engine.take(engine.compiler.change([("diversion", key, rule)], NOW + timedelta(hours=1)))
        assert not engine.diverts(MINE)


def test_a_period_that_begins_ends_no_rest() -> None:
    engine = Engine()
    period = Period(start="02:00", end="03:00", targets=(Target(number="+491713920003"),))  # NOW is 01:00 on the clocks
    targets = (Target(number="+491713920001"),)
    rule = Diversion(id="b", order="o", scope=BlockScope(block="o"), armed=True, periods=(period,), targets=targets)
    engine.take(engine.compiler.change([("diversion", "b", rule)], NOW))
    assert engine.diverts(MINE)
    engine.take(engine.compiler.rest({"o": WHY}))
    engine.take(engine.compiler.advance(NOW + timedelta(hours=1)))
    assert not engine.diverts(MINE)
    engine.take(engine.compiler.rest({}))
    assert "+491713920003" in engine.explain(MINE)["targets"][0]


def test_a_full_read_ends_no_rest() -> None:
    engine = Engine()
    engine.take(engine.compiler.rest({"o": WHY}))
    assert engine.take(engine.compiler.load(entities(), NOW)) == 0
    fresh = Compiler()
    assert fresh.rest({"o": WHY}) == []
    engine.compiler, engine.table = fresh, RouteTable()
    engine.take(fresh.load(entities(), NOW))
    assert (engine.diverts(MINE), engine.diverts(OTHER)) == (False, True)


def test_what_the_carrier_bars_later_is_no_target_any_more() -> None:
    engine = Engine()
    engine.take(engine.compiler.judge_targets(CarrierPolicy(barred=frozenset({"mobile"}))))
    assert (engine.diverts(MINE), engine.diverts(OTHER)) == (True, False)
    assert [problem.type for problem in engine.compiler.problems()] == ["target_barred", "target_barred"]
    engine.take(engine.compiler.judge_targets(CarrierPolicy(barred_prefixes=("+4989",))))
    assert engine.explain(MINE)["targets"] == [f"sip:+491713920001@{INTERCONNECT['domain']};user=phone"]
    engine.take(engine.compiler.judge_targets(CarrierPolicy()))
    assert engine.explain(MINE)["targets"] == Engine().explain(MINE)["targets"]
