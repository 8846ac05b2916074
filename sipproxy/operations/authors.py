"""Who asks for a change through the admin socket, as the log of versions tells it."""

from rules_store import Author
from rules_store.types import Via
from sipproxy.admin.peer import PEER


def operator(via: Via = "cli", source: str = "admin socket") -> Author:
    """Return the user at the other end of the admin socket; ``source``: the file, for what came from one."""
    return Author(PEER.get() or "unknown", via, source)
