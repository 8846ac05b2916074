"""The real ``sipproxy serve`` in a folder of its own, with its embedded store, on free loopback ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sipproxy.admin.client import AdminClient
from sipproxy.config.sockets import admin_socket_of
from tests.harness.document import REALM
from tests.harness.ports import free_port
from tests.harness.sip import Address
from tests.harness.waiting import until

START_S = 30.0
STOP_S = 20.0

# Faults are seen in well under a second, so that tests do not wait; the rules are those of the products.
QUICK = {
    "interval_s": 0.5,
    "fast_interval_s": 0.1,
    "timeout_s": 0.3,
    "fall": 2,
    "rise": 2,
    "hold_s": 0.2,
    "answer_timer_s": 1.0,
    "suspect_timer_s": 0.5,
}
PROFILES = ("registered", "access-device", "static", "gateway", "phone")


def command() -> list[str]:
    """Return the installed ``sipproxy`` command of the Python that runs the tests."""
    return [str(Path(sys.executable).with_name("sipproxy"))]


def toml(table: Mapping[str, Any], prefix: str = "") -> str:
    """Write a table as TOML; enough for configurations."""
    plain, tables = [], []
    for key, value in table.items():
        name = f"{prefix}{json.dumps(key) if not key.replace('_', '').isalnum() else key}"
        if isinstance(value, Mapping):
            tables.append(f"[{name}]\n{toml(value, f'{name}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            tables.extend(f"[[{name}]]\n{toml(entry, f'{name}.')}" for entry in value)
        else:
            plain.append(f"{json.dumps(key) if not key.replace('_', '').isalnum() else key} = {json.dumps(value)}\n")
    return "".join([*plain, *tables])


class Service:
    """One instance of the product. Its folder outlives a kill, so that a restart finds what was stored."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        changes: Mapping[str, Any] | None = None,
        launcher: Sequence[str] | None = None,
    ) -> None:
        self.folder = folder
        self.address: Address = (host, port or free_port(host))
        self.metrics_port = free_port(kind=socket.SOCK_STREAM)
        self.launcher = list(launcher or command())
        self.config_file = folder / "sipproxy.toml"
        self.log_file = folder / "sipproxy.log"
        self.process: subprocess.Popen[bytes] | None = None
        written = f"[{host}]" if ":" in host else host
        self.settings: dict[str, Any] = {
            "data_dir": "data",
            "sip": {
                "listen": [f"{written}:{self.address[1]}"],
                "workers": workers,
                "domains": ["example.com", "biloxi.example.com", "localhost"],
            },
            "core_peers": [
                {"name": "core", "address": "127.0.0.0/8", "interconnect": "core"},
                {"name": "core6", "address": "::1/128", "interconnect": "core"},
            ],
            "interconnects": [{"name": "core"}],
            "profiles": {name: dict(QUICK) for name in PROFILES},
            "registrar": {"realm": REALM, "min_expires_s": 1, "restart_grace_s": 0},
            "metrics": {"listen": f"127.0.0.1:{self.metrics_port}"},
            # Tests divert more calls than an order may have; those of the brake switch it on.
            "brake": {"enabled": False},
            "log": {"format": "console"},
        }
        for section, table in (changes or {}).items():
            if isinstance(table, Mapping):
                self.settings.setdefault(section, {}).update(table)
            else:
                self.settings[section] = table

    # ---- life --------------------------------------------------------------------------------------------------------------

    def start(self) -> "Service":
        """Start and wait until it answers on the admin socket."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(toml(self.settings), encoding="utf-8")
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.launcher, "serve", "--config", str(self.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
            )
        until(self._ready, timeout_s=START_S, what=f"the service to be ready; its log:\n{self.log()[-4000:]}")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.log()[-6000:]}")
        return self.try_run("status", "--json").returncode == 0

    def stop(self) -> int:
        """SIGTERM, then wait. Raises `AssertionError` with the log when it does not end by itself."""
        assert self.process is not None
        family = self.descendants()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)
            raise AssertionError(f"SIGTERM did not end the service:\n{self.log()[-6000:]}") from None
        finally:
            kill_all(family)

    def kill(self) -> None:
        """``kill -9`` of the proxy alone; its store lives on or notices by itself, as on a real host."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)

    def kill_store(self) -> int:
        """``kill -9`` of the embedded store; returns the pid it had."""
        pid = self.store_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def store_pid(self) -> int:
        """Return the pid of the embedded store."""
        found = [pid for pid in self.descendants() if is_store(pid)]
        assert len(found) == 1, f"expected one store among the children, found {found}"
        return found[0]

    def descendants(self) -> list[int]:
        """Return the pids of all processes below the service."""
        assert self.process is not None
        return below(self.process.pid)

    def orphans(self) -> list[int]:
        """Return the pids of stores that work on our data although we are gone."""
        return orphans(self.folder)

    def close(self) -> None:
        """End whatever still runs; for clean-up."""
        if self.process is None:
            return
        family = self.descendants()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)
        kill_all([*family, *orphans(self.folder)])

    # ---- commands and views ----------------------------------------------------------------------------------------------------

    def try_run(self, *arguments: str, timeout_s: float = 30.0) -> "subprocess.CompletedProcess[str]":
        """Run a ``sipproxy`` command against this instance."""
        name, *rest = arguments
        return subprocess.run(
            [*command(), name, *rest, "--config", str(self.config_file)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.try_run(*arguments)
        assert done.returncode == 0, f"sipproxy {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def load(self, document: Mapping[str, Any]) -> None:
        """Load a document into the store."""
        file = self.folder / "document.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        self.run("load", str(file))

    def status(self) -> dict[str, Any]:
        """Return what ``sipproxy status --json`` prints; asked without starting a command, because tests ask again and again."""
        socket = admin_socket_of(self.config_file)
        assert socket is not None
        found: Any = AdminClient(socket, timeout_s=30).request("status")
        return dict(found)

    def lines(self) -> dict[str, dict[str, Any]]:
        """Return the state of every line by its id."""
        return {line["line_id"]: line for line in self.status()["lines"]}

    def wait_for_health(self, line_id: str, health: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """Wait until a line has that effective health; return its state."""

        def state() -> dict[str, Any] | None:
            line = self.lines().get(line_id)
            return line if line and line["effective"] == health else None

        return until(state, timeout_s=timeout_s, what=f"line {line_id} to be {health}")

    def wait_for_answers(self, *line_ids: str) -> None:
        """Wait until lines have answered OPTIONS in time: only from then on are they judged by them."""

        def answered() -> bool:
            lines = self.lines()
            return all(any(target["rtt_ms"] is not None for target in lines[line]["targets"]) for line in line_ids)

        until(answered, timeout_s=20, what=f"{', '.join(line_ids)} to answer OPTIONS")

    def explain(self, number: str) -> dict[str, Any]:
        """Return what a call to ``number`` would get."""
        result: dict[str, Any] = json.loads(self.run("explain", number, "--json"))
        return result

    def metrics(self) -> dict[str, float]:
        """Return the Prometheus samples: name with labels → value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as page:
            text = page.read().decode()
        rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def log(self) -> str:
        """Return everything the service has written."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""


def below(pid: int) -> list[int]:
    """Return the pids of all descendants of ``pid``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, new = [], {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found += sorted(new)
    return found


def is_store(pid: int) -> bool:
    """Say whether a process is the embedded server."""
    name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return name in {"valkey-server", "redis-server"}


def orphans(folder: Path) -> list[int]:
    """Return the pids of stores that work in ``folder`` although their proxy is gone."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if is_store(int(entry.name)) and (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def kill_all(pids: Sequence[int]) -> None:
    """End processes of ours and wait until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + STOP_S
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
