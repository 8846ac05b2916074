"""A real service in a temporary folder: its configuration, its process, and the admin socket to it."""

import asyncio
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

from sipproxy.admin.client import AdminClient
from sipproxy.demo.ua import Address, host_port
from sipproxy.errors import SipproxyError

REALM = "demo.invalid"
_START_S = 60.0

_CONFIGURATION = """\
data_dir = "data"

[sip]
listen = ["127.0.0.1:{port}"]
workers = 1

[[core_peers]]
name = "this-machine"
address = "127.0.0.1"
interconnect = "core"

[[interconnects]]
name = "core"

[registrar]
realm = "{realm}"

[metrics]
listen = "127.0.0.1:{metrics}"

[limits]
drain_s = 2.0

[log]
format = "json"
{more}
"""


class RunningService:
    """``sipproxy serve`` as a child process on loopback; gone with its folder when the context ends."""

    def __init__(self, more: str = "") -> None:
        """``more``: further tables for the configuration."""
        self._folder = tempfile.TemporaryDirectory(prefix="sipproxy-demo-", ignore_cleanup_errors=True)
        self._more = more
        self._process: asyncio.subprocess.Process | None = None
        self.folder = Path(self._folder.name)
        self.config = self.folder / "sipproxy.toml"
        self.log = self.folder / "sipproxy.log"
        self.address: Address = ("127.0.0.1", 0)
        self.metrics_port = 0

    async def __aenter__(self) -> Self:
        """Start it and wait until it serves. Raises `SipproxyError` with the end of its log."""
        self.metrics_port = _free_port()
        text = _CONFIGURATION.format(realm=REALM, port=_sip_port(), metrics=self.metrics_port, more=self._more)
        self.config.write_text(text)
        try:
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop it, drained, and remove the folder."""
        await self.stop()
        self._folder.cleanup()

    async def start(self) -> None:
        """Start the process on the folder's data."""
        command = (sys.executable, "-m", "sipproxy", "serve", "--config", str(self.config))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, stderr=log, stdout=log)
        deadline = asyncio.get_running_loop().time() + _START_S
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                break
            try:
                facts = (await self.ask("status"))["facts"]
            except SipproxyError:
                facts = {"state": "not there yet"}
            if facts["state"] == "running":
                self.address = host_port(f"sip:{facts['listen'][0]}")
                return
            await asyncio.sleep(0.1)
        message = f"the service did not start; the end of its log:\n{self._tail()}"
        raise SipproxyError(message, "if an address is in use, end what uses it")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal and wait for the end; returns the exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(number)
        return await process.wait()

    @property
    def pid(self) -> int:
        """The process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    async def ask(self, op: str, **args: Any) -> Any:
        """Send one admin request. Raises `SipproxyError`."""
        client = AdminClient(self.folder / "data" / "admin.sock", f"sipproxy serve --config {self.config}")
        return await asyncio.to_thread(client.request, op, **args)

    async def line(self, line_id: str) -> dict[str, Any]:
        """Return one line of ``status``; {} if there is none."""
        lines = (await self.ask("status"))["lines"]
        return next((line for line in lines if line["line_id"] == line_id), {})

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""


def _sip_port() -> int:
    """Return a free UDP port of four digits (sipsak cuts longer ones), else 0: any."""
    for port in range(5070, 6000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
