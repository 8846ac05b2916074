"""Imports from the files to the store and back, against a real store; and the command itself."""

import asyncio
import csv
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.carrier import Carrier
from routing.bulk.check import KIND_OF
from routing.bulk.faults import BulkRejected
from routing.bulk.scope import Replace
from routing.model import Diversion, Entity, Line, NumberScope, Target
from rules_store import (
    ANY,
    Author,
    ConflictError,
    Delete,
    Put,
    RulesStore,
    StoreConnection,
    Stored,
    StoreSettings,
    VersionLog,
    Write,
)
from sipproxy.bulk import job, rollback
from sipproxy.bulk.export import export
from sipproxy.bulk.files import read_source
from sipproxy.demo.running import RunningService
from sipproxy.errors import SipproxyError

_SMALL = Carrier(blocks=3, numbers=20, lines=8, rules=30)
_LARGE = Carrier(blocks=100, numbers=2000, lines=400, rules=3000)
_AUTHOR = Author("clerk", "import", "test")


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[StoreConnection]:
    async with StoreConnection(StoreSettings(data_dir=tmp_path / "store", timeout_s=20, disk_reserve_mb=0)) as connection:
        yield connection


async def state(connection: StoreConnection) -> job.State:
    return await job.read_state(connection)


async def entities(connection: StoreConnection) -> dict[tuple[str, str], Entity]:
    return (await state(connection)).entities()


async def load(
    connection: StoreConnection, path: Path, replace: Replace | None = None, customer: str = ""
) -> tuple[job.Prepared, job.Applied]:
    prepared = job.prepare(read_source(path), await state(connection), job.Options("realm", replace=replace, customer=customer))
    return prepared, await job.apply(connection, prepared, _AUTHOR, note="test")


async def fill(connection: StoreConnection, carrier: Carrier = _SMALL) -> dict[tuple[str, str], Entity]:
    """Put the carrier into the store, without any of what is tested here."""
    await RulesStore(connection).import_many([Put(entity) for entity in carrier.entities()])
    return await entities(connection)


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(("form", "name"), [("csv", "out"), ("csv", "out.zip"), ("jsonl", "out.jsonl"), ("json", "out.json")])
@pytest.mark.parametrize("carrier", [_SMALL, _LARGE], ids=["small", "large"])
async def test_what_is_exported_fills_an_empty_store_with_the_same(
    connection: StoreConnection, tmp_path: Path, form: str, name: str, carrier: Carrier
) -> None:
    before = await fill(connection, carrier)
    export(await state(connection), tmp_path / name, form, options=job.Options("realm"), secrets=True)
    async with StoreConnection(StoreSettings(data_dir=tmp_path / "other", timeout_s=20, disk_reserve_mb=0)) as other:
        prepared, applied = await load(other, tmp_path / name, Replace("all"))
        assert applied.count == len(before) == len(carrier)
        assert applied.staged is (carrier is _LARGE)
        assert await entities(other) == before
        again, nothing = await load(other, tmp_path / name, Replace("all"))
        assert (again.writes, nothing.count) == ([], 0)
    assert prepared.diff.counts()["number"]["added"] == carrier.numbers


async def test_an_export_without_secrets_leaves_them_in_the_store(connection: StoreConnection, tmp_path: Path) -> None:
    before = await fill(connection)
    export(await state(connection), tmp_path / "out", "csv", options=job.Options("realm"))
    assert b"SHA-256" not in (tmp_path / "out" / "lines.csv").read_bytes()
    _, applied = await load(connection, tmp_path / "out", Replace("all"))
    assert applied.count == 0
    assert await entities(connection) == before


