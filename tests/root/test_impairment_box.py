"""The impairment box against its own nominal figures, with real packets through real sockets."""

import itertools
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import pytest

from tests.faults.laboratory import namespaces, plan
from tests.faults.laboratory.network import Laboratory
from tests.harness.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.faults]

SEED = 7
_UDP_SEGMENT = 103
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SIZE = 200
_HEADERS = 14 + 20 + 8
SCHEDULING_MS = 2.0
"""A sender that is interrupted between reading the clock and sending makes its packet look late; medians and deciles pass it over."""


@dataclass
class Path:
    """A socket at our side and one in the fleet, which the box's wire ``fleet`` lies between."""

    lab: Laboratory
    here: socket.socket
    there: socket.socket

    def send(self, count: int, *, gap_s: float = 0.0002, size: int = _SIZE) -> list[tuple[int, float, float]]:
        """Send numbered datagrams to the customer; return (number, sent, arrived) in order of arrival, once all are through.

        Arrival is what the kernel stamped, so that a busy Python does not count.
        """
        before = self.lab.box.stats()["fleet"]["down"]
        arrived: list[tuple[int, float, float]] = []
        for number in range(count):
            due = time.monotonic() + gap_s
            self.here.send(struct.pack("=Qd", number, time.time()).ljust(size, b"."))
            while gap_s and (left := due - time.monotonic()) > 0:
                self._take(arrived, min(left, 0.001))
        done = before["received"] + count

        def through() -> bool:
            while self._take(arrived, 0.01):
                pass
            now = self.lab.box.stats()["fleet"]["down"]
            return now["received"] >= done and not now["waiting"] and len(arrived) >= now["sent"] - before["sent"]

        until(through, what="all packets to be through", timeout_s=20)
        return arrived

    def _take(self, arrived: list[tuple[int, float, float]], wait_s: float) -> bool:
        self.there.settimeout(max(wait_s, 1e-6))
        try:
            data, [(_, _, stamp)], _, _ = self.there.recvmsg(65536, 64)
        except TimeoutError:
            return False
        number, sent = struct.unpack_from("=Qd", data)
        seconds, nanoseconds = struct.unpack("qq", stamp)
        arrived.append((number, sent, seconds + nanoseconds / 1e9))
        return True


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    """Share one laboratory."""
    with Laboratory(seed=SEED) as lab:
        yield lab


@pytest.fixture
def path(laboratory: Laboratory) -> Iterator[Path]:
    """Give a path through a box that does nothing yet."""
    laboratory.box.clear()
    laboratory.box.reseed(SEED)
    with laboratory.namespaces.us.inside():
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with laboratory.namespaces.fleet.inside():
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with here, there:
        there.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        there.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        there.bind((plan.fleet_address(5), 0))
        here.bind((plan.PROXY, 0))
        here.connect(there.getsockname())
        there.connect(here.getsockname())
        yield Path(laboratory, here, there)


def numbers(arrived: list[tuple[int, float, float]]) -> list[int]:
    """Return who arrived, in order."""
    return [number for number, _, _ in arrived]


def milliseconds(arrived: list[tuple[int, float, float]]) -> list[float]:
    """Return how long each was on the way."""
    return [1000 * (here - sent) for _, sent, here in arrived]


def assert_share(found: int, percent: float, count: int) -> None:
    """Insist on a share within four standard deviations."""
    share = percent / 100
    assert abs(found - count * share) <= 4 * sqrt(count * share * (1 - share)), f"{found} of {count}, not {percent} %"


def test_nothing_is_done_to_packets_by_default(path: Path) -> None:
    arrived = path.send(5000)
    assert numbers(arrived) == list(range(5000))
    assert statistics.median(milliseconds(arrived)) < SCHEDULING_MS


def test_a_storm_passes_whole_and_in_time(path: Path) -> None:
    begun = time.monotonic()
    arrived = path.send(10_000, gap_s=0)
    assert numbers(arrived) == list(range(10_000))
    assert 10_000 / (time.monotonic() - begun) > 5000, (
        "no throughput test of the machine: this is what the laboratory's traffic needs"
    )
    counts = path.lab.box.stats()["fleet"]["down"]
    assert (counts["missed"], counts["refused"]) == (0, 0)


@pytest.mark.parametrize("percent", [5, 20, 50])
def test_loss_is_nominal_and_the_seed_decides(path: Path, percent: float) -> None:
    path.lab.box.set("down", wire="fleet", loss=percent)
    once = numbers(path.send(4000, gap_s=0))
    assert_share(4000 - len(once), percent, 4000)
    path.lab.box.reseed(SEED)
    assert numbers(path.send(4000, gap_s=0)) == once, "the same seed, the same decisions"
    path.lab.box.reseed(SEED + 1)
    assert numbers(path.send(4000, gap_s=0)) != once


def test_directions_and_wires_are_apart(path: Path) -> None:
    path.lab.box.set("up", wire="fleet", loss=100)
    path.lab.box.set(wire="line", loss=100)
    assert len(path.send(200)) == 200
    lost = path.lab.box.stats()["fleet"]["up"]["lost"]
    path.there.send(b"nobody hears this")
    until(lambda: path.lab.box.stats()["fleet"]["up"]["lost"] == lost + 1, what="the answer to be lost")
    path.here.settimeout(0.2)
    with pytest.raises(TimeoutError):
        path.here.recv(100)


