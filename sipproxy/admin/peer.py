"""Who is asking: the user at the other end of the admin socket, as the kernel knows him."""

import contextlib
import pwd
from contextvars import ContextVar
from pathlib import Path
from typing import Final

PEER: ContextVar[str] = ContextVar("PEER", default="")
"""User name (or number) of the peer while its request is answered; "" outside."""
PROC = Path("/proc")
_NOBODY: Final = 2**32 - 1


def user_name(uid: int) -> str:
    """Return the name of a user, his number if he has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def person(uid: int, pid: int | str = "self") -> str:
    """Return the name under which somebody is written down: who a process runs as, and who logged in for it where that is another.

    ``root (anna)`` for anna behind ``sudo``: the kernel keeps the login (``/proc/PID/loginuid``, set by pam_loginuid; root alone may change it).
    """
    name, login = user_name(uid), _NOBODY
    with contextlib.suppress(OSError, ValueError):
        login = int((PROC / str(pid) / "loginuid").read_text("ascii"))
    return name if login in {_NOBODY, uid} else f"{name} ({user_name(login)})"
