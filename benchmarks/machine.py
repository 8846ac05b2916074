"""Where a result was measured: without this a number means nothing."""

import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _output(*command: str) -> str:
    """Return what a command prints, or an empty text where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def facts() -> dict[str, str]:
    """Return machine, kernel, versions, commit and load, as texts."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    dirty = " (with uncommitted changes)" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.1f} GiB",
        "kernel": platform.release(),
        "commit": commit + dirty,
        "python": platform.python_version(),
        "rustc": _output("rustc", "--version").removeprefix("rustc "),
        "kamailio": next(iter(_output("kamailio", "-v").splitlines()), "missing").removeprefix("version: "),
        "load_before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }
