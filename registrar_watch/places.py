"""Where a fault is, in the customer's words: the four causes that the service names, or that the evidence does not tell."""

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["de", "en"]

PLACES: Final[Mapping[str, Mapping[Language, str]]] = {
    "data_line": {"de": "Störung der Datenleitung", "en": "fault of the data line"},
    "network": {"de": "Störung in Ihrem Netzwerk", "en": "fault in your network"},
    "router": {"de": "Störung des IP-Routers", "en": "fault of the IP router"},
    "phone_system": {"de": "Störung der IP-Telefonanlage", "en": "fault of the IP phone system"},
    "unclear": {"de": "nicht unterscheidbar", "en": "not distinguishable"},
}
"""Slug of the engine → words."""


def place_words(slug: str, language: Language = "en") -> str:
    """Return the words for a place; a slug that is not known is shown as it is, none as "" ."""
    words = PLACES.get(slug)
    return words[language] if words is not None else slug
