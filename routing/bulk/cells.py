"""Single cells: what a spreadsheet makes of a text, caught with its remedy; and texts that no spreadsheet may take for a formula.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end is run as a formula when the file is opened; ``007`` loses
its zeros, a long number its last digits, and ``1-12`` becomes a day. Such a cell is written with an apostrophe in front, which is
taken away again when it is read. A text that begins with an apostrophe and could be mistaken for such a cell gets one more, so
that every text is read back as it was.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from routing.local_time import NoInstantError, read_instant
from routing.rejection import reject

_FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_GUARDED: Final = _FORMULA | {"'"}
# What a spreadsheet and its users put around and into a cell: non-breaking and narrow blanks, marks of direction, a BOM.
_INVISIBLE: Final = dict.fromkeys((0x200B, 0x200E, 0x200F, 0x202A, 0x202C, 0x2060, 0xFEFF), None)
_BLANKS: Final = dict.fromkeys((0xA0, 0x2007, 0x2009, 0x202F), " ")
_AS_TEXT: Final = re.compile(r'^=\s*["\u201c\u201e](?P<text>[^"\u201c\u201d]*)["\u201d\u201c]$')
_SCIENTIFIC: Final = re.compile(r"^[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]{1,3}$")
_DECIMAL: Final = re.compile(r"^[0-9]{6,}[.,]0+$")
_ERRORS: Final = re.compile(r"^#[\w/äöüÄÖÜ]+[!?]?$|^Err:[0-9]+$")
_MONTH: Final = (
    r"(?:Jan|Feb|Mär|Mrz|Mar|Apr|Mai|May|Jun|Jul|Aug|Sep|Sept|Okt|Oct|Nov|Dez|Dec|January|January|February|March|April|June|July"
    r"|August|September|October|November|December|Januar|Februar|März|Juni|Juli|Oktober|Dezember)"
)
_DATE: Final = re.compile(
    rf"^(?:[0-9]{{1,2}}[. -]+{_MONTH}\.?(?:[ -]+[0-9]{{2,4}})?|{_MONTH}\.?[ -]+[0-9]{{1,4}}"
    r"|[0-9]{1,2}\.[0-9]{1,2}\.(?:[0-9]{2}|[0-9]{4})?|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}"
    r"|(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:]+)?)$",
    re.IGNORECASE,
)
_DIGITS: Final = re.compile(r"^[0-9 ./()-]+$")
_GERMAN_DAY: Final = re.compile(
    r"^(?P<d>[0-9]{1,2})\.(?P<m>[0-9]{1,2})\.(?P<y>[0-9]{4})(?:[ ,]+(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2}))?$"
)
_SERIAL: Final = re.compile(r"^[3-6][0-9]{4}(?:[.,][0-9]+)?$")
_SERIAL_ZERO: Final = date(1899, 12, 30)
"""Day 0 of the spreadsheets' calendar, right for all days from 1 March 1900 on."""
_FRAGILE: Final = re.compile(r"^(?:0[0-9]+|[0-9]{12,}|[0-9]+[eE][0-9]+|[0-9]{1,4}[./-][0-9]{1,4}(?:[./-][0-9]{1,4})?)$")
_MIN_WITH_CODE: Final = 10
_MAX_SHOWN: Final = 40

YES: Final = frozenset(("true", "yes", "y", "ja", "j", "wahr", "1", "x", "an", "on", "aktiv", "active", "armed", "scharf"))
NO: Final = frozenset(("false", "no", "n", "nein", "falsch", "0", "aus", "off", "inaktiv", "inactive", "unscharf"))


def guarded(text: str) -> str:
    """Return the text as a cell that no spreadsheet runs or repairs; `plain` takes it back."""
    if not text or (text[0] not in _GUARDED and not text[0].isdecimal()):
        return text
    return f"'{text}" if text[0] in _FORMULA or _FRAGILE.match(text) or _has_guard(text) else text


def plain(cell: str) -> str:
    """Return the text of a cell: without the apostrophe in front of what would be a formula, and out of ``="…"``."""
    if _has_guard(cell):
        return cell[1:]
    match = _AS_TEXT.match(cell)
    return match["text"] if match is not None else cell


def _has_guard(text: str) -> bool:
    return len(text) > 1 and text[0] == "'" and (text[1] in _FORMULA or text[1] == "'" or text[1].isdecimal())


def tidy(cell: str) -> str:
    """Return a cell that is no free text: visible characters only, an apostrophe in front of digits taken away."""
    text = (cell if cell.isascii() else cell.translate(_BLANKS).translate(_INVISIBLE)).strip()
    if text[:1] not in {"'", "="}:
        return text
    text = plain(text)
    return text[1:].strip() if text[:1] == "'" else text.strip()


