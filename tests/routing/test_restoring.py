"""What an undo brings back or takes away must fit, as anything new."""

from routing.model import Block, BlockScope, Customer, Diversion, Entity, Line, Number, Order, OrderScope, Site, Target, User
from routing.restoring import restoring_faults

WORLD: list[Entity] = [
    Customer(id="C1", name="Hafenbau"),
    Order(id="A1", customer="C1", product="sipTrunk 2.0", site=Site(id="S1", address="")),
    Line(id="L1", order="A1", kind="registered", users=("trunk",)),
    Block(id="B1", order="A1", line="L1", base="+493023125"),
    Number(id="N1", order="A1", line="L1", number="+493023126000"),
]
RULE = Diversion(id="R1", order="A1", scope=OrderScope(), targets=(Target(number="+496990009000"),))


def types(*restored: Entity, removed: set[tuple[str, str]] | None = None, world: list[Entity] | None = None) -> list[str]:
    found = restoring_faults(restored, removed or set(), WORLD if world is None else world)
    return [f"{fault.location}: {fault.type}" for fault in found]


def test_what_fits_is_restored() -> None:
    assert types(RULE) == []
    assert types(WORLD[-1], world=WORLD[:-1]) == []
    assert types(*WORLD, world=[]) == []
    assert types(removed={("number", "N1")}) == []


def test_what_refers_to_nothing_is_not_restored() -> None:
    assert types(WORLD[-1], world=WORLD[:2]) == ["number N1: reference_missing"]
    assert types(RULE.model_copy(update={"scope": BlockScope(block="B9")})) == ["diversion R1: reference_missing"]


def test_what_is_used_is_not_taken_away_unless_its_users_go_with_it() -> None:
    assert types(removed={("line", "L1")}) == ["line L1: still_used"]
    assert types(removed={("line", "L1"), ("block", "B1"), ("number", "N1")}) == []


def test_a_user_keeps_the_orders_that_he_may_see() -> None:
    user = User(id="U1", name="x", role="viewer", customer="C1", orders=("A1",))
    gone = {("order", "A1"), ("line", "L1"), ("block", "B1"), ("number", "N1")}
    assert types(removed=gone, world=[*WORLD, user]) == ["order A1: still_used"]
    assert types(user, world=[WORLD[0]]) == ["user U1: reference_missing"]


def test_what_is_somebody_elses_now_is_not_restored() -> None:
    other = [Line(id="L2", order="A1", kind="registered", users=("trunk",))]
    without = [entity for entity in WORLD if entity.id not in {"L1", "B1", "N1"}]
    assert types(WORLD[2], world=[*without, *other]) == ["line L1.users: line_user_taken"]


def test_a_rule_whose_target_is_its_own_number_by_now_is_refused() -> None:
    own = RULE.model_copy(update={"targets": (Target(number="+493023126000"),)})
    assert types(own) == ["diversion R1.to: target_self"]
