"""The systems under test behind one face: ours, and Kamailio set up for the same job."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sipproxy.admin.client import AdminClient
from sipproxy.errors import SipproxyError
from tests.faults.laboratory import plan
from tests.faults.laboratory.customers import REALM, Customer, document
from tests.faults.laboratory.measure import Standing
from tests.faults.laboratory.namespaces import Namespace
from tests.harness.service import PROFILES, Service, command, toml

WORKERS = 2
RARELY, _OVERDUE_S = {"interval_s": 60.0}, 11.0
OFTEN = {"interval_s": 0.25, "fast_interval_s": 0.25, "timeout_s": 0.25}
_WITH_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class System(Protocol):
    """What the laboratory does to a system under test. Methods block; they run in a thread."""

    name: str

    def start(self) -> object:
        """Start, or start again after `kill`, and wait until it is ready."""

    def provision(self, customers: Sequence[Customer]) -> None:
        """Tell it the customers."""

    def ask_often(self, *, often: bool) -> bool:
        """Probe all lines often, or as usual again; return False where that teaches it nothing about them."""

    def kill(self) -> None:
        """``kill -9``."""

    def store_pid(self) -> int:
        """Return the pid of its store."""

    def faulty(self) -> dict[str, Standing]:
        """Return how the lines stand that are not up."""

    def figures(self) -> dict[str, float]:
        """Return what it counts itself."""

    def close(self) -> None:
        """End it."""


class Ours:
    """sipproxy in the namespace ``us``, with the products' own profiles."""

    name = "sipproxy"

    def __init__(
        self,
        where: Namespace,
        folder: Path,
        *,
        changes: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        name_server: str = "",
    ) -> None:
        self._where = where
        settings: dict[str, Any] = {
            "core_peers": [{"name": "core", "address": plan.CORE_NET, "interconnect": "core"}],
            "profiles": {name: {} for name in PROFILES},
            "registrar": {"realm": REALM, "min_expires_s": 5, "restart_grace_s": 60},
        }
        for section, table in (changes or {}).items():
            if isinstance(table, Mapping):
                settings.setdefault(section, {}).update(table)
            else:
                settings[section] = table
        launcher = command()
        if environment:
            launcher = ["env", *(f"{name}={value}" for name, value in environment.items()), *launcher]
        if name_server:
            resolver = folder / "resolv.conf"
            resolver.write_text(f"nameserver {name_server}\n", encoding="ascii")
            # A mount namespace of its own: /etc/resolv.conf is that file for this process alone.
            launcher = ["unshare", "--mount", "sh", "-c", _WITH_RESOLVER, str(resolver), *launcher]
        with where.inside():
            self.service = Service(
                folder / "sipproxy", workers=WORKERS, host=plan.PROXY, port=plan.SIP_PORT, changes=settings, launcher=launcher
            )
        for name, table in settings["profiles"].items():
            self.service.settings["profiles"][name] = table
        self._admin = AdminClient(self.service.folder / "data" / "admin.sock", timeout_s=10.0)

    def start(self) -> object:
        """Start and wait until it is ready."""
        with self._where.inside():
            return self.service.start()

    def provision(self, customers: Sequence[Customer]) -> None:
        """Load the document."""
        self.service.load(document(customers))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._admin.request("status", limit=1)["lines_matching"] >= len(customers):
                return
            time.sleep(0.05)
        raise AssertionError(f"the service did not take the lines over:\n{self.service.log()[-3000:]}")

    def ask_often(self, *, often: bool) -> bool:
        """Change the interval of all profiles while it runs; what is learnt about the lines stays."""
        if often:
            self._change_profiles(OFTEN)
            return True
        # From often to usual all lines would be asked in the same moment for ever. Those that are overdue at a change are spread anew.
        self._change_profiles(RARELY)
        time.sleep(_OVERDUE_S)
        self._change_profiles({})
        return True

    def _change_profiles(self, changes: Mapping[str, float]) -> None:
        settings = dict(self.service.settings)
        settings["profiles"] = {name: {**table, **changes} for name, table in settings["profiles"].items()}
        self.service.config_file.write_text(toml(settings), encoding="utf-8")
        self._admin.request("reload")

    def kill(self) -> None:
        """``kill -9``."""
        self.service.kill()

    def store_pid(self) -> int:
        """Return the pid of the embedded store."""
        return self.service.store_pid()

    def faulty(self) -> dict[str, Standing]:
        """Return the lines that are not up."""
        try:
            rows = self._admin.request("status", faulty=True, limit=100_000)["lines"]
        except SipproxyError:
            return {}
        # Milliseconds are cut off, not rounded: a verdict would seem to come before its evidence.
        return {
            row["line_id"]: Standing(row["effective"], row["cause"], (row["since_unix_ms"] + 1) / 1000, row["evidence"])
            for row in rows
        }

    def figures(self) -> dict[str, float]:
        """Return its metrics."""
        with contextlib.suppress(OSError), self._where.inside():
            return self.service.metrics()
        return {}

    def close(self) -> None:
        """End it."""
        self.service.close()
