"""Starting the service for a job, and ending it without leaving anything behind."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from benchmarks.carrier import Carrier
from benchmarks.plan import NumberPlan
from benchmarks.servers import ServerError, answers
from benchmarks.target.data import entities
from rules_store import Put, RulesStore, StoreConnection, StoreSettings
from sipproxy.admin.client import AdminClient
from sipproxy.config.load import load
from sipproxy.config.store_settings import store_settings
from sipproxy.errors import SipproxyError

_START_LIMIT_S = 600.0
_STOP_LIMIT_S = 20.0

_CONFIGURATION = """\
data_dir = "data"

[sip]
listen = ["{listen}"]
workers = {workers}
domains = ["{host}"]

[[core_peers]]
name = "generator"
address = "{peers}"
interconnect = "bench"

[[interconnects]]
name = "bench"

[registrar]
realm = "bench"
open = {open_registration}
restart_grace_s = {grace}

[metrics]
listen = "{metrics}"

[limits]
drain_s = 2.0

# All calls are diverted here, and many more than an order may have.
[brake]
enabled = false
"""

_NO_PROBES = """
# The generator's contacts answer no OPTIONS; probing them is not what is measured here.
[profiles.phone]
interval_s = 86400.0
"""

_EACH_HALF_MINUTE = """
[profiles.static]
interval_s = 30.0
"""

_PROFILES = {"registrar": _NO_PROBES, "probing": _EACH_HALF_MINUTE}

# Phones that are watched must not be taken for the core.
_PEERS = {"probing": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Target:
    """A job and where it shall be served."""

    role: str
    listen: str
    plan: NumberPlan
    uas: str
    workers: int
    lines: int = 0
    """Lines that are watched by OPTIONS alone (role probing)."""
    carrier: Carrier | None = None
    """Instead of the plan's numbers a carrier's whole domain, one order in 19 out of service (role carrier)."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running service."""

    process: subprocess.Popen[bytes]
    store: StoreSettings
    folder: Path
    metrics: str
    """Where its metrics are read."""
    admin: Path
    """Its admin socket."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a service needs for its start: a configuration, and a store that is filled."""

    file: Path
    store: StoreSettings
    admin: Path
    metrics: str


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def configuration(target: Target) -> str:
    """Return the configuration file: everything on, as a carrier would run it, but for one host that may call."""
    host = target.listen.rpartition(":")[0].strip("[]")
    text = _CONFIGURATION.format(
        listen=target.listen,
        workers=target.workers,
        host=host,
        peers=_PEERS.get(target.role, "::1" if ":" in host else "127.0.0.0/8"),
        open_registration="true" if target.role == "registrar" else "false",
        # A carrier's lines have no phones here: that they are all lost together is not what is measured.
        grace=3600.0 if target.carrier is not None else 60.0,
        metrics=f"127.0.0.1:{_free_port()}",
    )
    return text + _PROFILES.get(target.role, "")


async def _fill(settings: StoreSettings, target: Target) -> None:
    async with StoreConnection(settings) as connection:
        held = (
            target.carrier.with_faults()
            if target.carrier is not None
            else entities(target.role, target.plan, target.uas, target.lines)
        )
        await RulesStore(connection).import_many(Put(entity) for entity in held)


@contextlib.contextmanager
def prepared(target: Target) -> Iterator[Prepared]:
    """Write the configuration and fill a new store; both are removed in the end."""
    with tempfile.TemporaryDirectory(prefix="sipproxy-bench-") as temporary:
        folder = Path(temporary)
        file = folder / "sipproxy.toml"
        file.write_text(configuration(target))
        loaded = load(file)
        settings = store_settings(loaded.configuration)
        # The first writes after a big load may have to wait for the server's own housekeeping.
        asyncio.run(_fill(settings.model_copy(update={"timeout_s": 60.0}), target))
        yield Prepared(file, settings, loaded.configuration.admin_socket, loaded.configuration.metrics.listen)


def spawn(ready: Prepared, log: Path) -> subprocess.Popen[bytes]:
    """Start the service; what it says goes to ``log``."""
    with log.open("wb") as output:
        command = [sys.executable, "-m", "sipproxy", "serve", "--config", str(ready.file)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def serving(target: Target) -> Iterator[Served]:
    """Fill a new store, run the service on it while the block runs, remove both. `ServerError` when it does not come up."""
    with prepared(target) as ready:
        log = ready.file.with_name("log")
        process = spawn(ready, log)
        try:
            _wait(process, target, ready.admin, log)
            yield Served(process, ready.store, ready.file.parent, ready.metrics, ready.admin)
        finally:
            end(process)


def _wait(process: subprocess.Popen[bytes], target: Target, admin: Path, log: Path) -> None:
    limit = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise ServerError(f"sipproxy ended with status {process.returncode} at its start:\n{tail}")
        if _running(admin) and answers(target.listen):
            return
        time.sleep(0.1)
    raise ServerError(f"sipproxy was not ready after {_START_LIMIT_S:.0f} s")


def _running(admin: Path) -> bool:
    """Return whether the service says that it runs with its rules; before that, calls would get 503."""
    try:
        status = AdminClient(admin, timeout_s=10.0).request("status", limit=1)
    except SipproxyError:
        return False
    facts = status.get("facts") if isinstance(status, dict) else None
    return isinstance(facts, dict) and facts.get("state") == "running"


def end(process: subprocess.Popen[bytes]) -> None:
    """Have the service end, by force if it must be."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Stop(BaseException):
    """SIGINT or SIGTERM: unwinds whatever is going on, so that everything is removed."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise _Stop


def run(target: Target) -> None:
    """Serve until SIGINT or SIGTERM. `ServerError` when the service ends by itself."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with contextlib.suppress(_Stop), serving(target) as served:
        what = f"{target.plan.count:,} numbers from {target.plan.first}"
        where = f", delivered to {target.uas}" if target.role == "proxy" else ""
        print(f"ready {target.role} on {target.listen}: {what}{where}; Ctrl-C or SIGTERM ends it", flush=True)
        status = served.process.wait()
        raise ServerError(f"sipproxy ended by itself with status {status}")
