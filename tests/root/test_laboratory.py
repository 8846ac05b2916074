"""The laboratory breaks what it says it breaks: each network fault seen from our side, with plain datagrams."""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.laboratory import faults, plan
from tests.faults.laboratory.network import Laboratory
from tests.harness.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.faults]

_IP_RECVERR = 11
_MSG_ERRQUEUE = 0x2000
_ICMP = 2
_HOST, _PORT = (3, 1), (3, 3)
_SILENCE_S = 0.3
_ARP_S = 6.0

Seen = str | tuple[tuple[int, int], str]
"""``answered``, ``silence``, ``local ERRNO``, or type and code of an ICMP error with the address it came from."""


@dataclass
class Flow:
    """Our socket, and a phone's behind the router that has sent us something: its public address is known."""

    lab: Laboratory
    here: socket.socket
    phone: socket.socket

    def register(self) -> tuple[str, int]:
        """Let the phone send a packet and return the address that we see."""

        def sent_and_heard() -> tuple[str, int] | None:
            self.phone.send(b"hello")
            packet = self._packet()
            return packet and packet[1]

        return until(sent_and_heard, what="the phone to be heard")

    def heard(self) -> tuple[bytes, tuple[str, int]]:
        """Wait for a packet from anywhere, but for a phone's hello, and return it with its sender."""

        def packet() -> tuple[bytes, tuple[str, int]] | None:
            found = self._packet()
            return None if found and found[0] == b"hello" else found

        return until(packet, timeout_s=2, what="a packet")

    def drain(self) -> None:
        """Forget what has arrived."""
        while self._packet():
            pass

    def _packet(self) -> tuple[bytes, tuple[str, int]] | None:
        try:
            return self.here.recvfrom(100, socket.MSG_DONTWAIT)
        except OSError:
            return None

    def seen(self, address: tuple[str, int], *, wait_s: float = _SILENCE_S) -> Seen:
        """Send to the phone and return what comes of it; the phone answers if it hears."""
        try:
            self.here.sendto(b"ping", address)
        except OSError as error:
            if (icmp := self._icmp()) is not None:
                return icmp
            return f"local {error.errno}"
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if (icmp := self._icmp()) is not None:
                return icmp
            try:
                if self.phone.recv(100, socket.MSG_DONTWAIT) == b"ping":
                    return "answered"
            except OSError:
                time.sleep(0.005)
        return "silence"

    def _icmp(self) -> Seen | None:
        """Take the next error of the socket's error queue."""
        try:
            _, [(_, _, data)], _, _ = self.here.recvmsg(100, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return None
        errno, origin, kind, code = struct.unpack_from("=IBBB", data)
        if origin != _ICMP:
            return f"local {errno}"
        offender = socket.inet_ntoa(data[20:24])
        return (kind, code), offender


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """Give a laboratory."""
    with Laboratory(seed=7) as laboratory:
        yield laboratory


@pytest.fixture
def flow(lab: Laboratory) -> Iterator[Flow]:
    """Give a flow through the router."""
    with lab.namespaces.us.inside():
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with lab.namespaces.pbx.inside():
        phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with here, phone:
        here.bind((plan.PROXY, 0))
        here.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        phone.bind((plan.PBX, 5062))
        phone.connect(here.getsockname())
        yield Flow(lab, here, phone)


def test_the_router_hides_the_phone_and_leads_5060_in(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    assert public[0] == plan.ROUTER
    assert 20_000 <= public[1] < 30_000
    assert flow.seen(public) == "answered"
    assert flow.seen((plan.ROUTER, 9)) == "silence", "the router is stealthy"
    with lab.namespaces.pbx.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((plan.PBX, plan.SIP_PORT))
        peer.settimeout(2)
        flow.here.sendto(b"in", (plan.ROUTER, plan.SIP_PORT))
        data, source = peer.recvfrom(100)
        assert (data, source) == (b"in", flow.here.getsockname())
        peer.sendto(b"out", source)
        assert flow.heard() == (b"out", (plan.ROUTER, plan.SIP_PORT))


def test_the_core_the_second_site_and_the_fleet_are_reached(lab: Laboratory, flow: Flow) -> None:
    places = [(lab.namespaces.core, plan.CORE), (lab.namespaces.second, plan.SECOND)]
    places += [(lab.namespaces.fleet, plan.fleet_address(index)) for index in (0, 255, 256, 64_999)]
    for namespace, address in places:
        with namespace.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.bind((address, 5070))
            there.settimeout(2)
            flow.here.sendto(b"ping", (address, 5070))
            there.sendto(*there.recvfrom(100))
            assert flow.heard() == (b"ping", (address, 5070))


@pytest.mark.parametrize(
    ("fault", "seen", "wait_s"),
    [
        (faults.DataLineCut(), "silence", _ARP_S),
        (faults.LanSilent(), "silence", _ARP_S),
        (faults.RouterDead(), (_HOST, plan.EDGE), _SILENCE_S),
        (faults.UplinkCut(), "silence", _ARP_S),
        (faults.UplinkUnplugged(), "local 101", _SILENCE_S),
    ],
    ids=lambda value: value.name if isinstance(value, faults.Fault) else "",
)
def test_a_fault_is_seen_as_its_description_says_and_is_repaired(
    lab: Laboratory, flow: Flow, fault: faults.Fault, seen: Seen, wait_s: float
) -> None:
    public = flow.register()
    assert flow.seen(public) == "answered"
    fault.begin(lab)
    assert flow.seen(public, wait_s=wait_s) == seen
    fault.end(lab)
    until(lambda: flow.seen(flow.register()) == "answered", what="the phone to be reached")


def test_a_router_that_finds_no_neighbour_says_so_after_a_while(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    fault = faults.LanUnplugged()
    fault.begin(lab)
    assert flow.seen(public, wait_s=1) == "silence", "its ARP has not failed yet"
    until(lambda: flow.seen(public, wait_s=0.5) == (_HOST, plan.ROUTER), what="host unreachable from the customer's address")
    fault.end(lab)
    until(lambda: flow.seen(flow.register()) == "answered", what="the phone to be reached")


def test_a_closed_port_is_reported_with_the_customers_public_address(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    flow.phone.close()
    assert flow.seen(public) == (_PORT, plan.ROUTER)


def test_our_uplink_is_not_the_cores(lab: Laboratory, flow: Flow) -> None:
    with lab.namespaces.core.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as core:
        core.bind((plan.CORE, 0))
        core.settimeout(2)
        for fault in (faults.UplinkCut(), faults.UplinkUnplugged()):
            fault.begin(lab)
            core.sendto(b"still there?", flow.here.getsockname())
            flow.here.sendto(*flow.heard())
            assert core.recv(100) == b"still there?"
            fault.end(lab)


def test_a_rebooted_router_has_another_address_other_ports_and_no_memory(lab: Laboratory, flow: Flow) -> None:
    before = flow.register()
    fault = faults.RouterReboot()
    fault.begin(lab)
    assert flow.seen(before) == (_HOST, plan.EDGE)
    fault.end(lab)
    flow.drain()
    after = flow.register()
    assert after[0] == plan.ROUTER_RENEWED != before[0]
    assert after[1] != before[1]
    assert flow.seen(after) == "answered"
    assert flow.seen((plan.ROUTER_RENEWED, before[1])) == "silence"
    # The same once more, back again.
    fault.begin(lab)
    fault.end(lab)
    flow.drain()
    assert flow.register()[0] == plan.ROUTER
    assert flow.seen(flow.register()) == "answered"


def test_the_router_forgets_a_silent_flow(flow: Flow) -> None:
    public = flow.register()
    assert flow.seen(public) == "answered"
    flow.lab.router.forget_flows()
    assert flow.seen(public) == "silence"


def test_a_flapping_line_goes_and_comes(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    fault = faults.Flapping(period_s=0.4)
    fault.begin(lab)
    for _ in range(2):
        until(lambda: flow.seen(public, wait_s=0.1) == "silence", what="the line to go")
        until(lambda: flow.seen(public, wait_s=0.1) == "answered", what="the line to come")
    fault.end(lab)
    assert not fault.cut
    assert flow.seen(public) == "answered"


def test_impaired_wires_are_clean_again(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    for fault in (faults.loss(50), faults.slow(400, 50), faults.disordered()):
        fault.begin(lab)
        assert lab.box.stats()["line"]["up"]["received"] > 0
        if fault.title.startswith("round trip"):
            assert flow.seen(public, wait_s=0.1) == "silence"
        fault.end(lab)
    until(lambda: flow.seen(public) == "answered", what="a clean line")
    assert all(flow.seen(public) == "answered" for _ in range(20))


def test_a_loss_that_meets_no_packet_has_no_evidence(lab: Laboratory, flow: Flow) -> None:
    public = flow.register()
    fault = faults.loss(100)
    fault.begin(lab)
    assert not fault.evidence(lab)
    assert flow.seen(public, wait_s=0.1) == "silence"
    assert fault.evidence(lab).endswith("packets lost")
    fault.end(lab)


def test_names_are_resolved_gone_hung_and_back(lab: Laboratory) -> None:
    def asked() -> bytes | str:
        with lab.namespaces.us.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
            resolver.settimeout(0.3)
            resolver.connect(lab.names.address)
            try:
                resolver.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\4peer\7example\3net\0\0\1\0\1")
                return resolver.recv(512)[-4:]
            except TimeoutError:
                return "silence"
            except ConnectionRefusedError:
                return "refused"

    lab.names.start({"peer.example.net": [plan.SECOND]}, {"_sip._udp.example.net": [("peer.example.net", 5060)]})
    until(lambda: asked() == socket.inet_aton(plan.SECOND), what="the name")
    for fault, seen in ((faults.NamesGone(), "refused"), (faults.NamesGone(hung=True), "silence")):
        fault.begin(lab)
        assert asked() == seen
        assert fault.evidence(lab)
        fault.end(lab)
        until(lambda: asked() == socket.inet_aton(plan.SECOND), what="the name again")
        assert not fault.evidence(lab), "the name server answers"


def test_a_process_has_a_wall_clock_that_jumps_and_another_that_does_not(lab: Laboratory) -> None:
    code = (
        "import sys, time, datetime\n"
        "for _ in sys.stdin: print(time.time(), time.monotonic(), datetime.datetime.now(datetime.UTC).isoformat(), flush=True)\n"
    )
    arguments = [sys.executable, "-c", code]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=lab.clock.environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> tuple[float, float, datetime]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            wall, steady, text = process.stdout.readline().split()
            return float(wall), float(steady), datetime.fromisoformat(text)

        ask()  # it runs, so its libraries are loaded
        assert lab.clock.used_by([process.pid, os.getpid()]) == 1
        for seconds in (0, 3600, -7200.5, 0):
            lab.clock.jump(seconds)
            wall, steady, text = ask()
            assert abs(wall - time.time() - seconds) < 1
            assert abs(text - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=1)
            assert abs(steady - time.monotonic()) < 1
        process.stdin.close()


def test_every_fault_says_what_it_is() -> None:
    every = faults.every_fault()
    titles = [fault.title for fault in every]
    assert len(titles) == len(set(titles))
    for fault in every:
        assert fault.name
        assert fault.description.endswith(".")
        assert not (fault.deliverable and fault.place and fault.who == "nobody")
