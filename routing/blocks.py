"""Number blocks: how people write them, which extensions they hold, and the prefixes that stand for a range.

An extension range has ends of equal length; extensions of one block may differ in length (``-0``, ``-01``, ``-10…-99`` side by
side), so ``"01"`` and ``"1"`` are different extensions. A block without ranges holds its base alone and every extension of any
length up to 15 digits in all (ITU-T E.164 §6.2.1).
"""

import re
from collections.abc import Iterable
from unicodedata import normalize

from routing.model import ExtensionRange
from routing.numbers import MAX_DIGITS, MAX_TEXT, parse_base
from routing.rejection import RuleRejected, reject

MAX_EXTENSION = 8

_DASHES = r"\-\u2010-\u2015\u2212"
_RANGE = re.compile(rf"^(?P<first>[0-9]{{1,8}})\s*(?:[{_DASHES}]|\.{{2,3}}|…|bis)\s*-?(?P<last>[0-9]{{1,8}})$")
_PATTERN = re.compile(r"^(?P<digits>[0-9]{0,8})(?P<any>[xX]{0,8})$")
# "0211 2222-XX", "0211 2222 10-99", "030 23125-0": the base, a separator, the extensions.
_WITH_RANGE = re.compile(
    rf"^(?P<base>.*[0-9])[\s{_DASHES}/]+(?P<ext>[0-9]{{1,8}}\s*(?:[{_DASHES}]|\.{{2,3}}|…|bis)\s*-?[0-9]{{1,8}})$"
)
_WITH_PATTERN = re.compile(rf"^(?P<base>.*?[0-9])\s*[\s{_DASHES}/]\s*(?P<ext>[0-9]*[xX]+)$")
_ATTACHED_PATTERN = re.compile(r"^(?P<base>.*[0-9])(?P<ext>[xX]+)$")
_WITH_EXTENSION = re.compile(
    r"^(?P<base>(?:\(?(?:\+|00)[0-9]{1,3}\)?\s+\S+|\(?0[1-9]\S*)\s+\S+)"
    rf"[\s{_DASHES}]+(?P<ext>[0-9]{{1,8}})$|^(?P<base2>[^-]*[0-9])-(?P<ext2>[0-9]{{1,8}})$"
)
# A base shorter than area code and two digits is no base but the first group of a number that was read wrongly.
_MIN_BASE = 5


def parse_range(text: str, location: str = "range") -> ExtensionRange:
    """Read ``01``, ``10-99``, ``10…99`` or ``XX`` (any two digits; ``1X`` is 10-19). Raises `RuleRejected`."""
    plain = normalize("NFKC", text[:MAX_TEXT]).strip().removeprefix("-").strip()
    match = _RANGE.match(plain)
    if match is not None:
        return checked_range(match["first"], match["last"], location)
    match = _PATTERN.match(plain)
    if match is None or not plain or len(plain) > MAX_EXTENSION:
        raise reject("extension_text", location, text=text[:40])
    digits, places = match["digits"], len(match["any"])
    return ExtensionRange(first=digits + "0" * places, last=digits + "9" * places)


def checked_range(first: str, last: str, location: str = "range") -> ExtensionRange:
    """Return the range if its ends are of equal length and in order; raises `RuleRejected`."""
    if not is_range(first, last):
        raise reject("extension_range", location, first=first[:20], last=last[:20])
    return ExtensionRange(first=first, last=last)


def is_range(first: str, last: str) -> bool:
    """Return whether both are digits of equal length (1…8), the first not above the last."""
    return (
        0 < len(first) == len(last) <= MAX_EXTENSION
        and first.isascii()
        and last.isascii()
        and first.isdigit()
        and last.isdigit()
        and first <= last
    )


def parse_block(text: str, *, home: str = "49", location: str = "block") -> tuple[str, tuple[ExtensionRange, ...]]:
    """Read a block as people write it and return base (E.164) and ranges.

    ``0211 2222-XX`` and ``0211 2222-10-99`` have a range, ``0211 2222222 01`` and ``030 23125-0`` a single extension, and
    ``030 23125`` is a base with any extension. Raises `RuleRejected`.
    """
    plain = normalize("NFKC", text).strip() if len(text) <= MAX_TEXT else text
    for pattern in (_WITH_PATTERN, _ATTACHED_PATTERN, _WITH_RANGE, _WITH_EXTENSION):
        match = pattern.match(plain)
        if match is None:
            continue
        groups = match.groupdict()
        base_text, extension = groups["base"] or groups.get("base2") or "", groups["ext"] or groups.get("ext2") or ""
        try:
            base = parse_base(base_text, home=home, location=location)
        except RuleRejected:
            if pattern in (_WITH_PATTERN, _ATTACHED_PATTERN):
                raise
            continue
        if len(base) - 1 - len(home) >= _MIN_BASE:
            return base, (parse_range(extension, location),)
    return parse_base(plain, home=home, location=location), ()


def decompose(first: str, last: str) -> list[str]:
    """Return the fewest prefixes that together stand for ``first``…``last``, in order; ``10``-``99`` is ``1``…``9``.

    Each stands for all continuations up to the length of the ends; for ``00``-``99`` that is the empty prefix. At most
    18 prefixes per digit place.
    """
    if not first:
        return [""]
    if first == "0" * len(first) and last == "9" * len(last):
        return [""]
    low, high = first[0], last[0]
    if low == high:
        return [low + rest for rest in decompose(first[1:], last[1:])]
    width = len(first) - 1
    prefixes: list[str] = []
    start, end = int(low), int(high)
    if first[1:] != "0" * width:
        prefixes += [low + rest for rest in decompose(first[1:], "9" * width)]
        start += 1
    tail: list[str] = []
    if last[1:] != "9" * width:
        tail = [high + rest for rest in decompose("0" * width, last[1:])]
        end -= 1
    return [*prefixes, *(str(digit) for digit in range(start, end + 1)), *tail]


def holds(base: str, ranges: Iterable[ExtensionRange], number: str) -> bool:
    """Return whether the block of ``base`` and ``ranges`` holds ``number`` (both E.164, or both without ``+``)."""
    if not number.startswith(base):
        return False
    extension = number[len(base) :]
    some = False
    for item in ranges:
        some = True
        if len(item.first) == len(extension) and item.first <= extension <= item.last:
            return True
    return not some and len(number.removeprefix("+")) <= MAX_DIGITS


def common(base: str, ranges: tuple[ExtensionRange, ...], other: str, others: tuple[ExtensionRange, ...]) -> str | None:
    """Return one number that both blocks hold, None if there is none.

    A block without ranges is meant as the rest behind more specific ones: it has nothing in common with a block of another
    base, or with one that has ranges.
    """
    if not ranges or not others:
        return base if base == other and not ranges and not others else None
    for mine in ranges:
        for theirs in others:
            low, high = max(base + mine.first, other + theirs.first), min(base + mine.last, other + theirs.last)
            if len(base + mine.first) == len(other + theirs.first) and low <= high:
                return low
    return None


def too_long(base: str, ranges: Iterable[ExtensionRange]) -> bool:
    """Return whether a number of the block (base with ``+``) would have more than 15 digits."""
    return len(base) - 1 + max((len(item.first) for item in ranges), default=0) > MAX_DIGITS
