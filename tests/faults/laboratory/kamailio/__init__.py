"""Kamailio 5.6, configured as an expert would for our job, as a system of the laboratory; see ``kamailio.cfg.in`` for its choices.

Registrations are kept in a Redis of its own (usrloc writes through), so that a restart finds them.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.faults.laboratory import plan
from tests.faults.laboratory.measure import Standing
from tests.faults.laboratory.namespaces import LaboratoryError, Namespace, program

_TEMPLATE = Path(__file__).with_name("kamailio.cfg.in")
_START_S = 20.0
_TRYING_MS = 8000
"""A phone that says 100 and no more: the same patience as our own profiles have."""
_REDIS_PORT = 6390
_SHARED_MB, _PRIVATE_MB = 256, 16


class Line(Protocol):
    """What Kamailio is told of a line; `tests.faults.laboratory.customers.Customer` is one."""

    @property
    def line(self) -> str:
        """Its id."""

    @property
    def target(self) -> str:
        """Where its calls go while it is down."""

    @property
    def peers(self) -> tuple[str, ...]:
        """Static peers, best first; none: it registers."""

    @property
    def user(self) -> str:
        """The user that registers."""

    @property
    def password(self) -> str:
        """And the password."""

    def numbers(self) -> list[str]:
        """Return all numbers that lead to it."""


class KamailioPeer:
    """Kamailio in a namespace. `provision` before or after `start`; after it, Kamailio is started again with the lines."""

    name = "kamailio"

    def __init__(
        self,
        where: Namespace,
        folder: Path,
        *,
        realm: str,
        interval_s: int = 10,
        threshold: int = 1,
        address: tuple[str, int] = (plan.PROXY, plan.SIP_PORT),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._where, self._realm, self.address = where, realm, address
        self._environment = {**os.environ, **(environment or {})}
        self._interval_s, self._threshold = interval_s, threshold
        self.folder = folder / "kamailio"
        (self.folder / "db").mkdir(parents=True)
        self._lines: list[Line] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._store: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "log"
        self._log.touch()
        self._read = 0
        self._down: dict[str, tuple[str, float]] = {}

    # ---- life ------------------------------------------------------------------------------------------------------------------

    def start(self) -> "KamailioPeer":
        """Start and wait until it answers OPTIONS. All lines count as well then, until it has probed or called them."""
        self._follow()
        self._down.clear()
        self._start_store()
        self._write()
        config = self.folder / "kamailio.cfg"
        with self._log.open("ab") as log:
            self._process = self._where.popen(
                [
                    *(program("kamailio", "kamailio"), "-f", str(config), "-x", "fm", "-X", "fm", "-DD", "-E"),
                    *("-m", str(_SHARED_MB), "-M", str(_PRIVATE_MB), "-Y", str(self.folder)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LaboratoryError(f"Kamailio did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)
        return self

    def provision(self, lines: Sequence[Line]) -> None:
        """Tell it the lines: the hash tables and the dispatcher's list are read at a start."""
        self._lines = list(lines)
        if self._process is not None:
            self.kill()
            self.start()

    def ask_often(self, *, often: bool) -> bool:  # noqa: ARG002 - it learns nothing
        """Change nothing: a line that has always answered is to it as any other."""
        return False

    def kill(self) -> None:
        """``kill -9`` for all its processes; its Redis lives on."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        # Its workers may outlive their parent; they would hold the port.
        for pid in self._where.pids():
            with contextlib.suppress(OSError):
                if (Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")).strip() == "kamailio":
                    os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.01)

    def store_pid(self) -> int:
        """Return the pid of its Redis."""
        if self._store is None:
            raise LaboratoryError("Kamailio has no Redis before its start")
        return self._store.pid

    def close(self) -> None:
        """End it and its Redis."""
        self.kill()
        if self._store is not None:
            _end(self._store)
            self._store = None

    # ---- its view ----------------------------------------------------------------------------------------------------------------

    def faulty(self) -> dict[str, Standing]:
        """Return the lines that it holds for dead: ``down``, why (probe, call, expired, unregistered), since when (seconds of 1970)."""
        self._follow()
        found: dict[str, Standing] = {}
        for line in self._lines:
            keys = line.peers or (line.user,)
            states = [self._down[key] for key in keys if key in self._down]
            if len(states) == len(keys):
                why, since = max(states, key=lambda state: state[1])
                found[line.line] = Standing("down", why, since)
        return found

    def figures(self) -> dict[str, float]:
        """Return its own statistics."""
        try:
            rows: list[str] = self.rpc("stats.get_statistics", "all")
        except LaboratoryError:
            return {}
        pairs = (row.split(" = ") for row in rows)
        return {name: float(value) for name, value in pairs}

    def log(self) -> str:
        """Return everything it has said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def rpc(self, method: str, *parameters: str) -> Any:
        """Call a JSON-RPC method. `LaboratoryError` when it does not answer or refuses."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        mine = self.folder / f"rpc-{time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(2)
            channel.bind(str(mine))
            try:
                channel.sendto(json.dumps(request).encode(), str(self.folder / "rpc"))
                answer = json.loads(channel.recv(1 << 20))
            except (OSError, ValueError) as error:
                raise LaboratoryError(f"Kamailio does not answer {method}: {error}") from error
            finally:
                mine.unlink(missing_ok=True)
        if "error" in answer:
            raise LaboratoryError(f"Kamailio refuses {method}: {answer['error']}")
        return answer["result"]

    def _follow(self) -> None:
        """Read what it logged since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data.rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        now = time.time()
        for row in whole.decode(errors="replace").splitlines():
            _, mark, rest = row.partition("VERDICT ")
            if mark:
                key, health, why = rest.split()[:3]
                if health == "up":
                    self._down.pop(key, None)
                else:
                    self._down.setdefault(key, (why, now))

    # ---- what it is started with ---------------------------------------------------------------------------------------------------

    def _start_store(self) -> None:
        if self._store is not None and self._store.poll() is None:
            return
        arguments = ("--save", "", "--appendonly", "yes", "--appendfsync", "always", "--databases", "2", "--bind", "127.0.0.1")
        self._store = self._where.popen(
            [program("redis-server", "redis-server"), "--port", str(_REDIS_PORT), "--dir", str(self.folder), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                self._where.inside(),
                socket.create_connection(("127.0.0.1", _REDIS_PORT), 1) as link,
            ):
                # Kamailio looks up the version of each table it uses.
                link.sendall(b"SELECT 1\r\nHSET version:entry::location table_version 9 table_name location\r\n")
                link.recv(100)
                return
            time.sleep(0.02)
        raise LaboratoryError("Kamailio's Redis did not start")

    def _write(self) -> None:
        listen = f"{self.address[0]}:{self.address[1]}"
        values = {
            "redis": str(_REDIS_PORT),
            "realm": self._realm,
            "listen": listen,
            "modules": f"{_modules()}/",
            "folder": str(self.folder),
            "interval_s": str(self._interval_s),
            "threshold": str(self._threshold),
            "trying_ms": str(_TRYING_MS),
        }
        text = _TEMPLATE.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        (self.folder / "kamailio.cfg").write_text(text, encoding="utf-8")
        static = {line.line: number for number, line in enumerate((one for one in self._lines if one.peers), 1)}
        tables = {
            "line": {number: line.line for line in self._lines for number in line.numbers()},
            "target": {line.line: line.target for line in self._lines},
            "set": {name: str(number) for name, number in static.items()},
            "user": {line.line: line.user for line in self._lines if not line.peers},
            "probes": {line.user: str(1_000_000 + number) for number, line in enumerate(self._lines) if not line.peers},
            "password": {line.user: line.password for line in self._lines if not line.peers},
        }
        for name, rows in tables.items():
            head = "id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) expires(int)\n"
            body = "".join(
                f"{number}:{_quote(key)}:0:0:{_quote(value)}:0\n" for number, (key, value) in enumerate(rows.items(), 1)
            )
            (self.folder / "db" / name).write_text(head + body, encoding="utf-8")
        versions = "".join(f"{name}:2\n" for name in tables)
        (self.folder / "db" / "version").write_text("table_name(string) table_version(int)\n" + versions, encoding="utf-8")
        peers = (
            f"{static[line.line]} sip:{peer} 0 {len(line.peers) - place}\n"
            for line in self._lines
            for place, peer in enumerate(line.peers)
        )
        (self.folder / "dispatcher.list").write_text("".join(peers), encoding="utf-8")

    def _answers(self) -> bool:
        token, (host, port) = time.monotonic_ns(), self.address
        request = (
            f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{token}\r\nMax-Forwards: 9\r\n"
            f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {token}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        with self._where.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)
            probe.connect(self.address)
            try:
                probe.send(request.encode())
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()


def _quote(text: str) -> str:
    """Write a string of db_text."""
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _modules() -> Path:
    for place in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        if (found := Path(place, "kamailio", "modules")).is_dir():
            return found
    raise LaboratoryError("Kamailio's modules were not found: install Debian's package kamailio (make setup)")
