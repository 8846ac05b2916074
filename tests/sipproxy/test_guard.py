"""The guard by hand, through the running service."""

import getpass
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sipproxy.demo.running import RunningService
from sipproxy.errors import AdminError

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[RunningService]:
    """An empty service."""
    async with RunningService() as service:
        yield service


async def test_operator_freezes_and_releases_and_both_are_remembered(service: RunningService) -> None:
    before = await service.ask("guard")
    assert not before["frozen"]
    frozen = await service.ask("guard", action="freeze", limit_s=600)
    assert (frozen["frozen"], frozen["reason"], frozen["by"]) == (True, "operator", getpass.getuser())
    assert abs(frozen["until_unix_ms"] - frozen["since_unix_ms"] - 600_000) <= 1
    with pytest.raises(AdminError, match="held already"):
        await service.ask("guard", action="freeze")
    released = await service.ask("guard", action="release")
    assert (released["frozen"], released["freezes"]) == (False, before["freezes"] + 1)
    assert released["last"][0]["released"] == "operator"
    with pytest.raises(AdminError, match="nothing is held"):
        await service.ask("guard", action="release")


async def test_freeze_without_limit_has_no_end(service: RunningService) -> None:
    assert (await service.ask("guard", action="freeze", limit_s=0))["until_unix_ms"] is None
    await service.ask("guard", action="release")


@pytest.mark.parametrize(
    "args", [{"action": "melt"}, {"action": "freeze", "limit_s": -1}, {"action": "freeze", "limit_s": 86_401}]
)
async def test_nonsense_is_refused(service: RunningService, args: dict[str, object]) -> None:
    with pytest.raises(AdminError):
        await service.ask("guard", **args)
    assert not (await service.ask("guard"))["frozen"]


async def test_sites_that_are_up_are_not_listed(service: RunningService) -> None:
    assert (await service.ask("status"))["sites"] == []
