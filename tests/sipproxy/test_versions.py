"""Who changed what, taken back, given out and erased: through the admin socket of the real service, and by the commands."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sipproxy.demo import cast
from sipproxy.demo.running import RunningService
from sipproxy.errors import AdminError

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]
NUMBER = "030 23125013"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[RunningService]:
    """A service with the demo's customers."""
    async with RunningService() as service:
        await service.ask("load", name="demo.yaml", text=cast.document(("127.0.0.1", 5999)), dry_run=False)
        yield service


async def change(service: RunningService, *to: str, armed: bool = True) -> dict[str, Any]:
    done: dict[str, Any] = await service.ask("divert", action="set", what=NUMBER, to=list(to), armed=armed)
    return done


async def run(service: RunningService, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sipproxy", *arguments, "--config", str(service.config)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, env=environment)


async def test_the_log_tells_who_changed_what(service: RunningService) -> None:
    done = await change(service, "0171 3920011")
    again = await change(service, "0171 3920012")
    versions = (await service.ask("log", kind="diversion", id=done["id"]))["versions"]
    assert [entry["version"] for entry in versions[:2]] == [again["version"], done["version"]]
    assert versions[0]["changes"] == ["targets[0].number: +491713920011 → +491713920012"]
    assert (versions[0]["via"], versions[0]["source"], versions[0]["customer"]) == (
        "cli",
        "admin socket",
        cast_customer(versions),
    )
    assert versions[0]["who"] not in {"", "unknown"}
    loaded = (await service.ask("log", kind="line", id=cast.TRUNK))["versions"][-1]
    assert (loaded["via"], loaded["source"]) == ("import", "demo.yaml")


def cast_customer(versions: list[dict[str, Any]]) -> str:
    """Return the one customer that all versions are of."""
    (customer,) = {entry["customer"] for entry in versions}
    assert customer
    return str(customer)


async def test_a_change_is_taken_back_and_routed_by(service: RunningService) -> None:
    first = await change(service, "0171 3920011")
    second = await change(service, "0171 3920012")
    tried = await service.ask("undo", version=second["version"], dry_run=True)
    assert tried["changes"][0]["changes"] == ["targets[0].number: +491713920012 → +491713920011"]
    assert (await service.ask("divert", action="arm", what=NUMBER))["targets"] == ["+491713920012"]
    with pytest.raises(AdminError) as refused:
        await service.ask("undo", version=first["version"])
    assert refused.value.code == "conflict"
    undone = await service.ask("undo", version=second["version"], note="by mistake")
    assert (await service.ask("divert", action="arm", what=NUMBER))["targets"] == ["+491713920011"]
    entry = (await service.ask("log", version=undone["versions"][0]))["versions"][0]
    assert (entry["undoes"], entry["note"]) == (second["version"], "by mistake")


async def test_what_does_not_fit_any_more_is_not_restored(service: RunningService) -> None:
    loaded = (await service.ask("log", kind="line", id=cast.ACCOUNT))["versions"][-1]
    with pytest.raises(AdminError) as refused:  # its number is still on it
        await service.ask("undo", version=loaded["version"])
    assert refused.value.code == "rejected"
    assert "still used" in refused.value.faults[0].message


async def test_what_is_not_in_the_log_is_told(service: RunningService) -> None:
    with pytest.raises(AdminError) as refused:
        await service.ask("undo", version=987_654)
    assert refused.value.code == "gone"


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("undo", {"version": True}),
        ("undo", {"version": "7"}),
        ("undo", {}),
        ("undo", {"version": 1, "force": "yes"}),
        ("log", {"kind": "nothing", "id": "x"}),
        ("log", {"customer": 7}),
        ("audit", {"before": "x"}),
        ("customer", {"action": "forget", "customer": "1"}),
    ],
)
async def test_a_wrong_argument_gets_a_sentence(service: RunningService, op: str, args: dict[str, Any]) -> None:
    with pytest.raises(AdminError) as refused:
        await service.ask(op, **args)
    assert refused.value.code == "bad_request"


@pytest.mark.parametrize("version", [0, -5, 10**30])
async def test_what_can_be_no_version_is_told(service: RunningService, version: int) -> None:
    for op in ("undo", "log"):
        with pytest.raises(AdminError) as refused:
            await service.ask(op, version=version)
        assert refused.value.code == "gone"


async def test_a_taking_back_is_taken_back(service: RunningService) -> None:
    first, second = await change(service, "0171 3920015"), await change(service, "0171 3920016")
    undone = await service.ask("undo", version=second["version"])
    again = await service.ask("undo", version=undone["versions"][0])
    versions = (await service.ask("log", kind="diversion", id=first["id"], limit=3))["versions"]
    assert [entry["undoes"] for entry in versions] == [undone["versions"][0], second["version"], None]
    assert versions[0]["version"] == again["versions"][0]
    assert versions[0]["after"] == versions[2]["after"]


async def test_the_commands_show_take_back_and_export(service: RunningService, tmp_path: Path) -> None:
    await change(service, "0171 3920013")
    done = await change(service, "0171 3920014")
    shown = await run(service, "log", f"diversion:{done['id']}")
    assert shown.returncode == 0
    assert "→ +491713920014" in shown.stdout
    undone = await run(service, "undo", str(done["version"]), "--note", "enough")
    assert (undone.returncode, undone.stderr) == (0, "")
    assert "is taken back" in undone.stdout
    file = tmp_path / "audit.jsonl"
    assert (await run(service, "audit", "--to", str(file), "--since", "1h")).returncode == 0
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert records[0]["note"] == "enough"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(credential["ha1"] for credential in _credentials(records))
    wrong = await run(service, "log", "--since", "yesterday")
    assert wrong.returncode == 2


def _credentials(value: Any) -> list[dict[str, Any]]:
    """Find every credential in a JSON value."""
    if isinstance(value, list):
        return [found for inner in value for found in _credentials(inner)]
    if not isinstance(value, dict):
        return []
    return ([value] if "ha1" in value and value["ha1"] != "(secret)" else []) + _credentials(list(value.values()))


async def test_a_customer_is_exported_and_erased(service: RunningService, tmp_path: Path) -> None:
    text = json.dumps(
        {
            "customers": [
                {
                    "id": "100077",
                    "name": "Kontor",
                    "orders": [
                        {
                            "id": "K-1",
                            "product": "sipAccount 2.0",
                            "site": {"id": "kontor", "address": "Kai 7"},
                            "lines": [{"id": "kontor-line", "user": "kontor", "password": "never used"}],
                            "numbers": ["+493023125777"],
                            "diversions": [{"to": "+491713920001", "armed": True}],
                        }
                    ],
                }
            ]
        }
    )
    await service.ask("load", name="kontor.json", text=text, dry_run=False)
    file = tmp_path / "kontor.json"
    assert (await run(service, "customer", "export", "100077", "--to", str(file))).returncode == 0
    exported = json.loads(file.read_text())
    assert exported["entities"]["order"][0]["site"]["address"] == "Kai 7"
    assert not any(credential["ha1"] for credential in _credentials(exported))
    with pytest.raises(AdminError) as refused:
        await service.ask("customer", action="erase", customer="100077", confirm="100078")
    assert refused.value.code == "refused"
    done = await run(service, "customer", "erase", "100077", "--confirm", "100077")
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(AdminError) as refused:
        await service.ask("customer", action="export", customer="100077")
    assert refused.value.code == "unknown"
    assert "kontor-line" not in {line["line_id"] for line in (await service.ask("status"))["lines"]}
    assert (await service.ask("log", limit=1))["versions"][0]["op"] == "erase"
