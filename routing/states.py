"""The German states by their codes (ISO 3166-2:DE) and names, as people write them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from routing.model import State

STATES: Mapping[State, str] = MappingProxyType(
    {
        "BW": "Baden-Württemberg",
        "BY": "Bayern",
        "BE": "Berlin",
        "BB": "Brandenburg",
        "HB": "Bremen",
        "HH": "Hamburg",
        "HE": "Hessen",
        "MV": "Mecklenburg-Vorpommern",
        "NI": "Niedersachsen",
        "NW": "Nordrhein-Westfalen",
        "RP": "Rheinland-Pfalz",
        "SL": "Saarland",
        "SN": "Sachsen",
        "ST": "Sachsen-Anhalt",
        "SH": "Schleswig-Holstein",
        "TH": "Thüringen",
    }
)
"""Code → name."""


def state_of(text: str) -> State | None:
    """Return the state that a code or name stands for, None if there is no such state; case does not matter."""
    plain = text.strip().casefold().removeprefix("de-")
    return _BY_TEXT.get(plain)


_BY_TEXT: Mapping[str, State] = {
    # The usual abbreviation of the largest state is not its code.
    "nrw": "NW",
    **{code.casefold(): code for code in get_args(State)},
    **{name.casefold(): code for code, name in STATES.items()},
}
