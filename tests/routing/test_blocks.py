"""Blocks: notations of people, ranges as prefixes, membership."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.blocks import common, decompose, holds, parse_block, parse_range
from routing.model import ExtensionRange
from routing.prefixes import Part, PrefixTable, claim
from routing.rejection import RuleRejected


@pytest.mark.parametrize(
    ("text", "base", "ranges"),
    [
        ("0211 2222-XX", "+492112222", [("00", "99")]),
        ("0211 2222xx", "+492112222", [("00", "99")]),
        ("0211/2222-1X", "+492112222", [("10", "19")]),
        ("030 23125-0XX", "+493023125", [("000", "099")]),
        ("0211 2222-10-99", "+492112222", [("10", "99")]),
        ("0211 2222 10\u201399", "+492112222", [("10", "99")]),
        ("030 23125 10...99", "+493023125", [("10", "99")]),
        ("030 23125-10 bis -99", "+493023125", [("10", "99")]),
        ("0211 2222222 01", "+492112222222", [("01", "01")]),
        ("+49 211 2222222 01", "+492112222222", [("01", "01")]),
        ("030 23125-0", "+493023125", [("0", "0")]),
        ("030 23125", "+493023125", []),
        ("+49 30 23125", "+493023125", []),
        ("0211-2222-2222", "+4921122222222", []),
    ],
)
def test_notations_of_people(text: str, base: str, ranges: list[tuple[str, str]]) -> None:
    found, parts = parse_block(text)
    assert (found, [(part.first, part.last) for part in parts]) == (base, ranges)


@pytest.mark.parametrize("text", ["030 23125-1-22", "0900 123XX", "abc", "", "110-XX"])
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(RuleRejected):
        parse_block(text)


@pytest.mark.parametrize("text", ["99-10", "1-22", "", "XX1", "123456789", "\u0661"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RuleRejected):
        parse_range(text)


@pytest.mark.parametrize(
    ("first", "last", "prefixes"),
    [
        ("0", "0", ["0"]),
        ("01", "01", ["01"]),
        ("10", "99", ["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
        ("00", "99", [""]),
        ("098", "121", ["098", "099", "10", "11", "120", "121"]),
    ],
)
def test_ranges_become_the_fewest_prefixes(first: str, last: str, prefixes: list[str]) -> None:
    assert decompose(first, last) == prefixes


@settings(max_examples=50)  # ten thousand numbers each
@given(st.integers(1, 4), st.data())
def test_the_prefixes_of_a_range_stand_for_exactly_its_extensions(width: int, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, 10**width - 1))
    high = data.draw(st.integers(low, 10**width - 1))
    prefixes = decompose(str(low).zfill(width), str(high).zfill(width))
    held = [n for n in range(10**width) if any(str(n).zfill(width).startswith(prefix) for prefix in prefixes)]
    assert held == list(range(low, high + 1))
    # Minimal: no ten prefixes that one would do for, none inside another.
    assert not any(a != b and b.startswith(a) for a in prefixes for b in prefixes)
    parents = [prefix[:-1] for prefix in prefixes if prefix]
    assert all(parents.count(parent) < 10 for parent in parents)


CLAIMS = st.lists(
    st.tuples(st.text("01", min_size=0, max_size=3), st.integers(0, 3), st.booleans(), st.sampled_from("abc")), max_size=8
)


@given(CLAIMS, CLAIMS)
def test_the_prefix_table_gives_each_number_to_the_longest_claim_that_admits_it(
    first: list[tuple[str, int, bool, str]], second: list[tuple[str, int, bool, str]]
) -> None:
    table = PrefixTable()
    old = built(first)
    table.change([], old)
    new = built(second)
    table.change(old, new)
    for number in (f"49{n:0{size}b}" if size else "49" for size in range(6) for n in range(2**size)):
        fitting = [c for key, c in new if number.startswith(key) and c.low <= len(number) <= c.high]
        expected = min(fitting).part if fitting else None
        assert table.lookup(number) == expected, number


def built(rows: list[tuple[str, int, bool, str]]) -> list[tuple[str, "claim.__class__"]]:  # type: ignore[name-defined]
    """Claims of one length, or of all lengths from the key on."""
    return [
        (
            f"49{key}",
            claim(
                f"49{key}",
                len(key) + 2 + (0 if rest else more),
                7 if rest else len(key) + 2 + more,
                Part(block, ()),
                rest=rest,
            ),
        )
        for key, more, rest, block in rows
    ]


def test_extensions_of_different_length_stand_side_by_side() -> None:
    ranges = tuple(ExtensionRange(first=a, last=b) for a, b in (("0", "0"), ("01", "01"), ("10", "99")))
    inside = [x for x in ("", "0", "1", "00", "01", "09", "10", "99", "010", "100") if holds("+4930", ranges, "+4930" + x)]
    assert inside == ["0", "01", "10", "99"]


def test_blocks_have_numbers_in_common_only_where_neither_is_the_rest_of_the_other() -> None:
    tens = (ExtensionRange(first="10", last="19"),)
    assert common("+4930", tens, "+49301", (ExtensionRange(first="5", last="7"),)) == "+493015"
    assert common("+4930", tens, "+4930", ()) is None
    assert common("+4930", (), "+4930", ()) == "+4930"
    assert common("+4930", tens, "+4930", (ExtensionRange(first="100", last="199"),)) is None
