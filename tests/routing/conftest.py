"""A product to which diversion does not belong, beside those of the table, which all have it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from routing import products
from tests.routing.strategies import UNDIVERTED


@pytest.fixture(autouse=True, scope="module")
def _a_product_without_diversion() -> Iterator[None]:
    """Add a row to the table: data, as an operator would."""
    plain = replace(products.PRODUCTS["sipTrunk 2.0"], name=UNDIVERTED, eligible=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_FOLDED", {**products._FOLDED, products._fold(UNDIVERTED): plain})
        yield
