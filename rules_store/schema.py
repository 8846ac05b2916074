"""Every key name in the store, in one place.

``{r}`` and ``{b00}`` … ``{b63}`` are hash tags: rules live on one slot of a cluster, live state is spread over 64.
A *generation* is one whole set of entities; ``{r}:gen`` names the valid one, and an import builds the next beside it.
See docs/store.md for the shapes of the values.
"""

from __future__ import annotations

from string import hexdigits
from typing import Final
from zlib import crc32

from routing.model import KINDS

SCHEMA: Final = "2"
OLDER: Final = ("1",)
"""Schemas whose data are read too (`rules_store.migration`)."""
SHARDS: Final = 64
RECENT_KEPT: Final = 4096
"""Tokens of recent writes kept, so that a repeated write is recognised (rules_store/lua/write.lua)."""
FIRST_GENERATION: Final = "1"
_NAME: Final = 32

META: Final = "{r}:meta"  # HASH: schema; from: the older schema of which records may still be there
EPOCH: Final = "{r}:epoch"  # STRING: changes when the history is no longer continuous
SEQ: Final = "{r}:seq"  # STRING: number of the last change
GENERATION: Final = "{r}:gen"  # STRING: the valid generation
CHANGES: Final = "{r}:changes"  # STREAM, ids "<seq>-0"
RECENT: Final = "{r}:recent"  # ZSET: token of a write → its first sequence number
TOUCH: Final = "{r}:touch"  # STRING: written when a repeated write is recognised, so that WAIT has something to wait for
STALE: Final = "{r}:stale"  # SET: generations that are not valid: to be removed, or being built
PACES: Final = "{r}:paces"  # HASH: customer, or customer and " staff" → changes of the last hour (rules_store/lua/pace.lua)
IMPORT: Final = "{r}:import"  # HASH: the import under way: token, gen, from, alive_unix_ms

LOG: Final = "{r}:log"  # STREAM, ids "<version>-0": each change of an entity with who, when, before and after
HEADS: Final = "{r}:log_heads"  # HASH: customer → its newest entry in the log; "*": the newest import
SECRETS: Final = "{r}:log_secrets"  # HASH: version → what stood before it, with its secrets; read to undo and for nothing else
ERASED: Final = (
    "{r}:log_erased"  # ZSET: "<version> <previous> <previous of the customer>" → version: entries of others that an erasure took
)
IMPORTS: Final = "{r}:imports"  # ZSET: "<version of what was imported> <generation>" → sequence of the switch
LOG_KEYS: Final = (LOG, HEADS, SECRETS)


def is_generation(text: str) -> bool:
    """Whether a text can name a generation: 1 to 32 hexadecimal digits."""
    return 0 < len(text) <= _NAME and all(char in hexdigits for char in text)


def entities(generation: str, kind: str) -> str:
    """HASH: id → record."""
    return f"{{r}}:{generation}:{kind}"


def index(generation: str, kind: str) -> str:
    """ZSET, all scores 0: ids in lexical order, for reading by pages."""
    return f"{{r}}:{generation}:{kind}:ids"


def claims(generation: str) -> str:
    """HASH: number or block range → "kind:id" that holds it."""
    return f"{{r}}:{generation}:by_number"


def users(generation: str) -> str:
    """ZSET, all scores 0: "<customer> <user id>", so that the users of a customer are a range."""
    return f"{{r}}:{generation}:users"


def gone(generation: str) -> str:
    """HASH: "kind:id" of what was removed → version of the removal, as long as the log has it."""
    return f"{{r}}:{generation}:gone"


def generation_keys(generation: str) -> list[str]:
    """List the keys of a generation, in the order the scripts know: claims, users, gone, then hash and index of each kind."""
    keys = [claims(generation), users(generation), gone(generation)]
    for kind in KINDS:
        keys += [entities(generation, kind), index(generation, kind)]
    return keys


def before_import(generation: str) -> str:
    """HASH: "kind:id" → the record that an import found there, or the version of the removal; outlives the generation."""
    return f"{{r}}:{generation}:before"


def new_by_import(generation: str) -> str:
    """LIST of "kind:id", many in an element, one in a line: what was not there before an import."""
    return f"{{r}}:{generation}:new"


def shard(line_id: str) -> int:
    """Name the shard of a line's live state; stable over processes and releases."""
    return crc32(line_id.encode()) % SHARDS


def bindings(number: int) -> str:
    """HASH: line, user and contact → binding."""
    return f"{{b{number:02}}}:bindings"


def expiries(number: int) -> str:
    """ZSET: field of the bindings' HASH → expires_unix_ms."""
    return f"{{b{number:02}}}:expiries"


def verdicts(number: int) -> str:
    """HASH: line id → verdict."""
    return f"{{b{number:02}}}:verdicts"


def live_stream(number: int) -> str:
    """STREAM, bounded: what changed in this shard."""
    return f"{{b{number:02}}}:live"


def events(number: int) -> str:
    """STREAM, ids "<number>-0": what happened in this shard."""
    return f"{{b{number:02}}}:events"


def event_counter(number: int) -> str:
    """STRING: number of the last event of this shard."""
    return f"{{b{number:02}}}:event_seq"


def event_marks(number: int) -> str:
    """HASH: process → the last of its events that this shard has."""
    return f"{{b{number:02}}}:event_marks"


def states(number: int) -> str:
    """HASH: line → what is going on there now (a diversion, a drill, a wish); nothing for most."""
    return f"{{b{number:02}}}:states"


def diverted_counts(number: int) -> str:
    """HASH: order → its diverted calls of the last hour and day (rules_store/lua/brake.lua)."""
    return f"{{b{number:02}}}:diverted_counts"


def brakes(number: int) -> str:
    """HASH: order → the level of its brake, as JSON; nothing for most."""
    return f"{{b{number:02}}}:brakes"


def history(number: int, line_id: str) -> str:
    """LIST: the line's last events, oldest first."""
    return f"{{b{number:02}}}:history:{line_id}"


def diverted(number: int, line_id: str) -> str:
    """LIST: the line's last diverted calls, oldest first; apart, because data of calls are kept for a shorter time."""
    return f"{{b{number:02}}}:diverted:{line_id}"


def history_ages(number: int) -> str:
    """ZSET: line → time of the oldest entry of its history, or an earlier one (Unix ms)."""
    return f"{{b{number:02}}}:history_ages"


def diverted_ages(number: int) -> str:
    """ZSET: line → time of its oldest diverted call, or an earlier one (Unix ms)."""
    return f"{{b{number:02}}}:diverted_ages"
