"""The impairment box from outside: builds it, runs it in its namespace, and changes what its wires do to packets."""

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from tests.faults.laboratory.namespaces import LaboratoryError, Namespace

CRATE = Path(__file__).with_name("box")
Direction = Literal["down", "up"]
"""``down`` goes to the customer, ``up`` comes to us."""
SETTINGS = {
    "loss": 0.0,
    "delay_ms": 0.0,
    "jitter_ms": 0.0,
    "normal": 0,
    "reorder": 0.0,
    "reorder_ms": 30.0,
    "duplicate": 0.0,
    "corrupt": 0.0,
    "rate_bps": 0.0,
    "queue_ms": 200.0,
}
"""What a direction of a wire does, with its defaults; the box's ``README.md`` says what each means."""


def build() -> Path:
    """Build the box (release) if it is not up to date, and return its path."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
    arguments = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", str(CRATE / "Cargo.toml")]
    done = subprocess.run([*arguments, "--target-dir", str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LaboratoryError(f"the impairment box does not build:\n{done.stderr}")
    return target / "release" / "impairment-box"


class Box:
    """A running box. It ends with this process, however that ends."""

    def __init__(self, namespace: Namespace, wires: Mapping[str, tuple[str, str]], seed: int) -> None:
        self.wires = tuple(wires)
        self._lock = threading.Lock()
        ports = [word for wire, (near, far) in wires.items() for word in ("--wire", f"{wire}={near},{far}")]
        self._process = namespace.popen(
            [str(build()), "--seed", str(seed), *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.stats()

    def set(self, direction: Direction | None = None, *, wire: str | None = None, **settings: float) -> None:
        """Change settings, by default of both directions of all wires: ``loss=5, delay_ms=200, jitter_ms=20``.

        Percentages of packets; ``rate_bps`` 0 is no limit. What is not named stays. `LaboratoryError` on an unknown name or value.
        """
        self._set(direction, wire, settings)

    def clear(self, *, wire: str | None = None) -> None:
        """Let packets pass as over a short cable again; those that are on their way keep their time."""
        self._set(None, wire, SETTINGS)

    def reseed(self, seed: int) -> None:
        """Begin all rows of decisions again from ``seed``."""
        self._ask(f"seed {seed}")

    def stats(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return counts by wire and direction: received, lost, overflowed, duplicated, reordered, corrupted, sent, refused, waiting."""
        counts: dict[str, dict[str, dict[str, int]]] = self._ask("stats")
        return counts

    def close(self) -> None:
        """End the box."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _set(self, direction: Direction | None, wire: str | None, settings: Mapping[str, float]) -> None:
        words = " ".join(f"{name}={float(value)!r}" for name, value in settings.items())
        for name in [wire] if wire else self.wires:
            for way in [direction] if direction else get_args(Direction):
                self._ask(f"set {name} {way} {words}")

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            except BrokenPipeError:
                answer = b""
        if not answer:
            raise LaboratoryError(f"the impairment box is gone (status {self._process.poll()}), it was told: {line}")
        told = json.loads(answer)
        if "error" in told:
            raise LaboratoryError(f"the impairment box: {told['error']} in: {line}")
        return told
