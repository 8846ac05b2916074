"""A store that is not the service's own: a server on a unix socket that a test starts, kills and starts again."""

import os
import signal
import subprocess
from pathlib import Path

from tests.harness.programs import need
from tests.harness.waiting import until


class ExternalStore:
    """Runs `redis-server` on the data of ``folder``, as durable as the service demands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What the configuration calls it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        program = need("redis-server", "redis-server")
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.socket.exists, what="the external store to listen")

    def kill(self) -> None:
        """``kill -9``; what it acknowledged is on disk."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
