"""``divert`` for numbers that are not there yet or will belong to another order, and by customers before their day."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import yaml

from routing.local_time import BERLIN, local_day
from routing.model import User
from rules_store import RulesStore, StoreConnection
from sipproxy.config.load import load
from sipproxy.config.store_settings import store_settings
from sipproxy.demo.running import RunningService
from sipproxy.errors import AdminError

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

LIVE = local_day(datetime.now(UTC)) + timedelta(days=40)
OPEN = LIVE - timedelta(days=14)
MOVING, COMING, TARGET = "+496990009000", "+496990009001", "+491713920000"


def order(key: str, numbers: list[Any], blocks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """An order with a line of its own."""
    lines = [{"id": key, "user": key, "password": "never used"}]
    site = {"id": f"site-{key}", "address": ""}
    return {"id": key, "product": "sipTrunk 2.0", "site": site, "lines": lines, "numbers": numbers, "blocks": list(blocks)}


def document() -> str:
    """A number and a block that move, and a number that is ported in."""
    move = {"at": LIVE.isoformat(), "order": "new", "line": "new"}
    block = {"id": "b", "base": "030 23125", "extensions": "000-999", "move": move}
    old = order("old", [{"number": MOVING, "move": move}, {"number": COMING, "active_from": LIVE.isoformat()}], (block,))
    return yaml.safe_dump({"customers": [{"id": "c", "name": "C", "orders": [old, order("new", [])]}]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[RunningService]:
    """A service with the document, and a user of the customer."""
    async with RunningService() as service:
        await service.ask("load", name="dates.yaml", text=document(), dry_run=False)
        settings = store_settings(load(service.config).configuration)
        async with StoreConnection(settings) as connection:
            store = RulesStore(connection)
            await store.put(User(id="ada", name="Ada", role="editor", customer="c"))
            await store.put(User(id="op", name="Operator", role="operator"))
            while (await service.ask("status"))["facts"]["snapshot"]["sequence"] < await store.sequence():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        yield service


async def test_a_rule_is_for_the_order_that_has_the_number_now_or_for_the_one_that_is_named(service: RunningService) -> None:
    now = await service.ask("divert", action="set", what=MOVING, to=[TARGET])
    later = await service.ask("divert", action="set", what=MOVING, to=[TARGET], order="new")
    assert (now["id"], later["id"]) == (f"old.n{MOVING[1:]}", f"new.n{MOVING[1:]}")
    blocks = [await service.ask("divert", action="set", what="block:b", to=[TARGET], order=key) for key in ("", "new")]
    assert [block["id"] for block in blocks] == ["b.block", "new.b.block"]


async def test_a_number_that_is_ported_in_later_has_its_rule_before(service: RunningService) -> None:
    stored = await service.ask("divert", action="set", what=COMING, to=[TARGET])
    assert stored["id"] == f"old.n{COMING[1:]}"
    explained = await service.ask("explain", number=COMING)
    assert explained["decision"] == "not_found"
    assert explained["dates"] == [f"Number {COMING} belongs to order old on line old from {LIVE.isoformat()} 00:00 {zone()} on."]


def zone() -> str:
    """The name of the offset on that day."""
    return datetime(LIVE.year, LIVE.month, LIVE.day, tzinfo=BERLIN).strftime("%Z")


async def test_an_order_that_never_has_the_number_is_refused(service: RunningService) -> None:
    with pytest.raises(AdminError) as refused:
        await service.ask("divert", action="set", what=COMING, to=[TARGET], order="new")
    assert refused.value.code == "unknown"
    assert "of order new" in str(refused.value)


async def test_a_customer_is_told_from_which_day_on_and_staff_is_not_bound(service: RunningService) -> None:
    with pytest.raises(AdminError) as refused:
        await service.ask("divert", action="set", what=COMING, to=[TARGET], user="ada")
    assert f"from {OPEN.isoformat()} on" in refused.value.faults[0].message
    assert (await service.ask("divert", action="set", what=MOVING, to=[TARGET], user="ada"))["armed"]
    assert (await service.ask("divert", action="set", what=COMING, to=[TARGET], user="op"))["armed"]
    assert not (await service.ask("divert", action="disarm", what=COMING, user="ada"))["armed"]
    with pytest.raises(AdminError) as unknown:
        await service.ask("divert", action="set", what=COMING, to=[TARGET], user="nobody")
    assert "no user 'nobody'" in unknown.value.faults[0].message
