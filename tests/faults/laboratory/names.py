"""The laboratory's name server: dnsmasq in the core's namespace, which can be stopped, hung, or told other names."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.faults.laboratory import plan
from tests.faults.laboratory.namespaces import Namespace, program

PORT = 53
TTL_S = 5


class NameServer:
    """Answers A and SRV for the names it is given; other names do not exist."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace, self._folder = namespace, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._names: dict[str, list[str]] = {}
        self._services: dict[str, list[tuple[str, int]]] = {}
        self.address = (plan.NAME_SERVER, PORT)

    def start(
        self, names: Mapping[str, list[str]] | None = None, services: Mapping[str, list[tuple[str, int]]] | None = None
    ) -> None:
        """Start, or start again, with ``names`` to addresses and ``services`` (``_sip._udp.…``) to hosts and ports, best first."""
        self.stop()
        self._names.update({name: list(addresses) for name, addresses in (names or {}).items()})
        self._services.update({name: list(hosts) for name, hosts in (services or {}).items()})
        hosts = [f"--host-record={name},{','.join(addresses)}" for name, addresses in self._names.items()]
        records = [
            f"--srv-host={name},{host},{port},{priority},10"
            for name, targets in self._services.items()
            for priority, (host, port) in enumerate(targets, 1)
        ]
        with (self._folder / "dnsmasq.log").open("ab") as log:
            self._process = self._namespace.popen(
                [
                    *(
                        program("dnsmasq", "dnsmasq-base"),
                        "--keep-in-foreground",
                        "--conf-file=/dev/null",
                        "--no-resolv",
                        "--no-hosts",
                    ),
                    *(f"--listen-address={plan.NAME_SERVER}", "--bind-interfaces", "--user=root", f"--local-ttl={TTL_S}"),
                    *("--local=//", f"--pid-file={self._folder / 'dnsmasq.pid'}", "--log-facility=-", *hosts, *records),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        """End it: its host answers queries with port unreachable."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let it live on without answering."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again, also the queries of the meantime."""
        self._signal(signal.SIGCONT)

    def answers(self, where: Namespace) -> bool:
        """Say whether a query from there is answered, whatever the answer."""
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07invalid\x00\x00\x01\x00\x01"
        with where.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0.5)
            channel.connect(self.address)
            try:
                channel.send(query)
                return channel.recv(512).startswith(query[:2])
            except OSError:
                return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
