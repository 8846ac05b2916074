"""Two workers and one peer with one source address and port: both work, and whatever belongs together finds its transaction."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.caller import Call, Caller
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, IDLE_LINE, document, idle_pair
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.service import Service
from tests.harness.sip import Endpoint, answers, final
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.sip]

CALLS = 40
PORTS = 16


@pytest.fixture(scope="module")
def gateway() -> int:
    """Return the port of the static gateway."""
    return free_port()


@pytest.fixture(scope="module")
def two_workers(gateway: int) -> Iterator[Service]:
    """Share one service with two workers."""
    folder = Path(tempfile.mkdtemp(prefix="sipproxy-"))
    service = Service(folder, workers=2)
    try:
        service.start()
        service.load(document(gateway=gateway))
        yield service
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def elsewhere() -> Iterator[list[Endpoint]]:
    """Give sockets on other ports: the kernel spreads them over both workers (one chance in 32,000 that it does not)."""
    endpoints = [Endpoint() for _ in range(PORTS)]
    yield endpoints
    for endpoint in endpoints:
        endpoint.close()


def per_worker(service: Service, part: str) -> dict[str, float]:
    """Return the samples that have a worker label and ``part`` in their name."""
    found: dict[str, float] = {}
    for name, value in service.metrics().items():
        worker = re.search(r'worker="(\d+)"', name)
        if worker and part in name.partition("{")[0]:
            found[worker[1]] = found.get(worker[1], 0.0) + value
    return found


def handed_over(service: Service) -> float:
    """Return how many datagrams a worker gave to the other."""
    return sum(per_worker(service, "worker_handed_over").values())


def test_one_peer_with_one_port_loads_both_workers(two_workers: Service, gateway: int) -> None:
    service = two_workers
    with Phone(proxy=service.address, port=gateway) as phone, Caller(service.address) as core:
        service.wait_for_health(GATEWAY_LINE, "up")
        service.wait_for_health(IDLE_LINE, "down")
        before = per_worker(service, "worker_calls")
        for extension in range(CALLS):
            core.whole_call(f"{GATEWAY_NUMBER}{extension:02}")
        assert phone.count("BYE") == CALLS
        after = until(lambda: per_worker(service, "worker_calls"), what="the metrics of each worker")
        grown = {worker: value - before.get(worker, 0.0) for worker, value in after.items()}
        assert len(grown) == 2, grown
        assert min(grown.values()) >= CALLS / 10, f"one worker has nearly everything: {grown}"


@pytest.mark.parametrize("attempt", range(4))
def test_cancel_from_another_port_finds_its_invite(
    two_workers: Service, gateway: int, elsewhere: list[Endpoint], attempt: int
) -> None:
    service = two_workers
    phone = Phone(proxy=service.address, port=gateway)
    phone.answer_after_s = 20.0
    with phone, Caller(service.address) as core:
        service.wait_for_health(GATEWAY_LINE, "up")
        call = Call(core.invite(f"{GATEWAY_NUMBER}{attempt:02}"))
        core.endpoint.send(call.invite, service.address)
        core.endpoint.expect(lambda m: m.status == 180 and m.call_id == call.invite.call_id, what="180")
        before = handed_over(service)
        cancel = core.cancel(call)
        for endpoint in elsewhere:
            endpoint.send(cancel, service.address)
            # The Via asks for rport: the answer comes to where the CANCEL came from (RFC 3581 §4), to a repeated one as well.
            answered = until(lambda: _either(endpoint, core.endpoint, cancel.call_id), what="answer to the CANCEL", timeout_s=5)  # noqa: B023 - called at once
            assert answered == 200
        core.finish(call)
        assert call.final.status == 487
        assert phone.count("CANCEL") == 1
        until(lambda: handed_over(service) > before, what="a CANCEL to be handed to the other worker")


@pytest.mark.parametrize("attempt", range(4))
def test_retransmission_from_another_port_makes_no_second_call(
    two_workers: Service, gateway: int, elsewhere: list[Endpoint], attempt: int
) -> None:
    service = two_workers
    phone = Phone(proxy=service.address, port=gateway)
    phone.answer_after_s = 0.5
    with phone, Caller(service.address) as core:
        service.wait_for_health(GATEWAY_LINE, "up")
        call = Call(core.invite(f"{GATEWAY_NUMBER}{50 + attempt:02}", via=core.endpoint.via(rport=False)))
        core.endpoint.send(call.invite, service.address)
        core.endpoint.expect(answers(call.invite), what="100 or 180")
        before = handed_over(service)
        for endpoint in elsewhere:
            endpoint.send(call.invite, service.address)
        core.finish(call)
        assert core.hang_up(call).status == 200
        branches = {message.branch for message in phone.log if message.method == "INVITE"}
        assert len(branches) == 1, "the retransmission was forwarded as a call of its own"
        until(lambda: handed_over(service) > before, what="a retransmission to be handed to the other worker")


@pytest.mark.parametrize("attempt", range(8))
def test_ack_from_another_port_ends_the_answer_to_a_refused_call(
    two_workers: Service, gateway: int, elsewhere: list[Endpoint], attempt: int
) -> None:
    """Timer G repeats a final answer until the ACK is there (RFC 3261 §17.2.1)."""
    service = two_workers
    phone = Phone(proxy=service.address, port=gateway)
    phone.final_status = (486, "Busy Here")
    with phone, Caller(service.address) as core:
        service.wait_for_health(GATEWAY_LINE, "up")
        call = Call(core.invite(f"{GATEWAY_NUMBER}{70 + attempt:02}"))
        core.endpoint.send(call.invite, service.address)
        call.responses.append(core.endpoint.expect(final(call.invite), what="486"))
        assert call.final.status == 486
        elsewhere[attempt].send(core.ack(call), service.address)
        assert core.endpoint.silent(final(call.invite), for_s=1.2), "486 was repeated although it was acknowledged"


def test_redirects_are_answered_by_both_workers(two_workers: Service) -> None:
    service = two_workers
    service.wait_for_health(IDLE_LINE, "down")
    before = per_worker(service, "worker_calls")
    with Caller(service.address) as core:
        for extension in range(CALLS):
            number, target = idle_pair(f"{extension:03}")
            final_ = core.dial(number).final
            assert final_.status == 302
            assert target in final_.first("contact")
    after = per_worker(service, "worker_calls")
    assert len(after) == 2
    assert all(after[worker] - before.get(worker, 0.0) >= CALLS / 10 for worker in after), (before, after)


def _either(first: Endpoint, second: Endpoint, call_id: str) -> int | None:
    for endpoint in (first, second):
        message = endpoint.receive(0.05)
        while message:
            if message.call_id == call_id and message.cseq[1] == "CANCEL":
                return message.status
            endpoint._pending.append(message)
            message = endpoint.receive(0.01)
    return None
