"""Check that a wheel holds the five packages and the extension, and nothing else."""

import sys
import zipfile
from pathlib import Path

PACKAGES = {"sipproxy", "routing", "registrar_watch", "rules_store", "portal"}


def faults(wheel: Path) -> list[str]:
    """Say what is missing from ``wheel`` or should not be in it."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    metadata = {top for top in tops if top.endswith((".dist-info", ".libs"))}
    found = [f"{package}/ is missing" for package in sorted(PACKAGES - tops)]
    found += [f"{top} does not belong into the wheel" for top in sorted(tops - PACKAGES - metadata)]
    if not any(name.startswith("sipproxy/_engine.") and name.endswith(".so") for name in names):
        found.append("sipproxy/_engine*.so is missing")
    found += [f"{package}/py.typed is missing" for package in sorted(PACKAGES) if f"{package}/py.typed" not in names]
    return found


def main() -> int:
    """Check the wheels named on the command line."""
    status = 0
    for wheel in map(Path, sys.argv[1:]):
        found = faults(wheel)
        print(f"{wheel.name}: {'; '.join(found) or 'five packages and the extension'}")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
