"""The Lua scripts: their texts and digests. Commands of Redis 7.0 only; the sources stand in ``rules_store/lua``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

_COMMON: Final = {
    "write": ("records", "versions"),
    "trim_log": ("records", "versions"),
    "log_note": ("records", "versions"),
    "import_commit": ("records", "versions"),
    "prepare": ("records",),
    "import_begin": ("records",),
    "import_stage": ("records",),
    "import_copy": ("records",),
    "import_gone": ("records",),
    "mend_index": ("records",),
}


@dataclass(frozen=True, slots=True)
class Script:
    """One script; ``sha`` is what EVALSHA names it by."""

    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """Return the script of that name, with the common parts in front that it uses."""
    folder = files("rules_store") / "lua"
    source = (folder / f"{name}.lua").read_text(encoding="utf-8")
    common = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in _COMMON.get(name, ()))
    if not source.startswith("#!lua"):
        source = "#!lua\n" + common + source
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
