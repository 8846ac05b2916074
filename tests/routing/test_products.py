"""The products are data: each row is whole, and an order of a product without diversion has none, and is told so."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routing.compile import Compiler
from routing.document import parse_document
from routing.model import Diversion, Entity, Order, OrderScope, Target
from routing.product_texts import ProductTexts, Words
from routing.products import PRODUCTS, Product, product
from routing.rejection import RuleRejected
from routing.review import review
from tests.routing.stage import Answer, Stage, document, order
from tests.routing.strategies import UNDIVERTED

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CALLED = "+493023125010"
RULE = Diversion(id="r", order="o", scope=OrderScope(), armed=True, targets=(Target(number="+491713920000"),))


@pytest.mark.parametrize(
    ("name", "profiles", "request_uri", "numbers", "site_share"),
    [
        # The product table of the service description, row by row; the first kind is the default.
        ("sipAccount 2.0", {"registered": "phone"}, "contact", ["number"], 1.0),
        ("sipTrunk 2.0", {"registered": "registered"}, "number", ["number", "block"], 1.0),
        ("Jubiläumstarif", {"registered": "registered"}, "number", ["number", "block"], 1.0),
        ("sipTrunk 2.0 Pro", {"static": "static", "registered": "registered"}, "number", ["block"], 1.0),
        ("office-flat NGN", {"registered": "access-device"}, "number", ["number", "block"], 1.0),
        ("voice-direct NGN", {"registered": "access-device"}, "number", ["number", "block"], 1.0),
        ("PMX NGN", {"static": "gateway", "registered": "access-device"}, "number", ["block"], 1.0),
        ("PMX NGN Option", {"static": "gateway", "registered": "access-device"}, "number", ["block"], 1.0),
        ("centrex Premium", {"registered": "phone"}, "contact", ["number", "block"], 0.8),
    ],
)
def test_each_product_has_its_row(
    name: str, profiles: dict[str, str], request_uri: str, numbers: list[str], site_share: float
) -> None:
    held = PRODUCTS[name]
    assert held.eligible
    assert held.edit_lead_days == 14
    # Of each product a line may also register at somebody else's registrar.
    assert [(kind, held.profile(kind)) for kind in held.line_kinds] == [*profiles.items(), ("foreign", "foreign")]
    assert (held.request_uri, list(held.numbers), held.site_share) == (request_uri, numbers, site_share)


def test_the_table_has_the_nine_and_no_other() -> None:
    assert len(PRODUCTS) == 9
    assert all(product(name.upper().replace(" ", "")) is held for name, held in PRODUCTS.items())


@pytest.mark.parametrize("held", PRODUCTS.values(), ids=lambda held: held.name)
def test_each_product_has_its_texts_in_both_languages(held: Product) -> None:
    for field in ProductTexts.__slots__:
        words = getattr(held.texts, field)
        assert isinstance(words, Words)
        for text in words:
            assert text == text.strip() != ""
            assert text.endswith(".") is (field != "at_customer")
        assert words.de != words.en


def undiverted(*rules: dict[str, Any]) -> dict[str, Any]:
    return {**order("o", numbers=[CALLED], diversions=list(rules)), "product": UNDIVERTED}


def entities(*rules: Entity) -> list[Entity]:
    return [*document(undiverted()), *rules]


def test_an_order_of_a_product_without_diversion_is_loaded_and_its_calls_are_tried_at_the_line() -> None:
    stage = Stage(entities(), NOW)
    assert stage.compiler.problems() == []
    assert stage.call(CALLED) == Answer("o", None, ())


@pytest.mark.parametrize(
    "place", [{}, {"number": CALLED}, {"armed": False}], ids=["for the order", "for a number", "that is not armed"]
)
def test_its_rules_are_refused_with_the_reason(place: dict[str, Any]) -> None:
    with pytest.raises(RuleRejected) as refused:
        document(undiverted({"to": "0171 3920000", "armed": True, **place}))
    (fault,) = refused.value.faults
    assert (fault.type, fault.context["order"]) == ("product_not_eligible", "o")
    assert fault.message == f"Order o has the product {UNDIVERTED}, to which diversion does not belong. Leave its rules out."


def test_a_single_rule_is_refused_too_and_may_be_switched_off() -> None:
    compiler = Compiler()
    list(compiler.load(entities(RULE), NOW))
    found = review(RULE.model_copy(update={"note": "new"}), compiler.directory, staff=False)
    assert [fault.type for fault in found.faults] == ["product_not_eligible"]
    assert review(RULE.model_copy(update={"armed": False}), compiler.directory, staff=False).faults == ()


def test_a_rule_that_is_stored_all_the_same_is_not_used_and_told() -> None:
    stage = Stage(entities(RULE), NOW)
    assert stage.call(CALLED) == Answer("o", None, ())
    (problem,) = stage.compiler.problems()
    assert (problem.kind, problem.id, problem.type) == ("diversion", "r", "product_not_eligible")


def test_diversion_comes_and_goes_with_the_product_of_the_order() -> None:
    stage = Stage(entities(RULE), NOW)
    (plain,) = (each for each in entities() if isinstance(each, Order))
    changed = plain.model_copy(update={"product": "sipTrunk 2.0"})
    for held, answer in ((changed, Answer("o", "r", ("+491713920000",))), (plain, Answer("o", None, ()))):
        for delta in stage.compiler.change([("order", "o", held)], NOW):
            stage.table.apply(delta)
        assert stage.call(CALLED) == answer


def test_a_product_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_document({"customers": [{"id": "c", "name": "c", "orders": [{**order("o"), "product": "ISDN"}]}]}, "realm")
    (fault,) = refused.value.faults
    assert (fault.type, fault.location) == ("product_unknown", "customers[0].orders[0].product")
    assert all(name in fault.message for name in PRODUCTS)
