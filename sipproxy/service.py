"""The composition root: store, compiler, engine, watch, metrics and admin socket, put together and kept alive.

Order of a start: admin socket (so that a second service on the same data is told so), engine (binds the ports, silent), store,
rules, stored verdicts and registrations, table, then the first packet. When the store is away at start the engine begins all the
same, answers 503 to calls so that the core tries elsewhere, and learns the rules as soon as they are there.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from registrar_watch.history import History
from registrar_watch.outbox import Outbox, now_ms
from registrar_watch.resolver import Resolver
from registrar_watch.sites import Site, Sites
from registrar_watch.watch import RegistrarWatch
from routing.compile import Compiler
from rules_store import BindingStore, BrakeStore, Follower, RuleSaving, RulesStore, StoreConnection, StoreError, VerdictStore
from rules_store.settings import EMBEDDED
from sipproxy import last_known, logs
from sipproxy._engine import BUILD, Engine, SettingsError
from sipproxy.admin.server import AdminServer
from sipproxy.brake import FraudBrake
from sipproxy.config.engine_settings import engine_settings
from sipproxy.config.foreign import foreign_registrars
from sipproxy.config.load import Loaded, load
from sipproxy.config.secret import engine_secret
from sipproxy.config.store_settings import store_settings
from sipproxy.errors import ConfigurationError, Fault
from sipproxy.events import event_store, new_boot, node_name, saver, started, stopped, told_before
from sipproxy.foreign import ForeignRegistrations
from sipproxy.housekeeping import keep_house
from sipproxy.linebook import SupplyLines
from sipproxy.metrics import Collector, start_metrics
from sipproxy.operations import handlers
from sipproxy.profiles import derived_settings, profile_settings
from sipproxy.reload import merged, restart_notes
from sipproxy.saving import Saving
from sipproxy.supply import Supply
from sipproxy.target_policy import carrier_policy
from sipproxy.watchdog import Watchdog

if TYPE_CHECKING:
    from sipproxy._engine import EngineSettings, ProfileSettings, VerdictRow

_log = structlog.get_logger(__name__)
_EVENTS_PER_TURN = 1000
_NAMES_PATIENCE_S = 2.0
"""Peers that are named get their addresses before the first call, if the name service answers."""
_STORE_PATIENCE_S = 5.0  # how long a start waits for a store that does not answer
_RESTORE_PATIENCE_S = 15.0  # how long a start waits for stored registrations when the store goes away just then
_RETRY_S = 1.0
_TICK_S = 0.5
_REMEMBER_AFTER_S = 10.0
_NO_RULES_STATUS = 503


def run(loaded: Loaded) -> None:
    """Run the service until it is told to stop. Raises `ConfigurationError` when it cannot begin."""
    log = loaded.configuration.log
    logs.set_up(log.format, log.level)
    uvloop.run(Service(loaded).run())


class Service:
    """One running proxy."""

    def __init__(self, loaded: Loaded) -> None:
        """Bind the SIP sockets. Raises `ConfigurationError`."""
        self.loaded = loaded
        self.started_at = time.time()
        self.state = "starting"
        configuration = loaded.configuration
        self._profiles = profile_settings(loaded)
        secret = engine_secret(configuration.data_dir)
        if isinstance(secret, Fault):
            raise ConfigurationError((secret,))
        self._secret = secret
        self.connection = StoreConnection(store_settings(configuration))
        self.rules = RulesStore(self.connection)
        self.events = event_store(self.connection, configuration.history)
        self._watchdog = Watchdog(configuration.limits.event_loop_warn_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._reconcile = asyncio.Event()
        self._restored = False

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, drain, stop."""
        admin = AdminServer(self.loaded.configuration.admin_socket, handlers(self))
        await admin.start()
        metrics = None
        try:
            self._compose()
            configuration = self.loaded.configuration
            if configuration.metrics.enabled:
                collector = Collector(self.engine, self, BUILD)
                metrics = start_metrics(configuration.metrics.listen, collector)
            self._listen_to_signals()
            await self._begin()
            await self._stopping.wait()
            await self._drain()
        finally:
            self.state = "stopping"
            if metrics is not None:
                await asyncio.to_thread(metrics.shutdown)
            await admin.stop()
            await self._end()

    # -- start --------------------------------------------------------------------------------------------------------

    def _compose(self) -> None:
        self.engine = self._bound_engine()
        self.supply = Supply(
            self.engine,
            Compiler(
                registrars=foreign_registrars(self.loaded.configuration),
                carrier=carrier_policy(self.loaded.configuration.targets),
            ),
            lambda: Follower(self.connection),
        )
        self.rule_saving = RuleSaving(self.connection, self.supply.lend)
        settings = self.loaded.configuration.history
        save = saver(self.events)
        self.outbox = Outbox(save, node=node_name(settings), boot=new_boot(), limit=settings.waiting)
        self.lines = SupplyLines(self.supply, lambda: self.loaded.configuration.sites.down_share)
        self.history = History(self.lines, self.outbox)
        stores = (BindingStore(self.connection), VerdictStore(self.connection))
        self.saving = Saving(self.engine, self.supply, stores, self.engine.stored, self.history)
        keepers = (self.saving.bindings, self.saving.verdicts)
        self.watch = RegistrarWatch(self.supply, *keepers, self.history, self._events_lost)
        self.sites = Sites(self.lines, self._site, self._ask)
        self.watch.on_verdict = self.sites.verdict
        self.saving.on_restored = self.sites.restored
        self.brake = FraudBrake(
            self.supply, self.lines, self.history, BrakeStore(self.connection), lambda: self.loaded.configuration.brake
        )
        self.watch.on_calls = self.brake.calls
        self.supply.before_first = self._restore_first
        self.supply.on_resync = self._resynced
        self.supply.on_lines_removed = self._lines_removed
        self.supply.on_changed = self.history.changed
        self.supply.on_profiles = self._profiles_changed
        self.foreign = ForeignRegistrations(self.loaded.configuration, self.engine, self.supply)
        self.resolver = Resolver(self.supply.resolved)
        self.supply.on_lines_changed = self._lines_changed

    def _site(self, site: Site) -> None:
        facts = {"site": site.site, "state": site.state, "down": site.down, "lines": site.total, "evidence": site.evidence}
        self.history.note("site", facts, at_unix_ms=site.since_unix_ms)

    def _ask(self, lines: list[str]) -> None:
        """Have lines asked soon, because others of their site fell."""
        slots = (self.supply.line_slot(line) for line in lines)
        self.engine.doubt([slot for slot in slots if slot is not None])

    async def _read_sites(self) -> None:
        """Read all verdicts for the sites, when events were lost."""
        rows: dict[str, VerdictRow] = {}
        offset = 0
        while page := await asyncio.to_thread(self.engine.verdicts, offset, _EVENTS_PER_TURN):
            offset += len(page)
            rows |= {line: row for row in page if (line := self.supply.line_id(row["line"])) is not None}
        self.sites.read_again(rows, now_ms())

    def _events_lost(self) -> None:
        self.saving.read_again = True
        self._reconcile.set()

    def _resynced(self) -> None:
        self.history.note("resync", {"sequence": self.supply.sequence, "resyncs": self.supply.resyncs})
        self._reconcile.set()

    def _lines_removed(self, lines: list[str]) -> None:
        self.saving.forget(lines)
        self.history.removed(lines)

    def _lines_changed(self, lines: list[str] | None) -> None:
        self.resolver.watch(self.supply.compiler.names())
        self.foreign.lines_changed(lines)

    def _bound_engine(self) -> Engine:
        try:
            return Engine(self._settings(self.loaded, self._profiles, rules=False))
        except SettingsError as error:
            raise ConfigurationError((self._fault(error),)) from None

    def _settings(self, loaded: Loaded, profiles: "list[ProfileSettings]", *, rules: bool) -> "EngineSettings":
        """Return the engine's settings; without rules every number is unknown, and that is 503 then, not 404."""
        settings = engine_settings(loaded.configuration, loaded.peers, self._with_derived(profiles), self._secret)
        if not rules:
            for interconnect in settings["interconnects"]:
                interconnect["unknown_number_status"] = _NO_RULES_STATUS
        return settings

    def _with_derived(self, profiles: "list[ProfileSettings]") -> "list[ProfileSettings]":
        """Add the profiles of lines that have changes of their own."""
        supply = getattr(self, "supply", None)
        return [*profiles, *derived_settings(profiles, supply.derived)] if supply is not None else profiles

    def _profiles_changed(self) -> None:
        try:
            self.engine.reconfigure(self._settings(self.loaded, self._profiles, rules=self.supply.ready.is_set()))
        except SettingsError as error:
            _log.error("profiles of lines not taken over", fault=str(self._fault(error)))

    def _fault(self, error: SettingsError) -> Fault:
        """Name the key of the file for a setting that the engine refused."""
        where, what, remedy = (*map(str, error.args), "", "", "")[:3]
        key = f"sip.{where}" if where.startswith(("listen", "workers", "domains", "server_header")) else where
        table, _, rest = key.partition(".")
        line = self.loaded.line_of((table.partition("[")[0], rest.partition("[")[0]))
        return Fault(str(self.loaded.file), key, what, remedy, line)

    async def _begin(self) -> None:
        self._supervise("store", self._open_store)
        self._supervise("watchdog", self._watchdog.run)
        started = asyncio.get_running_loop().time()
        while not self.supply.ready.is_set() and not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.supply.ready.wait(), 0.2)
            waited_s = asyncio.get_running_loop().time() - started
            if waited_s > _STORE_PATIENCE_S and self.supply.state in {"starting", "disconnected"}:
                break
        if self.supply.ready.is_set() or await self._last_known():
            self.engine.reconfigure(self._settings(self.loaded, self._profiles, rules=True))
            if not self._restored:
                self._supervise("restore", self._restore)
        else:
            _log.error("no rules yet: calls get 503 until the store answers", store=self.connection.where)
            self._supervise("late rules", self._late_rules)
        self._pump()
        await self.resolver.first(_NAMES_PATIENCE_S)
        self.engine.start()
        await self.foreign.start()
        self.state = "running" if self.supply.ready.is_set() else "running without rules"
        self._supervise("bindings", self.saving.bindings.run)
        self._supervise("verdicts", self.saving.verdicts.run)
        self._supervise("events", self.outbox.run)
        self._supervise("history", self._ticking)
        self._supervise("brake", self.brake.run)
        self._supervise("brake counts", self.brake.run_saving)
        self._supervise("reconcile", self._reconciling)
        self._supervise("dates", self.supply.follow_dates)
        self._supervise("names", self.resolver.run)
        self._supervise("housekeeping", self._keep_house)
        if self.loaded.configuration.store.url != EMBEDDED:
            self._supervise("last known rules", self._remembering)
        _log.info("serving", listen=self.engine.addresses(), lines=self.engine.counts()["lines"])

    async def _open_store(self) -> None:
        """Open the store, however long it takes, then follow it for ever."""
        failing = False
        while True:
            try:
                await self.connection.open()
                break
            except StoreError as error:
                if not failing:
                    _log.error("store not available, trying on", what=error.what, remedy=error.remedy)
                failing = True
                await asyncio.sleep(_RETRY_S)
        if failing:
            _log.info("store available")
        # Before the rules, so that those that rest are never in the engine as others.
        with contextlib.suppress(StoreError):
            await self.brake.restore()
        await self.supply.follow()

    async def _last_known(self) -> bool:
        """Route by the rules of the last run; False when there are none."""
        found = await asyncio.to_thread(last_known.read, self._last_known_file)
        if found is None:
            return False
        await self.supply.adopt(*found)
        _log.error("store not available: routing by the last known rules", entities=len(found[0]), sequence=found[1])
        return True

    async def _remembering(self) -> None:
        """Write the rules down for a start without the store, some time after they changed."""
        while True:
            await self.supply.changed()
            await asyncio.sleep(_REMEMBER_AFTER_S)
            async with self.supply.settled() as compiler:
                entities, sequence = last_known.entities_of(compiler.directory.registry), self.supply.sequence
            try:
                await asyncio.to_thread(last_known.write, self._last_known_file, entities, sequence)
            except OSError as error:
                _log.warning("last known rules not written", file=str(self._last_known_file), cause=error.strerror)

    @property
    def _last_known_file(self) -> Path:
        return self.loaded.configuration.data_dir / "last-known-rules.jsonl"

    async def _keep_house(self) -> None:
        await self.supply.ready.wait()
        await keep_house(self.connection, self.events)

    async def _late_rules(self) -> None:
        await self.supply.ready.wait()
        self.engine.reconfigure(self._settings(self.loaded, self._profiles, rules=True))
        self.state = "running"
        _log.info("rules are there, serving", lines=self.engine.counts()["lines"])
        await self._restore()

    async def _restore_first(self) -> None:
        """Take back what was stored about the lines before they exist: a line must not be judged without it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._restore(), _RESTORE_PATIENCE_S)

    async def _restore(self) -> None:
        """Take back what was stored about the lines. What the engine learnt by itself meanwhile is newer and wins."""
        while not self._restored:
            try:
                await self.saving.restore()
                states, past = await told_before(self.events, self.outbox.node)
                self._restored = True
            except StoreError as error:
                _log.error("registrations not restored, trying on", what=error.what)
                await asyncio.sleep(_RETRY_S)
            else:
                self.history.note("started", started(self, past), at_unix_ms=int(self.started_at * 1000))
                self.history.open(states)

    # -- run ----------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Take events when the engine says that there are some; a full batch yields to the loop before the next."""
        loop = asyncio.get_running_loop()

        def take() -> None:
            events = self.engine.events(_EVENTS_PER_TURN)
            self.watch.handle(events)
            if len(events) == _EVENTS_PER_TURN:
                loop.call_soon(take)

        loop.add_reader(self.engine.event_fd(), take)

    async def _reconciling(self) -> None:
        while True:
            await self._reconcile.wait()
            self._reconcile.clear()
            try:
                await self.saving.reconcile()
                await self._read_sites()
            except StoreError as error:
                _log.warning("store not compared, trying again", what=error.what)
                self._reconcile.set()
                await asyncio.sleep(_RETRY_S)

    @property
    def profiles(self) -> "dict[str, ProfileSettings]":
        """The line profiles in use, by name."""
        return {profile["name"]: profile for profile in self._with_derived(self._profiles)}

    async def _ticking(self) -> None:
        while True:
            self.history.tick()
            if self.lines.is_settled():
                self.sites.tick(now_ms())
            await asyncio.sleep(_TICK_S)

    async def reload(self) -> list[str]:
        """Read the file again; return what needs a restart. Raises `ConfigurationError`; the old settings stay then."""
        fresh = await asyncio.to_thread(load, self.loaded.file)
        profiles = profile_settings(fresh)
        notes = restart_notes(self.loaded.configuration, fresh.configuration)
        combined = merged(self.loaded.configuration, fresh.configuration)
        effective = Loaded(fresh.file, combined, fresh.peers, fresh.positions)
        try:
            self.engine.reconfigure(self._settings(effective, profiles, rules=self.supply.ready.is_set()))
        except SettingsError as error:
            raise ConfigurationError((self._fault(error),)) from None
        self.loaded = effective
        self._profiles = profiles
        await self.supply.judge_targets(carrier_policy(combined.targets))
        logs.set_up(combined.log.format, combined.log.level)
        _log.info("configuration reloaded", notes=notes)
        return notes

    def facts(self) -> dict[str, dict[str, float]]:
        """Return what the metrics tell about the service (`sipproxy.metrics.SERVICE`). Called from the metrics' thread."""
        counts = self.engine.counts()
        return {
            "sipproxy_snapshot_sequence": {"": self.supply.sequence},
            "sipproxy_snapshot_age_seconds": {"": self.supply.age_s()},
            "sipproxy_snapshot_entries": {key: float(value) for key, value in counts.items()},
            "sipproxy_store_up": {"": float(self.supply.state == "live")},
            "sipproxy_store_resyncs": {"": self.supply.resyncs},
            "sipproxy_unsaved": {"bindings": len(self.saving.bindings), "verdicts": len(self.saving.verdicts)},
            "sipproxy_history_events": {"written": float(self.outbox.written), "lost": float(self.outbox.lost)},
            "sipproxy_sites": {state: float(count) for state, count in self.sites.counts().items()},
            "sipproxy_history_waiting": {"": len(self.outbox)},
            "sipproxy_registrar_subscriptions": self.foreign.watch.phases(),
            "sipproxy_brake_orders": self.brake.counts_by_level(),
            "sipproxy_brake_trips": {span: float(count) for span, count in self.brake.trips.items()},
            "sipproxy_event_loop_blocked": {"": self._watchdog.blocked},
        }

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._supervise("reload", self._reload_by_signal, once=True))

    async def _reload_by_signal(self) -> None:
        try:
            await self.reload()
        except ConfigurationError as error:
            for fault in error.faults:
                _log.error("configuration not reloaded, the old one stays", fault=str(fault))

    def _supervise(self, name: str, work: Callable[[], Awaitable[None]], *, once: bool = False) -> "asyncio.Task[None]":
        """Run ``work`` in the background; a bug in it is logged and it begins again, calls are not touched."""

        async def loop() -> None:
            while True:
                try:
                    await work()
                except Exception:  # noqa: BLE001 - the last line of defence, logged with its trace
                    _log.exception("background work failed, beginning again", work=name)
                else:
                    return
                if once:
                    return
                await asyncio.sleep(_RETRY_S)

        task = asyncio.ensure_future(loop())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- stop ---------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let running transactions end, for ``limits.drain_s`` at most; a second signal ends the wait."""
        self.state = "draining"
        self.foreign.stop()
        limit_s = self.loaded.configuration.limits.drain_s
        _log.info("draining", at_most_s=limit_s)
        self._stopping.clear()
        self.engine.drain()
        deadline = asyncio.get_running_loop().time() + limit_s
        while not self.engine.drained() and not self._stopping.is_set():
            if asyncio.get_running_loop().time() > deadline:
                _log.warning("not everything had ended", after_s=limit_s)
                break
            await asyncio.sleep(0.05)

    async def _end(self) -> None:
        engine = getattr(self, "engine", None)
        if engine is not None:
            asyncio.get_running_loop().remove_reader(engine.event_fd())
            await asyncio.to_thread(engine.stop)
            self.watch.handle(engine.events(1_000_000))
            self.history.tick()
            self.history.close()
            self.history.note("stopped", stopped(self))
            # What happened until now is worth some seconds; a store that is away is not waited for.
            patience_s = 5.0 if self.supply.state == "live" else 0.0
            saved = await self.saving.bindings.drained(patience_s) and await self.saving.verdicts.drained(patience_s)
            saved = await self.outbox.drained(patience_s) and saved
            if patience_s:
                with contextlib.suppress(StoreError, TimeoutError):
                    await asyncio.wait_for(self.brake.save(), patience_s)
            if not saved:
                waiting = {"bindings": len(self.saving.bindings), "verdicts": len(self.saving.verdicts)}
                _log.warning("not stored", events=len(self.outbox), **waiting)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.connection.close()
        _log.info("stopped")
