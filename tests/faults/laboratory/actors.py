"""What a fault may ask of the programs in the laboratory: the phone system, its second site, the fleet, and the server under test."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from tests.faults.laboratory.namespaces import LaboratoryError

Mode = Literal["well", "silent", "unavailable", "retry_after", "trying_only", "options_only", "invites_only"]
"""``silent`` reads and never answers; ``unavailable`` answers INVITE and OPTIONS with 503, ``retry_after`` with a Retry-After in it;
``trying_only`` answers INVITE with 100 and no more; ``options_only`` answers OPTIONS and ignores INVITE; ``invites_only`` the reverse."""


Actor = TypeVar("Actor")


class PhoneSystem(Protocol):
    """A phone system in a process of its own."""

    @property
    def pid(self) -> int:
        """The process, to be stopped and continued."""

    def behave(self, mode: Mode) -> None:
        """Answer like this from now on."""

    def heard(self, method: str) -> int:
        """Return how many requests of a method it has received."""

    def kill(self) -> None:
        """``kill -9``: its port is closed."""

    def start(self) -> None:
        """Start again after `kill`, on the same port, and register where it has to."""

    def let_expire(self) -> None:
        """Send no REGISTER any more."""

    def deregister(self) -> None:
        """REGISTER with Expires 0, and none after that."""

    def register(self) -> None:
        """Register again and keep that up."""


class Server(Protocol):
    """The server under test; `tests.harness.service.Service` is one."""

    def kill(self) -> None:
        """``kill -9``."""

    def start(self) -> object:
        """Start again and wait until it is ready."""

    def store_pid(self) -> int:
        """Return the pid of its embedded store."""


@dataclass(slots=True)
class Actors:
    """Who stands in the laboratory; a scenario sets those that it starts."""

    phone: PhoneSystem | None = None
    """The phone system behind the router."""
    second: PhoneSystem | None = None
    """The one at the second site."""
    server: Server | None = None
    fleet: PhoneSystem | None = None
    """All phones of the fleet together."""

    def the_phone(self) -> PhoneSystem:
        """Return the phone system. `LaboratoryError` when the scenario has none; likewise below."""
        return _there(self.phone, "phone system")

    def the_second(self) -> PhoneSystem:
        """Return the phone system of the second site."""
        return _there(self.second, "second site")

    def the_server(self) -> Server:
        """Return the server under test."""
        return _there(self.server, "server")


def _there(actor: Actor | None, what: str) -> Actor:
    if actor is None:
        raise LaboratoryError(f"this fault needs a {what}, the scenario has started none")
    return actor
