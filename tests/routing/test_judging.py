"""One answer for every face: who may, from when on, what, and beside what else is saved with it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.compile import Compiler
from routing.directory import Directory
from routing.judging import Change, PlanChange, RuleChange, judge
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Limits,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Role,
    Scope,
    Site,
    Target,
    User,
)
from routing.trial import held

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
N1, N2, FOREIGN = "+496990009001", "+496990009002", "+496990009003"
MOBILE = "+491713920001"
ADA = User(id="ada", name="Ada", role="editor", customer="c")


def order(key: str, customer: str, active_from: datetime | None = None) -> Order:
    return Order(
        id=key, customer=customer, product="sipTrunk 2.0", site=Site(id=f"at-{key}", address=""), active_from=active_from
    )


WORLD: tuple[Entity, ...] = (
    Customer(id="c", name="c", limits=Limits(rules_per_line=3)),
    Customer(id="d", name="d"),
    order("o", "c"),
    order("p", "c"),
    order("late", "c", datetime(2027, 3, 1, tzinfo=UTC)),
    order("f", "d"),
    *(Line(id=f"l-{key}", order=key, kind="registered") for key in ("o", "p", "late", "f")),
    Number(id="n1", order="o", line="l-o", number=N1),
    Number(id="n2", order="p", line="l-p", number=N2),
    Number(id="n3", order="f", line="l-f", number=FOREIGN),
    Block(id="b", order="o", line="l-o", base="+493023125", ranges=(ExtensionRange(first="000", last="999"),)),
)


def world(*rules: Diversion) -> Directory:
    directory = Directory()
    directory.registry.now = NOW
    directory.registry.load([*WORLD, *rules])
    directory.settle()
    return directory


def rule(key: str, scope: Scope | None = None, to: str = MOBILE, of: str = "o", *, armed: bool = True) -> Diversion:
    return Diversion(id=key, order=of, scope=scope or OrderScope(), targets=(Target(number=to),), armed=armed)


def found(*changes: Change, user: User | None = ADA, directory: Directory | None = None) -> list[tuple[str, str]]:
    faults = judge(changes, directory or world(), user, NOW).faults
    return [(fault.location, fault.type) for fault in faults]


def new(rule: Diversion) -> RuleChange:
    return RuleChange(None, rule)


@pytest.mark.parametrize(("role", "faults"), [("owner", []), ("editor", []), ("viewer", ["user_reads"])])
def test_the_role_says_who_may_change_rules(role: Role, faults: list[str]) -> None:
    user = ADA.model_copy(update={"role": role})
    assert found(new(rule("r")), user=user) == [("", what) for what in faults]


@pytest.mark.parametrize(("role", "faults"), [("operator", []), ("auditor", ["user_reads"])])
def test_of_the_staff_operators_change_rules(role: Role, faults: list[str]) -> None:
    user = User(id="op", name="Op", role=role)
    assert found(new(rule("r")), user=user) == [("", what) for what in faults]


def test_a_locked_user_changes_nothing_not_even_off() -> None:
    on = rule("r")
    off = RuleChange(on, on.model_copy(update={"armed": False}))
    assert found(off, user=ADA.model_copy(update={"locked": True}), directory=world(on)) == [("", "user_locked")]


def test_an_order_of_another_customer_is_not_there() -> None:
    theirs = rule("r", of="f")
    missing = found(new(rule("r", of="nowhere")))
    assert found(new(theirs)) == missing == [("order", "reference_missing")]
    # Nor can a rule of theirs be taken over, or removed.
    directory = world(theirs)
    assert found(RuleChange(theirs, rule("r")), directory=directory) == missing
    assert found(RuleChange(theirs, None), directory=directory) == missing
    assert found(RuleChange(theirs, None), directory=directory, user=None) == []


def test_a_user_may_be_bound_to_some_orders() -> None:
    user = ADA.model_copy(update={"orders": ("p",)})
    assert found(new(rule("r", of="p")), user=user) == []
    assert found(new(rule("r", of="o")), user=user) == [("order", "reference_missing")]


def test_numbers_of_others_are_refused_in_ones_own_order() -> None:
    assert found(new(rule("r", NumberScope(number=FOREIGN)))) == [("scope.number", "scope_number")]


def test_customers_wait_for_their_day_and_staff_does_not() -> None:
    early = new(rule("r", of="late"))
    assert found(early) == [("", "lead_time")]
    assert found(early, user=None) == []
    on = rule("r", of="late")
    assert found(RuleChange(on, on.model_copy(update={"armed": False})), directory=world(on)) == []


def test_targets_are_judged_by_the_policy() -> None:
    assert found(new(rule("r", to="+49110"))) == [("targets[0]", "target_emergency")]
    assert found(new(rule("r", to=N1))) == [("targets[0]", "target_self")]


def test_customers_have_so_many_rules_a_line_and_staff_is_told() -> None:
    rules = [rule(f"r{index}", RangeScope(block="b", first=f"{index}00", last=f"{index}09")) for index in range(3)]
    one_more = new(rule("more", BlockScope(block="b")))
    assert found(one_more, directory=world(*rules)) == [("scope", "limit_rules")]
    review = judge([one_more], world(*rules), None, NOW)
    assert (review.faults, [told.type for told in review.warnings]) == ((), ["limit_rules_passed", "target_shared"])


def test_rules_saved_together_count_together() -> None:
    rules = [new(rule(f"r{index}", RangeScope(block="b", first=f"{index}00", last=f"{index}09"))) for index in range(4)]
    assert found(*rules[:3]) == []
    assert {type_ for _, type_ in found(*rules)} == {"limit_rules"}
    # Of two that are there already, one makes room for another.
    there = [change.after for change in rules[:3] if change.after is not None]
    assert found(RuleChange(there[0], None), rules[3], directory=world(*there)) == []


def test_a_circle_is_seen_among_rules_saved_together() -> None:
    there, back = new(rule("a", NumberScope(number=N1), N2)), new(rule("b", NumberScope(number=N2), N1, "p"))
    assert found(there) == found(back) == []
    assert found(there, back) == [("[0].targets[0]", "target_loop"), ("[1].targets[0]", "target_loop")]


def test_a_circle_that_is_broken_by_the_same_save_is_none() -> None:
    a, b = rule("a", NumberScope(number=N1), N2), rule("b", NumberScope(number=N2), MOBILE, "p")
    turned = RuleChange(b, rule("b", NumberScope(number=N2), N1, "p"))
    elsewhere = RuleChange(a, rule("a", NumberScope(number=N1), MOBILE))
    assert [type_ for _, type_ in found(turned, directory=world(a, b))] == ["target_loop"]
    assert found(turned, elsewhere, directory=world(a, b)) == []


def test_a_second_rule_for_the_same_numbers_is_refused() -> None:
    assert found(new(rule("r2")), directory=world(rule("r1"))) == [("scope", "scope_duplicate")]
    assert found(new(rule("r1")), new(rule("r2"))) == [("[0].scope", "scope_duplicate"), ("[1].scope", "scope_duplicate")]


def test_a_rule_stays_with_its_order() -> None:
    before = rule("r")
    assert found(RuleChange(before, rule("r", of="p")), directory=world(before)) == [("", "id_taken")]


def test_a_plan_is_switched_and_nothing_else_of_the_order() -> None:
    before = order("o", "c")
    assert found(PlanChange(before, before.model_copy(update={"plan": "Hochwasser"}))) == []
    free = before.model_copy(update={"product": "centrex Premium"})
    assert found(PlanChange(before, free)) == [("", "order_plan_only")]
    assert found(PlanChange(order("f", "d"), order("f", "d"))) == [("order", "reference_missing")]


def test_switching_off_is_possible_whatever_the_targets_are() -> None:
    barred = rule("r", to="+49110")
    assert found(RuleChange(barred, barred.model_copy(update={"armed": False})), directory=world(barred)) == []


SCOPES = st.sampled_from(
    [
        OrderScope(),
        BlockScope(block="b"),
        NumberScope(number=N1),
        NumberScope(number=FOREIGN),
        NumberScope(number="+493023125010"),
        RangeScope(block="b", first="000", last="099"),
        RangeScope(block="b", first="050", last="199"),
    ]
)
RULES = st.builds(
    rule, st.sampled_from("abcd"), SCOPES, st.sampled_from([MOBILE, N2, "+49110"]), st.sampled_from("op"), armed=st.booleans()
)


@given(st.lists(RULES, max_size=4), st.dictionaries(st.sampled_from("abcd"), st.none() | RULES, max_size=3))
def test_a_trial_leaves_no_trace(rules: list[Diversion], tried: dict[str, Diversion | None]) -> None:
    wanted = {key: one.model_copy(update={"id": key}) if one is not None else None for key, one in tried.items()}
    there = list({one.id: one for one in rules}.values())
    compiler, twin = Compiler(), Compiler()
    told, expected = list(compiler.load([*WORLD, *there], NOW)), list(twin.load([*WORLD, *there], NOW))
    with held(wanted, compiler.directory):
        assert compiler.directory.registry.diversions.keys() == {one.id for one in there} - {
            key for key, one in wanted.items() if one is None
        } | {key for key, one in wanted.items() if one is not None}
    assert (told, compiler.problems()) == (expected, twin.problems())
    change = ("diversion", "a", rule("a", RangeScope(block="b", first="020", last="060")))
    assert compiler.change([change], NOW) == twin.change([change], NOW)
    assert list(compiler.snapshot()) == list(twin.snapshot())
    assert compiler.problems() == twin.problems()
    for number in (N1, N2, "+493023125010", "+493023125060"):
        assert compiler.explain_rules(number) == twin.explain_rules(number)
