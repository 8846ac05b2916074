"""Every form and trap of a target, from what a person typed to what the engine would answer with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routing.compile import Compiler
from routing.document import parse_document
from routing.model import Diversion, Entity, OrderScope, Target
from routing.rejection import RuleRejected
from sipproxy._engine import RouteTable
from tests.routing.test_compile_properties import INTERCONNECT

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CALLED = "+493023125010"
ALL = ["international", "shared_cost"]
MOBILE = "+4917717712345"

ACCEPTED = [
    ("017717712345", [], MOBILE),
    ("+4917717712345", [], MOBILE),
    ("004917717712345", [], MOBILE),
    ("0177 17712345", [], MOBILE),
    ("(0177) 177-123-45", [], MOBILE),
    ("0177/17712345", [], MOBILE),
    ("0177.177.12345", [], MOBILE),
    ("+49 (0)177 17712345", [], MOBILE),
    ("0049 (0) 177 17712345", [], MOBILE),
    ("+49-177-17712345", [], MOBILE),
    ("  +49\u00a0177\u202f17712345 ", [], MOBILE),
    ("\u200e+4917717712345\u200f", [], MOBILE),
    ("\uff10\uff11\uff17\uff17\uff11\uff17\uff17\uff11\uff12\uff13\uff14\uff15", [], MOBILE),
    ("+49 177 177\u201312345", [], MOBILE),
    ("069 90009-001", [], "+496990009001"),
    ("0171 3920001", [], "+491713920001"),
    ("0176 04069001", [], "+4917604069001"),
    ("0800 1234567", [], "+498001234567"),
    ("0180 5 12345", ["shared_cost"], "+49180512345"),
    ("+43 1 580580", ["international"], "+431580580"),
    ("0043 1 580580", ["international"], "+431580580"),
]

REFUSED = [
    # what would have to be guessed
    ("00494917717712345", ALL, "number_country_twice"),
    ("+49 49 177 17712345", ALL, "number_country_twice"),
    ("+49 0177 17712345", ALL, "number_zero_after_country"),
    ("0049 0177 17712345", ALL, "number_zero_after_country"),
    ("0049 0049 177 17712345", ALL, "number_country_twice"),
    ("+49 211 2222 3333 #12", ALL, "number_extension"),
    ("0177 17712345 ext. 5", ALL, "number_extension"),
    ("0177 17712345,5", ALL, "number_extension"),
    ("0177 1771234o", ALL, "number_letters"),
    ("++4917717712345", ALL, "number_plus"),
    ("49+17717712345", ALL, "number_plus"),
    ("17717712345", ALL, "number_local"),
    ("4917717712345", ALL, "number_local"),
    ("0177", ALL, "number_short"),
    ("01771771234567890", ALL, "number_long"),
    ("+999 123456", ALL, "number_country_unknown"),
    ("0177 17712345 \u260e", ALL, "number_characters"),
    # emergency and short codes, in each disguise
    ("110", ALL, "target_emergency"),
    ("112", ALL, "target_emergency"),
    ("0112", ALL, "target_emergency"),
    ("+49110", ALL, "target_emergency"),
    ("0049 112", ALL, "target_emergency"),
    ("030 110", ALL, "target_emergency"),
    ("0211 112", ALL, "target_emergency"),
    ("115", ALL, "target_short_code"),
    ("116117", ALL, "target_short_code"),
    ("116 000", ALL, "target_short_code"),
    ("11833", ALL, "target_short_code"),
    ("+49 118 33", ALL, "target_short_code"),
    # classes that nobody may have
    ("0900 1234567", ALL, "target_premium"),
    ("0137 1234567", ALL, "target_premium"),
    ("0138 123456", ALL, "target_premium"),
    ("0190 123456", ALL, "target_premium"),
    ("012 345678", ALL, "target_premium"),
    ("0191011", ALL, "target_special"),
    ("0700 12345678", ALL, "target_special"),
    ("0164 123456", ALL, "target_special"),
    ("0181 123456", ALL, "target_special"),
    ("010 12345678", ALL, "target_special"),
    ("+881 6 12345678", ALL, "target_satellite"),
    ("+882 1234567", ALL, "target_satellite"),
    ("+883 5100 01234567", ALL, "target_satellite"),
    ("+870 773 123456", ALL, "target_satellite"),
    ("+979 123456789", ALL, "target_premium"),
    ("+1 900 234 5678", ALL, "target_premium"),
    ("+44 909 879 0000", ALL, "target_premium"),
    # unknown type means refuse
    ("032 22123456", ALL, "number_"),
    # what the customer does not have
    ("0180 5 12345", [], "target_shared_cost"),
    ("+43 1 580580", [], "target_international"),
    ("+43 1 580580", ["shared_cost"], "target_international"),
    # what fails together with the number
    (CALLED, ALL, "target_self"),
    ("030 23125 011", ALL, "target_self"),
]

STORED = [
    "+499001234567",
    "+491371234567",
    "+49110",
    "+4930112",
    "+49116117",
    "+4970012345678",
    "+49180512345",
    "+8816123456",
    "+979123456789",
    "+431580580",
    CALLED,
]


def document(target: str, allowances: list[str]) -> dict[str, Any]:
    order = {
        "id": "o",
        "product": "sipTrunk 2.0",
        "site": {"id": "s", "address": ""},
        "lines": [{"id": "l", "user": "u", "password": "p"}],
        "blocks": [{"id": "b", "base": "030 23125", "extensions": "000-099"}],
        "diversions": [{"id": "d", "to": target, "armed": True}],
    }
    return {"customers": [{"id": "c", "name": "c", "allowances": allowances, "orders": [order]}]}


def answered(entities: list[Entity]) -> list[str]:
    """Return where the engine would send a call to `CALLED` while the line is down."""
    table = RouteTable()
    for delta in Compiler().load(entities, NOW):
        table.apply(delta)
    found = table.explain(CALLED, INTERCONNECT, "down")
    return [uri.removeprefix("sip:").partition("@")[0] for uri in found["targets"]]


@pytest.mark.parametrize(("text", "allowances", "expected"), ACCEPTED)
def test_an_accepted_form_comes_out_of_the_engine_in_its_one_form(text: str, allowances: list[str], expected: str) -> None:
    assert answered(parse_document(document(text, allowances), "realm")) == [expected]


@pytest.mark.parametrize(("text", "allowances", "slug"), REFUSED)
def test_a_trap_is_refused_with_its_name_and_place(text: str, allowances: list[str], slug: str) -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_document(document(text, allowances), "realm")
    (fault,) = refused.value.faults
    assert fault.type.startswith(slug)
    assert fault.location.startswith("customers[0].orders[0].diversions[0]")
    assert ". " in fault.message  # what is wrong, and what to do


@pytest.mark.parametrize("number", STORED)
def test_what_was_stored_past_the_checks_is_left_out_when_it_is_used(number: str) -> None:
    entities = [e for e in parse_document(document(MOBILE, []), "realm") if not isinstance(e, Diversion)]
    targets = (Target(number=number), Target(number=MOBILE))
    rule = Diversion(id="d", order="o", scope=OrderScope(), armed=True, targets=targets)
    assert answered([*entities, rule]) == [MOBILE]
    assert answered([*entities, rule.model_copy(update={"targets": targets[:1]})]) == []


def test_an_allowance_that_was_taken_away_takes_the_target_out() -> None:
    entities = parse_document(document("+43 1 580580", ["international"]), "realm")
    compiler, table = Compiler(), RouteTable()
    for delta in compiler.load(entities, NOW):
        table.apply(delta)
    assert table.explain(CALLED, INTERCONNECT, "down")["targets"] != []
    customer = entities[0].model_copy(update={"allowances": ()})
    for delta in compiler.change([("customer", "c", customer)], NOW):
        table.apply(delta)
    assert table.explain(CALLED, INTERCONNECT, "down")["targets"] == []
