"""Sets of numbers that are written as a prefix and a length, and what the directory knows of them.

A rule that keeps the extension sends thousands of numbers to thousands of others. They are looked at together: a *piece* is all numbers of
one length with common leading digits, and is cut only where something distinguishes its numbers (an entry of the prefix table, a
single number, a rule for one). So the answer is exact and costs as many steps as there are differences.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from routing.blocks import decompose
from routing.model import Block, BlockScope, Diversion, NumberScope, OrderScope, RangeScope, Target
from routing.numbers import MAX_DIGITS

if TYPE_CHECKING:
    from routing.directory import Directory


class Piece(NamedTuple):
    """All numbers of ``length`` digits that begin with ``digits`` (without ``+``)."""

    digits: str
    length: int

    @property
    def example(self) -> str:
        """One of the numbers, E.164."""
        return f"+{self.digits:0<{self.length}}"


def scope_pieces(diversion: Diversion, directory: "Directory") -> Iterator[Piece]:
    """Yield the numbers that a diversion is for, also those that have a more specific rule."""
    scope = diversion.scope
    registry = directory.registry
    block = directory.block_of(diversion)
    match scope:
        case NumberScope():
            yield Piece(scope.number[1:], len(scope.number) - 1)
        case BlockScope() if block is not None:
            yield from block_pieces(block)
        case RangeScope() if block is not None:
            yield from _range_pieces(block.base[1:], scope.first, scope.last)
        case OrderScope():
            for key in sorted(registry.numbers_of.get(diversion.order, ())):
                digits = registry.numbers[key].digits
                yield Piece(digits, len(digits))
            for key in sorted(registry.blocks_of.get(diversion.order, ())):
                yield from block_pieces(registry.blocks[key])
        case _:
            return


def borders(diversion: Diversion, directory: "Directory") -> list[Piece]:
    """Return where a diversion begins and ends among numbers that the directory does not tell apart."""
    return [] if isinstance(diversion.scope, OrderScope) else list(scope_pieces(diversion, directory))


def block_pieces(block: Block) -> Iterator[Piece]:
    """Yield the numbers of a block; one without ranges has those of all lengths."""
    base = block.base[1:]
    if not block.ranges:
        yield from (Piece(base, length) for length in range(len(base), MAX_DIGITS + 1))
    for held in block.ranges:
        yield from _range_pieces(base, held.first, held.last)


def dialled(piece: Piece, target: Target, base: str | None) -> Piece | None:
    """Return where calls to a piece are sent; ``base`` is that of its block (E.164). None: to numbers that are too long."""
    if not target.keep_extension or base is None:
        return Piece(target.number[1:], len(target.number) - 1)
    tail = piece.digits[len(base) - 1 :]
    found = Piece(target.number[1:] + tail, piece.length + len(target.number) - len(base))
    return found if found.length <= MAX_DIGITS else None


def uniform(piece: Piece, directory: "Directory", cuts: Iterable[Piece] = ()) -> Iterator[Piece]:
    """Cut a piece so that all numbers of a part have the same owner and rules; ``cuts`` are borders besides the directory's."""
    if piece.length == len(piece.digits):
        yield piece
        return
    marks = sorted({*_marks(piece, directory), *(cut.digits for cut in cuts if _is_within(cut, piece))})
    yield from _cut(piece, marks)


def _marks(piece: Piece, directory: "Directory") -> Iterator[str]:
    prefixes = directory.prefixes
    for key in prefixes.below(piece.digits):
        entry = prefixes.entries.get(key)
        if (entry is not None and entry[0] <= piece.length <= entry[1]) or (len(key) == piece.length and key in prefixes.points):
            yield key
    yield from (digits for digits in directory.registry.watched_below(piece.digits) if len(digits) == piece.length)


def _is_within(cut: Piece, piece: Piece) -> bool:
    return cut.length == piece.length and len(cut.digits) > len(piece.digits) and cut.digits.startswith(piece.digits)


def _cut(piece: Piece, marks: list[str]) -> Iterator[Piece]:
    """Yield the parts; ``marks`` are longer than the piece's digits and begin with them."""
    if not marks:
        yield piece
        return
    for digit in "0123456789":
        digits = piece.digits + digit
        below = [mark for mark in marks if mark.startswith(digits) and len(mark) > len(digits)]
        yield from _cut(Piece(digits, piece.length), below)


def _range_pieces(base: str, first: str, last: str) -> Iterator[Piece]:
    length = len(base) + len(first)
    if length <= MAX_DIGITS:
        yield from (Piece(base + prefix, length) for prefix in decompose(first, last))
