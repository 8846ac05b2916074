"""Numbers as people type them, and their one canonical form: E.164 with ``+`` (``+4917717712345``).

Accepted are ``017717712345``, ``+4917717712345`` and ``004917717712345``, with blanks, slashes, brackets, hyphens and dots
wherever people put them, also in full-width digits. Everything that would have to be guessed is refused: the
phonenumbers library is asked last, because it repairs in silence (it drops a zero after the country code, splits off
``#12``, and takes ``00494917717712345`` for a number in Leer).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

from routing.number_kinds import NumberKind, classify, classify_german
from routing.rejection import RuleRejected, reject

MAX_DIGITS = 15
"""ITU-T E.164 §6.2.1: country code and national significant number together."""
MAX_TEXT = 64
"""Nobody types a longer number; what is longer is not quoted back in full either."""
# German numbers have at most 11 digits without the country code since 2010; older direct-dial numbers may have more. So a number
# of 12 and more that holds a whole number behind a second 49 has the country code twice.
_GERMAN_USUAL = 11
_MIN_NATIONAL = 3

_EXTENSION = re.compile(r"(#|;\s*\w*=?|\*|,|(?i:\s*(?:ext\.?|extn\.?|x|durchwahl|dw\.?|app\.?|nst\.?)\s*)(?=\d))")
_ZERO_IN_BRACKETS = re.compile(r"^((?:\+|00)\s*[1-9][\d\s]{0,3}?)\s*\(\s*0\s*\)")
_SEPARATORS = re.compile(r"[\s()\[\]/.\-\u2010-\u2015\u2212\u00b7]+")


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """A number that was understood."""

    e164: str
    country_code: str
    kind: NumberKind
    what: str
    """Description of the kind, for messages; "" for subscribers' numbers."""


def parse_number(text: str, *, home: str = "49", location: str = "number") -> ParsedNumber:
    """Read a number as typed; a number without ``+`` or ``00`` is one of country ``home`` and needs its leading zero.

    Returns any kind of number but short codes and emergency numbers, which are no E.164 numbers: what a number may be used
    for is up to the caller (`routing.targets`). Raises `RuleRejected` with one fault.
    """
    try:
        return _parsed(text, home)
    except RuleRejected as refused:
        raise refused.at(location) from None


@lru_cache(maxsize=16_384)  # a few thousand targets stand in a hundred thousand rules, and the library takes its time
def _parsed(text: str, home: str) -> ParsedNumber:
    location = ""
    shown, plain = _plain(text, location)
    if plain.startswith("+"):
        return _international(plain[1:], shown, location)
    if plain.startswith("00"):
        return _international(plain[2:], shown, location)
    if plain.startswith("0"):
        return _international(home + plain[1:], shown, location)
    if home == "49":
        _refuse_short(plain, shown, location)
    raise reject("number_local", location, text=shown)


def parse_base(text: str, *, home: str = "49", location: str = "base") -> str:
    """Read the base of a number block, which need not be a whole number; return it as E.164. Raises `RuleRejected`."""
    shown, plain = _plain(text, location)
    if plain.startswith("+"):
        digits = plain[1:]
    elif plain.startswith("00"):
        digits = plain[2:]
    elif plain.startswith("0"):
        digits = home + plain[1:]
    else:
        raise reject("number_local", location, text=shown)
    code, national = _split(digits, shown, location)
    kind, what = classify(digits)
    if kind in _NO_BASE:
        raise reject("target_special", location, number=f"+{digits}", what=what or kind.value)
    if len(national) < _MIN_NATIONAL:
        raise reject("number_short", location, text=shown)
    if len(digits) > MAX_DIGITS:
        raise reject("number_long", location, text=shown, limit=str(MAX_DIGITS))
    if code == "49" and national.startswith("49") and len(national) > _GERMAN_USUAL - 1:
        # The base 0491 … of Leer is short; with eleven digits the country code was typed twice.
        _refuse_twice(code, national, shown, location)
    return f"+{digits}"


_NO_BASE = frozenset({NumberKind.SATELLITE, NumberKind.EMERGENCY, NumberKind.SHORT_CODE, NumberKind.PREMIUM})


