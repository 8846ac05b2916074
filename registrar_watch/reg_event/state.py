"""What is known of one address-of-record from the documents of one subscription (RFC 3680 §5.2).

Versions count up by one from 0 within a subscription. An older one, or the same, is ignored; a full document replaces everything; a
partial one that is not the next shows that another was lost, and the full state must be asked for again. One departure: a registrar
that writes version 0 into every full document (Kamailio's pua_reginfo) does not count at all; the CSeq of its NOTIFYs is the order.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from registrar_watch.reg_event.reginfo import Contact, RegInfo, Registration

Told = Literal["present", "absent", "expired", "removed"]
_LOSS: dict[str, Told] = {"expired": "expired"}
_GONE_BY_WILL = {"unregistered", "rejected", "deactivated", "probation"}
_RENEWAL = {"refreshed", "shortened"}


class Applied(Enum):
    """What became of a document."""

    TAKEN = "taken"
    OLD = "old"
    GAP = "gap"
    """Another one is missing; what is known may be wrong."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The registration in one line."""

    state: Told
    contacts: int
    expires_s: int | None
    """Until the last active contact runs out; None if one has no end."""
    evidence: str


class RegState:
    """Applies documents in the order of their NOTIFYs."""

    __slots__ = ("_registrations", "_version", "renewals_told")

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}
        self._version: int | None = None
        self.renewals_told = False
        """Whether this registrar notifies when a registration is renewed: then its silence means that none was."""

    def apply(self, document: RegInfo) -> Applied:
        """Take one document."""
        known = self._version
        if known is not None and document.version <= known:
            uncounted = document.full and document.version == known == 0
            if not uncounted:
                return Applied.OLD
        if not document.full and (known is None or document.version != known + 1):
            return Applied.GAP
        self._version = document.version
        self._note_renewals(document)
        if document.full:
            self._registrations = {item.id: item for item in document.registrations}
        else:
            for item in document.registrations:
                self._registrations[item.id] = _merged(self._registrations.get(item.id), item)
        return Applied.TAKEN

    def summary(self, user: str) -> Summary | None:
        """Return what is known of the address-of-record with this user part; None: nothing was told."""
        if self._version is None:
            return None
        about = [item for item in self._registrations.values() if _user(item.aor) == user]
        if not about and len(self._registrations) == 1:
            # The registrar writes the address in another way.
            about = list(self._registrations.values())
        contacts = [contact for item in about for contact in item.contacts]
        active = [contact for item in about if item.state != "terminated" for contact in item.contacts if contact.active]
        if active:
            ends = [contact.expires_s for contact in active]
            until = None if None in ends else max(end for end in ends if end is not None)
            many = f"{len(active)} contacts" if len(active) > 1 else active[0].uri or "a contact"
            return Summary("present", len(active), until, f"the registrar has {many}")
        told, evidence = _loss(contacts)
        return Summary(told, 0, None, evidence)

    def _note_renewals(self, document: RegInfo) -> None:
        events = (contact.event for item in document.registrations for contact in item.contacts)
        if self._registrations and any(event in _RENEWAL for event in events):
            self.renewals_told = True


def _loss(contacts: list[Contact]) -> tuple[Told, str]:
    """Return how the last contact went."""
    for contact in reversed(contacts):
        if contact.event in _LOSS:
            return _LOSS[contact.event], "the registrar says that the last contact ran out"
        if contact.event in _GONE_BY_WILL:
            return "removed", f"the registrar says that the last contact is gone ({contact.event})"
    return "absent", "the registrar has no contact"


def _merged(known: Registration | None, news: Registration) -> Registration:
    """A partial document has all of a registration's state, but only the contacts that changed (§5.1); terminated ones go."""
    before = {contact.id: contact for contact in known.contacts if contact.active} if known is not None else {}
    before.update({contact.id: contact for contact in news.contacts})
    return Registration(news.id, news.aor, news.state, tuple(before.values()))


def _user(uri: str) -> str:
    """Return the user part of a SIP URI, or the number of a tel URI."""
    _, _, rest = uri.partition(":")
    return rest.partition("@")[0].partition(";")[0]
