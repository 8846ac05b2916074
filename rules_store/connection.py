"""The connection to the store: opens, checks what is at the other end, runs scripts, and speaks in `StoreError`.

One `StoreConnection` serves a whole process. Nothing here is sticky: after any lost connection the server is checked anew
before the next command, because a fail-over or a restart may have put another server there.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote, urlsplit

import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from routing.model import KINDS
from rules_store import schema
from rules_store.embedded import EmbeddedServer
from rules_store.errors import NotSavedError, StoreError
from rules_store.faults import LostError, store_error
from rules_store.scripts import Script, script
from rules_store.settings import StoreSettings
from rules_store.wire import Wire

log = structlog.get_logger(__name__)

T = TypeVar("T")
Arg = str | bytes | int
_OLDEST: Final = (7, 0)
_RETRY_FIRST_S: Final = 0.01
_RETRY_LAST_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was found at the other end."""

    flavour: str  # "redis" or "valkey"
    version: str
    run_id: str
    waitaof: bool  # WAITAOF, from 7.2


class StoreConnection:
    """A pool of connections to the configured server, and the embedded server where that is the configuration.

    Commands that fail because the server is away are repeated until ``timeout_s`` is over; writes carry a token by which
    the scripts recognise a repeated one, so that nothing happens twice.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.server = EmbeddedServer(settings) if settings.embedded else None
        self.facts: ServerFacts | None = None
        self.epoch = ""
        self.generation = schema.FIRST_GENERATION
        self._pool: Redis | None = None
        self._verified = False
        self._opening = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Start the embedded server if that is configured, connect and check. May be called again after a failure.

        Raises `StoreError`: nothing there, too old, not durable enough, a replica, wrong password.
        """
        async with self._opening:
            if self._closed:
                raise StoreError("the store's connection was closed", "This is a fault in the program.", retryable=False)
            if self.server is not None:
                await self.server.start()
            if self._pool is None:
                self._pool = self._client(self.settings.max_connections)
            if not self._verified:
                await self._guard(self._verify(self._pool))
                self._verified = True

    async def close(self) -> None:
        """Close all connections and stop the embedded server if it is ours. Idempotent."""
        self._closed = True
        async with self._opening, AsyncExitStack() as stack:
            if self.server is not None:
                stack.push_async_callback(self.server.stop)
            if self._pool is not None:
                stack.push_async_callback(self._pool.aclose)
                self._pool = None

    @property
    def where(self) -> str:
        """The address for messages, without secrets."""
        return f"unix://{self.server.socket}" if self.server is not None else self.settings.url

    async def dedicated(self) -> Wire:
        """Return a connection of its own, for a follower that blocks. The caller closes it."""
        await self.open()
        kind, options = self._options()
        wire = Wire(kind(**options), self.where, self.settings.timeout_s)
        await wire.connect()
        return wire

    async def run(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> list[Any]:
        """Run a script, repeating it while the server is away. Raises `StoreError`."""
        return (await self.run_all(name, [(keys, args)]))[0]

    async def save(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> list[Any]:
        """Run a script that writes and return when its effect is safe: on disk here and at ``min_replicas`` replicas.

        Raises `StoreError`; `NotSavedError` when too few replicas acknowledged.
        """
        return (await self.run_all(name, [(keys, args)], safe=True))[0]

    async def run_all(
        self, name: str, calls: Sequence[tuple[Sequence[str], Sequence[Arg]]], *, safe: bool = False
    ) -> list[list[Any]]:
        """Run a script several times in one round trip; ``safe`` as in `save`."""
        chosen = script(name)
        return await self.repeat(lambda client: self._run_all(client, chosen, calls, safe=safe))

    async def repeat(self, action: Callable[[Redis], Awaitable[T]]) -> T:
        """Do ``action`` with a checked client, again and again while the server is away, at most for ``timeout_s``."""
        deadline = time.monotonic() + self.settings.timeout_s
        pause = _RETRY_FIRST_S
        while True:
            try:
                if not self._verified:
                    await self.open()
                if self._pool is None:
                    raise StoreError("the store's connection was closed", "This is a fault in the program.", retryable=False)
                return await self._guard(action(self._pool))
            except LostError as error:
                self._verified = False
                if self._closed or time.monotonic() + pause > deadline:
                    raise
                log.debug("store_retry", what=error.what)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _RETRY_LAST_S)

    def lost(self) -> None:
        """Have the server checked before the next command: somebody saw its connection break."""
        self._verified = False

    async def _guard(self, action: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.settings.timeout_s + self.settings.replica_timeout_s):
                return await action
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            refusing = self.server.refusing if self.server is not None else None
            raise store_error(error, self.where, refusing) from error

    async def _run_all(
        self, client: Redis, chosen: Script, calls: Sequence[tuple[Sequence[str], Sequence[Arg]]], *, safe: bool
    ) -> list[list[Any]]:
        for known in (True, False):
            pipe = client.pipeline(transaction=False)
            if not known:
                pipe.execute_command("SCRIPT LOAD", chosen.source)
            for keys, args in calls:
                pipe.execute_command("EVALSHA", chosen.sha, len(keys), *keys, *args)
            if safe:
                self._queue_wait(pipe)
            replies = await pipe.execute(raise_on_error=False)
            if not known or not any(isinstance(reply, exceptions.NoScriptError) for reply in replies):
                break
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        results = replies[0 if known else 1 :][: len(calls)]
        if safe and self.settings.min_replicas:
            self._check_replicas(replies[-1])
        return list(results)

    def _queue_wait(self, pipe: Any) -> None:
        replicas, milliseconds = self.settings.min_replicas, int(self.settings.replica_timeout_s * 1000)
        if replicas and self.facts is not None and self.facts.waitaof and self.settings.durability == "strict":
            pipe.execute_command("WAITAOF", 1, replicas, milliseconds)
        elif replicas:
            pipe.execute_command("WAIT", replicas, milliseconds)

    def _check_replicas(self, reply: int | list[int]) -> None:
        wanted, acknowledged = self.settings.min_replicas, reply[1] if isinstance(reply, list) else reply
        if acknowledged < wanted:
            what = f"the store at {self.where} took the write, but {acknowledged} of {wanted} replicas acknowledged it"
            remedy = "Check the replicas and their link; the same write may be repeated."
            raise NotSavedError(what, remedy, acknowledged=acknowledged)

    async def _verify(self, client: Redis) -> None:
        info = await client.info("server", "replication")
        version = str(info.get("redis_version", "0"))
        flavour = str(info.get("server_name", "redis"))
        shown = f"{flavour} {info.get('valkey_version', version)}"
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            raise StoreError(f"the store at {self.where} is {shown}", "Version 7.0 or newer is needed.", retryable=False)
        if info.get("role") != "master":
            what = f"the server at {self.where} is a replica"
            raise StoreError(what, "Name the primary in the store's url.", retryable=True)
        if self.settings.durability == "strict":
            await self._check_durability(client)
        pipe = client.pipeline(transaction=False)
        pipe.execute_command("COMMAND LIST", "FILTERBY", "PATTERN", "waitaof")
        (commands,) = await pipe.execute()
        self.facts = ServerFacts(flavour, version, str(info.get("run_id", "")), waitaof=bool(commands))
        await self._prepare(client)
        log.info("store_connected", where=self.where, server=shown, epoch=self.epoch, durability=self.settings.durability)

    async def _check_durability(self, client: Redis) -> None:
        remedy = "Set 'appendonly yes' and 'appendfsync always' there, or durability = \"relaxed\" here."
        try:
            found = await client.config_get("appendonly", "appendfsync")
        except exceptions.ResponseError as error:
            what = f"the store at {self.where} does not let us see whether it is durable (CONFIG GET: {error})"
            raise StoreError(what, 'Allow +config|get, or set durability = "relaxed".', retryable=False) from None
        texts = {_text(key): _text(value) for key, value in found.items()}
        for key, wanted in (("appendonly", "yes"), ("appendfsync", "always")):
            if texts.get(key) != wanted:
                what = f"the store at {self.where} has '{key} {texts.get(key, '?')}': a saved rule could be lost in a crash"
                raise StoreError(what, remedy, retryable=False)

    async def _prepare(self, client: Redis) -> None:
        found = await client.mget(schema.EPOCH, schema.SEQ, schema.GENERATION)
        if all(found) and schema.is_generation(_text(found[2])):
            self.epoch, self.generation = _text(found[0]), _text(found[2])
        keys = [schema.META, schema.EPOCH, schema.SEQ, schema.GENERATION, schema.CHANGES, schema.LOG]
        keys += [schema.HEADS, schema.IMPORTS]
        args = [schema.SCHEMA, new_token(), schema.FIRST_GENERATION, " ".join(KINDS), *schema.OLDER]
        try:
            reply = await client.eval(script("prepare").source, len(keys), *keys, *args)
        except exceptions.ResponseError as error:
            if all(found) or isinstance(error, exceptions.ReadOnlyError) or _writes_refused(error):
                log.warning("store_not_prepared", where=self.where, why=str(error))
                return  # reading goes on; each write says by itself why it fails
            raise
        outcome = _text(reply[0])
        if outcome == "schema":
            found_schema = _text(reply[1])
            newer = found_schema.isdigit() and int(found_schema) > int(schema.SCHEMA)
            reads = " and ".join((*schema.OLDER, schema.SCHEMA))
            what = f"the data at {self.where} have schema {found_schema[:40]!r}, this release reads {reads}"
            remedy = "A newer release wrote them: use that one" if newer else "Use the release that wrote them"
            raise StoreError(what, f"{remedy}, or an empty data set.", retryable=False)
        if outcome == "broken":
            log.error("store_key_broken", where=self.where, key=_text(reply[1]))
            return
        self.epoch, self.generation = _text(reply[1]), _text(reply[3])

    def _client(self, connections: int) -> Redis:
        kind, options = self._options()
        pool = BlockingConnectionPool(
            max_connections=connections, timeout=self.settings.timeout_s, connection_class=kind, **options
        )
        return Redis.from_pool(pool)

    def _options(self) -> tuple[type[Any], dict[str, Any]]:
        settings = self.settings
        options: dict[str, Any] = {
            # The driver's own limit uses wait_for, which before Python 3.12 may swallow a cancellation; see _guard.
            "socket_timeout": None,
            "socket_connect_timeout": settings.connect_timeout_s,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "client_name": "sipproxy",
        }
        secret = settings.secret()
        if secret is not None:
            options |= {"password": secret, "username": settings.username}
        if self.server is not None:
            return UnixDomainSocketConnection, options | {"path": str(self.server.socket)}
        kind, place = _place(settings)
        return kind, options | place


def new_token() -> str:
    """Return a name that no other write has."""
    return secrets.token_hex(8)


def _place(settings: StoreSettings) -> tuple[type[Any], dict[str, Any]]:
    parts = urlsplit(settings.url)
    if parts.scheme == "unix":
        return UnixDomainSocketConnection, {"path": unquote(parts.path)}
    database = parts.path.strip("/")
    place: dict[str, Any] = {"host": parts.hostname or "127.0.0.1", "port": parts.port or 6379, "db": int(database or 0)}
    if parts.scheme == "redis":
        return Connection, place
    place |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_min_version": ssl.TLSVersion.TLSv1_2}
    if settings.ca_file is not None:
        place["ssl_ca_certs"] = str(settings.ca_file)
    return SSLConnection, place


def _writes_refused(error: Exception) -> bool:
    return str(error).startswith(("NOREPLICAS", "MISCONF", "OOM"))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
