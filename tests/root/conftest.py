"""Network namespaces of a test's own: nothing in them can reach anything outside."""

import os
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from tests.harness.programs import need


def ip(*arguments: str) -> None:
    """Run ``ip`` and insist on success."""
    subprocess.run([need("ip", "iproute2"), *arguments], check=True, capture_output=True, timeout=10)


@pytest.fixture
def namespace() -> Iterator[str]:
    """Make a namespace with only loopback, IPv4 and IPv6."""
    if os.geteuid() != 0:
        pytest.fail("these tests need root: make test-root")
    name = f"sipproxy-{secrets.token_hex(3)}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "delete", name)
