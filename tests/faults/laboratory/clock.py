"""Jumps of the wall clock for chosen processes; see ``clock.c`` for what moves and what does not."""

import contextlib
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.faults.laboratory.namespaces import command, program

_SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The clock of all processes that were started with `environment`; every other process keeps the machine's."""

    def __init__(self, folder: Path) -> None:
        self._library, self._file = folder / "clock.so", folder / "clock"
        self._file.write_bytes(bytes(mmap.PAGESIZE))

    def environment(self) -> dict[str, str]:
        """Return the variables to start a process with. The first call compiles the library."""
        if not self._library.exists():
            compiler = program("cc", "build-essential")
            command([compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(self._library), str(_SOURCE)])
        return {"LD_PRELOAD": str(self._library), "FAULT_LAB_CLOCK": str(self._file)}

    def used_by(self, pids: Sequence[int]) -> int:
        """Return how many of these processes have it."""
        number = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                number += str(self._library) in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        return number

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back by a negative number, from the machine's time; 0 sets it right."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))
