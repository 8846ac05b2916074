"""What can go wrong for the operator: each error says what is wrong, where, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file: the place, what is wrong with it, and the remedy."""

    file: str
    key: str
    message: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = ": ".join(part for part in (place, self.key) if part)
        return f"{where}: {self.message} — {self.remedy}"


class SipproxyError(Exception):
    """Base of what this package raises for people; ``remedy`` is one sentence that says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} — {self.remedy}" if self.remedy else self.message


class ConfigurationError(SipproxyError):
    """A configuration that cannot be used. At start the service does not begin; at reload the old one stays."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class AdminError(SipproxyError):
    """The service refused an admin request; ``code`` is a stable slug, ``faults`` says where a document is wrong."""

    def __init__(self, code: str, message: str, remedy: str = "", faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.faults = faults


class ServiceNotRunning(SipproxyError):  # noqa: N818 - the name says what is the case
    """Nobody listens on the admin socket."""
