"""Network namespaces of a test's own: nothing in them can reach anything outside."""

import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.programs import need

_CLONE_NEWNET = 0x40000000


def ip(*arguments: str) -> None:
    """Run ``ip`` and insist on success."""
    subprocess.run([need("ip", "iproute2"), *arguments], check=True, capture_output=True, timeout=10)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run this thread, the sockets it opens and what it starts in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/run/netns/{namespace}").open("rb") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


@contextmanager
def made() -> Iterator[str]:
    """Make a namespace with loopback, IPv4 and IPv6, for as long as the block lasts."""
    if os.geteuid() != 0:
        pytest.fail("these tests need root: make test-root")
    name = f"sipproxy-{secrets.token_hex(3)}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "delete", name)


@dataclass(frozen=True)
class DataLine:
    """Two namespaces and the wire between them."""

    core: str
    customer: str
    core_address: str = "192.0.2.1"
    customer_address: str = "192.0.2.2"

    def cut(self) -> None:
        """Lose what goes to the customer: frames for an address that no card has. No ICMP, no refusal, as on a real line."""
        self._neighbour("02:00:00:00:00:01")

    def repair(self) -> None:
        """Let packets through again."""
        ip("-n", self.core, "neigh", "delete", self.customer_address, "dev", "wire")

    def _neighbour(self, link_address: str) -> None:
        ip("-n", self.core, "neigh", "replace", self.customer_address, "lladdr", link_address, "dev", "wire", "nud", "permanent")


@pytest.fixture
def namespace() -> Iterator[str]:
    """Give a namespace of its own."""
    with made() as name:
        yield name


@pytest.fixture
def data_line() -> Iterator[DataLine]:
    """Give the core and a customer with a data line between them."""
    with made() as core, made() as customer:
        line = DataLine(core, customer)
        ip("link", "add", "wire", "netns", core, "type", "veth", "peer", "name", "wire", "netns", customer)
        for name, address in ((core, line.core_address), (customer, line.customer_address)):
            ip("-n", name, "address", "add", f"{address}/30", "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
        yield line
