"""Names of peers against a real dnsmasq on loopback: it changes its answers, stops, hangs and comes back."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from registrar_watch.resolver import Resolver
from tests.harness.ports import free_port

NAME = "pbx.example.net"
DNSMASQ = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")

pytestmark = pytest.mark.skipif(DNSMASQ is None, reason="no dnsmasq here: tools/debian.sh test installs it")


class NameServer:
    """A dnsmasq of our own on a port of loopback."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._hosts = directory / "hosts"
        self._process: subprocess.Popen[bytes] | None = None

    def answer(self, *addresses: str) -> None:
        """Answer with these from now on."""
        self._hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))
        self.signal(signal.SIGHUP)

    def start(self) -> None:
        """Begin to serve."""
        assert DNSMASQ is not None
        command = [DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file="]
        command += [f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--user=", "--group="]
        command += [f"--addn-hosts={self._hosts}", "--local-ttl=0", "--local=/example.net/", "--log-facility=/dev/null"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(5)
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    """Give a name server that is not started yet."""
    made = NameServer(tmp_path)
    yield made
    made.stop()


class Taken:
    """What the resolver told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[str, ...]]] = []

    async def take(self, name: str, addresses: tuple[str, ...]) -> None:
        """Note it."""
        self.told.append((name, addresses))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _resolving(server: NameServer, taken: Taken) -> AsyncIterator[Resolver]:
    resolver = Resolver(taken.take, nameservers=["127.0.0.1"], port=server.port, floor_s=0.1, ceiling_s=1.0, lifetime_s=0.5)
    resolver.watch([NAME])
    task = asyncio.create_task(resolver.run())
    try:
        yield resolver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_answers_are_followed_when_they_change(server: NameServer) -> None:
    taken = Taken()
    server.answer("192.0.2.1", "2001:db8::1")
    server.start()
    async with _resolving(server, taken):
        await _until(lambda: taken.told == [(NAME, ("192.0.2.1", "2001:db8::1"))])
        server.answer("192.0.2.2")
        await _until(lambda: taken.told[1:] == [(NAME, ("192.0.2.2",))])


@pytest.mark.parametrize("way", ["stopped", "hangs", "denies"])
async def test_without_an_answer_the_last_known_addresses_stay(server: NameServer, way: str) -> None:
    taken = Taken()
    server.answer("192.0.2.1")
    server.start()
    async with _resolving(server, taken) as resolver:
        await _until(lambda: len(taken.told) == 1)
        if way == "stopped":
            server.stop()
        elif way == "hangs":
            server.signal(signal.SIGSTOP)
        else:
            server.answer()
        await _until(lambda: resolver.known[NAME].fault != "")
        assert resolver.known[NAME].addresses == ("192.0.2.1",)
        assert len(taken.told) == 1
        server.answer("192.0.2.3")
        if way == "stopped":
            server.start()
        elif way == "hangs":
            server.signal(signal.SIGCONT)
        await _until(lambda: taken.told[1:] == [(NAME, ("192.0.2.3",))])
        assert resolver.known[NAME].fault == ""


async def test_a_name_that_nobody_knows_has_no_addresses_and_is_asked_again(server: NameServer) -> None:
    taken = Taken()
    async with _resolving(server, taken) as resolver:
        await _until(lambda: resolver.known[NAME].fault != "")
        assert taken.told == []
        server.answer("192.0.2.1")
        server.start()
        await _until(lambda: taken.told == [(NAME, ("192.0.2.1",))])


async def test_what_is_not_watched_any_more_is_forgotten(server: NameServer) -> None:
    taken = Taken()
    server.answer("192.0.2.1")
    server.start()
    async with _resolving(server, taken) as resolver:
        await _until(lambda: len(taken.told) == 1)
        resolver.watch([])
        assert resolver.known == {}
