"""One measurement: load on a running server, and what the server spent on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import generator, procfs
from benchmarks.servers import Running


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How the load is put on."""

    core: int = 1
    seconds: float = 4.0
    window: int = 64
    latency_rate: int = 20_000
    warm_up_s: float = 0.5
    trains: bool = False
    """Callers hand packets of equal length to the kernel in trains, as one big peer may; otherwise one by one."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one server did in one round. Times in microseconds."""

    server: str
    round: int
    numbers: int
    calls: int
    rate: float
    cpu_us: float
    core_us: float
    softirq_us: float
    foreign: float
    """Share of the server's core that others used: above a tenth, the rate and the latency say little."""
    p50_us: float
    p99_us: float
    p99_9_us: float
    full_p99_us: float
    pss_bytes: int
    processes: int
    start_s: float
    retransmissions: int
    generator_cpu_us: float
    generator_idle: float
    wrong: int
    errors: dict[str, int]
    sample: str

    @property
    def right(self) -> bool:
        """Whether every call got the answer it had to get."""
        return self.wrong == 0 and self.calls > 0


def measure(server: Running, load: LoadPlan, number: int, options: Sequence[str]) -> Measurement:
    """Warm up, load fully (rate and CPU), then load at a fixed rate (latency)."""
    job = server.job
    common = ["--target", job.listen, "--core", str(load.core), *job.plan.generator_options(), *options]
    if not load.trains:
        common.append("--single")
    full = [*common, "--window", str(load.window)]
    generator.run(job.generator, job.role, *full, "--seconds", str(load.warm_up_s))
    pids = server.processes()
    procfs.pin(pids, job.core)
    cpu, core = procfs.cpu_seconds(pids), procfs.core_time(job.core)
    report = generator.run(job.generator, job.role, *full, "--seconds", str(load.seconds))
    cpu, core = procfs.cpu_seconds(pids) - cpu, procfs.core_time(job.core) - core
    paced = generator.run(
        job.generator,
        job.role,
        *common,
        *("--window", "4096", "--rate", str(load.latency_rate), "--seconds", str(load.seconds / 2)),
    )
    calls = max(report["calls"], 1)
    idle = report["idle_seconds"]
    own = report["cpu_user_seconds"] + report["cpu_system_seconds"]
    return Measurement(
        server=server.name,
        round=number,
        numbers=job.plan.count,
        calls=report["calls"],
        rate=report["rate"],
        cpu_us=cpu * 1e6 / calls,
        core_us=core.busy * 1e6 / calls,
        softirq_us=core.softirq * 1e6 / calls,
        foreign=max(core.busy - cpu, 0.0) / max(report["seconds"], 1e-9),
        p50_us=paced["answer_us"]["p50"],
        p99_us=paced["answer_us"]["p99"],
        p99_9_us=paced["answer_us"]["p99_9"],
        full_p99_us=report["answer_us"]["p99"],
        pss_bytes=procfs.pss_bytes(pids),
        processes=len(pids),
        start_s=server.start_s,
        retransmissions=report["retransmissions"] + paced["retransmissions"],
        generator_cpu_us=max(own - idle, 0.0) * 1e6 / calls,
        generator_idle=idle / max(report["seconds"], 1e-9),
        wrong=report["error_total"] + paced["error_total"],
        errors=_sum(report["errors"], paced["errors"]),
        sample=report["sample"] or paced["sample"],
    )


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, int]:
    return {word: one.get(word, 0) + other.get(word, 0) for word in sorted({*one, *other})}
