"""What kind of number an E.164 number is, by its leading digits.

Only digits are looked at, so this is cheap enough for a million rules. `routing.numbers` asks phonenumbers besides, which
knows each country's plan but lets some of these pass as ordinary numbers.

Sources: Bundesnetzagentur, numbering plan for Germany; ITU-T E.164 and its list of assigned country codes.
"""

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class NumberKind(Enum):
    """What a number is; the value is the word used in stored data and contexts."""

    SUBSCRIBER = "subscriber"
    """Geographic, mobile or national subscriber number (032): somebody's phone."""
    FREEPHONE = "freephone"
    SHARED_COST = "shared_cost"
    PREMIUM = "premium"
    SPECIAL = "special"
    """Personal, pager, user-group, dial-in and routing numbers: no phone, or one that costs extra."""
    SATELLITE = "satellite"
    """Satellite and global networks: country codes that belong to no country."""
    EMERGENCY = "emergency"
    SHORT_CODE = "short_code"


# Country codes without a country. 883 and 882 are "international networks", 881 mobile satellite, 870 Inmarsat, 888 relief,
# 878 personal, 800 and 808 freephone and shared cost; 979 is international premium rate.
GLOBAL_CODES = ("800", "808", "870", "878", "881", "882", "883", "888")
GLOBAL_PREMIUM_CODE = "979"

# Germany: leading digits of the national significant number → (kind, what it is). The longest prefix counts.
_GERMAN: Mapping[str, tuple[NumberKind, str]] = MappingProxyType(
    {
        "10": (NumberKind.SPECIAL, "010 call-by-call prefix"),
        "11": (NumberKind.SHORT_CODE, "11x network service"),
        "115": (NumberKind.SHORT_CODE, "115 public authorities"),
        "116": (NumberKind.SHORT_CODE, "116 harmonised service"),
        "118": (NumberKind.SHORT_CODE, "118 directory enquiries"),
        "12": (NumberKind.PREMIUM, "012 innovative service"),
        "13": (NumberKind.PREMIUM, "013 former service number"),
        "137": (NumberKind.PREMIUM, "0137 mass traffic"),
        "164": (NumberKind.SPECIAL, "0164 pager"),
        "168": (NumberKind.SPECIAL, "0168 pager"),
        "169": (NumberKind.SPECIAL, "0169 pager"),
        "18": (NumberKind.SPECIAL, "018 user group"),
        "180": (NumberKind.SHARED_COST, "0180 service number"),
        "19": (NumberKind.SPECIAL, "019 online service or routing number"),
        "190": (NumberKind.PREMIUM, "0190 premium rate"),
        "31": (NumberKind.SPECIAL, "031 test number"),
        "32": (NumberKind.SUBSCRIBER, "032 national subscriber number"),
        "500": (NumberKind.SPECIAL, "0500 reserved"),
        "700": (NumberKind.SPECIAL, "0700 personal number"),
        "800": (NumberKind.FREEPHONE, "0800 freephone"),
        "900": (NumberKind.PREMIUM, "0900 premium rate"),
    }
)
_LONGEST = max(map(len, _GERMAN))
_GERMAN_EMERGENCY = frozenset({"110", "112"})
# An area code with 110 or 112 behind it reaches the emergency centre of that area in some networks: 030 110, 0211 112.
# Four cities have area codes of two digits, five digits begin with 33 to 39, all others have three or four and begin with 2-9; so
# 030 210110 is a base in Berlin and nothing else. A number that short is no subscriber's.
_AREA_EMERGENCY = re.compile(r"(?:30|40|69|89|(?!30|40|69|89)[2-9][0-9]{2,3}|3[3-9][0-9]{3})11[02]")
_AREA_EMERGENCY_DIGITS = 8


def classify(digits: str) -> tuple[NumberKind, str]:
    """Return kind and description of E.164 ``digits`` (without ``+``); what has no entry is a subscriber's."""
    if digits.startswith("49"):
        return classify_german(digits[2:])
    if digits.startswith(GLOBAL_PREMIUM_CODE):
        return NumberKind.PREMIUM, "+979 international premium rate"
    if digits.startswith(GLOBAL_CODES):
        return NumberKind.SATELLITE, digits[:3]
    return NumberKind.SUBSCRIBER, ""


def classify_german(national: str) -> tuple[NumberKind, str]:
    """Return kind and description of a German number without its leading zero; short codes too."""
    if national in _GERMAN_EMERGENCY or (len(national) <= _AREA_EMERGENCY_DIGITS and _AREA_EMERGENCY.fullmatch(national)):
        return NumberKind.EMERGENCY, national
    for length in range(_LONGEST, 1, -1):
        found = _GERMAN.get(national[:length])
        if found is not None:
            return found
    return NumberKind.SUBSCRIBER, ""
