"""The embedded server: started, shared, taken over, restarted, and kept readable when its disk is full."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from routing.model import Customer, Line
from rules_store import RulesStore, StoreConnection, StoreError, StoreSettings
from rules_store.embedded import EmbeddedServer

MakeLine = Callable[..., Line]

HOLDER = """
import asyncio, sys
from pathlib import Path
from rules_store import StoreConnection, StoreSettings
async def main():
    connection = StoreConnection(StoreSettings(data_dir=Path(sys.argv[1]), server_binary=Path(sys.argv[2])))
    await connection.open()
    print("pid", connection.server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def eventually(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.02)


async def opened(settings: StoreSettings) -> None:
    """Open and close; a failed opening leaves nothing open either."""
    async with StoreConnection(settings):
        pass


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_it_is_private_and_has_no_port(connection: StoreConnection) -> None:
    server = connection.server
    assert server is not None
    assert stat.S_IMODE(server.files.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.stat().st_mode) & 0o077 == 0
    found = await connection.repeat(lambda client: client.config_get("port", "appendonly", "appendfsync"))
    assert {str(key): str(value) for key, value in found.items()} == {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "always",
    }


async def test_it_is_restarted_after_kill_9_and_a_write_waits_for_it(
    connection: StoreConnection, store: RulesStore, line: MakeLine
) -> None:
    server = connection.server
    assert server is not None
    for n in range(3):
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await store.put(line(f"L{n}"))
        assert server.pid != pid
        # It serves a moment before its start is over, and killed in that moment it counts as one that failed to start.
        await eventually(lambda done=n + 1: server.restarts >= done)
    assert server.restarts == 3
    assert len(await store.get_many("line", ["L0", "L1", "L2"])) == 3


async def test_closing_stops_it_and_the_data_are_there_again(settings: StoreSettings, line: MakeLine) -> None:
    async with StoreConnection(settings) as connection:
        await RulesStore(connection).put(line())
        assert connection.server is not None
        pid = connection.server.pid
        assert pid is not None
    assert not alive(pid)
    async with StoreConnection(settings) as connection:
        assert await RulesStore(connection).get("line", "L1") is not None


async def test_a_second_process_shares_it_and_becomes_owner(settings: StoreSettings, line: MakeLine) -> None:
    first, second = StoreConnection(settings), StoreConnection(settings)
    await first.open()
    await second.open()
    assert first.server is not None
    assert second.server is not None
    assert (first.server.owner, second.server.owner) == (True, False)
    assert first.server.pid == second.server.pid
    await first.close()
    await RulesStore(second).put(line())
    assert second.server.owner
    await second.close()


async def test_a_living_server_is_taken_over_not_doubled(settings: StoreSettings, line: MakeLine) -> None:
    first = StoreConnection(settings)
    await first.open()
    assert first.server is not None
    pid = first.server.pid
    for task in first.server._tasks:  # our crash: nobody looks after the server any more, the lock is free
        task.cancel()
    first.server._unlock()
    assert first._pool is not None
    await first._pool.aclose()
    async with StoreConnection(settings) as second:
        assert second.server is not None
        assert second.server.owner
        assert second.server.pid == pid
        await RulesStore(second).put(line())
    assert first.server._child is not None
    assert first.server._child.wait(10) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_it_does_not_outlive_a_killed_owner_and_ctrl_c_does_not_reach_it(settings: StoreSettings) -> None:
    assert settings.server_binary is not None
    command = [sys.executable, "-c", HOLDER, str(settings.data_dir), str(settings.server_binary)]
    holder = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, start_new_session=True
    )
    assert holder.stdout is not None
    pid = 0
    async for text in holder.stdout:
        if text.startswith(b"pid "):
            pid = int(text.split()[1])
            break
    assert os.getsid(pid) == pid != os.getsid(holder.pid)
    holder.kill()
    await holder.wait()
    await eventually(lambda: not alive(pid))


async def test_start_errors_say_what_where_and_what_to_do(tmp_path: Path, settings: StoreSettings) -> None:
    failing = tmp_path / "failing-server"
    failing.write_text("#!/bin/sh\necho 'Fatal error: Permission denied'; exit 3\n")
    failing.chmod(0o755)
    with pytest.raises(StoreError, match=r"status 3.*Permission denied") as caught:
        await opened(settings.model_copy(update={"server_binary": failing}))
    assert "data_dir" in caught.value.remedy
    assert str(settings.data_dir) in caught.value.what

    with pytest.raises(StoreError, match="cannot be executed"):
        await opened(settings.model_copy(update={"server_binary": tmp_path / "none"}))

    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(StoreError, match="cannot be used"):
        await opened(settings.model_copy(update={"data_dir": in_the_way / "x"}))


async def test_a_broken_file_is_refused_with_a_remedy(settings: StoreSettings, line: MakeLine) -> None:
    async with StoreConnection(settings) as connection:
        await RulesStore(connection).put(line())
    for part in (settings.data_dir / "appendonlydir").glob("*.aof"):
        raw = part.read_bytes()
        part.write_bytes(b"*garbage\r\n" * 3 + raw)
    connection = StoreConnection(settings)
    with pytest.raises(StoreError) as caught:
        await connection.open()
    assert "check-aof" in caught.value.remedy
    await connection.close()


async def test_a_long_path_still_has_a_socket(settings: StoreSettings, tmp_path: Path) -> None:
    long = settings.model_copy(update={"data_dir": tmp_path / ("x" * 120)})
    async with StoreConnection(long) as connection:
        assert connection.server is not None
        folder = connection.server.socket.parent
        assert await RulesStore(connection).sequence() == 0
    shutil.rmtree(folder)


