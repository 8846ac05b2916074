"""The table of blocks and extensions: what stands side by side, whose a called number is, and what a kept extension comes to."""

from datetime import UTC, datetime

import pytest

from tests.routing.stage import Answer, Stage, document, order

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOBODY = None


@pytest.mark.parametrize(
    ("blocks", "numbers", "calls"),
    [
        pytest.param(
            # The shapes of one phone system, side by side.
            {"a": [("030 23125", "0"), ("030 23125", "01"), ("030 23125", "10-99")]},
            {},
            {
                "+493023125": NOBODY,  # the base alone is no number of the block
                "+4930231250": "a",
                "+4930231251": NOBODY,
                "+49302312500": NOBODY,
                "+49302312501": "a",
                "+49302312502": NOBODY,
                "+49302312509": NOBODY,
                "+49302312510": "a",
                "+49302312599": "a",
                "+493023125010": NOBODY,
                "+493023125100": NOBODY,
            },
            id="0, 01 and 10-99",
        ),
        pytest.param(
            # The same three with a line each: the longest prefix has a call, never the first entry.
            {"a": [("030 23125", "0")], "b": [("030 23125", "01")], "c": [("030 23125", "10-99")]},
            {},
            {"+4930231250": "a", "+49302312501": "b", "+49302312510": "c", "+49302312500": NOBODY, "+493023125": NOBODY},
            id="0, 01 and 10-99 of three lines",
        ),
        pytest.param(
            # -0 is the prefix of -01, and that one of -010.
            {"a": [("030 23125", "0")], "b": [("030 23125", "01")], "c": [("030 23125", "010")], "d": [("030 23125", "0100")]},
            {},
            {
                "+4930231250": "a",
                "+49302312501": "b",
                "+493023125010": "c",
                "+4930231250100": "d",
                "+49302312501000": NOBODY,
                "+493023125011": NOBODY,
            },
            id="each the prefix of the next",
        ),
        pytest.param(
            # One digit is the prefix of a hundred numbers with three digits, and of those with two between them.
            {"a": [("030 23125", "1")], "b": [("030 23125", "100-199")], "c": [("030 23125", "10-14")]},
            {},
            {
                "+4930231251": "a",
                "+49302312510": "c",
                "+49302312514": "c",
                "+49302312515": NOBODY,
                "+493023125100": "b",
                "+493023125149": "b",
                "+493023125199": "b",
                "+493023125200": NOBODY,
                "+4930231251000": NOBODY,
            },
            id="1, 10-14 and 100-199",
        ),
        pytest.param(
            # Bases that are prefixes of each other: the digits are the same, the cut is another.
            {"a": [("030 231", "25000-25009")], "b": [("030 2312", "5010-5019")], "c": [("030 23125", "020-029")]},
            {},
            {"+493023125005": "a", "+493023125015": "b", "+493023125025": "c", "+493023125035": NOBODY},
            id="bases inside of each other",
        ),
        pytest.param(
            # Without extensions all lengths belong to it, and the base itself; a block inside of it takes its own away.
            {"a": [("030 23125", None)], "b": [("030 23125", "10-19")], "c": [("030 231257", None)]},
            {},
            {
                "+493023125": "a",
                "+4930231250": "a",
                "+49302312510": "b",
                "+493023125100": "a",
                "+49302312520": "a",
                "+493023125678901": "a",
                "+4930231256789012": NOBODY,  # 16 digits are no number (E.164)
                "+493023125700": "c",
                "+493023124": NOBODY,
            },
            id="all extensions",
        ),
        pytest.param(
            # A single number goes before any block; numbers of the block around it are not touched.
            {"a": [("030 23125", "00-99")], "b": [("0221 4710", None)]},
            {"n": ["030 23125 50", "0221 4710", "030 23125"]},
            {
                "+49302312549": "a",
                "+49302312550": "n",
                "+49302312551": "a",
                "+493023125": "n",
                "+492214710": "n",
                "+4922147100": "b",
            },
            id="single numbers in blocks",
        ),
        pytest.param(
            # Leading zeros are digits: -1, -01 and -001 are three numbers.
            {"a": [("030 23125", "1")], "b": [("030 23125", "01")], "c": [("030 23125", "001")]},
            {},
            {"+4930231251": "a", "+49302312501": "b", "+493023125001": "c", "+49302312511": NOBODY},
            id="1, 01 and 001",
        ),
        pytest.param(
            # Edges that fall into one decade, and that cross decades.
            {"a": [("030 23125", "095-104")], "b": [("030 23125", "105-105")], "c": [("030 23125", "106-999")]},
            {},
            {
                "+493023125094": NOBODY,
                "+493023125095": "a",
                "+493023125099": "a",
                "+493023125100": "a",
                "+493023125104": "a",
                "+493023125105": "b",
                "+493023125106": "c",
                "+493023125110": "c",
                "+493023125999": "c",
            },
            id="edges of decades",
        ),
    ],
)
def test_whose_a_called_number_is(
    blocks: dict[str, list[tuple[str, str | None]]], numbers: dict[str, list[str]], calls: dict[str, str | None]
) -> None:
    ranks = iter(range(100))
    orders = [
        order(key, blocks=[{"id": f"b{next(ranks)}", "base": base, "extensions": part} for base, part in parts])
        for key, parts in blocks.items()
    ]
    orders += [order(key, numbers=list(texts)) for key, texts in numbers.items()]
    for arranged in (orders, orders[::-1]):  # what stands first in the file does not matter
        stage = Stage(document(*arranged), NOW)
        assert {number: stage.call(number).line for number in calls} == calls


