"""From the driver's exceptions to `StoreError`: what happened, and what an operator does about it."""

from __future__ import annotations

from typing import Final

from redis import exceptions

from rules_store.errors import StoreError

_AUTHENTICATION: Final = ("username-password", "Username or Password", "Authentication required")
"""The driver wraps these answers in a ConnectionError while it connects."""


class LostError(StoreError):
    """The server is away or still starting: worth an immediate new try. Callers see it as a `StoreError`."""


class BrokenKeyError(StoreError):
    """A key holds something that is not ours. Nothing was written."""

    def __init__(self, key: str, where: str) -> None:
        what = f"the key {key} in the store at {where} does not hold what it should"
        super().__init__(what, "Remove or restore it; see docs/store.md, recovery. Nothing was written.", retryable=False)
        self.key = key


def store_error(error: Exception, where: str, refusing: str | None = None) -> StoreError:
    """Translate; ``refusing`` is why the embedded server was told to refuse writes, if it was."""
    wrapped = any(words in str(error) for words in _AUTHENTICATION)
    if wrapped or isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        what = f"the store at {where} does not accept our user name or password"
        return StoreError(what, "Check username and password_file of the store.", retryable=False)
    if isinstance(error, exceptions.BusyLoadingError):
        return LostError(f"the store at {where} is still reading its data", "Wait.", retryable=True)
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return LostError(f"the store at {where} does not answer in time", "Check its load and its disk.", retryable=True)
    if isinstance(error, exceptions.ConnectionError | OSError):
        return LostError(f"the store at {where} cannot be reached ({_short(error)})", "Is it running?", retryable=True)
    return _refusal(str(error), where, refusing)


_REFUSALS: Final[dict[str, tuple[str, str, bool]]] = {
    "WRONGTYPE": ("has a key that holds something else than it should", "See docs/store.md, recovery.", False),
    "NOREPLICAS": (
        "takes no writes (min-replicas-to-write)",
        "Free disk space if it is the embedded one, else check its replicas.",
        True,
    ),
    "MISCONF": ("cannot write to its disk", "Free disk space there.", True),
    "OOM": ("is out of memory", "Raise its maxmemory.", True),
    "NOAUTH": ("wants a user name or password", "Set username and password_file of the store.", False),
    "WRONGPASS": ("does not accept our user name or password", "Check username and password_file of the store.", False),
    "NOPERM": ("does not let our user do this", "Extend the user's ACL; see docs/store.md.", False),
}


def _refusal(text: str, where: str, refusing: str | None) -> StoreError:
    code = text.split(" ", 1)[0]
    if code == "READONLY":
        what = f"the server at {where} became a replica"
        return LostError(what, "Name the primary in the store's url.", retryable=True)
    if code == "NOREPLICAS" and refusing is not None:
        return StoreError(f"the store at {where} takes no writes: {refusing}", "Free disk space.", retryable=True)
    if code in _REFUSALS:
        what, remedy, retryable = _REFUSALS[code]
        return StoreError(f"the store at {where} {what} ({text[:120]})", remedy, retryable=retryable)
    return StoreError(f"the store at {where} answered: {text[:200]}", "See docs/store.md.", retryable=False)


def _short(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