def pretty(e164: str) -> str:
    """Return the number with groups, for pages: ``+49 30 23125010``; unknown numbers come back as they are."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    grouped = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    # The library drops what it takes for national prefixes; a display must show each digit.
    return grouped if _digits_of(grouped) == _digits_of(e164) else e164


def _plain(text: str, location: str) -> tuple[str, str]:
    """Return the input fit to be quoted, and ``+`` and ASCII digits only."""
    # Invisible marks (category Cf) come with numbers copied out of address books.
    visible = text[: 4 * MAX_TEXT].strip()
    if not visible.isascii():
        visible = "".join(c for c in unicodedata.normalize("NFKC", text[: 4 * MAX_TEXT]) if unicodedata.category(c) != "Cf")
        visible = "".join(_ascii_digit(c) for c in visible).strip()
    shown = visible[:MAX_TEXT]
    if not visible:
        raise reject("number_empty", location)
    if len(visible) > MAX_TEXT:
        raise reject("number_long", location, text=shown, limit=str(MAX_DIGITS))
    extension = _EXTENSION.search(visible)
    if extension is not None:
        raise reject("number_extension", location, text=shown, found=extension.group().strip())
    if any(c.isalpha() for c in visible):
        raise reject("number_letters", location, text=shown)
    # "+49 (0)30 …" is the one usual way to write both forms at once, and the bracket says that the zero does not belong there.
    plain = _SEPARATORS.sub("", _ZERO_IN_BRACKETS.sub(r"\1", visible))
    odd = next((c for c in plain if c != "+" and c not in "0123456789"), None)
    if odd is not None:
        raise reject("number_characters", location, text=shown, found=odd)
    if "+" in plain[1:] or plain == "+":
        raise reject("number_plus", location, text=shown)
    if not plain:
        raise reject("number_empty", location)
    return shown, plain


def _ascii_digit(char: str) -> str:
    value = unicodedata.digit(char, -1)
    return str(value) if value >= 0 else char


def _split(digits: str, shown: str, location: str) -> tuple[str, str]:
    """Return country code and national significant number of international digits."""
    code = next((digits[:n] for n in (1, 2, 3) if digits[:n].isdigit() and _is_code(digits[:n])), None)
    if code is None:
        raise reject("number_country_unknown", location, text=shown)
    national = digits[len(code) :]
    if national.startswith("0") and code == "49":
        stripped = national.lstrip("0")
        if stripped.startswith(code) and len(stripped) > _GERMAN_USUAL:
            raise reject("number_country_twice", location, text=shown, code=code)
        raise reject("number_zero_after_country", location, text=shown, suggestion=f"+{code}{stripped}")
    return code, national


def _is_code(digits: str) -> bool:
    return not digits.startswith("0") and int(digits) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def _international(digits: str, shown: str, location: str) -> ParsedNumber:
    code, national = _split(digits, shown, location)
    if code == "49":
        _refuse_short(national, shown, location)
        if national.startswith("49") and len(national) > _GERMAN_USUAL:
            _refuse_twice(code, national, shown, location)
    if len(digits) > MAX_DIGITS:
        raise reject("number_long", location, text=shown, limit=str(MAX_DIGITS))
    kind, what = classify(digits)
    if kind is not NumberKind.SUBSCRIBER:
        # Barred and special numbers are named as such, also where the library holds them for invalid (0190, 0137).
        if len(national) < _MIN_NATIONAL:
            raise reject("number_short", location, text=shown)
        return ParsedNumber(f"+{digits}", code, kind, what)
    return _ask_library(digits, code, national, shown, location)


def _ask_library(digits: str, code: str, national: str, shown: str, location: str) -> ParsedNumber:
    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        raise reject("number_short" if len(national) < _MIN_NATIONAL else "number_invalid", location, text=shown) from None
    if phonenumbers.format_number(number, PhoneNumberFormat.E164) != f"+{digits}":
        # It left something out in silence: a national prefix behind the country code.
        suggestion = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        raise reject("number_zero_after_country", location, text=shown, suggestion=suggestion)
    found = phonenumbers.number_type(number)
    if found == PhoneNumberType.UNKNOWN:  # what is not valid has no type, and the other way round
        raise _not_valid(number, code, national, shown, location)
    kind = _KINDS.get(found)
    if kind is None:
        raise reject("number_unknown_type", location, text=shown)
    return ParsedNumber(f"+{digits}", code, kind, "" if kind is NumberKind.SUBSCRIBER else kind.value.replace("_", " "))


_KINDS = {
    PhoneNumberType.FIXED_LINE: NumberKind.SUBSCRIBER,
    PhoneNumberType.MOBILE: NumberKind.SUBSCRIBER,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberKind.SUBSCRIBER,
    PhoneNumberType.VOIP: NumberKind.SUBSCRIBER,
    PhoneNumberType.TOLL_FREE: NumberKind.FREEPHONE,
    PhoneNumberType.SHARED_COST: NumberKind.SHARED_COST,
    PhoneNumberType.PREMIUM_RATE: NumberKind.PREMIUM,
    PhoneNumberType.PERSONAL_NUMBER: NumberKind.SPECIAL,
    PhoneNumberType.PAGER: NumberKind.SPECIAL,
    PhoneNumberType.UAN: NumberKind.SPECIAL,
    PhoneNumberType.VOICEMAIL: NumberKind.SPECIAL,
}


def _not_valid(number: phonenumbers.PhoneNumber, code: str, national: str, shown: str, location: str) -> RuleRejected:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if national.startswith(code) and _valid(national):
        return reject("number_country_twice", location, text=shown, code=code)
    if reason == ValidationResult.TOO_LONG:
        return reject("number_long", location, text=shown, limit=str(MAX_DIGITS))
    if reason in (ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        return reject("number_short", location, text=shown)
    return reject("number_invalid", location, text=shown)


def _refuse_twice(code: str, national: str, shown: str, location: str) -> None:
    rest = national[len(code) :].lstrip("0")
    if _valid(code + rest):
        raise reject("number_country_twice", location, text=shown, code=code)


def _valid(digits: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}", None))
    except phonenumbers.NumberParseException:
        return False


def _refuse_short(national: str, shown: str, location: str) -> None:
    kind, what = classify_german(national)
    if kind is NumberKind.EMERGENCY:
        raise reject("target_emergency", location, number=shown)
    if kind is NumberKind.SHORT_CODE:
        raise reject("target_short_code", location, number=shown, what=what)


def _digits_of(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
