"""What processes cost, as the kernel counts it: CPU time, memory, time in soft interrupts."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CoreTime:
    """Seconds a core has spent since boot."""

    busy: float
    softirq: float

    def __sub__(self, other: "CoreTime") -> "CoreTime":
        return CoreTime(self.busy - other.busy, self.softirq - other.softirq)


def core_time(core: int) -> CoreTime:
    """Return the time of one core from ``/proc/stat``: whoever used it."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, *_ = (int(field) * TICK_S for field in fields)
            return CoreTime(user + nice + system + irq + softirq, irq + softirq)
    raise ValueError(f"core {core}: there is none")


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on; empty when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()


def family(root: int) -> list[int]:
    """Return ``root``, all its descendants, and whoever else is in its session (a daemon has no living parent)."""
    parents: dict[int, int] = {}
    session: set[int] = set()
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            pid = int(entry.name)
            parents[pid] = int(fields[1])
            if int(fields[3]) == root:
                session.add(pid)
    found = {root} | session
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return sorted(found)


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of all threads of these processes, and of their children that ended."""
    total = 0
    for pid in pids:
        if fields := _stat(pid):
            total += sum(int(field) for field in fields[11:15])
    return total * TICK_S


def pss_bytes(pids: list[int]) -> int:
    """Memory with shared pages divided among their users (``smaps_rollup``)."""
    total = 0
    for pid in pids:
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def pin(pids: list[int], core: int) -> int:
    """Put every thread of these processes on one core; return how many there are. Threads made later inherit it."""
    pinned = 0
    for pid in pids:
        try:
            threads = [int(entry.name) for entry in (PROC / str(pid) / "task").iterdir()]
        except FileNotFoundError:
            continue
        for thread in threads:
            try:
                os.sched_setaffinity(thread, {core})
            except ProcessLookupError:
                continue
            pinned += 1
    return pinned
