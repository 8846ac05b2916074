"""Rules, bindings, verdicts and events in Redis or Valkey: written atomically, on disk before promised, followed in order.

Not here: what the rules mean (`routing`), who may change them (`portal`). See docs/store.md.
"""

from rules_store.audit import audit_lines, audit_record
from rules_store.brake_store import BrakeBatch, BrakeStore, Counted
from rules_store.connection import StoreConnection
from rules_store.customer_export import export_customer
from rules_store.erasure import Erasure
from rules_store.errors import ConflictError, NotSavedError, NumberTakenError, StoreError, VersionGoneError
from rules_store.event_feed import EventFeed, Gap
from rules_store.events import Entry, EventStore, Retention, StoredEvent
from rules_store.finishing import to_the_end
from rules_store.follower import Follower
from rules_store.importing import ImportResult
from rules_store.live_state import BindingStore, VerdictStore
from rules_store.log_codec import Version
from rules_store.migration import migrate
from rules_store.pace import Admitted, ChangePace
from rules_store.repository import RulesStore
from rules_store.saving import Asker, RuleSaving, Saved
from rules_store.settings import StoreSettings
from rules_store.since import Guard, changes_since, unchanged
from rules_store.types import (
    ABSENT,
    ANY,
    SERVICE,
    Author,
    Batch,
    BindingRow,
    Change,
    Delete,
    Expect,
    Garbage,
    Put,
    Stored,
    VerdictRow,
    Via,
    Write,
)
from rules_store.undo import Undo, UndoPlan
from rules_store.versions import VersionLog

__all__ = [
    "ABSENT",
    "ANY",
    "SERVICE",
    "Admitted",
    "Asker",
    "Author",
    "Batch",
    "BindingRow",
    "BindingStore",
    "BrakeBatch",
    "BrakeStore",
    "Change",
    "ChangePace",
    "ConflictError",
    "Counted",
    "Delete",
    "Entry",
    "Erasure",
    "EventFeed",
    "EventStore",
    "Expect",
    "Follower",
    "Gap",
    "Garbage",
    "Guard",
    "ImportResult",
    "NotSavedError",
    "NumberTakenError",
    "Put",
    "Retention",
    "RuleSaving",
    "RulesStore",
    "Saved",
    "StoreConnection",
    "StoreError",
    "StoreSettings",
    "Stored",
    "StoredEvent",
    "Undo",
    "UndoPlan",
    "VerdictRow",
    "VerdictStore",
    "Version",
    "VersionGoneError",
    "VersionLog",
    "Via",
    "Write",
    "audit_lines",
    "audit_record",
    "changes_since",
    "export_customer",
    "migrate",
    "to_the_end",
    "unchanged",
]