def number_text(cell: str, column: str) -> str:
    """Return a number as typed, fit for `routing.numbers.parse_number`. Raises `RuleRejected` for what a spreadsheet broke."""
    text = _unbroken(cell, column, "030 23125-10")
    digits = "".join(c for c in text if c.isdigit()) if _DIGITS.match(text) else "0"
    if digits.startswith("49") and len(digits) >= _MIN_WITH_CODE:
        raise reject("cell_plus_lost", column, text=_short(text), suggestion=f"+{digits}")
    if not digits.startswith("0") and len(digits) >= _MIN_WITH_CODE - 3:
        raise reject("cell_zero_lost", column, text=_short(text), suggestion=f"0{digits}")
    return text


def extension_text(cell: str, column: str) -> str:
    """Return extensions as typed, fit for `routing.blocks.parse_range`. Raises `RuleRejected` for what became a date."""
    return _unbroken(cell, column, "1-12")


def _unbroken(cell: str, column: str, example: str) -> str:
    text = tidy(cell)
    if _SCIENTIFIC.match(text) or _DECIMAL.match(text):
        raise reject("cell_scientific", column, text=_short(text))
    if _ERRORS.match(text):
        raise reject("cell_error", column, text=_short(text))
    if text.startswith("="):
        raise reject("cell_formula", column, text=_short(text))
    if _DATE.match(text):
        raise reject("cell_date", column, text=_short(text), example=example)
    return text


def yes_no(cell: str, column: str) -> bool:
    """Read ``ja``, ``nein``, ``WAHR``, ``FALSCH``, ``Aktiv``, ``1`` and their like. Raises `RuleRejected`."""
    text = tidy(cell).casefold()
    if text in YES:
        return True
    if text in NO:
        return False
    raise reject("cell_yes_no", column, text=_short(cell))


def instant(cell: str, column: str, zone: tzinfo) -> datetime | None:
    """Read a day (from midnight in ``zone``) or a time; ``2026-12-01``, ``01.12.2026 08:00`` or ISO 8601. "" is None."""
    text = tidy(cell)
    if not text:
        return None
    if _SERIAL.match(text):
        shown = (_SERIAL_ZERO + timedelta(days=int(re.split("[.,]", text)[0]))).isoformat()
        raise reject("cell_serial", column, text=_short(text), suggestion=shown)
    match = _GERMAN_DAY.match(text)
    try:
        if match is None:
            return read_instant(text, zone)
        day = date(int(match["y"]), int(match["m"]), int(match["d"]))
        clock = time(int(match["H"]), int(match["M"])) if match["H"] else None
        return read_instant(datetime.combine(day, clock) if clock is not None else day, zone)
    except NoInstantError as error:
        why = str(error)
    except ValueError:
        why = "there is no such day or time"
    raise reject("field_value", column, text=_short(text), why=why)


def optional(text: str | None) -> str:
    """Return a text that may be missing as a cell: nothing when it is missing, ``""`` for one that is there and empty."""
    if text is None:
        return ""
    return f'{text}"' if text == '"' * len(text) and len(text) > 1 else guarded(text) or '""'


def optional_text(cell: str) -> str | None:
    """Take `optional` back."""
    if not cell:
        return None
    if cell == '"' * len(cell) and len(cell) > 1:
        return cell[:-1] if len(cell) > 2 else ""  # noqa: PLR2004 - the two quotes of an empty text
    return plain(cell)


def joined(items: Iterable[str]) -> str:
    r"""Return a list as one cell: `` | `` between the items. A backslash keeps ``|``, ``\`` and blanks at an item's ends."""
    return guarded(" | ".join(_escaped(item) for item in items))


def split(cell: str) -> list[str]:
    """Return the items of such a cell; an empty cell is an empty list."""
    text = plain(cell)
    if not text.strip():
        return []
    if "|" not in text and "\\" not in text:
        return [text.strip()]
    items: list[list[str]] = [[]]
    held = False
    for char in text:
        if held:
            items[-1].append("" if char == "-" else f"\\{char}")
            held = False
        elif char == "\\":
            held = True
        elif char == "|":
            items.append([])
        else:
            items[-1].append(char)
    return [_unescaped(item) for item in items]


def _escaped(item: str) -> str:
    first, last = len(item) - len(item.lstrip()), len(item.rstrip())
    ends = [f"\\{c}" if c in "\\|" or not first <= n < last else c for n, c in enumerate(item)]
    return "".join(ends) or "\\-"


def _unescaped(parts: list[str]) -> str:
    first = next((n for n, part in enumerate(parts) if not part.isspace()), len(parts))
    last = next((n for n in range(len(parts), first, -1) if not parts[n - 1].isspace()), first)
    return "".join(part[-1:] for part in parts[first:last])


def _short(text: str) -> str:
    return text[:_MAX_SHOWN]
