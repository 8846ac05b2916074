"""Where a key stands in a TOML file, for messages that name the line.

`tomllib` keeps no positions, so this reads the file a second time, for key names alone: table headers, array-of-table
headers and ``key =`` at the start of a line. Multi-line strings are skipped, and keys inside inline tables and arrays
have the line of their outermost key, which is near enough to find them. It never fails: what it does not understand
has no line.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_KEY = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*')"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"^\s*({_DOTTED})\s*=(.*)$")
_MULTILINE = re.compile(r'"""|\'\'\'')


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


def _without_multiline_strings(text: str) -> Iterator[tuple[int, str]]:
    fence: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        inside = fence is not None
        for mark in _MULTILINE.findall(line):
            if fence is None:
                fence = mark
            elif fence == mark:
                fence = None
        if not inside:
            yield number, line


def positions(text: str) -> dict[Path, int]:
    """Line numbers (from 1) of the keys and tables of ``text``; array-of-table entries carry their index."""
    found: dict[Path, int] = {}
    entries: dict[tuple[str, ...], int] = {}
    table: Path = ()
    for number, line in _without_multiline_strings(text):
        if header := _TABLE.match(line):
            names = _parts(header[2])
            table = names
            if header[1] == "[[":
                entries[names] = entries.get(names, -1) + 1
                table = (*names, entries[names])
            elif names[:1] in entries:
                table = (names[0], entries[names[:1]], *names[1:])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_parts(assignment[1])), number)
    return found


def line_of(path: Path, found: dict[Path, int]) -> int | None:
    """Line of ``path`` or of the nearest thing that holds it."""
    for end in range(len(path), 0, -1):
        if path[:end] in found:
            return found[path[:end]]
    return None
