"""Prometheus metrics on their own port, served by a thread of its own, so that they answer while the event loop is stuck.

The engine counts; this names. `ENGINE` is the one table of what each engine counter is called outside, ``docs/metrics.md``
is made from it (``python -m sipproxy.metrics``), and a counter that the table does not know is exposed as
``sipproxy_engine_other`` instead of being lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from sipproxy.config.types import split_endpoint
from sipproxy.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from sipproxy._engine import Engine


class Family(NamedTuple):
    """A metric family: its samples are engine counters, told apart by ``label``."""

    name: str
    kind: str
    help: str
    label: str
    samples: Mapping[str, str]
    """Engine counter → value of the label ("" where the family has none)."""


def _plain(name: str, kind: str, text: str, counter: str) -> Family:
    return Family(name, kind, text, "", {counter: ""})


ENGINE: Sequence[Family] = (
    Family(
        "sipproxy_calls",
        "counter",
        "INVITEs by what became of them.",
        "outcome",
        {
            "calls_redirected": "redirected",
            "calls_proxied": "proxied",
            "calls_rescued": "rescued",
            "calls_answered": "answered",
            "calls_declined": "declined",
            "calls_cancelled": "cancelled",
            "calls_unavailable": "unavailable",
            "calls_not_found": "not_found",
        },
    ),
    Family(
        "sipproxy_diversions_refused",
        "counter",
        "Calls that a rule would have diverted but for where they came from (docs/routing.md).",
        "why",
        {"diversions_circular": "circle", "diversions_too_many": "too_many"},
    ),
    Family(
        "sipproxy_registrations",
        "counter",
        "REGISTERs by answer; unsaved counts those answered 200 before the store had confirmed.",
        "outcome",
        {
            "registrations_accepted": "accepted",
            "registrations_challenged": "challenged",
            "registrations_stale": "stale",
            "registrations_refused": "refused",
            "registrations_unsaved": "unsaved",
        },
    ),
    _plain("sipproxy_bindings", "gauge", "Bindings alive.", "bindings"),
    _plain("sipproxy_bindings_expired", "counter", "Bindings that ran out.", "bindings_expired"),
    _plain("sipproxy_foreign_reports", "counter", "Reports of registrars elsewhere that were taken.", "foreign_reports"),
    _plain("sipproxy_foreign_expired", "counter", "Registrations elsewhere that ran out without a word.", "foreign_expired"),
    Family(
        "sipproxy_lines",
        "gauge",
        "Lines by health.",
        "health",
        {"lines_up": "up", "lines_suspect": "suspect", "lines_down": "down", "lines_unknown": "unknown"},
    ),
    _plain("sipproxy_guard_frozen", "gauge", "1 while falls are held back because the fault may be ours.", "guard_frozen"),
    _plain("sipproxy_guard_held", "gauge", "Lines that would be down and are held.", "guard_held"),
    _plain("sipproxy_guard_troubled", "gauge", "Lines that stopped answering a moment ago.", "guard_troubled"),
    _plain("sipproxy_guard_freezes", "counter", "Times that falls were held back.", "guard_freezes"),
    _plain("sipproxy_verdict_flips", "counter", "Verdicts that changed.", "verdict_flips"),
    Family(
        "sipproxy_probes",
        "counter",
        "OPTIONS to lines by outcome; void ones prove nothing, for they never left us or we slept.",
        "outcome",
        {
            "probes_sent": "sent",
            "probes_answered": "answered",
            "probes_lost": "lost",
            "probes_void": "void",
            "probes_put_off": "put_off",
        },
    ),
    _plain("sipproxy_probers", "gauge", "Targets with a live prober.", "probers"),
    _plain("sipproxy_probers_missing", "gauge", "Lines that want a prober and have none; not 0 is a fault.", "probers_missing"),
    Family(
        "sipproxy_datagrams",
        "counter",
        "Datagrams by way; refused means that the kernel did not take one, handed_over that another worker owned it.",
        "way",
        {"received": "received", "sent": "sent", "send_refused": "refused", "handed_over": "handed_over"},
    ),
    _plain(
        "sipproxy_sends_repeated",
        "counter",
        "Sends repeated because the kernel told of an older datagram's ICMP error instead; none of them is lost.",
        "sends_repeated",
    ),
    _plain("sipproxy_unreachables", "counter", "ICMP errors that say a destination is unreachable.", "unreachables"),
    _plain(
        "sipproxy_unreachables_taken",
        "counter",
        "Reports of undelivered requests that a call, another request or an OPTIONS waited for.",
        "unreachables_taken",
    ),
    _plain("sipproxy_mailbox_full", "counter", "Messages lost because another worker did not keep up.", "mailbox_full"),
    Family(
        "sipproxy_malformed",
        "counter",
        "Messages that do not parse.",
        "answer",
        {"malformed_answered": "error", "malformed_dropped": "none"},
    ),
    _plain(
        "sipproxy_orphans_forwarded",
        "counter",
        "200s to INVITEs from before a restart, passed on to their callers.",
        "orphans_forwarded",
    ),
    _plain("sipproxy_stray_messages", "counter", "Responses and ACKs that belong to nothing here.", "stray_dropped"),
    _plain("sipproxy_retransmissions", "counter", "Repeated requests absorbed or answered again.", "retransmissions_absorbed"),
    _plain("sipproxy_acks_absorbed", "counter", "ACKs of stateless answers.", "acks_absorbed"),
    _plain(
        "sipproxy_late_answers",
        "counter",
        "2xx after the caller had another answer: acknowledged and hung up.",
        "late_answers_closed",
    ),
    Family(
        "sipproxy_requests",
        "counter",
        "Requests other than calls by what became of them.",
        "outcome",
        {
            "requests_proxied": "proxied",
            "requests_forbidden": "forbidden",
            "requests_drained": "drained",
            "options_answered": "options",
        },
    ),
    _plain("sipproxy_transactions", "gauge", "Transactions alive.", "transactions"),
    _plain("sipproxy_unfinished", "gauge", "Requests that wait for their final answer; counted while draining.", "unfinished"),
    _plain(
        "sipproxy_worker_stalls",
        "counter",
        "Times that a worker could not work for more than 300 ms: a full machine, a suspend, a turn that took too long.",
        "worker_stalls",
    ),
    _plain("sipproxy_worker_panics", "counter", "Defects that a worker survived; report them.", "worker_panics"),
    _plain("sipproxy_timers", "gauge", "Deadlines in the timer wheels.", "timers"),
    Family(
        "sipproxy_events",
        "counter",
        "Events for the control plane; dropped ones are read again.",
        "fate",
        {"events_queued": "queued", "events_dropped": "dropped"},
    ),
    _plain("sipproxy_events_waiting", "gauge", "Events that wait for the control plane.", "events_waiting"),
)

HISTOGRAMS: Mapping[str, tuple[str, str]] = {
    "probe_round_trip": ("sipproxy_probe_round_trip_seconds", "OPTIONS round trips of lines."),
}
"""Engine histogram → name and help."""

WORKER: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sipproxy_worker_datagrams": ("Datagrams that a worker took from its sockets.", ("received",)),
    "sipproxy_worker_handed_over": ("Datagrams that a worker gave to the one that owns their transaction.", ("handed_over",)),
    "sipproxy_worker_calls": (
        "INVITEs that a worker decided.",
        ("calls_redirected", "calls_proxied", "calls_unavailable", "calls_not_found"),
    ),
}
"""Counter per worker → help and the engine counters it sums up; the label is ``worker``, from 0."""

SERVICE: Mapping[str, tuple[str, str, str]] = {
    "sipproxy_snapshot_sequence": ("gauge", "", "Number of the last change of the rules that the engine routes by."),
    "sipproxy_snapshot_age_seconds": ("gauge", "", "Seconds since the engine's rules were known to be the store's."),
    "sipproxy_snapshot_entries": ("gauge", "kind", "Entries of the route table."),
    "sipproxy_store_up": ("gauge", "", "1 while the store is followed, else 0."),
    "sipproxy_store_resyncs": ("counter", "", "Full reads of the store after the first."),
    "sipproxy_sites": ("gauge", "state", "Sites with several lines that are degraded or down."),
    "sipproxy_brake_orders": ("gauge", "level", "Orders near their limit of diverted calls (warned) or above it (resting)."),
    "sipproxy_brake_trips": (
        "counter",
        "span",
        "Times that an order reached its limit of diverted calls within an hour or a day.",
    ),
    "sipproxy_unsaved": ("gauge", "kind", "Changes that wait to be stored."),
    "sipproxy_history_events": (
        "counter",
        "fate",
        "Events for the history: written to the store, or lost because it was away for too long.",
    ),
    "sipproxy_history_waiting": ("gauge", "", "Events that wait to be written to the store."),
    "sipproxy_registrar_subscriptions": ("gauge", "phase", "Subscriptions at registrars that notify (docs/registrars.md)."),
    "sipproxy_event_loop_blocked": ("counter", "", "Times the control plane was stuck; calls are not touched by it."),
    "sipproxy_build": ("info", "", "Version and profile of the build."),
    "sipproxy_engine_other": ("gauge", "counter", "Engine counters that have no name of their own yet."),
}
"""Name → kind, label and help of what the service itself tells."""


class Facts(Protocol):
    """What the service tells about itself."""

    def facts(self) -> dict[str, dict[str, float]]:
        """Return values by metric of `SERVICE` and label value."""


class Collector:
    """Reads engine and service at each scrape."""

    def __init__(self, engine: "Engine", facts: Facts, build: Mapping[str, str]) -> None:
        self._engine = engine
        self._facts = facts
        self._build = build

    def collect(self) -> Iterable[Metric]:
        """Yield all families; those whose counters the engine does not have are left out."""
        counters = dict(self._engine.counters())
        for family in ENGINE:
            values = {label: float(counters.pop(name)) for name, label in family.samples.items() if name in counters}
            if values:
                yield _family(family.kind, family.name, family.help, family.label, values)
        for name, (bounds, counts, total) in self._engine.histograms().items():
            metric, text = HISTOGRAMS.get(name, (f"sipproxy_{name}_seconds", "Engine histogram."))
            yield _histogram(metric, text, bounds, counts, total)
        yield from _per_worker(self._engine.worker_counters())
        facts = self._facts.facts()
        facts["sipproxy_engine_other"] = {name: float(value) for name, value in counters.items()}
        for name, values in facts.items():
            kind, label, text = SERVICE[name]
            yield _family(kind, name, text, label, values)
        build = GaugeMetricFamily("sipproxy_build_info", SERVICE["sipproxy_build"][2], labels=sorted(self._build))
        build.add_metric([self._build[key] for key in sorted(self._build)], 1)
        yield build


def _per_worker(workers: Sequence[Mapping[str, int]]) -> Iterable[Metric]:
    for name, (text, counters) in WORKER.items():
        values = {str(at): float(sum(own.get(counter, 0) for counter in counters)) for at, own in enumerate(workers)}
        yield _family("counter", name, text, "worker", values)


def _family(kind: str, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    labels = [label] if label else []
    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, text, labels=labels)
    for sample, value in values.items():
        family.add_metric([sample] if label else [], value)
    return family


def _histogram(name: str, text: str, bounds: Sequence[float], counts: Sequence[int], total: float) -> Metric:
    """Prometheus wants cumulative buckets; the engine counts each on its own."""
    cumulative, so_far = [], 0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        so_far += count
        cumulative.append((bound, float(so_far)))
    family = HistogramMetricFamily(name, text)
    family.add_metric([], cumulative, total)
    return family


def start_metrics(listen: str, collector: Collector) -> WSGIServer:
    """Serve the metrics. Raises `ConfigurationError` when the address cannot be used."""
    host, port = split_endpoint(listen)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        message, remedy = f"{listen} cannot be opened ({error.strerror})", "choose a free port, or enabled = false"
        raise ConfigurationError((Fault("", "metrics.listen", message, remedy),)) from None
    return server


def table() -> str:
    """Return all metrics as a Markdown table."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for family in ENGINE:
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        values = ", ".join(f"`{value}`" for value in family.samples.values() if value)
        rows.append(f"| `{name}` | {family.kind} | {f'`{family.label}`: {values}' if values else '—'} | {family.help} |")
    rows += [f"| `{name}` | histogram | — | {text} |" for name, text in HISTOGRAMS.values()]
    rows += [f"| `{name}_total` | counter | `worker` | {text} |" for name, (text, _) in WORKER.items()]
    for name, (kind, label, text) in SERVICE.items():
        suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
        rows.append(f"| `{name}{suffix}` | {kind} | {f'`{label}`' if label else '—'} | {text} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - this module is a command