async def test_a_customer_is_exported_and_replaced_alone(connection: StoreConnection, tmp_path: Path) -> None:
    before = await fill(connection)
    export(await state(connection), tmp_path / "out", "csv", "200000", options=job.Options("realm"))
    rules = tmp_path / "out" / "rules.csv"
    lines = rules.read_text("utf-8-sig").splitlines(keepends=True)
    rules.write_text("".join(lines[:-1]), "utf-8-sig")
    gone = next(csv.reader([lines[-1]], delimiter=";"))[0]
    prepared, _ = await load(connection, tmp_path / "out", Replace("customer", "200000"))
    assert [(change.kind, change.id) for change in prepared.diff.changes] == [("diversion", gone)]
    assert await entities(connection) == {name: entity for name, entity in before.items() if name != ("diversion", gone)}


async def test_the_table_of_a_clerk(connection: StoreConnection, tmp_path: Path) -> None:
    await fill(connection)
    number = _SMALL.number(19)
    path = write(tmp_path / "Liste.csv", "Rufnummer;Zielnummer;Aktiv", f"'{number};0171 3920042;ja")
    prepared, applied = await load(connection, path, customer="200001")
    (change,) = prepared.diff.changes
    assert isinstance(change.after, Diversion)
    assert change.after.targets == (Target(number="+491713920042"),)
    assert applied.count == 1
    path = write(tmp_path / "Liste.csv", "Rufnummer;Zielnummer;Aktiv", f"'{number};0171 3920043;ja")
    with pytest.raises(BulkRejected) as refused:
        await load(connection, path, customer="200000")
    assert [fault.type for fault in refused.value.faults] == ["entry_foreign"]


async def test_a_bad_row_keeps_the_good_ones_out(connection: StoreConnection, tmp_path: Path) -> None:
    before = await fill(connection)
    good, bad = _SMALL.number(18), _SMALL.number(19)
    path = write(tmp_path / "x.csv", "number;target;armed", f"{good};0171 3920042;ja", f"{bad};4,93E+11;ja", f"{bad};110;ja")
    with pytest.raises(BulkRejected) as refused:
        await load(connection, path)
    assert [(fault.location, fault.type) for fault in refused.value.faults] == [
        ("x.csv:3.target", "cell_scientific"),
        ("x.csv:4.target", "target_emergency"),
    ]
    assert await entities(connection) == before


async def test_a_load_file_is_imported_too(connection: StoreConnection) -> None:
    sample = Path(__file__).parents[2] / "docs/samples/customers.yaml"
    prepared, applied = await load(connection, sample)
    assert applied.count == len(prepared.diff.changes) > 10
    _, again = await load(connection, sample, Replace("all"))
    assert again.count == 0


def test_the_samples_are_read() -> None:
    folder = Path(__file__).parents[2] / "docs/samples/bulk"
    known: dict[tuple[str, str], Entity] = {}
    prepared = job.prepare(read_source(folder), job.State(0, {}), job.Options("realm"))
    assert prepared.diff.counts()["diversion"]["added"] > 0
    for change in prepared.diff.changes:
        assert change.after is not None
        known[change.kind, change.id] = change.after
    stored = job.State(0, {name: Stored(entity, 1) for name, entity in known.items()})
    table = job.prepare(read_source(folder.parent / "targets.csv"), stored, job.Options("realm"))
    assert table.diff.changes
    lines = job.prepare(read_source(folder.parent / "rules.jsonl"), stored, job.Options("realm"))
    assert lines.diff.changes


async def _rule(connection: StoreConnection, key: str, **changes: object) -> Put:
    stored = await RulesStore(connection).get("diversion", key)
    assert stored is not None
    return Put(stored.entity.model_copy(update=changes), ANY)


@pytest.mark.parametrize(
    "theirs",
    [Put(Line(id="t000001", order="T-000001", kind="registered", users=("t000001",))), Delete("order", "S-000001")],
    ids=["what it writes", "what it refers to"],
)
async def test_a_change_of_somebody_else_since_the_difference_was_shown_refuses_it(
    connection: StoreConnection, tmp_path: Path, theirs: Write
) -> None:
    await fill(connection)
    lines = [entity for entity in _SMALL.entities() if isinstance(entity, Line)]
    path = write(tmp_path / "lines.csv", "id;access", *(f"{line.id};node 7" for line in lines))
    prepared = job.prepare(read_source(path), await state(connection), job.Options("realm"))
    assert len(prepared.writes) == len(lines)
    await RulesStore(connection).write_many([theirs])
    before = await entities(connection)
    with pytest.raises(ConflictError):
        await job.apply(connection, prepared, _AUTHOR)
    assert await entities(connection) == before


