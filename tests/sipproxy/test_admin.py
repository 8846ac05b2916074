"""The admin socket: one line in, one line out, errors as data."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipproxy.admin.client import AdminClient
from sipproxy.admin.peer import PEER, person, user_name
from sipproxy.admin.protocol import Json
from sipproxy.admin.server import AdminServer
from sipproxy.errors import AdminError, ConfigurationError, Fault, ServiceNotRunning


async def echo(args: dict[str, Json]) -> Json:
    return args


async def refuse(args: dict[str, Json]) -> Json:
    raise AdminError("rejected", "wrong", "do it right", (Fault("a.yaml", "customers[0]", "no name", "add one", 3),))


async def crash(args: dict[str, Json]) -> Json:
    raise RuntimeError("secret detail")


async def ask(path: Path, op: str, **args: Json) -> Json:
    return await asyncio.to_thread(AdminClient(path).request, op, **args)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    server = AdminServer(tmp_path / "admin.sock", {"echo": echo, "refuse": refuse, "crash": crash})
    await server.start()
    yield tmp_path / "admin.sock"
    await server.stop()
    assert not (tmp_path / "admin.sock").exists()


async def test_answer_carries_the_result(path: Path) -> None:
    assert await ask(path, "echo", text="Grüße", n=[1, None]) == {"text": "Grüße", "n": [1, None]}


async def test_socket_is_private(path: Path) -> None:
    mode = (await asyncio.to_thread(path.stat)).st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_refusal_comes_back_with_its_faults(path: Path) -> None:
    with pytest.raises(AdminError) as refused:
        await ask(path, "refuse")
    assert refused.value.code == "rejected"
    assert refused.value.faults == (Fault("a.yaml", "customers[0]", "no name", "add one", 3),)


async def test_bug_in_a_handler_tells_no_details(path: Path) -> None:
    with pytest.raises(AdminError) as refused:
        await ask(path, "crash")
    assert refused.value.code == "internal"
    assert "secret detail" not in str(refused.value)


async def test_unknown_operation_names_the_known_ones(path: Path) -> None:
    with pytest.raises(AdminError, match="echo"):
        await ask(path, "ecko")


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"v": 99, "op": "echo"}\n', b'{"v": 1}\n', b"\xff\n"])
async def test_bad_line_is_refused_and_the_connection_goes_on(path: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line + b'{"v": 1, "op": "echo", "args": {}}\n')
    assert b'"ok":false' in await reader.readline()
    assert b'"ok":true' in await reader.readline()
    writer.close()


async def test_second_service_on_the_same_socket_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="running"):
        await AdminServer(path, {}).start()


async def test_socket_left_by_a_kill_is_replaced(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "admin.sock"))
    stale.close()
    server = AdminServer(tmp_path / "admin.sock", {"echo": echo})
    await server.start()
    assert await ask(tmp_path / "admin.sock", "echo") == {}
    await server.stop()


def test_missing_service_says_how_to_start_it(tmp_path: Path) -> None:
    client = AdminClient(tmp_path / "none.sock", "sipproxy serve --config x.toml")
    with pytest.raises(ServiceNotRunning, match=r"sipproxy serve --config x\.toml"):
        client.request("status")


async def test_who_asks_has_his_name_and_that_of_the_login_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def who(_: dict[str, Json]) -> Json:
        return PEER.get()

    own = user_name(os.geteuid())
    server = AdminServer(tmp_path / "admin.sock", {"who": who})
    await server.start()
    said = await ask(tmp_path / "admin.sock", "who")
    await server.stop()
    assert said.partition(" (")[0] == own
    logins = {"anna": "70001", "oneself": str(os.geteuid()), "nobody": str(2**32 - 1), "garbage": "?"}
    monkeypatch.setattr("sipproxy.admin.peer.PROC", tmp_path)
    for name, text in logins.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "loginuid").write_text(text, "ascii")
    found = {name: person(os.geteuid(), name) for name in (*logins, "gone")}
    assert found == {"anna": f"{own} (70001)", "oneself": own, "nobody": own, "garbage": own, "gone": own}
