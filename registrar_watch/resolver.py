"""Resolves the names of static peers, off the path of calls.

Each name is asked for again when its answer has run out, not sooner than the floor and not later than the ceiling. Whatever goes wrong
(no server, no such name, no answer at all) leaves the last known addresses in place and is tried again after the floor: a name
service that fails is no fault of the line. Only A and AAAA are asked for, since a peer has its port; NAPTR and SRV (RFC 3263 §4) can
come in beside ``_lookup``.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
import structlog

_log = structlog.get_logger(__name__)

FLOOR_S = 5.0
CEILING_S = 300.0
LIFETIME_S = 3.0
"""Of one question, over all servers and repetitions."""
_TOGETHER = 16
"""Names asked for at the same time: with a thousand of them and no server, none waits for long."""


@dataclass(slots=True)
class Resolution:
    """What is known of one name."""

    addresses: tuple[str, ...] = ()
    due: float = 0.0
    """When to ask again, `time.monotonic`."""
    fault: str = ""
    """Why the last question had no answer; "" when it had one."""


class Resolver:
    """Keeps the addresses of a set of names current."""

    def __init__(
        self,
        take: Callable[[str, tuple[str, ...]], Awaitable[None]],
        *,
        nameservers: Iterable[str] = (),
        port: int = 53,
        floor_s: float = FLOOR_S,
        ceiling_s: float = CEILING_S,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        """``take`` is awaited with a name and its addresses when they have changed; ``nameservers``: none means the system's."""
        servers = list(nameservers)
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.exception.DNSException as error:
            _log.warning("the system has no name servers, peers can be named only when it has", why=str(error))
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = servers
            self._resolver.port = port
        self._take = take
        self._floor_s, self._ceiling_s, self._lifetime_s = floor_s, ceiling_s, lifetime_s
        self._known: dict[str, Resolution] = {}
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(_TOGETHER)

    @property
    def known(self) -> dict[str, Resolution]:
        """All names with what is known of them; to be read only."""
        return self._known

    def watch(self, names: Iterable[str]) -> None:
        """Keep these names current and forget all others. New ones are asked for at once."""
        wanted = set(names)
        self._known = {name: self._known.get(name) or Resolution() for name in sorted(wanted)}
        self._changed.set()

    async def first(self, patience_s: float) -> None:
        """Resolve all names once, before the first call comes; give up after ``patience_s``, `run` goes on from there."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*map(self._resolve, self._known)), patience_s)

    async def run(self) -> None:
        """Resolve until cancelled."""
        while True:
            now = time.monotonic()
            due = [name for name, state in self._known.items() if state.due <= now]
            if due:
                async with asyncio.TaskGroup() as group:
                    for name in due:
                        group.create_task(self._resolve(name))
                continue
            next_due = min((state.due for state in self._known.values()), default=now + self._ceiling_s)
            self._changed.clear()
            # Not `wait_for`, which swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(next_due - now, 0.0)):
                    await self._changed.wait()

    async def _resolve(self, name: str) -> None:
        async with self._slots:
            before = self._known[name].addresses if name in self._known else ()
            addresses, ttl_s, fault = await self._lookup(name, before)
        state = self._known.get(name)
        if state is None:
            return
        held_s = min(max(ttl_s, self._floor_s), self._ceiling_s) if addresses else self._floor_s
        state.due = time.monotonic() + held_s
        if fault and not state.fault:
            _log.warning("name of a peer not resolved, last known addresses stay", name=name, why=fault, known=state.addresses)
        elif state.fault and not fault:
            _log.info("name of a peer resolved again", name=name, addresses=addresses)
        state.fault = fault
        if addresses and addresses != state.addresses:
            state.addresses = addresses
            await self._take(name, addresses)

    async def _lookup(self, name: str, before: tuple[str, ...]) -> tuple[tuple[str, ...], float, str]:
        """Return the addresses, sorted, IPv4 first, how long they hold in seconds, and why there are none.

        Where one of the two questions finds no server, the addresses that it gave ``before`` stay.
        """
        v4, v6 = await asyncio.gather(self._ask(name, dns.rdatatype.A), self._ask(name, dns.rdatatype.AAAA))
        if not v4[0] and not v6[0]:
            return (), 0.0, "; ".join(sorted({why for _, _, why in (v4, v6) if why})) or "no address"
        old4 = [address for address in before if ":" not in address]
        old6 = [address for address in before if ":" in address]
        found = (*(old4 if v4[2] else v4[0]), *(old6 if v6[2] else v6[0]))
        return found, min(ttl for addresses, ttl, _ in (v4, v6) if addresses), ""

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[list[str], float, str]:
        try:
            answer = await self._resolver.resolve(f"{name}.", kind, search=False, lifetime=self._lifetime_s)
        except dns.resolver.NoAnswer:
            return [], 0.0, ""
        except (dns.exception.DNSException, OSError) as error:
            return [], 0.0, type(error).__name__
        ttl_s = float(answer.rrset.ttl) if answer.rrset is not None else 0.0
        return sorted(record.to_text() for record in answer), ttl_s, ""
