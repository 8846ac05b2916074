"""The commands' side of the admin socket. Blocking: a command does one thing and ends."""

import socket
from pathlib import Path

from sipproxy.admin.protocol import Json, Request, decode_answer, encode_request
from sipproxy.errors import AdminError, ServiceNotRunning


class AdminClient:
    """Sends requests to the service that listens on ``path``."""

    def __init__(self, path: Path, start_hint: str = "sipproxy serve --config FILE", timeout_s: float = 120.0) -> None:
        self._path = path
        self._start_hint = start_hint
        self._timeout_s = timeout_s

    def request(self, op: str, **args: Json) -> Json:
        """Return the result of ``op``. Raises `ServiceNotRunning`, or the `AdminError` that was the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            self._connect(connection)
            try:
                connection.sendall(encode_request(Request(op, args)))
                with connection.makefile("rb") as stream:
                    line = stream.readline()
            except TimeoutError:
                code, message = "timeout", f"no answer within {self._timeout_s:.0f} s"
                raise AdminError(code, message, "look at the service's log") from None
            except (BrokenPipeError, ConnectionResetError):
                line = b""
        if not line:
            code = "closed"
            message = "the service closed the connection"
            raise AdminError(code, message, "look at its log; only root and the service's own user are answered")
        return decode_answer(line)

    def _connect(self, connection: socket.socket) -> None:
        try:
            connection.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError):
            message = f"the service is not running (nobody answers at {self._path})"
            raise ServiceNotRunning(message, f"start it: {self._start_hint}") from None
        except PermissionError:
            code, message = "forbidden", f"you may not use {self._path}"
            raise AdminError(code, message, "run the command as root or as the service's user") from None
