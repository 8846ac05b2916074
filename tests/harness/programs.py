"""Foreign programs that a test needs."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Debian has Kamailio in sbin, which an ordinary user's PATH lacks.
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def need(program: str, package: str) -> str:
    """Return the path of ``program``. Without it the test is skipped with the remedy; with CI=true it fails."""
    found = shutil.which(program, path=SEARCH)
    if found:
        return found
    return _miss(program, package)


def need_file(pattern: str, package: str) -> None:
    """See that a file of a package is there, as `need` does for a program."""
    if not any(Path("/").glob(pattern.removeprefix("/"))):
        _miss(pattern, package)


def _miss(what: str, package: str) -> NoReturn:
    message = f"{what} is missing: make setup (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
