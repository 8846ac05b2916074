"""The service's side of the admin socket: peer credentials checked, one request after the other, errors as data."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from sipproxy.admin.peer import PEER, person
from sipproxy.admin.protocol import (
    MAX_LINE,
    Json,
    decode_request,
    encode_error,
    encode_result,
)
from sipproxy.errors import AdminError, ConfigurationError, Fault

Handler = Callable[[dict[str, Json]], Awaitable[Json]]

_log = structlog.get_logger(__name__)
_UCRED = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


class AdminServer:
    """Serves ``handlers`` by operation name on a unix socket of mode 0600."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises `ConfigurationError` when another service answers on the same socket."""
        listener = self._bind()
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=MAX_LINE)

    async def stop(self) -> None:
        """Close the socket and remove its file. Requests in progress are cancelled."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message, remedy = f"its folder cannot be made ({error.strerror})", "correct data_dir, or name another admin.socket"
            raise ConfigurationError((Fault(str(self._path), "admin.socket", message, remedy),)) from None
        self._remove_stale()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            message, remedy = f"cannot be opened ({error.strerror})", "check that its folder exists and is writable"
            raise ConfigurationError((Fault(str(self._path), "admin.socket", message, remedy),)) from None
        finally:
            os.umask(before)
        return listener

    def _remove_stale(self) -> None:
        """Remove the file that a kill left; one that somebody answers on belongs to a running service."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._path))
            except FileNotFoundError:
                return
            except (ConnectionRefusedError, TimeoutError):
                self._path.unlink(missing_ok=True)
                return
            except OSError:
                return
        message = "another sipproxy with the same data folder is running"
        remedy = "stop that one first, or give this one its own data_dir"
        raise ConfigurationError((Fault(str(self._path), "admin.socket", message, remedy),))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            if not self._may(writer):
                return
            while line := await reader.readline():
                writer.write(await self._answer(line))
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # the command went away, or sent a line beyond the limit
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _may(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("socket")
        pid, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid in {0, os.geteuid()}:
            PEER.set(person(uid, pid))  # for this connection: each has a task, and so a context, of its own
            return True
        _log.warning("admin connection refused", uid=uid)
        return False

    async def _answer(self, line: bytes) -> bytes:
        op = ""
        try:
            request = decode_request(line)
            op = request.op
            handler = self._handlers.get(op)
            if handler is None:
                code, known = "unknown_op", ", ".join(sorted(self._handlers))
                raise AdminError(code, f"unknown operation {op!r}", f"known: {known}")  # noqa: TRY301 - one exit for errors
            return encode_result(await handler(request.args))
        except AdminError as error:
            return encode_error(error)
        except Exception:  # noqa: BLE001 - the boundary: a bug in one request must not end the service
            _log.exception("admin request failed", op=op)
            code, message = "internal", "the service failed to do this; its log has the details"
            return encode_error(AdminError(code, message, "please report it with the log"))
