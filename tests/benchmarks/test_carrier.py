"""The generated carrier has the size asked for, fits together, and is the same each time."""

from collections import Counter

import pytest

from benchmarks.carrier import Carrier
from routing.crosscheck import crosscheck
from routing.model import Block, Diversion, Entity, Line, Number

_SMALL = Carrier(blocks=20, numbers=105, lines=90, rules=200)


def test_everything_fits_together() -> None:
    placed: list[tuple[str, Entity]] = [(str(n), entity) for n, entity in enumerate(_SMALL.entities())]
    assert crosscheck(placed, ()) == []


def test_it_has_the_size_asked_for_and_is_the_same_each_time() -> None:
    found = list(_SMALL.entities())
    assert found == list(_SMALL.entities())
    assert len(found) == len(_SMALL)
    counts = Counter(type(entity) for entity in found)
    assert [counts[kind] for kind in (Block, Number, Line, Diversion)] == [20, 105, 90, 200]
    assert Carrier().all_numbers == 1_000_000


def test_ids_and_numbers_are_given_once() -> None:
    found = list(_SMALL.entities())
    assert len({(type(entity), entity.id) for entity in found}) == len(found)
    numbers = [_SMALL.number(n) for n in range(_SMALL.numbers)]
    extensions = [_SMALL.extension(block, n) for block in range(_SMALL.blocks) for n in range(45)]
    assert len({*numbers, *extensions}) == _SMALL.all_numbers


@pytest.mark.parametrize("size", [{"lines": 5}, {"rules": 10_000}, {"blocks": -1}])
def test_a_size_that_cannot_be_is_refused(size: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"lines|rules|negative"):
        Carrier(**{"blocks": 20, "numbers": 100, "lines": 90, "rules": 200, **size})
