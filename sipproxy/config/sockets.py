"""Find the admin socket of a running service from its configuration file, or from the usual places."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

USUAL_FILES: Sequence[Path] = (Path("sipproxy.toml"), Path("/etc/sipproxy/sipproxy.toml"))
"""Where commands look for the configuration when no ``--config`` says so."""


def usual_file() -> Path | None:
    """Return the first of the usual configuration files that exists."""
    return next((file for file in USUAL_FILES if file.is_file()), None)


def admin_socket_of(file: Path) -> Path | None:
    """Return the admin socket that ``file`` names, also when the rest of the file is faulty."""
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    folder = file.resolve().parent
    admin = table.get("admin")
    socket = admin.get("socket") if isinstance(admin, dict) else None
    if isinstance(socket, str):
        return folder / socket
    data_dir = table.get("data_dir")
    return folder / data_dir / "admin.sock" if isinstance(data_dir, str) else None