async def test_what_others_change_elsewhere_does_not_matter_and_stays(connection: StoreConnection, tmp_path: Path) -> None:
    await fill(connection)
    path = write(tmp_path / "rules.csv", "id;note", "r0000000;ours")
    prepared = job.prepare(read_source(path), await state(connection), job.Options("realm"))
    await RulesStore(connection).write_many([await _rule(connection, "r0000005", note="theirs")])
    await job.apply(connection, prepared, _AUTHOR)
    after = await entities(connection)
    notes = {key: rule.note for (kind, key), rule in after.items() if isinstance(rule, Diversion) and rule.note}
    assert notes == {"r0000000": "ours", "r0000005": "theirs"}


async def test_a_plan_is_the_same_until_something_of_it_changes(connection: StoreConnection, tmp_path: Path) -> None:
    await fill(connection)
    source = read_source(write(tmp_path / "rules.csv", "id;note", "r0000000;ours"))
    first, again = [job.prepare(source, await state(connection), job.Options("realm")).plan for _ in range(2)]
    await RulesStore(connection).write_many([await _rule(connection, "r0000005", note="theirs")])
    elsewhere = job.prepare(source, await state(connection), job.Options("realm")).plan
    await RulesStore(connection).write_many([await _rule(connection, "r0000000", armed=False)])
    changed = job.prepare(source, await state(connection), job.Options("realm")).plan
    assert first == again == elsewhere != changed


