"""Documents of type ``application/reginfo+xml`` (RFC 3680 §5), read from somebody who may not mean well.

DTDs, entities and references to the outside are refused before they are looked at; so are documents that are too large. What a
document says beyond RFC 3680 (extensions in other namespaces) is skipped, as §5 wants it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree.ElementTree import ParseError  # the exception only; what parses is defusedxml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CONTENT_TYPE = "application/reginfo+xml"
MAX_DOCUMENT = 60_000
"""Octets; a UDP datagram holds no more."""
MAX_CONTACTS = 1000
_NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"
_REGISTRATION_STATES = {"init", "active", "terminated"}
_MAX_NUMBER = 2**32 - 1


class BadDocument(ValueError):  # noqa: N818 - the name says what it is
    """A body that is no reginfo document we may act on; the text says why."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact of a registration."""

    id: str
    active: bool
    event: str
    """What happened to it: registered, created, refreshed, shortened, expired, deactivated, probation, unregistered, rejected."""
    expires_s: int | None
    """Seconds that are left."""
    uri: str


@dataclass(frozen=True, slots=True)
class Registration:
    """One address-of-record."""

    id: str
    aor: str
    state: Literal["init", "active", "terminated"]
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class RegInfo:
    """One document."""

    version: int
    full: bool
    registrations: tuple[Registration, ...]


def read_reginfo(body: bytes) -> RegInfo:
    """Read a document. Raises `BadDocument`."""
    if len(body) > MAX_DOCUMENT:
        raise BadDocument(f"{len(body)} octets, at most {MAX_DOCUMENT} are read")
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException as refused:
        raise BadDocument(f"refused: {type(refused).__name__}") from None
    except (ParseError, ValueError, LookupError) as error:
        raise BadDocument(f"not XML: {error}") from None
    if root.tag != f"{_NAMESPACE}reginfo":
        raise BadDocument("its root is no reginfo")
    state = root.get("state")
    if state not in {"full", "partial"}:
        raise BadDocument("its state is neither full nor partial")
    registrations = tuple(_registration(item) for item in root.findall(f"{_NAMESPACE}registration"))
    if sum(len(item.contacts) for item in registrations) > MAX_CONTACTS:
        raise BadDocument(f"more than {MAX_CONTACTS} contacts")
    return RegInfo(_number(root, "version"), state == "full", registrations)


def _registration(item: "Element") -> Registration:
    state = item.get("state", "")
    if state not in _REGISTRATION_STATES:
        raise BadDocument("a registration has no state")
    aor, key = item.get("aor"), item.get("id")
    if not aor or not key:
        raise BadDocument("a registration has no aor or no id")
    contacts = tuple(_contact(contact) for contact in item.findall(f"{_NAMESPACE}contact"))
    return Registration(key, aor, state, contacts)  # type: ignore[arg-type] # one of the states


def _contact(item: "Element") -> Contact:
    state, key = item.get("state"), item.get("id")
    if state not in {"active", "terminated"} or not key:
        raise BadDocument("a contact has no state or no id")
    expires = _number(item, "expires") if item.get("expires") is not None else None
    uri = (item.findtext(f"{_NAMESPACE}uri") or "").strip()
    return Contact(key, state == "active", item.get("event", ""), expires, uri)


def _number(item: "Element", name: str) -> int:
    text = item.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_NUMBER):  # noqa: PLR2004 - digits of 2³²
        raise BadDocument(f"{name} is no number")
    return int(text)
