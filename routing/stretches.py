"""The numbers of an order, cut where the rules tell them apart: so that a block of 100,000 extensions is a few questions.

*Named* numbers are counted: single numbers, the extensions of a block's ranges and of rules for a range, numbers with a rule of their
own, and the base of a block. What else a block without ranges holds (any extension, of any length) is its *rest*: asked about, not counted.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from routing.directory import Directory, Place
from routing.model import Block
from routing.number_sets import Piece, block_pieces, dialled, uniform
from routing.precedence import choose


class Stretch(NamedTuple):
    """Numbers of one length in a row that are treated alike."""

    length: int
    low: int
    high: int
    """First and last, as integers."""
    base: str
    """Base (E.164) of the block that holds them; "" for single numbers."""
    rest: bool
    """What no range of an open block names."""

    @property
    def counted(self) -> int:
        """How many numbers are counted."""
        return 0 if self.rest else self.high - self.low + 1

    @property
    def example(self) -> str:
        """One of them, E.164."""
        return f"+{self.low}"


def stretches(directory: Directory, order: str) -> list[Stretch]:
    """Return the numbers that an order has at the directory's instant, ascending by length and value, none twice."""
    registry = directory.registry
    return _of(directory, registry.numbers_of.get(order, ()), registry.blocks_of.get(order, ()))


def stretches_on(directory: Directory, line: str) -> list[Stretch]:
    """Return the numbers that are delivered on a line, in the same way."""
    registry = directory.registry
    found = _of(directory, registry.numbers_on.get(line, ()), registry.blocks_on.get(line, ()))
    places = ((item, directory.place(item.example[1:])) for item in found)
    return [item for item, place in places if place is not None and place.line == line]


def _of(directory: Directory, numbers: Iterable[str], blocks: Iterable[str]) -> list[Stretch]:
    registry = directory.registry
    rows = (registry.numbers[key] for key in numbers)
    found = [_single(row.digits) for row in rows if _is_of(directory, row.digits, row.order)]
    for key in blocks:
        found += _of_block(directory, registry.blocks[key])
    return _distinct(found)


def _single(digits: str) -> Stretch:
    return Stretch(len(digits), int(digits), int(digits), "", rest=False)


def _is_of(directory: Directory, digits: str, order: str) -> bool:
    """Return whether a number is delivered for an order, or, though it has it, nowhere."""
    place = directory.place(digits)
    return place is None or place.order == order


def _of_block(directory: Directory, block: Block) -> Iterator[Stretch]:
    for piece in block_pieces(block):
        for part in uniform(piece, directory):
            place = directory.place(part.example[1:])
            if place is None:
                # The block is not routed, which is to be told of what it names.
                if block.ranges or part.length == len(block.base) - 1:
                    yield _stretch(part, block.base, rest=False)
                continue
            if place.order != block.order or (place.part is not None and place.part.block != block.id):
                continue
            rest = not block.ranges and not _is_named(directory, part, place, block)
            base = block.base if place.part is not None else ""
            for cut in uniform(part, directory, _target_cuts(directory, part, place)):
                yield _stretch(cut, base, rest=rest)


def _stretch(piece: Piece, base: str, *, rest: bool) -> Stretch:
    open_digits = piece.length - len(piece.digits)
    return Stretch(piece.length, int(piece.digits + "0" * open_digits), int(piece.digits + "9" * open_digits), base, rest)


def _is_named(directory: Directory, piece: Piece, place: Place, block: Block) -> bool:
    if place.part is None or place.part.ranges:
        return True
    # Single numbers are counted besides.
    if piece.length != len(piece.digits):
        return False
    registry = directory.registry
    rules = registry.number_rules.get(piece.digits, ())
    return piece.digits == block.base[1:] or any(registry.diversions[key].order == block.order for key in rules)


def _target_cuts(directory: Directory, piece: Piece, place: Place) -> Iterable[Piece]:
    """Yield where the targets of the rule that applies to a piece are told apart: only some may lead back to its line or site."""
    if piece.length == len(piece.digits):
        return
    digits = piece.example[1:]
    rule = choose(directory.candidates(digits, place), directory.resting)
    if rule is None:
        return
    held = directory.standings.get(rule.id, rule)
    base = directory.base_of(rule)
    for target in (*held.targets, *held.phone_system_targets):
        sent = dialled(piece, target, base)
        if sent is None:
            continue
        if not target.keep_extension or base is None:
            if sent.length == piece.length and sent.digits.startswith(piece.digits):
                yield sent
            continue
        head = len(target.number) - 1
        for part in uniform(sent, directory):
            if len(part.digits) > len(sent.digits):
                yield Piece(base[1:] + part.digits[head:], piece.length)


def _distinct(found: list[Stretch]) -> list[Stretch]:
    """Leave out what lies within another: pieces are cut at decimal places, so they are apart or one holds the other."""
    result: list[Stretch] = []
    for item in sorted(found, key=lambda s: (s.length, s.low, -s.high, s.rest)):
        last = result[-1] if result else None
        if last is None or last.length != item.length or item.low > last.high:
            result.append(item)
    return result
