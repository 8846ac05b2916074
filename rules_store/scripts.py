"""The Lua scripts: their texts and digests. Commands of Redis 7.0 only; the sources stand in ``rules_store/lua``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

_WITH_RECORDS: Final = frozenset({"write", "prepare", "import_begin", "import_stage", "import_copy", "import_commit"})


@dataclass(frozen=True, slots=True)
class Script:
    """One script; ``sha`` is what EVALSHA names it by."""

    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """Return the script of that name, with the common part in front where it uses it."""
    folder = files("rules_store") / "lua"
    source = (folder / f"{name}.lua").read_text(encoding="utf-8")
    if name in _WITH_RECORDS:
        source = "#!lua\n" + (folder / "records.lua").read_text(encoding="utf-8") + source
    elif not source.startswith("#!lua"):
        source = "#!lua\n" + source
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