@pytest.mark.parametrize(
    ("base", "extensions", "to", "calls"),
    [
        # "0211 2222-XX → 0211 9999-XX", with each shape of extension
        ("030 23125", ["0", "01", "10-99"], "069 90009…", {"0": "+4969900090", "01": "+49699000901", "42": "+49699000942"}),
        ("030 23125", ["000-999"], "089 99998XXX", {"000": "+498999998000", "010": "+498999998010", "999": "+498999998999"}),
        ("030 23125", ["0", "000-099"], "089 99998…", {"0": "+4989999980", "007": "+498999998007"}),
        # a base of another length, and one that ends in the middle of the number
        ("030 23125", ["10-99"], "0221 47…", {"10": "+492214710", "99": "+492214799"}),
        ("030 231", ["25000-25999"], "069 9…", {"25010": "+4969925010", "25999": "+4969925999"}),
        # all extensions, of any length, and the base itself
        ("030 23125", None, "089 99998…", {"": "+498999998", "5": "+4989999985", "123": "+498999998123"}),
    ],
)
def test_a_block_goes_to_a_block_and_keeps_the_extension(
    base: str, extensions: list[str] | None, to: str, calls: dict[str, str]
) -> None:
    block = {"id": "b", "base": base, "extensions": extensions}
    stage = Stage(document(order("o", blocks=[block], diversions=[{"block": "b", "to": to, "armed": True}])), NOW)
    called = f"+49{base.replace(' ', '')[1:]}"
    expected = {extension: Answer("o", "b.block", (target,)) for extension, target in calls.items()}
    assert {extension: stage.call(called + extension) for extension in calls} == expected


def test_each_rule_of_an_extension_takes_what_it_says_and_the_block_the_rest() -> None:
    diversions = [
        {"block": "b", "to": "089 99998…", "armed": True},
        {"block": "b", "extensions": "10-19", "to": ["069 90009…", "0171 3920001"], "armed": True},
        {"block": "b", "extensions": "15", "to": "0171 3920002", "armed": True},
        {"number": "030 23125 16", "to": "0171 3920003", "armed": True},
    ]
    blocks = [{"id": "b", "base": "030 23125", "extensions": ["0", "01", "10-99"]}]
    stage = Stage(document(order("o", blocks=blocks, diversions=diversions)), NOW)
    extensions = ("0", "01", "10", "15", "16", "19", "20")
    assert {extension: stage.call(f"+493023125{extension}").targets for extension in extensions} == {
        "0": ("+4989999980",),
        "01": ("+49899999801",),
        "10": ("+49699000910", "+491713920001"),
        "15": ("+491713920002",),
        "16": ("+491713920003",),
        "19": ("+49699000919", "+491713920001"),
        "20": ("+49899999820",),
    }
