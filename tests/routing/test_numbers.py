"""Numbers as typed: every accepted form, every trap."""

import pytest

from routing.number_kinds import NumberKind
from routing.numbers import parse_base, parse_number, pretty
from routing.rejection import RuleRejected

FORMS = [
    "017717712345",
    "+4917717712345",
    "004917717712345",
    "0177 17712345",
    "0177/177 123-45",
    "(0177) 17712345",
    "0177.177.123.45",
    "0177\u201317712345",
    "+49 (0)177 17712345",
    "+49(0)17717712345",
    "(+49) 177 17712345",
    "0049 177 17712345",
    "[0177] 17712345",
    " 0177\u00a017712345\n",
    "\u202a+49 177 17712345\u202c",
    "\uff10\uff11\uff17\uff17\uff11\uff17\uff17\uff11\uff12\uff13\uff14\uff15",
    "\uff0b\uff14\uff19\uff11\uff17\uff17\uff11\uff17\uff17\uff11\uff12\uff13\uff14\uff15",
    "\u0660\u0661\u0667\u0667\u0661\u0667\u0667\u0661\u0662\u0663\u0664\u0665",
]


@pytest.mark.parametrize("text", FORMS)
def test_each_accepted_form_has_the_one_canonical_form(text: str) -> None:
    assert parse_number(text).e164 == "+4917717712345"


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0211 2224444", "+492112224444"),
        ("0211 2222222 01", "+49211222222201"),
        ("030 23125000", "+493023125000"),
        ("0176 040690 00", "+4917604069000"),
        ("+49 491 12345", "+4949112345"),  # Leer: 0491, not the country code twice
        ("+49 4921 123456", "+494921123456"),  # Emden
        ("+39 06 12345678", "+390612345678"),  # Italy keeps its zero
        ("+43 1 58058 0", "+431580580"),
        ("032 212345678", "+4932212345678"),
    ],
)
def test_ordinary_numbers_are_taken_as_they_are(text: str, e164: str) -> None:
    assert parse_number(text).e164 == e164
    assert parse_number(e164).e164 == e164


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("", "number_empty"),
        ("  ", "number_empty"),
        ("()", "number_empty"),
        ("00494917717712345", "number_country_twice"),
        ("+49 49 177 17712345", "number_country_twice"),
        ("04917717712345", "number_country_twice"),
        ("+49 0049 177 17712345", "number_country_twice"),
        ("+49 49 30 23125000", "number_country_twice"),
        ("+43 43 1 58058", "number_country_twice"),
        ("+49 0 177 17712345", "number_zero_after_country"),
        ("+49017717712345", "number_zero_after_country"),
        ("0049017717712345", "number_zero_after_country"),
        ("+44 020 7946 0958", "number_zero_after_country"),
        ("030 23125#12", "number_extension"),
        ("030 23125;ext=12", "number_extension"),
        ("030 23125 x12", "number_extension"),
        ("030 23125 ext. 12", "number_extension"),
        ("030 23125,12", "number_extension"),
        ("*21*03023125000#", "number_extension"),
        ("030 PIZZA", "number_letters"),
        ("0800-FLOWERS", "number_letters"),
        ("sip:030@example.invalid", "number_letters"),
        ("030 2312!000", "number_characters"),
        ("030\u00bd23125", "number_characters"),
        ("++4917717712345", "number_plus"),
        ("0+4917717712345", "number_plus"),
        ("+", "number_plus"),
        ("2224444", "number_local"),
        ("4917717712345", "number_local"),
        ("+999 1234567", "number_country_unknown"),
        ("+0 177 17712345", "number_country_unknown"),
        ("00", "number_country_unknown"),
        ("01", "number_short"),
        ("+49 30 2", "number_short"),
        ("+49 30 2312500000000000", "number_long"),
        ("0" * 100, "number_long"),
        ("110", "target_emergency"),
        ("112", "target_emergency"),
        ("0110", "target_emergency"),
        ("+49 112", "target_emergency"),
        ("030 110", "target_emergency"),
        ("0211/112", "target_emergency"),
        ("115", "target_short_code"),
        ("0115", "target_short_code"),
        ("116117", "target_short_code"),
        ("+49 116 117", "target_short_code"),
        ("118 33", "target_short_code"),
        ("011833", "target_short_code"),
        ("+49 12", "number_short"),
    ],
)
def test_each_trap_is_refused_under_its_name_with_a_remedy(text: str, slug: str) -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_number(text, location="targets[0]")
    (fault,) = refused.value.faults
    assert (fault.type, fault.location) == (slug, "targets[0]")
    assert fault.message.count(". ") >= 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0900 1234567", NumberKind.PREMIUM),
        ("0190 123456", NumberKind.PREMIUM),
        ("0137 1234567", NumberKind.PREMIUM),
        ("012 34567", NumberKind.PREMIUM),
        ("+979 123456789", NumberKind.PREMIUM),
        ("0180 5 12345", NumberKind.SHARED_COST),
        ("0181 123456", NumberKind.SPECIAL),
        ("0188 8123456", NumberKind.SPECIAL),
        ("0191 011", NumberKind.SPECIAL),
        ("0700 12345678", NumberKind.SPECIAL),
        ("0164 123456", NumberKind.SPECIAL),
        ("01033 030231250", NumberKind.SPECIAL),
        ("0800 1234567", NumberKind.FREEPHONE),
        ("+881 612345678", NumberKind.SATELLITE),
        ("+882 1234567", NumberKind.SATELLITE),
        ("+883 510001234567", NumberKind.SATELLITE),
        ("+870 773111632", NumberKind.SATELLITE),
        ("032 212345678", NumberKind.SUBSCRIBER),
        ("0171 3920000", NumberKind.SUBSCRIBER),
    ],
)
def test_special_numbers_are_recognised(text: str, kind: NumberKind) -> None:
    assert parse_number(text).kind is kind


def test_another_home_country_completes_national_numbers() -> None:
    assert parse_number("01 58058 0", home="43").e164 == "+431580580"


def test_pretty_groups_and_never_loses_a_digit() -> None:
    assert pretty("+4917717712345") == "+49 177 17712345"
    assert pretty("+493023125010") == "+49 30 23125010"
    assert pretty("+490000") == "+49 0000"
    assert pretty("+4903023125000") == "+4903023125000"
    assert pretty("nonsense") == "nonsense"


def test_the_base_of_a_block_need_not_be_a_whole_number() -> None:
    assert parse_base("0211 2222") == "+492112222"
    assert parse_base("+49 30 23125") == "+493023125"


@pytest.mark.parametrize("text", ["0900 1", "110", "01", "2222", "+881 6", "+49 0 30 23125", "030 2312 x"])
def test_a_base_is_checked_like_a_number(text: str) -> None:
    with pytest.raises(RuleRejected):
        parse_base(text)
