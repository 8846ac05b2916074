"""The plans of an order, and whether one may be switched on."""

from datetime import UTC, datetime

import pytest

from routing.compile import Compiler
from routing.plans import Plan, plan_fault, plan_warning, plans_of
from tests.routing.stage import document, order

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def compiler() -> Compiler:
    rules = [
        {"to": "0171 3920000", "armed": True},
        {"to": "0171 3920001", "armed": True, "plan": "Hochwasser"},
        {"number": "030 23125010", "to": "0171 3920002", "plan": "Hochwasser"},
        {"number": "030 23125010", "to": "0171 3920003", "plan": "Betriebsferien"},
    ]
    compiler = Compiler()
    list(compiler.load(document(order("o", numbers=["030 23125010"], diversions=rules), order("p")), NOW))
    return compiler


def test_the_plans_are_those_of_the_rules(compiler: Compiler) -> None:
    assert plans_of("o", compiler.directory) == [
        Plan("Betriebsferien", ("o.n493023125010.Betriebsferien",), 0),
        Plan("Hochwasser", ("o.n493023125010.Hochwasser", "o.order.Hochwasser"), 1),
    ]
    assert plans_of("p", compiler.directory) == plans_of("nobody", compiler.directory) == []


@pytest.mark.parametrize(
    ("of", "name", "said"),
    [
        ("o", "Hochwasser", None),
        ("o", None, None),
        ("p", None, None),
        ("o", "hochwasser", "its plans: Betriebsferien, Hochwasser."),
        ("p", "Hochwasser", "its plans: none."),
    ],
)
def test_a_plan_that_no_rule_belongs_to_is_refused(compiler: Compiler, of: str, name: str | None, said: str | None) -> None:
    found = plan_fault(of, name, compiler.directory)
    assert (found is not None and said in found.message) if said is not None else found is None


def test_a_plan_none_of_whose_rules_is_armed_is_worth_a_word(compiler: Compiler) -> None:
    assert plan_warning("o", "Hochwasser", compiler.directory) is None
    assert plan_warning("o", None, compiler.directory) is None
    found = plan_warning("o", "Betriebsferien", compiler.directory)
    assert found is not None
    assert found.type == "plan_not_armed"
