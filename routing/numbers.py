"""Numbers as people type them, and their one canonical form: E.164 with ``+``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """A number that was understood."""

    e164: str
    country_code: str
    kind: str


def parse_number(text: str, *, home: str = "49", location: str = "number") -> ParsedNumber:
    """Read a number as typed; raises `RuleRejected`."""
    raise NotImplementedError


def pretty(e164: str) -> str:
    """Return the number with groups, for pages: ``+49 30 23125010``."""
    raise NotImplementedError