async def test_a_full_disk_refuses_writes_clearly_and_reads_go_on(
    settings: StoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of file size stands in for a full disk: the append fails in the same place."""
    monkeypatch.setattr("rules_store.embedded._HOLD_FIRST_S", 0.5)
    limited = tmp_path / "limited-server"
    # A soft limit of 64 KB (128 blocks of 512 bytes), which the test can lift.
    limited.write_text(f"#!/bin/bash\ntrap '' XFSZ\nulimit -S -f 64\nexec {settings.server_binary} \"$@\"\n")
    limited.chmod(0o755)
    async with StoreConnection(settings.model_copy(update={"server_binary": limited})) as connection:
        store, server = RulesStore(connection), connection.server
        assert server is not None
        saved: dict[str, Customer] = {}
        error: StoreError | None = None
        for n in range(200):
            customer = Customer(id=f"C{n}", name="x" * 200)
            try:
                await store.put(customer)
            except StoreError as caught:
                error = caught
                break
            saved[customer.id] = customer
        assert error is not None, "the limit was never reached"
        assert error.retryable
        assert "disk is full" in str(error)
        assert saved

        found = await store.get_many("customer", list(saved))
        assert {key: stored.entity for key, stored in found.items()} == saved
        assert server.refusing is not None

        async def writable() -> bool:
            if server.pid is not None:
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            try:
                await store.put(Customer(id="late", name="x"))
            except (StoreError, ProcessLookupError):
                return False
            return True

        await until_true(writable)
        found = await store.get_many("customer", [*saved, "late"])
        assert set(found) == {*saved, "late"}


async def test_below_the_reserve_writes_are_refused_before_the_disk_is_full(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch, line: MakeLine
) -> None:
    free = [1 << 40]
    monkeypatch.setattr("rules_store.server_files.free_bytes", lambda _files: free[0])
    monkeypatch.setattr("rules_store.embedded._GUARD_S", 0.02)
    monkeypatch.setattr("rules_store.embedded._HOLD_FIRST_S", 0.02)
    async with StoreConnection(settings.model_copy(update={"disk_reserve_mb": 32})) as connection:
        store, server = RulesStore(connection), connection.server
        assert server is not None
        await store.put(line())
        free[0] = 1 << 20
        await eventually(lambda: server.refusing is not None)
        with pytest.raises(StoreError, match="only 1 MB are free") as caught:
            await store.put(line("L2"))
        assert caught.value.retryable
        assert await store.get("line", "L1") is not None
        free[0] = 1 << 40
        await eventually(lambda: server.refusing is None)
        await store.put(line("L2"))
        assert server.restarts == 0


async def until_true(condition: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.05)


async def test_a_server_that_is_not_durable_is_refused(server_binary: Path, tmp_path: Path) -> None:
    socket = tmp_path / "s"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path), "--save", "", "--requirepass", "geheim"]
    server = subprocess.Popen([str(server_binary), *arguments], stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await eventually(socket.exists)
        strict = StoreSettings(url=f"unix://:geheim@{socket}")
        with pytest.raises(StoreError, match="appendonly no") as caught:
            await opened(strict)
        assert "relaxed" in caught.value.remedy
        relaxed = StoreConnection(strict.model_copy(update={"durability": "relaxed"}))
        await relaxed.open()
        await relaxed.close()
        with pytest.raises(StoreError) as refused:
            await opened(StoreSettings(url=f"unix://:falsch@{socket}"))
        assert not refused.value.retryable
        assert "falsch" not in str(refused.value)
        with pytest.raises(StoreError, match="user name or password"):
            await opened(StoreSettings(url=f"unix://{socket}"))
        replicated = StoreConnection(
            strict.model_copy(update={"durability": "relaxed", "min_replicas": 1, "replica_timeout_s": 0.1})
        )
        with pytest.raises(StoreError, match="0 of 1 replicas"):
            await RulesStore(replicated).put(Customer(id="C1", name="x"))
        await replicated.close()
    finally:
        server.terminate()
        server.wait(10)


def test_secrets_are_in_no_message() -> None:
    settings = StoreSettings(url="redis://anna:geheim@192.0.2.1:6379/0")
    assert settings.url == "redis://192.0.2.1:6379/0"
    assert settings.secret() == "geheim"
    assert "geheim" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        StoreSettings(url="http://anna:geheim@192.0.2.1", timeout_s=-1)
    assert "geheim" not in str(caught.value)


def test_a_password_comes_from_file_or_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("geheim\n")
    assert StoreSettings(password_file=file).secret() == "geheim"
    monkeypatch.setenv("STORE_PASSWORD", "geheim2")
    assert StoreSettings(password_env="STORE_PASSWORD").secret() == "geheim2"
    monkeypatch.delenv("STORE_PASSWORD")
    with pytest.raises(StoreError, match="STORE_PASSWORD"):
        StoreSettings(password_env="STORE_PASSWORD").secret()
    with pytest.raises(StoreError, match="cannot be read"):
        StoreSettings(password_file=tmp_path / "none").secret()


async def test_a_store_that_is_not_there_is_a_retryable_error(tmp_path: Path) -> None:
    connection = StoreConnection(StoreSettings(url=f"unix://{tmp_path}/none", timeout_s=0.2))
    with pytest.raises(StoreError) as caught:
        await RulesStore(connection).sequence()
    assert caught.value.retryable
    assert str(tmp_path) in caught.value.what
    await connection.close()


def test_the_server_is_found_on_the_path_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rules_store.server_files import find_server  # noqa: PLC0415 - only this test needs it

    fake = tmp_path / "valkey-server"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server(StoreSettings()) == fake
    fake.unlink()
    assert find_server(StoreSettings()).is_absolute()
    assert EmbeddedServer(StoreSettings(data_dir=tmp_path)).pid is None
