"""Events of the engine reach the store's live state and the history, each for itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from registrar_watch.history import History
from registrar_watch.keep import Keeper
from registrar_watch.outbox import Outbox, Waiting
from registrar_watch.watch import RegistrarWatch
from tests.registrar_watch.test_history import LINE, Rules, verdict

CONTACT, RECEIVED = "sip:a@192.0.2.1", "192.0.2.1:5060"


class Scene:
    """A watch with what it tells; nothing is saved, so all is still to be seen."""

    def __init__(self) -> None:
        self.outbox = Outbox(self._never_events, node="n", boot="b")
        self.bindings: Keeper[Any, Any] = Keeper("bindings", self._never, lambda _mark: None)
        self.verdicts: Keeper[Any, Any] = Keeper("verdicts", self._never, lambda _mark: None)
        self.read_again = 0
        history = History(Rules(), self.outbox, lambda: 1_000)
        history.open({})
        self.watch = RegistrarWatch(Rules(), self.bindings, self.verdicts, history, self._lost)  # type: ignore[arg-type]

    def _lost(self) -> None:
        self.read_again += 1

    async def _never(self, batch: Mapping[Any, Any]) -> None:
        raise NotImplementedError

    async def _never_events(self, boot: str, batch: Sequence[Waiting]) -> None:
        raise NotImplementedError

    def bound(self, change: str) -> None:
        row = (0, CONTACT, RECEIVED, 9_000, "call", 1, 1000, "PBX", "user")
        self.watch.handle([{"kind": "binding", "seq": 1, "at_unix_ms": 1, "change": change, "binding": row}])  # type: ignore[list-item]

    @property
    def told(self) -> list[str]:
        return [entry.text for entry in self.outbox._waiting]


def test_a_binding_that_was_replaced_is_gone_and_one_that_moved_is_there() -> None:
    scene = Scene()
    for change, held in (("added", True), ("moved", True), ("refreshed", True), ("replaced", False), ("expired", False)):
        scene.bound(change)
        assert (next(iter(scene.bindings._pending.values())) is not None) == held, change
    assert [change for text in scene.told for change in ("added", "moved", "refreshed", "replaced") if f'"{change}"' in text] == [
        "added",
        "moved",
        "replaced",
    ]


def test_an_event_that_cannot_be_handled_takes_no_other_with_it() -> None:
    scene = Scene()
    good = {"kind": "verdict", "seq": 2, "at_unix_ms": 2, "previous": "up", "verdict": verdict("down", 2)}
    bad = {"kind": "binding", "seq": 1, "at_unix_ms": 1, "change": "added", "binding": ()}
    scene.watch.handle([bad, good])  # type: ignore[list-item]
    assert scene.verdicts._pending[LINE]["health"] == "down"
    assert scene.read_again == 1, "what the store is to know of it is read again"
