"""A carrier's whole domain of a given size, always the same for the same size: the data set of the size benchmarks.

A trunk order has one line and one block with the extensions ``0`` and ``10`` to ``53``, 45 numbers; an account order has up to ten
single numbers and its share of the other lines. A customer has one order of each as far as they go. Rules are dealt out
as customers would make them: each block one, then each block one for some of its extensions, then each single number one, and what
is left to single extensions. All of it fits together: an import finds nothing to refuse.

Numbers begin at +493021000000, a synthetic range that is used in benchmarks on loopback only; targets are numbers for fiction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from routing.model import (
    Block,
    BlockScope,
    Credential,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    Peer,
    RangeScope,
    Scope,
    Site,
    Target,
)

RANGES = (ExtensionRange(first="0", last="0"), ExtensionRange(first="10", last="53"))
PER_BLOCK = 45
FAULTY = 19
"""Of so many orders one is faulty, where faults are asked for; not a multiple of five, as rules that are not armed are."""
_EXTENSIONS = tuple(str(extension) for extension in range(10, 54))
_AREA = "+4930"
_FIRST = 21_000_000
_ROOM = 100_000_000
_PER_ACCOUNT = 10
_TRUNKS = ("sipTrunk 2.0", "Jubiläumstarif", "sipTrunk 2.0 Pro", "PMX NGN")
_PORTED = datetime(2026, 1, 12, 5, 0, tzinfo=UTC)
# What the Bundesnetzagentur keeps for fiction: all but the last digits, and how many these are.
_FICTION = (("+4917139200", 2), ("+49176040690", 2), ("+496990009", 3), ("+494066969", 3), ("+492214710", 3), ("+498999998", 3))
_FICTION_BASES = ("+496990009", "+494066969", "+498999998")


@dataclass(frozen=True, slots=True)
class Carrier:
    """How much there is; the defaults are a national carrier with a million numbers.

    Raises `ValueError` for a size that cannot be: fewer lines than orders with a block, or more numbers than the range holds.
    """

    blocks: int = 20_000
    numbers: int = 100_000
    lines: int = 100_000
    rules: int = 100_000

    def __post_init__(self) -> None:
        if min(self.blocks, self.numbers, self.rules) < 0 or self.accounts < 0:
            raise ValueError("a size is negative")
        if self.lines < self.blocks + self.accounts:
            raise ValueError(f"{self.lines} lines are too few: each order needs one ({self.blocks + self.accounts} orders)")
        if not self.accounts and self.lines > self.blocks:
            raise ValueError(f"{self.lines} lines are too many: without single numbers each block has one")
        if self._single(self.numbers) > _ROOM:
            raise ValueError("more numbers than there are in the synthetic range")
        if self.rules > self._most_rules:
            raise ValueError(f"{self.rules} rules are more than there are numbers, blocks and ranges for ({self._most_rules})")

    @property
    def accounts(self) -> int:
        """Orders with single numbers."""
        return -(-self.numbers // _PER_ACCOUNT)

    @property
    def customers(self) -> int:
        """Customers, each with up to one order of both sorts."""
        return max(self.blocks, self.accounts)

    @property
    def all_numbers(self) -> int:
        """Single numbers and all that the blocks hold."""
        return self.numbers + PER_BLOCK * self.blocks

    @property
    def _most_rules(self) -> int:
        return (2 + len(_EXTENSIONS)) * self.blocks + self.numbers

    def __len__(self) -> int:
        """Return the number of entities."""
        return self.customers + self.blocks + self.accounts + self.lines + self.blocks + self.numbers + self.rules

    def entities(self) -> Iterator[Entity]:
        """Yield everything, kind by kind in the order in which they refer to each other."""
        for n in range(self.customers):
            yield Customer(id=customer_id(n), name=f"Muster {n:06} GmbH")
        yield from self._orders()
        yield from self._lines()
        for n in range(self.blocks):
            yield Block(id=f"b{n:06}", order=f"T-{n:06}", line=f"t{n:06}", base=self._base(n), ranges=RANGES)
        for n in range(self.numbers):
            account = n // _PER_ACCOUNT
            line = self._line_of(account, n % _PER_ACCOUNT)
            yield Number(id=f"n{n:07}", order=f"S-{account:06}", line=line, number=self.number(n))
        for n in range(self.rules):
            yield self._rule(n)

    def number(self, n: int) -> str:
        """Return the single number ``n``."""
        return f"{_AREA}{self._single(n):08}"

    def extension(self, block: int, n: int) -> str:
        """Return number ``n`` of a block: 0 is the base with ``0``, the others have two digits behind the base."""
        return self._base(block) + ("0" if n == 0 else _EXTENSIONS[n - 1])

    def with_faults(self) -> Iterator[Entity]:
        """Yield everything, with the lines of one order in `FAULTY` forced down: there each call tells by its answer which rule it found."""
        for entity in self.entities():
            if isinstance(entity, Line) and int(entity.order[2:]) % FAULTY == 0:
                yield entity.model_copy(update={"wish": "forced_down"})
            else:
                yield entity

    def ruled_numbers(self) -> Iterator[tuple[str, str]]:
        """Yield a number for each rule of the faulty orders, with where it is diverted to: "" when it is not."""
        for block in range(0, min(self.blocks, self.rules), FAULTY):
            # The block's rule, and its range rule.
            for n in (44, 1 + block % 10):
                yield self.extension(block, n), self._extension_target(block, n)
        for number in range(max(0, min(self.numbers, self.rules - 2 * self.blocks))):
            if number // _PER_ACCOUNT % FAULTY == 0:
                yield self.number(number), self._armed_target(2 * self.blocks + number)
        for n in range(max(0, self.rules - 2 * self.blocks - self.numbers)):
            block, extension = divmod(n, len(_EXTENSIONS))
            if block % FAULTY == 0:
                yield self.extension(block, extension + 1), self._extension_target(block, extension + 1)

    def _extension_target(self, block: int, n: int) -> str:
        """Return where extension ``n`` of a block is diverted to: by its own rule, that for -10 to -19, that of the block."""
        own = 2 * self.blocks + self.numbers + block * len(_EXTENSIONS) + n - 1
        found = self._armed_target(own) if n > 0 else ""
        if not found and 1 <= n <= 10:
            found = self._armed_target(self.blocks + block)
        if not found:
            found = self._armed_target(block)
            if found and self._rule(block).targets[0].keep_extension:
                found += self.extension(block, n)[len(self._base(block)) :]
        return found

    def _armed_target(self, n: int) -> str:
        rule = self._rule(n) if n < self.rules else None
        return rule.targets[0].number if rule is not None and rule.armed else ""

    def _base(self, block: int) -> str:
        return f"{_AREA}{_FIRST // 100 + block:06}"

    def _single(self, n: int) -> int:
        return _FIRST + 100 * self.blocks + n

    def _orders(self) -> Iterator[Order]:
        for n in range(self.blocks):
            site = Site(id=f"site-t{n:06}", address=f"Trunkweg {n}, 10115 Berlin", region=f"region {n % 50}", state="BE")
            product = _TRUNKS[n % len(_TRUNKS)]
            yield Order(id=f"T-{n:06}", customer=customer_id(n), product=product, site=site, data_line="VDSL 50", bandwidth="50M")
        for n in range(self.accounts):
            site = Site(id=f"site-s{n:06}", address=f"Kontostraße {n}, 10117 Berlin", region=f"region {n % 50}", state="BE")
            ported = _PORTED if n % 10 == 0 else None
            yield Order(id=f"S-{n:06}", customer=customer_id(n), product="sipAccount 2.0", site=site, active_from=ported)

    def _lines(self) -> Iterator[Line]:
        for n in range(self.blocks):
            order, product = f"T-{n:06}", _TRUNKS[n % len(_TRUNKS)]
            if product in {"sipTrunk 2.0 Pro", "PMX NGN"}:
                peers = tuple(
                    Peer(address=f"127.{1 + n // 65_536}.{n // 256 % 256}.{n % 256}:{5060 + i}", priority=i) for i in (1, 2)
                )
                yield Line(id=f"t{n:06}", order=order, kind="static", peers=peers)
            else:
                yield _registered(f"t{n:06}", order, "number")
        for account in range(self.accounts):
            for n in range(self._lines_at(account)):
                yield _registered(f"s{account:06}-{n}", f"S-{account:06}", "contact")

    def _lines_at(self, account: int) -> int:
        each, more = divmod(self.lines - self.blocks, self.accounts)
        return each + (account < more)

    def _line_of(self, account: int, n: int) -> str:
        return f"s{account:06}-{n % self._lines_at(account)}"

    def _rule(self, n: int) -> Diversion:
        scope: Scope
        keep = False
        if n < self.blocks:
            order, scope = f"T-{n:06}", BlockScope(block=f"b{n:06}")
            keep = n % 3 == 0
        elif n < 2 * self.blocks:
            block = n - self.blocks
            order, scope = f"T-{block:06}", RangeScope(block=f"b{block:06}", first="10", last="19")
        elif n < 2 * self.blocks + self.numbers:
            number = n - 2 * self.blocks
            order, scope = f"S-{number // _PER_ACCOUNT:06}", NumberScope(number=self.number(number))
        else:
            block, extension = divmod(n - 2 * self.blocks - self.numbers, len(_EXTENSIONS))
            order, scope = f"T-{block:06}", NumberScope(number=self.extension(block, extension + 1))
        targets = tuple(_target(n + i, keep=keep) for i in range(1 + n % 2))
        return Diversion(id=f"r{n:07}", order=order, scope=scope, armed=n % 5 != 0, targets=targets)


def customer_id(n: int) -> str:
    """Return the customer number of customer ``n``."""
    return f"{200_000 + n}"


def _registered(key: str, order: str, request_uri: str) -> Line:
    credential = Credential(username=key, algorithm="SHA-256", ha1=f"{hash_of(key):064x}")
    return Line.model_validate(
        {
            "id": key,
            "order": order,
            "kind": "registered",
            "users": (key,),
            "credentials": (credential,),
            "request_uri": request_uri,
        }
    )


def hash_of(key: str) -> int:
    """Return 256 bits that look like a secret and are none (FNV-1a, repeated)."""
    value = 0xCBF29CE484222325
    for byte in key.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95 & (1 << 256) - 1


def _target(n: int, *, keep: bool) -> Target:
    if keep:
        # With two digits of extension behind it, it is a number for fiction too.
        return Target(number=f"{_FICTION_BASES[n % 3]}{n // 3 % 10}", keep_extension=True)
    prefix, width = _FICTION[n % len(_FICTION)]
    return Target(number=f"{prefix}{n // len(_FICTION) % 10**width:0{width}}")
