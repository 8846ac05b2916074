"""The embedded server: a real Valkey or Redis on a unix socket, looked after by us.

Who looks after it is decided by a lock on the data directory. The *owner* starts the server (or takes over one that is
still alive), restarts it with back-off when it dies, and stops it at the end; any other process of the same directory is a
*guest*, uses the server, and becomes the owner when the owner is gone. The server has a session of its own, so that ctrl-C
does not reach it, and gets SIGTERM when its owner dies (rules_store/_launch.py): its data are on disk at every moment.

A full disk: with ``appendfsync always`` the server ends itself when it cannot append. It is therefore told to refuse writes
(``min-replicas-to-write 1``) as soon as the space falls below ``disk_reserve_mb``, and restarted in that state when it
ended all the same. Reading goes on. Writes are tried again when there is space, after a pause that doubles.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import structlog
from redis import exceptions
from redis.asyncio import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from rules_store import append_file, server_files
from rules_store.errors import StoreError
from rules_store.settings import StoreSettings

log = structlog.get_logger(__name__)

_MEGABYTE: Final = 1024 * 1024
_LEAST_FREE: Final = 64 * 1024  # below this the disk counts as full, whatever reserve was wished
_BACKOFF_FIRST_S: Final = 0.05
_BACKOFF_LAST_S: Final = 5.0
_SETTLED_S: Final = 10.0
_STOP_S: Final = 10.0
_ANSWER_S: Final = 5.0
_GUARD_S: Final = 0.5
_HOLD_FIRST_S: Final = 2.0
_HOLD_LAST_S: Final = 60.0
_DISK_WORDS: Final = ("AOF write error", "Error writing to the AOF", "Short write while writing to the AOF", "No space left")
_REMEDIES: Final = (
    ("Bad file format", "Restore data_dir from a backup, or repair it with valkey-check-aof --fix (redis-check-aof)."),
    ("Permission denied", "Give data_dir and all in it to this user."),
    ("Read-only file system", "Choose a data_dir that can be written."),
    ("No space left", "Free disk space."),
    ("FATAL CONFIG", "Is the server older than 7.0? Choose another with server_binary."),
    ("Can't open the append", "Check the permissions in data_dir."),
)


class EmbeddedServer:
    """One server for one data directory.

    ``pid``: the server's process, None while there is none. ``owner``: whether we look after it. ``restarts``: how often it
    was started again after it died. ``refusing``: why it refuses writes, None while it takes them.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.files = server_files.place(settings.data_dir)
        self.pid: int | None = None
        self.restarts = 0
        self.refusing: str | None = None
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._log_from = 0
        self._hold_s = _HOLD_FIRST_S
        self._hold_until = 0.0

    @property
    def socket(self) -> Path:
        """The unix socket that clients connect to."""
        return self.files.socket

    @property
    def owner(self) -> bool:
        """Whether this process looks after the server."""
        return self._lock is not None

    async def start(self) -> None:
        """Have a server ready at `socket`; returns at once when it is looked after already. Raises `StoreError`."""
        if self._tasks:
            return
        server_files.make_directories(self.files)
        try:
            await self._bring_up()
        except BaseException:
            await self._end_child()
            self._unlock()
            raise
        self._tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._guard_disk())]

    async def stop(self) -> None:
        """Stop looking after it, and stop the server if we are the owner. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.owner:
            await self._end_child()
        self._unlock()

    async def _bring_up(self) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        while self._lock is None:
            self._lock = server_files.try_lock(self.files)
            if self._lock is None:  # a guest; the lock is tried again, for the owner may be about to leave
                with contextlib.suppress(exceptions.RedisError, OSError):
                    await self._wait_ready(deadline)
                    log.info("store_shared", socket=str(self.socket), pid=self.pid)
                    return
                if time.monotonic() > deadline:
                    raise self._start_error("belongs to another process, which does not get it ready")
                await asyncio.sleep(_BACKOFF_FIRST_S)
        if await self._take_over(deadline):
            log.info("store_taken_over", socket=str(self.socket), pid=self.pid)
            return
        program = server_files.find_server(self._settings)
        if self.refusing is None and server_files.free_bytes(self.files) < self._least_free:
            self._hold(self._little_space())
        if cut := append_file.mend(self.files.directory):
            log.warning("store_file_mended", octets_cut=cut, why="a write was under way when the server was killed")
        server_files.write_config(self.files)
        self._log_from = server_files.log_size(self.files)
        self._child = _spawn(program, self.files, refuse_writes=self.refusing is not None)
        self.pid = self._child.pid
        await self._wait_ready(deadline)
        log.info("store_started", program=str(program), socket=str(self.socket), pid=self.pid)

    async def _take_over(self, deadline: float) -> bool:
        """Look for a server that outlived its owner. One that is about to end is waited for: two must never write."""
        while True:
            pid = await self._server_pid()
            if pid is not None:
                self.pid = pid
                await self._wait_ready(deadline)
                return True
            old = server_files.process_of_ours(self.files)
            if old is None:
                return False
            if time.monotonic() > deadline:
                what = f"process {old} holds the store's directory {self.files.directory} and does not answer"
                raise StoreError(what, f"End process {old}, then start again.", retryable=True)
            await asyncio.sleep(_BACKOFF_FIRST_S)

    async def _wait_ready(self, deadline: float) -> None:
        while True:
            try:
                await self._ask("PING")
                self.pid = await self._server_pid() or self.pid
            except exceptions.BusyLoadingError:
                pass
            except (exceptions.RedisError, OSError):
                if not self.owner:
                    raise
                if self._child is not None and self._child.poll() is not None:
                    raise self._start_error(f"ended at once (status {self._child.returncode})") from None
            else:
                return
            if time.monotonic() > deadline:
                raise self._start_error(f"was not ready after {self._settings.start_timeout_s:g} s")
            await asyncio.sleep(0.01)

    def _start_error(self, what: str) -> StoreError:
        said = self._said()
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        detail = f" It said: {' / '.join(lines[-3:])[-400:]}" if lines else ""
        remedy = next((remedy for word, remedy in _REMEDIES if word in said), f"See {self.files.log}.")
        text = f"the embedded store in {self.files.directory} {what}.{detail}"
        return StoreError(text, remedy, retryable="No space left" in said)

    def _said(self) -> str:
        """Return what the server logged since we last started it."""
        tail = server_files.log_tail(self.files)
        new = server_files.log_size(self.files) - self._log_from
        return tail[-new:] if new > 0 else ""

    async def _supervise(self) -> None:
        backoff = 0.0
        while True:
            began = time.monotonic()
            if self.pid:
                await _gone(self.pid, self._child)
            self._after_death()
            backoff = 0.0 if time.monotonic() - began > _SETTLED_S else backoff
            while True:
                await asyncio.sleep(backoff)
                backoff = min(max(2 * backoff, _BACKOFF_FIRST_S), _BACKOFF_LAST_S)
                try:
                    await self._bring_up()
                    self.restarts += 1
                    break
                except StoreError as error:
                    await self._end_child()
                    log.error("store_restart_failed", what=error.what, remedy=error.remedy, next_try_s=backoff)  # noqa: TRY400

    def _after_death(self) -> None:
        status = self._child.returncode if self._child is not None else None
        log.error("store_died", pid=self.pid, status=status, owner=self.owner)
        self._child, self.pid = None, None
        # On a disk without any space the log says nothing either.
        if self.owner and server_files.free_bytes(self.files) < self._least_free:
            self._hold(self._little_space())
        elif self.owner and any(word in self._said() for word in _DISK_WORDS):
            self._hold("its disk is full, or a limit of file size was reached")

    @property
    def _least_free(self) -> int:
        return max(self._settings.disk_reserve_mb * _MEGABYTE, _LEAST_FREE)

    def _little_space(self) -> str:
        return f"only {server_files.free_bytes(self.files) // _MEGABYTE} MB are free on its disk"

    def _hold(self, why: str) -> None:
        self.refusing = why
        self._hold_until = time.monotonic() + self._hold_s
        self._hold_s = min(2 * self._hold_s, _HOLD_LAST_S)
        log.error("store_refuses_writes", why=why, directory=str(self.files.directory))

    async def _guard_disk(self) -> None:
        calm_since = time.monotonic()
        while True:
            await asyncio.sleep(_GUARD_S)
            if not self.owner or self.pid is None:
                continue
            free = server_files.free_bytes(self.files)
            with contextlib.suppress(exceptions.RedisError, OSError):
                if self.refusing is None and free < self._least_free:
                    await self._ask("CONFIG", "SET", "min-replicas-to-write", 1)
                    self._hold(self._little_space())
                elif self.refusing is not None and free >= self._least_free and time.monotonic() >= self._hold_until:
                    await self._ask("CONFIG", "SET", "min-replicas-to-write", 0)
                    self.refusing, calm_since = None, time.monotonic()
                    log.info("store_takes_writes", directory=str(self.files.directory))
            if self.refusing is None and time.monotonic() - calm_since > _HOLD_LAST_S:
                self._hold_s = _HOLD_FIRST_S

    async def _server_pid(self) -> int | None:
        """Ask for the pid of whoever answers at the socket, 0 if it does not say yet; None when nobody answers."""
        try:
            info = await self._ask("INFO", "server")
        except exceptions.BusyLoadingError:
            return server_files.process_of_ours(self.files) or 0
        except (exceptions.RedisError, OSError):
            return None
        found = re.search(rb"process_id:(\d+)", info)
        return int(found[1]) if found else 0

    async def _ask(self, *command: str | int) -> Any:
        """Ask on a connection of its own and return the raw answer. Raises the driver's errors and `TimeoutError`."""
        connection = UnixDomainSocketConnection(
            path=str(self.socket), protocol=2, socket_timeout=None, retry=Retry(NoBackoff(), 0)
        )
        try:
            async with asyncio.timeout(_ANSWER_S):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command(*command)
                return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

    async def _end_child(self) -> None:
        pid, child = self.pid, self._child
        self.pid, self._child = None, None
        if not pid or not self.owner or (child is not None and child.poll() is not None):
            return
        for sent, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await _gone(pid, child)
                return

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _spawn(program: Path, files: server_files.ServerFiles, *, refuse_writes: bool) -> subprocess.Popen[bytes]:
    """Start the server through the launcher, in a session of its own (ctrl-C is for us alone).

    That it refuses writes is said on the command line: on a full disk no file could say it.
    """
    launcher = Path(__file__).with_name("_launch.py")
    command = [sys.executable, "-I", "-S", str(launcher), str(os.getpid()), str(program), str(files.config)]
    command += ["--min-replicas-to-write", str(int(refuse_writes))]
    output = server_files.open_log(files)
    try:
        return subprocess.Popen(  # noqa: S603 - our own launcher and a configured program
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except OSError as error:
        what = f"the embedded store cannot be started ({sys.executable}): {error.strerror}"
        raise StoreError(what, "Check the limits of this user (processes, memory).", retryable=True) from None
    finally:
        os.close(output)


async def _gone(pid: int, child: subprocess.Popen[bytes] | None) -> None:
    """Return when the process has ended; our own child is reaped."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        pass
    except (AttributeError, OSError):  # no pidfd here (not Linux, or before 5.3)
        while _alive(pid, child):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    else:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(watched, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(watched)
            os.close(watched)
    if child is not None:
        child.wait()


def _alive(pid: int, child: subprocess.Popen[bytes] | None) -> bool:
    if child is not None:
        return child.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
