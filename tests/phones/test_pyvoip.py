"""A pyVoIP phone (1.6.8) as a customer's phone: it registers, is called through the proxy, and disappears.

pyVoIP knows MD5 without qop only, takes the last challenge of several, and does not answer OPTIONS: such phones exist, and a
line whose phone never answered OPTIONS is not judged by them. It does not copy Record-Route, so that the core sends ACK and
BYE straight to the phone.
"""

import threading
from collections.abc import Iterator

import pytest

from tests.harness.caller import Caller, targets
from tests.harness.document import VOIP
from tests.harness.ports import free_port
from tests.harness.service import Service
from tests.harness.waiting import until

pyvoip = pytest.importorskip("pyVoIP.VoIP")
pytestmark = [pytest.mark.service, pytest.mark.phones]

RTP_PORTS = (21_000, 21_100)


class VoipPhone:
    """Answers each call in the way pyVoIP's users write it."""

    def __init__(self, service: Service) -> None:
        self.answered = threading.Event()
        self.phone = pyvoip.VoIPPhone(
            "localhost",  # its URIs name the server without the port, so the name has to be one of the domains
            service.address[1],
            VOIP.user,
            VOIP.password,
            myIP="127.0.0.1",
            sipPort=free_port(),
            rtpPortLow=RTP_PORTS[0],
            rtpPortHigh=RTP_PORTS[1],
            callCallback=self._called,
        )
        self.phone.start()
        until(lambda: self.phone.get_status().name == "REGISTERED", what="pyVoIP to be registered")

    def _called(self, call: object) -> None:
        call.answer()  # type: ignore[attr-defined]
        self.answered.set()

    def disappear(self) -> None:
        """Be gone without a word: no more registration, no more socket."""
        sip = self.phone.sip
        sip.NSD = False
        if sip.registerThread:
            sip.registerThread.cancel()
        sip._close_sockets()


@pytest.fixture
def phone(service: Service) -> Iterator[VoipPhone]:
    """Give a registered phone that is gone afterwards."""
    ready = VoipPhone(service)
    yield ready
    ready.disappear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore::ResourceWarning")
def test_a_pyvoip_phone_is_called_and_its_caller_redirected_when_it_disappears(service: Service, phone: VoipPhone) -> None:
    line = service.wait_for_health(VOIP.line, "up")
    assert line["bindings"] == 1

    with Caller(service.address) as core:
        call = core.dial(VOIP.number)
        assert call.final.status == 200
        assert 180 in call.statuses
        assert core.hang_up(call).status == 200
        assert phone.answered.wait(5)

        phone.disappear()
        call = core.dial(VOIP.number)
        assert call.final.status == 302, call.statuses
        assert VOIP.target in targets(call.final)[0]
