"""From the bytes of a CSV file to rows of cells, however a spreadsheet wrote it; and back.

Understood are UTF-8 with and without BOM, UTF-16, Windows-1252, the delimiters ``;`` ``,`` and tab, a first line ``sep=;``, cells
in quotes with line ends in them, and any line end. Rows are counted as a spreadsheet does: the header is row 1.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from routing.rejection import RuleRejected, fault, reject

MAX_ROWS: Final = 2_000_000
_DELIMITERS: Final = ";,\t"
_NULS: Final = 0.3
"""Text of Latin letters in UTF-16 is half NUL bytes."""
_NO_TEXT: Final = 0.6
"""With more NUL bytes than that it is no text in any encoding."""


class Row(NamedTuple):
    """One row; ``number`` as a spreadsheet shows it."""

    number: int
    cells: Sequence[str]


class Table:
    """A table with its header; iterating yields the rows that are not empty, or the refusal of one that cannot be read."""

    def __init__(self, name: str, data: bytes) -> None:
        """Read the header. Raises `RuleRejected` when there is none, or when the bytes are no text."""
        self.name = name
        text = decode(data, name)
        start = 0
        self.delimiter = ""
        if text[:4].casefold() == "sep=" and text[4:5] in _DELIMITERS:
            self.delimiter = text[4:5]
            start = text.find("\n") + 1
        self.header_row = 1 + (start > 0)
        self._first = self.header_row + 1
        header = text[start : start + 10_000]
        self.delimiter = self.delimiter or _delimiter(header.splitlines()[0] if header.strip() else "")
        self._stream = io.StringIO(text[start:], newline="")
        self._rows = csv.reader(self._stream, delimiter=self.delimiter, strict=True)
        self.size = text.count("\n")
        """About how many rows there are, to show how far it is."""
        try:
            self.header = next(self._rows, [])
        except csv.Error as error:
            raise reject("row_quotes", f"{name}:{self.header_row}", why=str(error)) from None
        if not any(cell.strip() for cell in self.header):
            raise reject("table_empty", name)

    def __iter__(self) -> Iterator[Row | RuleRejected]:
        """Yield the rows with as many cells as the header; raises `RuleRejected` when there are too many rows."""
        wanted = len(self.header)
        for number in range(self._first, MAX_ROWS + self._first):
            try:
                cells = next(self._rows, None)
            except csv.Error as error:
                yield reject("row_quotes", f"{self.name}:{number}", why=str(error))
                continue
            if cells is None:
                return
            if not any(cell and not cell.isspace() for cell in cells):
                continue
            if len(cells) > wanted and any(cells[wanted:]):
                what = fault(
                    "row_cells", f"{self.name}:{number}", found=str(len(cells)), wanted=str(wanted), delimiter=self.delimiter
                )
                yield RuleRejected((what,))
                continue
            # Spreadsheets leave out, or add, empty cells at the end.
            yield Row(number, cells[:wanted] + [""] * (wanted - len(cells)))
        if next(self._rows, None) is not None:
            raise reject("table_large", self.name, limit=f"{MAX_ROWS:,}")


def decode(data: bytes, name: str) -> str:
    """Return the text of a file that a spreadsheet wrote. Raises `RuleRejected` for what is no text."""
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise reject("table_text", name, why="it is a workbook (xlsx, xls or ods)")
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        sample = data[:4000]
        if sample.count(0) > _NO_TEXT * len(sample):
            raise reject("table_text", name, why="it is full of NUL bytes")
        if sample and sample.count(0) > _NULS * len(sample):
            return data.decode("utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise reject("table_text", name, why=f"byte {error.start} belongs to no character") from None


def encode(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a table as spreadsheets of German and other settings open it: UTF-8 with BOM, ``;``, CR LF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


def _delimiter(header: str) -> str:
    """Return the delimiter that stands most often outside of quotes in the header."""
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)
