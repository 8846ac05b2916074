"""The operations of the admin socket, against the real service with its store and engine."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sipproxy.demo import cast
from sipproxy.demo.ladder import Ladder
from sipproxy.demo.running import RunningService
from sipproxy.errors import AdminError, ServiceNotRunning
from sipproxy.operations.status import CAUSES

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def service() -> AsyncIterator[RunningService]:
    """An empty service of its own."""
    async with RunningService() as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loaded() -> AsyncIterator[RunningService]:
    """A service with the demo's customers, shared; what a test changes, no other looks at."""
    async with RunningService() as service:
        await service.ask("load", name="demo.yaml", text=cast.document(("127.0.0.1", 5999)), dry_run=False)
        yield service


async def test_load_writes_once_and_says_what_is_new(service: RunningService) -> None:
    text = cast.document(("127.0.0.1", 5999))
    dry = await service.ask("load", name="demo.yaml", text=text, dry_run=True)
    assert dry["written"] == 0
    assert (await service.ask("status"))["facts"]["snapshot"]["lines"] == 0
    first = await service.ask("load", name="demo.yaml", text=text, dry_run=False)
    assert first["written"] > 0
    assert first["summary"] == dry["summary"]
    again = await service.ask("load", name="demo.yaml", text=text, dry_run=False)
    assert again["written"] == 0
    assert all(row["new"] == row["changed"] == 0 for row in again["summary"].values())


async def test_a_document_too_large_for_one_script_is_loaded(service: RunningService) -> None:
    orders = [
        {
            "id": f"order-{number}",
            "product": "sipAccount 2.0",
            "site": {"id": f"site-{number}", "address": "Teststraße 1"},
            "lines": [{"id": f"line-{number}", "user": f"user-{number}", "password": "never used"}],
            "numbers": [f"+4930210{number:05}"],
            "diversions": [{"to": "+491713920001", "armed": True}],
        }
        for number in range(1300)
    ]
    text = json.dumps({"customers": [{"id": "100009", "name": "Many", "orders": orders}]})
    assert (await service.ask("load", name="many.json", text=text, dry_run=False))["written"] == 1 + 4 * 1300
    again = await service.ask("load", name="many.json", text=text, dry_run=False)
    assert again["written"] == 0


async def test_faulty_document_is_refused_whole_with_lines(service: RunningService) -> None:
    text = cast.document(("127.0.0.1", 5999)).replace(cast.OWN_TARGET, "110")
    with pytest.raises(AdminError) as refused:
        await service.ask("load", name="demo.yaml", text=text, dry_run=False)
    fault = refused.value.faults[0]
    assert fault.line == next(n for n, line in enumerate(text.splitlines(), 1) if '"110"' in line)
    assert fault.remedy
    assert (await service.ask("status"))["facts"]["snapshot"]["lines"] == 0


async def test_status_names_lines_and_products(loaded: RunningService) -> None:
    status = await loaded.ask("status")
    assert {line["line_id"]: line["product"] for line in status["lines"]} == {
        cast.TRUNK: "sipTrunk 2.0",
        cast.ACCOUNT: "sipAccount 2.0",
        cast.GATEWAY: "PMX NGN",
    }
    assert status["facts"]["state"] == "running"
    assert status["facts"]["store"]["state"] == "live"


async def test_explain_follows_a_diversion_from_set_to_disarm(loaded: RunningService) -> None:
    number = "030 23125013"
    done = await loaded.ask("divert", action="set", what=number, to=["0171 3920011"], armed=True)
    assert done["targets"] == ["+491713920011"]
    assert done["armed"] is True
    explained = await loaded.ask("explain", number=number)
    assert explained["rule_id"] == done["id"]
    off = await loaded.ask("divert", action="disarm", what=number)
    assert off["armed"] is False
    assert off["version"] > done["version"]


@pytest.mark.parametrize(
    ("what", "to"),
    [
        ("030 23125010", "110"),
        ("030 23125010", "+49 30 23125010"),
        ("030 23125010", "nonsense"),
        ("069 90009999", "0171 3920011"),
    ],
)
async def test_target_or_number_that_may_not_be_is_refused(loaded: RunningService, what: str, to: str) -> None:
    with pytest.raises(AdminError) as refused:
        await loaded.ask("divert", action="set", what=what, to=[to], armed=True)
    assert refused.value.code in {"rejected", "unknown"}


async def test_rule_of_block_and_order_can_be_switched(loaded: RunningService) -> None:
    done = await loaded.ask("divert", action="disarm", what="block:demo-block")
    assert done["armed"] is False
    done = await loaded.ask("divert", action="set", what="order:demo-1", to=["0171 3920012"], armed=True)
    assert done["armed"] is True


async def test_rules_outlive_a_kill_of_the_service(service: RunningService) -> None:
    await service.ask("load", name="demo.yaml", text=cast.document(("127.0.0.1", 5999)), dry_run=False)
    done = await service.ask("divert", action="set", what="030 23125010", to=["0171 3920011"], armed=True)
    await service.stop(signal.SIGKILL)
    with pytest.raises(ServiceNotRunning):
        await service.ask("status")
    await service.start()
    assert (await service.ask("explain", number="030 23125010"))["rule_id"] == done["id"]


async def test_reload_keeps_the_old_configuration_on_a_fault(loaded: RunningService) -> None:
    good = loaded.config.read_text()
    loaded.config.write_text(good.replace("interconnect =", "interconect ="))
    with pytest.raises(AdminError) as refused:
        await loaded.ask("reload")
    assert "did you mean 'interconnect'?" in {fault.remedy for fault in refused.value.faults}
    loaded.config.write_text(good.replace('name = "core"', 'name = "core"\nredirect_only = true'))
    assert (await loaded.ask("reload"))["notes"] == []


async def test_sigterm_ends_it_with_status_0(service: RunningService) -> None:
    assert await service.stop() == 0


async def test_call_record_tells_what_happened(loaded: RunningService) -> None:
    agents = await cast.enter(loaded.address, Ladder.silent())
    try:
        result = await agents.caller.call("+4969900099")
        assert result.status in {404, 484}
        records = await loaded.ask("call", call_id=result.call_id)
        assert len(records) == 1
        assert "+4969900099" not in str(records)
    finally:
        agents.close()


async def test_every_cause_of_the_engine_has_words() -> None:
    folder = Path(__file__).parents[2] / "engine/route-core/src/verdict"
    causes = await asyncio.to_thread((folder / "cause.rs").read_text)
    kinds = await asyncio.to_thread((folder / "unreachable.rs").read_text)
    slugs = set(re.findall(r'=> \("(\w+)", (?:0|code)\)', causes)) | set(re.findall(r'=> "(\w+)",', kinds))
    assert {"options_timeout", "port_unreachable"} <= slugs
    assert slugs - set(CAUSES) == set()
