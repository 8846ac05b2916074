"""Foreign programs that a test needs."""

import os
import shutil

import pytest

# Debian has Kamailio in sbin, which an ordinary user's PATH lacks.
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def need(program: str, package: str) -> str:
    """Return the path of ``program``. Without it the test is skipped with the remedy; with CI=true it fails."""
    found = shutil.which(program, path=SEARCH)
    if found:
        return found
    message = f"{program} is missing: make setup (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
