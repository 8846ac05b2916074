"""Check that the RFC sections cited in code and documents exist.

A citation is ``RFC 3261 §17.2.1``; further ``§`` signs on the same line belong to the RFC named last. The sections an RFC has
stand in ``rfc_sections.txt``.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SECTIONS = Path(__file__).with_name("rfc_sections.txt")
SUFFIXES = {".rs", ".py", ".pyi", ".md", ".toml", ".xml", ".yaml"}
TOKEN = re.compile(r"RFC[ -]?(?P<rfc>\d{3,5})|(?:§+ ?|[Ss]ection )(?P<section>(?:\d+|[A-Z](?=\.\d|\b))(?:\.\d+)*)")


def expanded(word: str) -> Iterator[str]:
    """``"8.1-3"`` → 8.1, 8.2, 8.3."""
    head, dash, last = word.partition("-")
    if not dash:
        yield word
        return
    stem, dot, first = head.rpartition(".")
    for number in range(int(first), int(last) + 1):
        yield f"{stem}{dot}{number}"


def known_sections(text: str) -> dict[str, set[str]]:
    """RFC number → its sections."""
    known: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, words = line.removeprefix("RFC ").partition(":")
            known.setdefault(name, set()).update(part for word in words.split() for part in expanded(word))
    return known


def citations(line: str) -> Iterator[tuple[str, str]]:
    """Pairs of RFC and section in a line."""
    rfc = None
    for token in TOKEN.finditer(line):
        if token["rfc"]:
            rfc = token["rfc"]
        elif rfc:
            yield rfc, token["section"]


def faults(path: Path, known: dict[str, set[str]]) -> Iterator[str]:
    """One message per citation in ``path`` that leads nowhere."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        for rfc, section in citations(line):
            if rfc not in known:
                yield f"{path}:{number}: RFC {rfc} is not in {SECTIONS.name}: add the sections it has"
            elif section not in known[rfc]:
                yield f"{path}:{number}: RFC {rfc} has no §{section}"


def main() -> int:
    """Check every committed file and every new one that is not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    known = known_sections(SECTIONS.read_text(encoding="utf-8"))
    paths = [Path(name) for name in listing.splitlines() if Path(name).suffix in SUFFIXES and Path(name).is_file()]
    found = [fault for path in paths for fault in faults(path, known)]
    print("\n".join(found) or f"{len(paths)} files: every cited section exists")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
