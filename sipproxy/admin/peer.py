"""Who is asking: the user at the other end of the admin socket, as the kernel knows him."""

import pwd
from contextvars import ContextVar

PEER: ContextVar[str] = ContextVar("PEER", default="")
"""User name (or number) of the peer while its request is answered; "" outside."""


def user_name(uid: int) -> str:
    """Return the name of a user, his number if he has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
