"""Garbage for every key of a store: what a stray client, another program or a broken disk may leave there."""

from __future__ import annotations

import json
import random
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from rules_store import StoreConnection

KINDS_OF_KEY: Final = (b"string", b"hash", b"zset", b"set", b"list", b"stream")
_DEEP: Final = b"[" * 5000
WORDS: Final = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe\xfd",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"9" * 5000,
    b"18446744073709551615",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b'{"v":1,"c":[],"e":{}}',
    b'{"v":999999999,"c":["+493023125010"],"e":{"id":"x"}}',
    b'{"v":' + b"9" * 5000 + b',"c":[],"e":{}}',
    b'{"v":1,"c":[{"a":1},null,7],"e":{"id":"x"}}',
    b'{"v":1,"c":[' + _DEEP + b'],"e":' + _DEEP + b"}",
    b'{"at_unix_ms":1e300,"kind":{},"line":5,"seq":"x"}',
    b'{"at_unix_ms":' + b"9" * 300 + b',"kind":"verdict"}',
    b'{"at_unix_ms":1800000000000,"kind":"verdict"}',
    b'{"level":"resting","since_unix_ms":"x","reached":5}',
    b"1\x1f2\x1f3\x1f4",
    b"a:b:c d\ne\tf",
    b"99999999999=99999999999,5=5;1=1",
    b"1\t2\te\tnot json",
    b"\xf0\x9f\x92\xa5" * 50_000,
    _DEEP,
)


class Litter:
    """Puts garbage in places; ``places`` says where: the key, and the field, member or entry."""

    def __init__(self, client: Redis, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self.places: list[tuple[str, bytes]] = []

    def word(self, held: bytes = b"") -> bytes:
        """Return garbage, as a rule something that resembles what was there."""
        dice = self._chance.random()
        if held and dice < 0.25:
            return held[: self._chance.randrange(len(held))]
        if held and dice < 0.4:
            at = self._chance.randrange(len(held))
            return held[:at] + self._chance.randbytes(3) + held[at + 1 :]
        if held and dice < 0.6:
            return self._twisted(held)
        return self._chance.choice(WORDS)

    def _twisted(self, held: bytes) -> bytes:
        """Give a value inside of a JSON text another type."""
        try:
            value = json.loads(held)
        except ValueError:
            return held + b"}"
        inner = value.get("e", value) if isinstance(value, dict) else value
        if isinstance(inner, dict) and inner:
            inner[self._chance.choice(sorted(inner))] = self._chance.choice([None, 7, [], {}, "x", [[1]], True, 1e300])
        elif isinstance(inner, list) and inner:
            inner[self._chance.randrange(len(inner))] = self._chance.choice([None, -5, 10**30, {}, [], "x"])
        return json.dumps(value, separators=(",", ":")).encode()

    async def into(self, key: bytes) -> None:
        """Put something into a key, which stays of its type."""
        kind = await self._client.type(key)
        place: bytes = b""
        if kind == b"string":
            held: Any = await self._client.get(key)
            await self._client.set(key, self.word(held))
        elif kind == b"hash":
            fields: Any = await self._client.hgetall(key)
            place = self._chance.choice([*sorted(fields), self.word()])
            await self._client.hset(key, place, self.word(fields.get(place, b"")))
        elif kind == b"zset":
            members: Any = await self._client.zrange(key, 0, -1)
            place = self._chance.choice([*members, self.word(), self.word()])
            score = self._chance.choice(["-inf", "+inf", "0", "-1", "1e300", "0.5"])
            await self._client.zadd(key, {place: score})
        elif kind == b"set":
            place = self.word()
            await self._client.sadd(key, place)
        elif kind == b"list":
            place = self.word()
            await self._client.rpush(key, place)
            await self._client.lset(key, 0, self.word())
        elif kind == b"stream":
            place = await self._entry(key)
        self.places.append((key.decode(), place))

    async def _entry(self, key: bytes) -> bytes:
        """Append an entry; of ours one more, twisted, or one of nobody's."""
        newest: Any = await self._client.xrevrange(key, count=1)
        fields = dict(newest[0][1]) if newest else {}
        for name in self._chance.sample(sorted(fields), min(3, len(fields))):
            fields[name] = self.word(fields[name])
        if not fields or self._chance.random() < 0.3:
            fields = {self.word(): self.word()}
        number = int(newest[0][0].partition(b"-")[0]) if newest else 1
        entry = self._chance.choice([f"{number}-7", f"{number + 1}-0", f"{number + 1}-5", f"{number + 40}-0", "*"])
        try:
            added: Any = await self._client.xadd(key, fields, entry)
        except ResponseError:
            added = await self._client.xadd(key, fields, "*")
        return bytes(added)


async def replace(connection: StoreConnection, key: str, chance: random.Random) -> None:
    """Put something of another type in the place of a key."""

    async def put(client: Redis) -> None:
        kind = chance.choice([one for one in KINDS_OF_KEY if one != await_kind])
        await client.delete(key)
        match kind:
            case b"string":
                await client.set(key, b"\xff")
            case b"hash":
                await client.hset(key, "a", "b")
            case b"zset":
                await client.zadd(key, {"a": 1})
            case b"set":
                await client.sadd(key, "a")
            case b"list":
                await client.rpush(key, "a")
            case _:
                await client.xadd(key, {"a": "b"}, "1-0")

    await_kind = await connection.repeat(lambda client: client.type(key))
    await connection.repeat(put)
