"""Fixtures of the black-box tests: services on loopback that are ended, and whose logs are shown, whatever happens."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.harness.document import document
from tests.harness.ports import free_port
from tests.harness.service import Service

StartService = Callable[..., Service]
_LOG_TAIL = 8000

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the log of each service that a failed test used."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            started = value if isinstance(value, list) else [value]
            for service in (entry for entry in started if isinstance(entry, Service)):
                report.sections.append((f"log of the service in {service.folder}", service.log()[-_LOG_TAIL:]))
    return report


def _folder() -> Path:
    """Make a folder with a short name: paths of unix sockets may have 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="sipproxy-"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that is removed afterwards."""
    path = _folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Collect the services that a test started, to end them."""
    started: list[Service] = []
    yield started
    for service in started:
        service.close()


@pytest.fixture
def start_service(services: list[Service], folder: Path) -> StartService:
    """Start a service of the test's own; keyword arguments go to `Service`, ``gateway`` is the port of the static peer."""

    def start(*, gateway: int | None = None, gateway_host: str = "", load: bool = True, **options: Any) -> Service:
        service = Service(folder / f"s{len(services)}", **options)
        services.append(service)
        service.start()
        if load:
            service.load(document(gateway=gateway or free_port(), host=gateway_host or service.address[0]))
        return service

    return start


@pytest.fixture(scope="module")
def gateway_port() -> int:
    """Return the port where the module's service expects the static gateway."""
    return free_port()


@contextlib.contextmanager
def running(**options: Any) -> Iterator[Service]:
    """Run a service without customers; ``options`` are those of `Service`."""
    path = _folder()
    service = Service(path, **options)
    try:
        yield service.start()
    finally:
        service.close()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def bare_service() -> Iterator[Service]:
    """Share one service without customers among the tests of a module."""
    with running() as shared:
        yield shared


@pytest.fixture(scope="module")
def service(bare_service: Service, gateway_port: int) -> Service:
    """Share one loaded service among the tests of a module."""
    bare_service.load(document(gateway=gateway_port))
    return bare_service
