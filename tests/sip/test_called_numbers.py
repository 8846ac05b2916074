"""How the core writes a called number, in the Request-URI of a real INVITE: each form leads to the same number and rule."""

from collections.abc import Iterator

import pytest

from tests.conftest import running
from tests.harness.caller import Call, Caller, targets
from tests.harness.service import Service
from tests.harness.sip import host_port

pytestmark = [pytest.mark.service, pytest.mark.sip]
TARGET = "+491713920007"
NUMBER = "+493023125010"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Service]:
    """A trunk that never registered, so that each call says by its target which number it was for."""
    order = {
        "id": "o",
        "product": "sipTrunk 2.0",
        "site": {"id": "s", "address": ""},
        "lines": [{"id": "l", "user": "u", "password": "never used"}],
        "blocks": [{"base": "030 23125", "extensions": "000-099"}],
        "diversions": [{"number": NUMBER, "to": TARGET, "armed": True}],
    }
    with running(changes={"interconnects": [{"name": "core", "porting_prefixes": ["D123"]}]}) as service:
        service.load({"customers": [{"id": "c", "name": "c", "orders": [order]}]})
        service.wait_for_health("l", "down")
        yield service


@pytest.fixture
def core(loaded: Service) -> Iterator[Caller]:
    with Caller(loaded.address) as caller:
        yield caller


def dial(core: Caller, request_uri: str) -> list[str] | int:
    """Send an INVITE with this Request-URI: the targets of its 302, or the status."""
    invite = core.invite(NUMBER)
    invite.start = f"INVITE {request_uri} SIP/2.0"
    core.endpoint.send(invite, core.proxy)
    final = core.finish(Call(invite)).final
    return [uri.removeprefix("sip:").partition("@")[0] for uri in targets(final)] if final.status == 302 else final.status


@pytest.mark.parametrize(
    "user",
    [
        "+493023125010",
        "00493023125010",
        "493023125010",
        "03023125010",
        "%2B493023125010",
        "+49-30-23125.010",
        "(030)23125-010",
        # number portability (RFC 4694): how to get there, not who is called
        "+493023125010;npdi",
        "+493023125010;npdi;rn=+49D123",
        "+493023125010;rn=+4912345;npdi",
        "03023125010;npdi;rn=D123",
        "23125010;phone-context=+4930",
        # porting prefixes before the number, with and without what else stands there
        "D12303023125010",
        "D1233023125010",
        "D123+493023125010",
        "D12300493023125010",
        "+49D1233023125010",
    ],
)
@pytest.mark.parametrize("form", ["sip:{}@{};user=phone", "sip:{}@{}", "SIP:{}@{};transport=udp;user=phone"])
def test_each_form_is_the_same_number(core: Caller, form: str, user: str) -> None:
    assert dial(core, form.format(user, host_port(core.proxy))) == [TARGET]


@pytest.mark.parametrize(
    "request_uri",
    [
        "tel:+493023125010",
        "tel:+49-30-23125-010",
        "TEL:+49(30)23125.010",
        "tel:+493023125010;npdi;rn=+49D123",
        "tel:03023125010;phone-context=+49",
        "tel:3023125010;phone-context=+49",
        "tel:23125010;phone-context=+4930",
    ],
)
def test_each_form_of_a_tel_uri_is_the_same_number(core: Caller, request_uri: str) -> None:
    assert dial(core, request_uri) == [TARGET]


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        ("+4930231250100", 404),  # one digit more
        ("+49302312501", 404),  # one less
        ("+4903023125010", 404),  # a zero that does not belong there
        ("+494903023125010", 404),
        ("23125010", 404),  # without area code it could be anybody's
        ("+433023125010", 404),  # another country
        ("D99903023125010", 404),  # a prefix that is none of ours
    ],
)
def test_what_would_have_to_be_guessed_leads_nowhere(core: Caller, user: str, answer: int) -> None:
    assert dial(core, f"sip:{user}@{host_port(core.proxy)};user=phone") in {answer, 484}
