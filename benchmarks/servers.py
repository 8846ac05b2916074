"""The servers under test: started with their job, pinned, asked whether they answer, and ended again.

Each runs in a session of its own, so that all its processes can be found and ended, and nothing else is touched.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.peers import kamailio
from benchmarks.plan import NumberPlan

START_LIMIT_S = 1800.0
STOP_LIMIT_S = 45.0


class ServerError(Exception):
    """A server did not start or did not answer."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a server shall do."""

    role: str
    listen: str
    plan: NumberPlan
    core: int
    generator: Path
    histinfo: bool = True
    uas: str = "127.0.0.1:5088"
    engine_only: bool = False
    """sipproxy: the engine without store and control plane."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    name: str
    job: Job
    root: int
    start_s: float

    def processes(self) -> list[int]:
        """Return all its processes, as they are now."""
        return procfs.family(self.root)


def _command(name: str, job: Job, folder: Path) -> list[str]:
    if name == "floor":
        return [str(job.generator), "floor", "--listen", job.listen, *job.plan.expectations()]
    if name == "kamailio":
        config = folder / "kamailio.cfg"
        config.write_text(kamailio.configuration(job.role, job.listen, job.plan, uas=job.uas, histinfo=job.histinfo))
        return kamailio.command(config, job.plan)
    target = [sys.executable, "-m", "benchmarks", "target", job.role, "--listen", job.listen, "--uas", job.uas]
    target += ["--first", job.plan.first, "--numbers", str(job.plan.count), "--workers", "1"]
    return [*target, "--engine-only"] if job.engine_only else target


@contextmanager
def serving(name: str, job: Job) -> Iterator[Running]:
    """Run ``name`` (floor, kamailio, sipproxy) while the block runs. `ServerError` when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        log = folder / "log"
        begun = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(name, job, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path(__file__).resolve().parent.parent,
            )
        try:
            _wait(name, job, process, log)
            running = Running(name, job, process.pid, time.monotonic() - begun)
            procfs.pin(running.processes(), job.core)
            yield running
        finally:
            _end(process)


def _wait(name: str, job: Job, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server says it is ready, or answers where it does not say."""
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise ServerError(f"{name} ended with status {process.returncode} at its start:\n{tail}")
        ready = answers(job.listen) if name == "kamailio" else _said_ready(log)
        if ready:
            return
        time.sleep(0.05)
    raise ServerError(f"{name} was not ready after {START_LIMIT_S:.0f} s")


def _said_ready(log: Path) -> bool:
    return any(line.startswith(b"ready") for line in log.read_bytes().splitlines())


def answers(address: str, timeout_s: float = 0.1) -> bool:
    """Send one OPTIONS and return whether anything comes back."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(timeout_s)
        probe.connect((host, int(port)))
        here = "{}:{}".format(*probe.getsockname())
        token = secrets.token_hex(8)
        lines = (
            f"OPTIONS sip:ping@{address} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{token};rport",
            "Max-Forwards: 70",
            f"From: <sip:ping@{here}>;tag={token}",
            f"To: <sip:ping@{address}>",
            f"Call-ID: {token}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        )
        try:
            probe.send("\r\n".join((*lines, "", "")).encode())
            return bool(probe.recv(4096))
        except OSError:
            return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then make sure that nothing of its session is left."""
    members = procfs.family(process.pid)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid in members:
        try:
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