async def _import_half(
    connection: StoreConnection, tmp_path: Path, carrier: Carrier
) -> tuple[dict[tuple[str, str], Entity], int]:
    """Import a file that adds, changes and removes; return what was there before, and the id of the import."""
    before = await fill(connection, carrier)
    rules = [entity for entity in before.values() if isinstance(entity, Diversion)]
    lines = [entity for entity in before.values() if isinstance(entity, Line)]
    kept = [rule.model_copy(update={"note": "imported"}) for rule in rules[: len(rules) // 2]]
    scope = NumberScope(number=carrier.extension(0, 40))
    added = [kept[1].model_copy(update={"id": "new", "order": "T-000000", "scope": scope})]
    changed = [line.model_copy(update={"access": "node 7"}) for line in lines]
    text = "".join(
        json.dumps({"kind": kind, **_fields(entity)}) + "\n"
        for kind, group in (("diversion", [*kept, *added]), ("line", changed))
        for entity in group
    )
    path = tmp_path / "half.jsonl"
    path.write_text(text)
    _, applied = await load(connection, path, Replace("all"))
    assert await entities(connection) != before
    return before, applied.version


def _fields(entity: Entity) -> dict[str, object]:
    fields = entity.model_dump(mode="json")
    if isinstance(entity, Line):
        fields["line_kind"] = fields.pop("kind")
    return fields


@pytest.mark.parametrize("carrier", [_SMALL, _LARGE], ids=["small", "large"])
async def test_back_to_before_an_import(connection: StoreConnection, tmp_path: Path, carrier: Carrier) -> None:
    before, version = await _import_half(connection, tmp_path, carrier)
    planned = await rollback.plan(connection, version, await state(connection))
    assert planned.changed_since == ()
    done = await rollback.carry_out(connection, planned, _AUTHOR)
    assert await entities(connection) == before
    entry = await VersionLog(connection).version(done.version)
    assert entry is not None
    assert entry.undoes == version


@pytest.mark.parametrize("carrier", [_SMALL, _LARGE], ids=["small", "large"])
async def test_what_was_changed_since_is_named_and_kept(connection: StoreConnection, tmp_path: Path, carrier: Carrier) -> None:
    before, version = await _import_half(connection, tmp_path, carrier)
    rules = RulesStore(connection)
    await rules.write_many([await _rule(connection, "r0000000", note="since")])
    await rules.delete("diversion", "r0000001")
    planned = await rollback.plan(connection, version, await state(connection))
    assert set(planned.changed_since) == {("diversion", "r0000000"), ("diversion", "r0000001")}
    await rollback.carry_out(connection, planned, _AUTHOR)
    after = await entities(connection)
    assert ("diversion", "r0000001") not in after
    kept = after.pop(("diversion", "r0000000"))
    assert isinstance(kept, Diversion)
    assert kept.note == "since"
    assert after == {name: entity for name, entity in before.items() if name[1] not in {"r0000000", "r0000001"}}


async def test_what_a_load_file_cannot_say_is_told(connection: StoreConnection, tmp_path: Path) -> None:
    await fill(connection)
    with pytest.raises(SipproxyError, match="could not log in"):
        export(await state(connection), tmp_path / "x.json", "json", options=job.Options("realm"))
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty", None, "holds no tables"),
        ("x.xlsx", b"PK", "is a workbook"),
        ("x.pdf", b"PDF", "cannot be told by its name"),
        ("x.zip", b"no archive", "cannot be read"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_what_is_no_source_is_told(tmp_path: Path, name: str, data: bytes | None, why: str) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    elif not path.suffix:
        path.mkdir()
    with pytest.raises(SipproxyError, match=why):
        read_source(path)


def test_an_archive_with_two_tables_of_a_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/rules.csv", "id\n")
        archive.writestr("b/rules.csv", "id\n")
    with pytest.raises(SipproxyError, match="two tables"):
        read_source(tmp_path / "x.zip")


_CONFIGURATION = """\
data_dir = "data"
[sip]
listen = ["127.0.0.1:5060"]
[[core_peers]]
name = "softswitch"
address = "192.0.2.10"
interconnect = "core"
[[interconnects]]
name = "core"
"""


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(_argv(*arguments), capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL)


def _argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sipproxy", *arguments]


def test_the_command_without_a_service_from_dry_run_to_rollback(tmp_path: Path) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    samples = Path(__file__).parents[2] / "docs/samples"
    dry = command(tmp_path, "import", str(samples / "bulk"), "--dry-run", "--json")
    assert (dry.returncode, dry.stderr) == (0, "")
    shown = json.loads(dry.stdout)
    asked = command(tmp_path, "import", str(samples / "bulk"))
    assert (asked.returncode, "nobody to ask" in asked.stderr) == (1, True)
    done = command(tmp_path, "import", str(samples / "bulk"), "--yes", "--json", "--expect", shown["plan"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == shown["counts"]
    stale = command(tmp_path, "import", str(samples / "bulk"), "--yes", "--expect", shown["plan"])
    assert (stale.returncode, "not what it was" in stale.stderr) == (1, True)
    out = command(tmp_path, "export", "out", "--secrets")
    assert out.returncode == 0, out.stderr
    again = command(tmp_path, "import", "out", "--replace", "all", "--dry-run")
    assert "nothing to change" in again.stdout
    back = command(tmp_path, "import", "--rollback", str(json.loads(done.stdout)["id"]), "--yes")
    assert back.returncode == 0, back.stderr
    empty = json.loads(command(tmp_path, "import", str(samples / "bulk"), "--dry-run", "--json").stdout)
    assert empty["counts"] == shown["counts"]


def test_the_command_tells_rows_and_columns(tmp_path: Path) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    write(tmp_path / "numbers.csv", "id;order;line;number", "n;A;l;4,93023E+11", "m;A;l;49302312501")
    told = command(tmp_path, "import", "numbers.csv", "--yes")
    assert told.returncode == 1
    assert "numbers.csv, row 2, column number: '4,93023E+11' was shortened by a spreadsheet" in told.stderr
    assert "2 faults in 2 rows; nothing was changed." in told.stderr
    as_json = json.loads(command(tmp_path, "import", "numbers.csv", "--yes", "--json").stdout)
    assert (as_json["count"], as_json["rows"]) == (2, 2)


def test_ctrl_c_changes_nothing_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    export_of = Carrier(blocks=300, numbers=3000, lines=900, rules=3000)
    with (tmp_path / "all.jsonl").open("wb") as out:
        for entity in export_of.entities():
            out.write(json.dumps({"kind": KIND_OF[type(entity)], **_fields(entity)}).encode() + b"\n")
    # A shell has its background jobs ignore ctrl-C, and children inherit that.
    command_line = ["env", "--default-signal=INT", *_argv("import", "all.jsonl", "--yes")]
    process = subprocess.Popen(command_line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / "store").is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)  # until it is at work: what it does is seen from outside only
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130, printed
    assert "nothing was changed" in printed
    after = command(tmp_path, "import", "all.jsonl", "--dry-run", "--json")
    assert json.loads(after.stdout)["counts"]["number"] == {"added": 3000, "changed": 0, "removed": 0, "unchanged": 0}


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    for options in (
        ["--rollback", "3", "--replace", "all"],
        ["x.csv", "--keep-changes"],
        ["x.csv", "--json"],
        ["--rollback", "-3"],
    ):
        refused = command(tmp_path, "import", *options)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), options


def test_a_rollback_writes_what_was_expected_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    samples = Path(__file__).parents[2] / "docs/samples"
    done = json.loads(command(tmp_path, "import", str(samples / "bulk"), "--yes", "--json").stdout)
    back = ("import", "--rollback", str(done["id"]))
    refused = command(tmp_path, *back, "--yes", "--expect", "another")
    assert (refused.returncode, "not what it was" in refused.stderr) == (1, True)
    off = write(tmp_path / "rules.csv", "order;armed;targets", "A-1002;ja;089 99998000")
    done = json.loads(command(tmp_path, "import", str(off), "--yes", "--json").stdout)
    # What stood there before is judged by what the carrier says now.
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION + '[targets]\nbarred = ["mobile"]\n')
    barred = command(tmp_path, "import", "--rollback", str(done["id"]), "--yes", "--json")
    assert (barred.returncode, json.loads(barred.stdout)["types"]) == (1, {"target_barred": 1})


@pytest.mark.parametrize(("data", "why"), [(b"", "no header"), (b"PK\x03\x04", "workbook"), (b"\0" * 10_000, "NUL bytes")])
def test_a_file_that_is_no_table_is_told_so(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "sipproxy.toml").write_text(_CONFIGURATION)
    (tmp_path / "x.csv").write_bytes(data)
    refused = json.loads(command(tmp_path, "import", "x.csv", "--dry-run", "--json").stdout)
    assert why in refused["faults"][0]["message"]


@pytest.mark.service
async def test_a_running_service_follows_an_import_and_its_way_back() -> None:
    folder = Path(__file__).parents[2] / "docs/samples/bulk"
    async with RunningService() as service:
        argv = ("import", str(folder), "--yes", "--json", "--config", str(service.config))
        done = await asyncio.to_thread(command, service.folder, *argv)
        assert done.returncode == 0, done.stderr
        await _follows(service, "A-1001.n493023125010")
        back = ("import", "--rollback", str(json.loads(done.stdout)["id"]), "--yes", "--config", str(service.config))
        assert (await asyncio.to_thread(command, service.folder, *back)).returncode == 0
        await _follows(service, None)


async def _follows(service: RunningService, rule: str | None) -> None:
    """Wait until the service uses this rule for a number."""
    async with asyncio.timeout(20):
        while (await service.ask("explain", number="030 23125 010"))["rule_id"] != rule:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
