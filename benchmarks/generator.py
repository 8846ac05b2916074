"""The load generator `sip-load`: building it, running it, reading what it reports."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CRATE = Path(__file__).resolve().parent / "loadgen"


class GeneratorError(Exception):
    """The generator could not be built or could not run at all. Wrong answers are not this; they are in the report."""


def build() -> Path:
    """Build the generator (release) if it is not up to date, and return its path."""
    if shutil.which("cargo") is None:
        raise GeneratorError("cargo is missing: the load generator is written in Rust; see https://rustup.rs")
    target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", str(CRATE / "Cargo.toml")]
    if subprocess.run([*command, "--target-dir", str(target)], check=False).returncode:
        raise GeneratorError("the load generator does not build; the compiler's message is above")
    return target / "release" / "sip-load"


def run(binary: Path, mode: str, *options: str, timeout_s: float = 600.0) -> dict[str, Any]:
    """Run to the end and return the report; ``right`` in it says whether every answer was what it had to be."""
    done = subprocess.run([str(binary), mode, *options], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode not in {0, 1}:
        raise GeneratorError(done.stderr.strip() or f"sip-load ended with status {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    report["right"] = done.returncode == 0
    report["sample"] = done.stderr.strip()
    return report
