"""The peer of the laboratory does its job: Kamailio proxies to lines, diverts the calls of dead ones, and comes back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.laboratory import faults, plan
from tests.faults.laboratory.kamailio import KamailioPeer
from tests.faults.laboratory.network import Laboratory
from tests.harness.caller import Caller, targets
from tests.harness.phone import Phone
from tests.harness.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.faults]

REALM = "sip.laboratory.invalid"
PROXY = (plan.PROXY, plan.SIP_PORT)


@dataclass(frozen=True)
class Line:
    """A line with one number."""

    line: str
    number: str
    target: str
    peers: tuple[str, ...] = ()
    user: str = ""
    password: str = ""

    def numbers(self) -> list[str]:
        """The only one."""
        return [self.number]


TRUNK = Line("line-trunk", "+493023125010", "+491713920010", user="trunk-a", password="secret-of-trunk-a")
PAIR = Line("line-pair", "+494066969210", "+491713920040", peers=(f"{plan.ROUTER}:5060", f"{plan.SECOND}:5060"))


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """Give a laboratory."""
    with Laboratory(seed=7) as laboratory:
        yield laboratory


@pytest.fixture
def interval_s() -> int:
    """Probe often, so that tests need not wait."""
    return 2


@pytest.fixture
def kamailio(lab: Laboratory, interval_s: int) -> Iterator[KamailioPeer]:
    """Give Kamailio in our place, with short intervals."""
    peer = KamailioPeer(lab.namespaces.us, lab.folder, realm=REALM, interval_s=interval_s)
    peer.provision([TRUNK, PAIR])
    try:
        yield peer.start()
    except BaseException:
        print(peer.log()[-4000:])  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        peer.close()


@pytest.fixture
def core(lab: Laboratory) -> Iterator[Caller]:
    """Give the core."""
    with lab.namespaces.core.inside():
        caller = Caller(PROXY, plan.CORE, plan.SIP_PORT)
    with caller:
        yield caller


def phone(lab: Laboratory, **options: Any) -> Phone:
    """Return the phone system behind the router."""
    with lab.namespaces.pbx.inside():
        return Phone(proxy=PROXY, host=plan.PBX, domain=REALM, **options)


def diverted(core: Caller, line: Line) -> bool:
    """Call, and say whether the core was sent to the line's target."""
    final = core.dial(line.number).final
    return final.status == 302 and line.target in targets(final)[0]


def test_a_registered_line_is_called_diverted_and_called_again(lab: Laboratory, kamailio: KamailioPeer, core: Caller) -> None:
    assert diverted(core, TRUNK), "nobody has registered"
    trunk = phone(lab, user=TRUNK.user, password=TRUNK.password, algorithm="MD5", port=5062)
    assert trunk.register(password="wrong").status == 401
    trunk.register_ok()
    with trunk:
        core.whole_call(TRUNK.number)
        until(lambda: trunk.count("OPTIONS") >= 2, what="probes")

        fault = faults.DataLineCut()
        fault.begin(lab)
        assert all(diverted(core, TRUNK) for _ in range(3)), "calls that meet silence"
        assert core.dial(TRUNK.number).statuses == [302], "the next one at once"
        assert TRUNK.line in kamailio.faulty()
        fault.end(lab)
        until(lambda: not diverted(core, TRUNK), what="calls to the line again", timeout_s=20)
        core.whole_call(TRUNK.number)
        until(lambda: TRUNK.line not in kamailio.faulty(), what="its view of the line", timeout_s=15)

        # Without any call: probing alone.
        fault.begin(lab)
        until(lambda: TRUNK.line in kamailio.faulty(), what="the silence of probes to be noticed", timeout_s=10)
        assert core.dial(TRUNK.number).statuses == [302]
        fault.end(lab)
        until(lambda: TRUNK.line not in kamailio.faulty(), what="probes to be answered", timeout_s=10)
        core.whole_call(TRUNK.number)

        # Killed and started again, it knows the registration still.
        kamailio.kill()
        kamailio.start()
        core.whole_call(TRUNK.number)


@pytest.mark.parametrize("interval_s", [60])
def test_three_silent_calls_mark_a_line_without_any_probe(lab: Laboratory, kamailio: KamailioPeer, core: Caller) -> None:
    trunk = phone(lab, user=TRUNK.user, password=TRUNK.password, algorithm="MD5", port=5062)
    trunk.register_ok()
    with trunk:
        core.whole_call(TRUNK.number)
        faults.DataLineCut().begin(lab)
        for _ in range(3):
            assert TRUNK.line not in kamailio.faulty()
            assert diverted(core, TRUNK)
        assert kamailio.faulty()[TRUNK.line][:2] == ("down", "call")
        assert core.dial(TRUNK.number).statuses == [302]


def test_a_static_line_uses_its_backup_before_it_is_diverted(lab: Laboratory, kamailio: KamailioPeer, core: Caller) -> None:
    with lab.namespaces.second.inside():
        backup = Phone(proxy=PROXY, host=plan.SECOND, port=5060)
    primary = phone(lab, port=5060)
    with primary, backup:
        until(lambda: primary.count("OPTIONS") and backup.count("OPTIONS"), what="both to be probed")
        core.whole_call(PAIR.number)
        assert (primary.count("INVITE"), backup.count("INVITE")) == (1, 0)
        primary.silent = True
        core.whole_call(PAIR.number)
        assert backup.count("INVITE") == 1
        backup.silent = True
        assert all(diverted(core, PAIR) for _ in range(3))
        until(lambda: PAIR.line in kamailio.faulty(), what="its view of the line")
        assert core.dial(PAIR.number).statuses == [302]
        primary.silent = backup.silent = False
        until(lambda: not diverted(core, PAIR), what="calls to the line again", timeout_s=10)


@pytest.mark.parametrize(("status", "reason"), [(480, "Temporarily Unavailable"), (486, "Busy Here")])
def test_the_answer_of_a_phone_that_rang_goes_to_the_caller(
    lab: Laboratory, kamailio: KamailioPeer, core: Caller, status: int, reason: str
) -> None:
    trunk = phone(lab, user=TRUNK.user, password=TRUNK.password, algorithm="MD5", port=5062)
    trunk.register_ok()
    with trunk:
        trunk.final_status = (status, reason)
        assert core.dial(TRUNK.number).statuses[-1] == status
