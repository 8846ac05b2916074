"""The classes of numbers that calls may or may not be diverted to, by digits alone."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from routing.number_kinds import NumberKind, classify

TargetClass = Literal[
    "geographic",
    "mobile",
    "national",
    "freephone",
    "shared_cost",
    "premium",
    "special",
    "satellite",
    "emergency",
    "short_code",
    "international",
]
"""``national`` is the subscriber number without a place (032); ``international`` is whatever is in another country."""

TARGET_CLASSES: tuple[TargetClass, ...] = get_args(TargetClass)

NEVER: frozenset[TargetClass] = frozenset({"premium", "special", "satellite", "emergency", "short_code"})
"""Barred for everybody, whatever is configured or allowed."""

_OF_KIND: Mapping[NumberKind, TargetClass] = MappingProxyType(
    {
        NumberKind.FREEPHONE: "freephone",
        NumberKind.SHARED_COST: "shared_cost",
        NumberKind.PREMIUM: "premium",
        NumberKind.SPECIAL: "special",
        NumberKind.SATELLITE: "satellite",
        NumberKind.EMERGENCY: "emergency",
        NumberKind.SHORT_CODE: "short_code",
    }
)
# Bundesnetzagentur, numbering plan for mobile services: 015, 016 and 017; what of them is no mobile number (0164 …) is special.
_GERMAN_MOBILE = ("15", "16", "17")
_GERMAN_NATIONAL = "32"


def target_class(e164: str, home: str = "49") -> TargetClass:
    """Return the class of a canonical number, seen from the country with code ``home``."""
    digits = e164.removeprefix("+")
    kind, _ = classify(digits)
    if kind in {NumberKind.SATELLITE, NumberKind.EMERGENCY, NumberKind.SHORT_CODE, NumberKind.PREMIUM}:
        return _OF_KIND[kind]
    if not digits.startswith(home):
        return "international"
    if kind is not NumberKind.SUBSCRIBER:
        return _OF_KIND[kind]
    national = digits.removeprefix("49") if home == "49" else ""
    if national.startswith(_GERMAN_MOBILE):
        return "mobile"
    return "national" if national.startswith(_GERMAN_NATIONAL) else "geographic"
