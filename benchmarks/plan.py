"""Which numbers are called and where each must be diverted to: one plan for every server and for the judge.

All numbers have one target by their order's rule, and each number that ends in ``00`` has a rule of its own. Kamailio gets
the same as one entry per number, which is the same work for a call: an exact look-up, then the target.
"""

from collections.abc import Iterator
from dataclasses import dataclass

OWN_SUFFIX = "00"
OWN_BASE = "+494066969"
OWN_KEEP = 3
ORDER_TARGET = "+496990009000"


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """``count`` numbers from ``first`` (E.164 with ``+``) upward, all of one length."""

    first: str = "+493021000000"
    count: int = 10_000

    def __post_init__(self) -> None:
        last = int(self.first) + self.count - 1
        if not self.first.startswith("+") or self.count < 1 or len(str(last)) != len(self.first) - 1:
            raise ValueError(f"{self.first}, {self.count} numbers: must begin with + and all have the same length")

    def numbers(self) -> Iterator[str]:
        """All numbers in order."""
        start = int(self.first)
        return (f"+{value}" for value in range(start, start + self.count))

    def target(self, number: str) -> str:
        """Where a call to ``number`` must be diverted to."""
        return self.own_target(number) or ORDER_TARGET

    @staticmethod
    def own_target(number: str) -> str | None:
        """Return the target of the number's own rule, if it has one."""
        return OWN_BASE + number[-OWN_KEEP:] if number.endswith(OWN_SUFFIX) else None

    def split(self) -> tuple[str, int]:
        """Return the first number as a text and an integer that a 32-bit counter can go on from, without leading zero."""
        for digits in range(8, 0, -1):
            head, tail = self.first[:-digits], self.first[-digits:]
            if tail[0] != "0" and len(str(int(tail) + self.count - 1)) == digits:
                return head, int(tail)
        raise ValueError(f"{self.first}: no run of up to 8 last digits can be counted upward without carry")

    def generator_options(self) -> list[str]:
        """Return what the load generator must be told."""
        return ["--first", self.first, "--numbers", str(self.count)]

    @staticmethod
    def expectations() -> list[str]:
        """Return the rules by which the load generator and the floor know each number's target."""
        return ["--expect", f"*={ORDER_TARGET}", "--expect", f"{OWN_SUFFIX}={OWN_BASE}{{last:{OWN_KEEP}}}"]
