"""Network namespaces of a run: made, entered, emptied and removed, also those that a killed run left behind.

Names are ``fault-lab-PID-START-SERIAL-LABEL``; START is the process's start time, so that a pid used again is not mistaken.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import IO

PREFIX = "fault-lab"
_CLONE_NEWNET = 0x40000000
_FOLDER = Path("/run/netns")
_SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_SIOCETHTOOL = 0x8946
_OFFLOADS = {"receive checksum": 0x15, "transmit checksum": 0x17, "scatter": 0x19, "TSO": 0x1F, "GSO": 0x24, "GRO": 0x2C}
_EMPTY_S = 10.0


class LaboratoryError(Exception):
    """The laboratory cannot be built or driven: a missing program, no root, a command that failed."""


def program(name: str, package: str) -> str:
    """Return the path of a program. `LaboratoryError` names its Debian package."""
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        raise LaboratoryError(f"{name} is missing: install Debian's package {package} (make setup)")
    return found


def command(arguments: Sequence[str], *, text: str = "") -> str:
    """Run a command with ``text`` as input and return its output. `LaboratoryError` carries what it complained about."""
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise LaboratoryError(f"{' '.join(arguments)} failed: {done.stderr.strip()}\n{text}")
    return done.stdout


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run this thread, the sockets it opens and what it starts in a namespace; its other threads stay where they are."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, (_FOLDER / namespace).open("rb") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One host or router of the laboratory."""

    name: str
    label: str
    """Its part in the laboratory: core, us, edge, box, router, pbx, second, fleet."""

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Put this thread into the namespace while the block lasts; sockets opened there stay there."""
        return inside(self.name)

    def popen(
        self,
        arguments: Sequence[str],
        *,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a process in the namespace. It is killed with the laboratory, if it still runs then."""
        with self.inside():
            return subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env)

    def run(self, *arguments: str, text: str = "") -> str:
        """Run a command to its end and return its output. `LaboratoryError` when it fails."""
        with self.inside():
            return command(arguments, text=text)

    def ip(self, *lines: str) -> None:
        """Run commands of ``ip`` in one go, such as ``link set lo up``."""
        command([program("ip", "iproute2"), "-n", self.name, "-batch", "-"], text="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Load rules of nftables."""
        self.run(program("nft", "nftables"), "-f", "-", text=rules)

    def set(self, setting: str, value: int) -> None:
        """Set one of the namespace's network settings, such as ``ipv4.ip_forward``."""
        with self.inside():
            (Path("/proc/sys/net") / setting.replace(".", "/")).write_text(str(value), encoding="ascii")

    def without_offloads(self, port: str) -> None:
        """Let ``port`` see what a wire carries: whole checksums, and a train of datagrams as its single packets."""
        with self.inside(), socket(AF_INET, SOCK_DGRAM) as any_socket:
            for number in _OFFLOADS.values():
                value = ctypes.create_string_buffer(struct.pack("II", number, 0))
                request = struct.pack("16sP16x", port.encode(), ctypes.addressof(value))
                with contextlib.suppress(OSError):  # some are fixed on a veth; the root tests look at the frames themselves
                    ioctl(any_socket, _SIOCETHTOOL, request)
        self.ip(f"link set {port} gso_max_segs 1")

    def all_up(self) -> bool:
        """Say whether every port carries packets; the kernel takes up to a second for that after ``link set up``."""
        links = json.loads(command([program("ip", "iproute2"), "-n", self.name, "-json", "link", "show"]))
        return all(link["operstate"] == "UP" for link in links if link["ifname"] != "lo")

    def pids(self) -> list[int]:
        """Return the processes that live in the namespace; none when another run has just removed it."""
        try:
            return [int(pid) for pid in command([program("ip", "iproute2"), "netns", "pids", self.name]).split()]
        except LaboratoryError:
            if (_FOLDER / self.name).exists():
                raise
            return []


def make(name: str, label: str) -> Namespace:
    """Make a namespace with loopback and IPv4 only: what crosses a wire is then what was sent on purpose."""
    command([program("ip", "iproute2"), "netns", "add", name])
    namespace = Namespace(name, label)
    for which in ("all", "default"):
        namespace.set(f"ipv6.conf.{which}.disable_ipv6", 1)
        namespace.set(f"ipv4.conf.{which}.rp_filter", 0)
    namespace.ip("link set lo up")
    return namespace


def remove(names: Sequence[str]) -> None:
    """End all processes in the namespaces and remove them. Names that are gone are passed over."""
    here = [Namespace(name, "") for name in names if (_FOLDER / name).exists()]
    deadline = time.monotonic() + _EMPTY_S
    while left := [pid for namespace in here for pid in namespace.pids() if pid != os.getpid()]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            break  # children of ours that nobody waits for are zombies and hold nothing
        time.sleep(0.01)
    for namespace in here:
        with contextlib.suppress(LaboratoryError):
            command([program("ip", "iproute2"), "netns", "delete", namespace.name])


def _start_time(pid: int) -> int | None:
    """Return a process's start in clock ticks since boot, None when there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except OSError:
        return None


def prefix(serial: int) -> str:
    """Return what the names of this process's laboratory number ``serial`` begin with."""
    return f"{PREFIX}-{os.getpid()}-{_start_time(os.getpid())}-{serial}"


def remove_leftovers() -> list[str]:
    """Remove the namespaces whose maker is dead, with the processes in them, and return their names. The living are left alone."""
    left = []
    for file in _FOLDER.glob(f"{PREFIX}-*"):
        pid, start = (int(part) for part in file.name.removeprefix(f"{PREFIX}-").split("-")[:2])
        if _start_time(pid) != start:
            left.append(file.name)
    remove(left)
    return left
