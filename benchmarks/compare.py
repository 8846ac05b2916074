"""The comparison: every server in turn, round by round, so that what the machine does meanwhile hits all alike."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.measure import LoadPlan, Measurement, measure
from benchmarks.plan import NumberPlan
from benchmarks.servers import Job, Running, serving

SERVERS = ("floor", "kamailio", "sipproxy")
PORTS = {"floor": 5071, "kamailio": 5072, "sipproxy": 5073}


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of one server's rounds."""

    server: str
    numbers: int
    rounds: int
    rate: float
    cpu_us: float
    cpu_low_us: float
    cpu_high_us: float
    softirq_us: float
    p50_us: float
    p99_us: float
    p99_9_us: float
    pss_bytes: float
    ratio: float | None
    """CPU per call over Kamailio's of the same round, median of the rounds."""
    wrong: int
    retransmissions: int


def redirect_options(job: Job) -> list[str]:
    """Return what the judge must know and offer in a redirect run."""
    options = [*NumberPlan.expectations(), "--require", "diversion,reason"]
    if job.histinfo:
        options[-1] += ",history-info"
        options.append("--histinfo")
    return options


def rounds(job: Job, servers: Sequence[str], load: LoadPlan, count: int) -> Iterator[Measurement]:
    """Measure each server once per round, started anew each time."""
    for number in range(1, count + 1):
        for name in servers:
            with serving(name, replace(job, listen=f"127.0.0.1:{PORTS[name]}")) as server:
                yield measure(server, load, number, redirect_options(job))


def sizes(job: Job, servers: Sequence[str], load: LoadPlan, count: int, numbers: Sequence[int]) -> Iterator[Measurement]:
    """Measure each server with each count of numbers in every round; they stay up, as a million numbers take time to load."""
    with ExitStack() as stack:
        running: list[Running] = []
        for name in servers:
            for index, size in enumerate(numbers):
                plan = NumberPlan(job.plan.first, size)
                listen = f"127.0.0.1:{PORTS[name] + 10 * (index + 1)}"
                running.append(stack.enter_context(serving(name, replace(job, listen=listen, plan=plan))))
        for number in range(1, count + 1):
            for server in running:
                yield measure(server, load, number, redirect_options(job))


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Return one summary per server and count of numbers, in the order of their first measurement."""
    groups: dict[tuple[str, int], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.server, one.numbers), []).append(one)
    return [_summary(group, groups.get(("kamailio", numbers), [])) for (_, numbers), group in groups.items()]


def _summary(group: Sequence[Measurement], peer: Sequence[Measurement]) -> Summary:
    theirs = {one.round: one.cpu_us for one in peer}
    ratios = [one.cpu_us / theirs[one.round] for one in group if theirs.get(one.round)]
    costs = [one.cpu_us for one in group]
    return Summary(
        server=group[0].server,
        numbers=group[0].numbers,
        rounds=len(group),
        rate=median(one.rate for one in group),
        cpu_us=median(costs),
        cpu_low_us=min(costs),
        cpu_high_us=max(costs),
        softirq_us=median(one.softirq_us for one in group),
        p50_us=median(one.p50_us for one in group),
        p99_us=median(one.p99_us for one in group),
        p99_9_us=median(one.p99_9_us for one in group),
        pss_bytes=median(one.pss_bytes for one in group),
        ratio=median(ratios) if ratios else None,
        wrong=sum(one.wrong for one in group),
        retransmissions=sum(one.retransmissions for one in group),
    )


def notes(measurements: Sequence[Measurement], small: int, large: int) -> list[str]:
    """Say what the larger count of numbers costs each server: medians over the rounds, each compared within its round."""
    found: dict[str, list[tuple[float, float]]] = {}
    of_small = {(one.server, one.round): one for one in measurements if one.numbers == small}
    for one in measurements:
        other = of_small.get((one.server, one.round))
        if one.numbers == large and other is not None and other.rate and other.cpu_us:
            found.setdefault(one.server, []).append((one.cpu_us / other.cpu_us - 1, 1 - one.rate / other.rate))
    return [
        f"{server}: CPU per call changes by {median(cost for cost, _ in pairs):+.1%} and the rate by "
        f"{-median(fall for _, fall in pairs):+.1%} from {small:,} to {large:,} numbers."
        for server, pairs in found.items()
    ]
