"""`python -m benchmarks target ROLE` serves its job to a generator that knows nothing but the address and the numbers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import sip
from tests.harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FIRST = "+493021000000"


@contextmanager
def target(role: str, *options: str) -> Iterator[tuple[str, int]]:
    """Serve a job with ten numbers until the block ends; yields the address."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks", "target", role, "--listen", listen, "--first", FIRST, "--numbers", "10"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith("ready"):
                break
        else:
            raise AssertionError(f"the target ended before it was ready:\n{''.join(seen)}")
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_redirect_answers_302_for_every_number() -> None:
    with target("redirect") as address, sip.Endpoint() as caller:
        for last in range(10):
            invite = caller.request("INVITE", f"sip:{FIRST[:-1]}{last}@{sip.host_port(address)}")
            caller.send(invite, address)
            answer = caller.expect(sip.final(invite), what="a final answer")
            assert answer.status == 302


def test_proxy_delivers_every_number_to_the_uas() -> None:
    with sip.Endpoint() as uas, target("proxy", "--uas", uas.sent_by) as address, sip.Endpoint() as caller:
        invite = caller.request("INVITE", f"sip:{FIRST}@{sip.host_port(address)}")
        caller.send(invite, address)
        forwarded = uas.expect(lambda message: message.method == "INVITE", what="the forwarded INVITE")
        assert forwarded.call_id == invite.call_id
        uas.send(sip.response(forwarded, 486, "Busy Here", tag="uas"), address)
        assert caller.expect(sip.final(invite), what="a final answer").status == 486


def test_registrar_is_open_for_the_numbers_as_users() -> None:
    with target("registrar") as address, sip.Endpoint() as phone:
        for user, status in ((FIRST, 200), (f"{FIRST[:-1]}9", 200), ("+493021000010", 404)):
            # A generator names the registrar by its address, without a port.
            register = phone.request("REGISTER", "sip:127.0.0.1", to=f"<sip:{user}@127.0.0.1>")
            register.headers.append(("Contact", f"<sip:{user}@{phone.sent_by}>"))
            phone.send(register, address)
            assert phone.expect(sip.final(register), what="a final answer").status == status
