"""The engine's secret: made once, kept in the data folder, readable by the service alone."""

import os
import secrets
import stat
from pathlib import Path

from sipproxy.errors import Fault

SECRET_BYTES = 32


def engine_secret(data_dir: Path) -> bytes | Fault:
    """Return this node's secret, made at the first start; a fault when the file is open to others or damaged."""
    path = data_dir / "engine.secret"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            return _existing(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        remedy = "name a folder that this user may write to"
        return Fault(str(data_dir), "data_dir", f"cannot be used ({error.strerror})", remedy)
    secret = secrets.token_bytes(SECRET_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _existing(path: Path) -> bytes | Fault:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Fault(str(path), "", "other users can read the engine's secret", f"run: chmod 600 {path}")
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        remedy = "remove the file; a new one is made (phones register again with a new nonce, nothing else is lost)"
        return Fault(str(path), "", f"the secret has {len(secret)} bytes instead of {SECRET_BYTES}", remedy)
    return secret
