"""Who made a change: never a reason not to save it."""

import pytest

from rules_store import Author


def test_an_author_is_one_line_of_bounded_length() -> None:
    author = Author("Ada\nLovelace\x00", "portal", "x" * 1000)
    assert author.who == "Ada Lovelace"
    assert len(author.source) == 300


def test_what_utf_8_cannot_carry_is_left_out() -> None:
    assert Author("\ud800Ada", "cli").who == "Ada"


def test_an_unknown_way_in_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="way in"):
        Author("Ada", "telepathy")  # type: ignore[arg-type]
