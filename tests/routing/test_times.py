"""Times as people write them, in German and English, and what is refused."""

import pytest

from routing.rejection import RuleRejected
from routing.times import MAX_TEXT, Times, parse_times

OFFICE = ("mon", "tue", "wed", "thu", "fri")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mo-Fr 08:00-17:00", [(OFFICE, "08:00", "17:00", "any")]),
        ("mon-fri 08:00-17:00", [(OFFICE, "08:00", "17:00", "any")]),
        ("  MO – FR   8.00 – 17.00 Uhr ", [(OFFICE, "08:00", "17:00", "any")]),
        ("montags bis freitags 8 bis 17 Uhr", [(OFFICE, "08:00", "17:00", "any")]),
        ("Monday-Friday, 8 Uhr - 17 Uhr", [(OFFICE, "08:00", "17:00", "any")]),
        ("weekdays 08:00-17:00", [(OFFICE, "08:00", "17:00", "any")]),
        ("Mo, Mi und Fr 9-12", [(("mon", "wed", "fri"), "09:00", "12:00", "any")]),
        ("Mo-Fr 8-12, 13-17", [(OFFICE, "08:00", "12:00", "any"), (OFFICE, "13:00", "17:00", "any")]),
        (
            "Mo-Do 8-17; Fr 8-14:30; Sa",
            [
                (("mon", "tue", "wed", "thu"), "08:00", "17:00", "any"),
                (("fri",), "08:00", "14:30", "any"),
                (("sat",), "00:00", "24:00", "any"),
            ],
        ),
        ("22:00-06:00", [((), "22:00", "06:00", "any")]),
        ("8-12, 13-17, nicht an Feiertagen", [((), "08:00", "12:00", "except"), ((), "13:00", "17:00", "except")]),
        ("täglich 00:00-24:00", [((), "00:00", "24:00", "any")]),
        ("Wochenende", [(("sat", "sun"), "00:00", "24:00", "any")]),
        ("Sat-Mon", [(("sat", "sun", "mon"), "00:00", "24:00", "any")]),
        ("Di.-Do. 10-11", [(("tue", "wed", "thu"), "10:00", "11:00", "any")]),
        ("gesetzliche Feiertage", [((), "00:00", "24:00", "only")]),
        # A public holiday is one more day, not a condition on the others.
        (
            "Sa, So, Feiertage 10-16",
            [(("sat", "sun"), "10:00", "16:00", "any"), ((), "10:00", "16:00", "only")],
        ),
        ("Mo-Fr 8-17, nicht an Feiertagen", [(OFFICE, "08:00", "17:00", "except")]),
        ("except public holidays", [((), "00:00", "24:00", "except")]),
        (
            "Mo-Fr 8-17 außer feiertags, Feiertage 10-12",
            [(OFFICE, "08:00", "17:00", "except"), ((), "10:00", "12:00", "only")],
        ),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: list[tuple[tuple[str, ...], str, str, str]]) -> None:
    assert [tuple(times) for times in parse_times(text)] == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it names no time"),
        ("  , ", "it names no time"),
        ("Mo-Fr 25-26", "there is no such time of day"),
        ("8:60-9:00", "there is no such time of day"),
        ("24:01-25:00", "there is no such time of day"),
        ("24:00-06:00", "a day begins at 00:00"),
        ("Mo-Xy 8-17", "it is no day of the week"),
        ("Mittsommer", "it is no day of the week"),
        ("werktags 8-17", "whether Saturday is one is unclear"),
        ("Mo-Fr 8", "it is neither a day nor a time"),
        ("Mo-Fr 8-17 nicht", "what does not count is not named"),
        ("täglich nicht So", "only public holidays can be left out"),
        ("Mo-Fr @ 8-17", "it is neither a day nor a time"),
        ("08:00-17:00 Mo-Fr", "days stand before their times"),
        ("8-12, 13-17 täglich", "days stand before their times"),
        ("10-16 Uhr Feiertage", "days stand before their times"),
        ("x" * (MAX_TEXT + 1), "it is longer than"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_times(text, "periods[0].times")
    (fault,) = refused.value.faults
    assert (fault.type, fault.location) == ("times_text", "periods[0].times")
    assert why in fault.message


def test_the_fields_are_those_of_a_period() -> None:
    assert Times._fields == ("days", "start", "end", "holidays")
