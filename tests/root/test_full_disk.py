"""A disk that is really full: a small file system of memory, filled to the last octet."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import ACCOUNT, TRUNK
from tests.harness.phone import Phone
from tests.harness.programs import need
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.root]

NEW_TARGET, LATE_TARGET = "+491713920099", "+491713920098"


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """Give a file system of 4 MB."""
    place = folder / "disk"
    place.mkdir()
    subprocess.run([need("mount", "mount"), "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(place)], check=True, timeout=10)
    yield place
    subprocess.run([need("umount", "mount"), "--lazy", str(place)], check=True, timeout=10)


def fill(disk: Path) -> Path:
    """Fill the disk; removing the file that is returned makes space again."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    return ballast


def diverted_to(service: Service, number: str) -> str:
    """Call a number of a line that is down and return where the call goes."""
    with Caller(service.address) as core:
        final = core.dial(number).final
        assert final.status == 302, final
        return targets(final)[0]


@pytest.mark.timeout(180)
def test_full_disk_refuses_writes_keeps_calls_and_loses_nothing(disk: Path, start_service: StartService) -> None:
    service = start_service(changes={"data_dir": str(disk), "store": {"disk_reserve_mb": 0, "timeout_s": 2}})
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    with trunk:
        service.wait_for_health(TRUNK.line, "up")
        service.run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET)
        ballast = fill(disk)

        # The last page of the store's file may have room for some more.
        acknowledged = NEW_TARGET
        for number in range(60):
            target = f"+4917139200{number:02}"
            done = service.try_run("divert", "set", ACCOUNT.number, "--to", target)
            if done.returncode:
                break
            acknowledged = target
        assert done.returncode == 1
        assert "not saved" in done.stderr
        until(
            lambda: "are free on its disk" in service.try_run("divert", "set", ACCOUNT.number, "--to", LATE_TARGET).stderr,
            what="the reason in words",
            timeout_s=30,
        )
        assert acknowledged in diverted_to(service, ACCOUNT.number)
        with Caller(service.address) as core:
            core.whole_call(TRUNK.number)
        trunk_again = Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password)
        trunk_again.register_ok()
        trunk_again.close()

        # A start on the full disk: what was acknowledged is read and used.
        service.kill_store()
        service.kill()
        service.start()
        with Caller(service.address) as core:
            core.whole_call(TRUNK.number)
        assert acknowledged in service.run("explain", ACCOUNT.number)

        ballast.unlink()
        until(
            lambda: service.try_run("divert", "set", ACCOUNT.number, "--to", LATE_TARGET).returncode == 0,
            what="writes to be taken again",
            timeout_s=60,
        )
        assert LATE_TARGET in diverted_to(service, ACCOUNT.number)
