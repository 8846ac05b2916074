"""Documents of RFC 3680 and their versions: the RFC's own examples, gaps, old ones, and hostile ones."""

import pytest

from registrar_watch.reg_event.reginfo import MAX_DOCUMENT, BadDocument, read_reginfo
from registrar_watch.reg_event.state import Applied, RegState

NAMESPACE = 'xmlns="urn:ietf:params:xml:ns:reginfo"'


def document(version: int, state: str, inner: str) -> bytes:
    return f'<?xml version="1.0"?><reginfo {NAMESPACE} version="{version}" state="{state}">{inner}</reginfo>'.encode()


def registration(state: str, *contacts: str, aor: str = "sip:joe@example.com", key: str = "a7") -> str:
    return f'<registration aor="{aor}" id="{key}" state="{state}">{"".join(contacts)}</registration>'


def contact(key: str, state: str, event: str, host: str = "pc34.example.com", more: str = "") -> str:
    return f'<contact id="{key}" state="{state}" event="{event}" {more}><uri>sip:joe@{host}</uri></contact>'


# RFC 3680 §6: nothing registered, then joe registers from a PC, then from a second device; the second replaces nothing.
NOT_REGISTERED = document(0, "full", registration("init"))
REGISTERED = document(1, "partial", registration("active", contact("76", "active", "registered", more='duration-registered="0"')))
SECOND = document(2, "partial", registration("active", contact("77", "active", "created", "x.example.com")))


def test_the_example_of_the_rfc() -> None:
    state = RegState()
    assert state.summary("joe") is None
    assert state.apply(read_reginfo(NOT_REGISTERED)) is Applied.TAKEN
    found = state.summary("joe")
    assert found is not None
    assert (found.state, found.contacts) == ("absent", 0)
    assert state.apply(read_reginfo(REGISTERED)) is Applied.TAKEN
    found = state.summary("joe")
    assert found is not None
    assert (found.state, found.contacts, found.expires_s) == ("present", 1, None)
    assert state.apply(read_reginfo(SECOND)) is Applied.TAKEN
    found = state.summary("joe")
    assert found is not None
    assert found.contacts == 2, "a partial document leaves what it does not name"


def test_a_terminated_contact_leaves_the_others() -> None:
    state = RegState()
    for body in (NOT_REGISTERED, REGISTERED, SECOND):
        state.apply(read_reginfo(body))
    state.apply(read_reginfo(document(3, "partial", registration("active", contact("76", "terminated", "expired")))))
    found = state.summary("joe")
    assert found is not None
    assert (found.state, found.contacts) == ("present", 1)
    state.apply(read_reginfo(document(4, "partial", registration("terminated", contact("77", "terminated", "unregistered")))))
    found = state.summary("joe")
    assert found is not None
    assert found.state == "removed"
    assert "unregistered" in found.evidence


@pytest.mark.parametrize(
    ("event", "told"), [("expired", "expired"), ("unregistered", "removed"), ("rejected", "removed"), ("", "absent")]
)
def test_how_the_last_contact_went(event: str, told: str) -> None:
    state = RegState()
    state.apply(read_reginfo(document(0, "full", registration("terminated", contact("76", "terminated", event)))))
    found = state.summary("joe")
    assert found is not None
    assert found.state == told


def test_an_older_version_changes_nothing() -> None:
    state = RegState()
    for body in (NOT_REGISTERED, REGISTERED):
        state.apply(read_reginfo(body))
    assert state.apply(read_reginfo(document(1, "full", registration("terminated")))) is Applied.OLD
    assert state.apply(read_reginfo(NOT_REGISTERED)) is Applied.OLD
    found = state.summary("joe")
    assert found is not None
    assert found.state == "present"


def test_a_missing_partial_document_is_a_gap_and_a_full_one_heals_it() -> None:
    state = RegState()
    state.apply(read_reginfo(NOT_REGISTERED))
    assert state.apply(read_reginfo(SECOND)) is Applied.GAP
    assert RegState().apply(read_reginfo(REGISTERED)) is Applied.GAP, "a partial document cannot be the first"
    assert (
        state.apply(read_reginfo(document(9, "full", registration("active", contact("77", "active", "created")))))
        is Applied.TAKEN
    )
    found = state.summary("joe")
    assert found is not None
    assert found.contacts == 1


def test_a_registrar_that_never_counts_is_believed_in_the_order_of_its_notifies() -> None:
    state = RegState()
    active = document(0, "full", registration("active", contact("76", "active", "registered", more='expires="30"')))
    assert [state.apply(read_reginfo(body)) for body in (NOT_REGISTERED, active)] == [Applied.TAKEN, Applied.TAKEN]
    found = state.summary("joe")
    assert found is not None
    assert (found.state, found.expires_s) == ("present", 30)


def test_renewals_that_are_told_are_noticed() -> None:
    state = RegState()
    state.apply(read_reginfo(document(0, "full", registration("active", contact("76", "active", "registered")))))
    assert not state.renewals_told
    state.apply(read_reginfo(document(1, "partial", registration("active", contact("76", "active", "refreshed")))))
    assert state.renewals_told


def test_only_the_asked_address_of_record_counts() -> None:
    state = RegState()
    others = registration("active", contact("1", "active", "registered"), aor="sip:mary@example.com", key="b")
    state.apply(read_reginfo(document(0, "full", registration("terminated") + others)))
    joe, mary = state.summary("joe"), state.summary("mary")
    assert joe is not None
    assert mary is not None
    assert (joe.state, mary.state) == ("absent", "present")


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">&c;</reginfo>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">&x;</reginfo>"""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LAUGHS, id="a billion laughs"),
        pytest.param(OUTSIDE, id="an entity from outside"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\xff", id="no text"),
        pytest.param(b"<reginfo version='0' state='full'/>", id="no namespace"),
        pytest.param(document(0, "half", ""), id="a state of its own"),
        pytest.param(document(0, "full", "").replace(b'version="0" state', b'version="-1" state'), id="a negative version"),
        pytest.param(document(0, "full", "").replace(b'version="0" state', b'version="99999999999" state'), id="a huge version"),
        pytest.param(document(0, "full", registration("maybe")), id="an unknown registration state"),
        pytest.param(document(0, "full", registration("active", contact("", "active", "registered"))), id="a contact without id"),
        pytest.param(b" " * (MAX_DOCUMENT + 1), id="too large"),
    ],
)  # fmt: skip
def test_hostile_and_broken_documents_are_refused(body: bytes) -> None:
    with pytest.raises(BadDocument):
        read_reginfo(body)