def test_delay_and_jitter_have_their_mean_and_spread(path: Path) -> None:
    path.lab.box.set("down", delay_ms=100)
    plain = milliseconds(path.send(300, gap_s=0.001))
    assert min(plain) >= 100
    assert statistics.median(plain) < 100 + SCHEDULING_MS
    counts = path.lab.box.stats()["fleet"]["down"]
    assert counts["late"] < 0.01 * counts["sent"], f"of its own the box is later than 1 ms: {counts}"
    # Packets are further apart than the jitter, so that keeping their order shifts none.
    path.lab.box.set("down", jitter_ms=10)
    assert deciles(path) == pytest.approx([92, 100, 108], abs=1)
    # Half the jitter is the standard deviation, cut at two: a tenth lies below -1.2.
    path.lab.box.set("down", normal=1)
    assert deciles(path) == pytest.approx([94, 100, 106], abs=1)


def deciles(path: Path) -> list[float]:
    """Return the first decile, the median and the last decile of the delay, in milliseconds."""
    delays = milliseconds(path.send(250, gap_s=0.021))
    assert min(delays) >= 90
    found = statistics.quantiles(delays, n=10)
    return [found[0], found[4], found[8]]


def test_jitter_alone_never_changes_the_order(path: Path) -> None:
    path.lab.box.set("down", delay_ms=40, jitter_ms=40)
    assert numbers(path.send(2000)) == list(range(2000))


def test_reordering_and_duplicates_are_nominal(path: Path) -> None:
    path.lab.box.set("down", reorder=10, reorder_ms=5)
    arrived = numbers(path.send(3000))
    overtaken = sum(later < earlier for earlier, later in itertools.pairwise(arrived))
    assert sorted(arrived) == list(range(3000))
    assert 0 < overtaken <= 300 + 4 * sqrt(300)
    path.lab.box.clear()
    path.lab.box.set("down", duplicate=20)
    arrived = numbers(path.send(3000))
    assert_share(len(arrived) - 3000, 20, 3000)
    assert sorted(set(arrived)) == list(range(3000))


def test_the_rate_limits_and_its_queue_overflows(path: Path) -> None:
    rate = 1_000_000
    path.lab.box.set("down", rate_bps=rate, queue_ms=50)
    arrived = path.send(1000, gap_s=0.0005, size=1000)
    steps = [later[2] - earlier[2] for earlier, later in itertools.pairwise(arrived)]
    assert statistics.median(steps) == pytest.approx((1000 + _HEADERS) * 8 / rate, rel=0.05)
    assert len(arrived) < 500
    assert statistics.quantiles(milliseconds(arrived), n=10)[8] < 50 + 9 + SCHEDULING_MS


def test_a_train_of_datagrams_passes_as_its_single_packets(path: Path) -> None:
    before = path.lab.box.stats()["fleet"]["down"]
    path.here.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 1000)
    path.here.send(bytes(20_000))
    for _ in range(20):
        path.there.settimeout(2)
        assert len(path.there.recv(65536)) == 1000
    now = path.lab.box.stats()["fleet"]["down"]
    assert now["received"] - before["received"] == 20
    assert now["oversize"] == 0


def test_corrupt_packets_do_not_pass_the_receivers_checksum(path: Path) -> None:
    path.lab.box.set("down", corrupt=100)
    for _ in range(50):
        path.here.send(bytes(_SIZE))
    until(lambda: path.lab.box.stats()["fleet"]["down"]["corrupted"] >= 50, what="packets to be spoilt")
    path.there.settimeout(0.2)
    with pytest.raises(TimeoutError):
        path.there.recv(1000)


def test_bad_settings_are_refused_and_change_nothing(path: Path) -> None:
    with pytest.raises(namespaces.LaboratoryError, match="between 0 and 100"):
        path.lab.box.set("down", loss=101)
    with pytest.raises(namespaces.LaboratoryError, match="no setting"):
        path.lab.box.set("down", mood=1)
    assert len(path.send(100)) == 100


def test_a_killed_run_is_cleaned_by_the_next_and_the_living_are_left_alone(laboratory: Laboratory) -> None:
    code = (
        "import time; from tests.faults.laboratory.network import Laboratory\n"
        "with Laboratory(seed=1) as lab:\n"
        "    lab.namespaces.pbx.popen(['sleep', '600'])\n"
        "    print(lab.prefix, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        prefix = other.stdout.readline().strip()
        assert prefix.startswith(namespaces.PREFIX)
        assert namespaces.remove_leftovers() == [], "both laboratories live"
        asleep = namespaces.Namespace(f"{prefix}-pbx", "pbx").pids()
        assert len(asleep) == 1
        other.send_signal(signal.SIGKILL)
    assert {f"{prefix}-{label}" for label in ("core", "us", "pbx")} <= set(namespaces.remove_leftovers())
    until(lambda: not _runs(asleep[0]), what="the process in the namespace to end")
    assert laboratory.namespaces.us.run("true") == ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
