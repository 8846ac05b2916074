"""``python -m benchmarks``: run a comparison, or serve one job for any outside generator."""

import signal
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import compare, generator, machine, report
from benchmarks.measure import LoadPlan, Measurement
from benchmarks.peers.kamailio import KamailioMissingError
from benchmarks.plan import NumberPlan
from benchmarks.servers import Job, ServerError

MILLION = 1_000_000

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
runs = typer.Typer(help="Measure and store the results.", no_args_is_help=True)
app.add_typer(runs, name="run")

First = Annotated[str, typer.Option(help="first number, E.164 with +")]
Numbers = Annotated[int, typer.Option(help="how many numbers from there", min=1)]


@app.command("target")
def serve_target(
    *,
    role: Annotated[Literal["redirect", "proxy", "registrar"], typer.Argument(help="what the service shall do")],
    listen: Annotated[str, typer.Option(help="where it listens (UDP)")] = "127.0.0.1:5070",
    first: First = "+493021000000",
    numbers: Numbers = 10_000,
    uas: Annotated[str, typer.Option(help="proxy: where all calls are delivered")] = "127.0.0.1:5088",
    workers: Annotated[int, typer.Option(help="packet threads", min=1)] = 1,
    engine_only: Annotated[bool, typer.Option("--engine-only", help="redirect: without store and control plane")] = False,
) -> None:
    """Serve one job with the real service and store until Ctrl-C: redirect, proxy or registrar."""
    from benchmarks.target import direct, serve  # noqa: PLC0415 - need the service; the other peers' runs do not

    if engine_only and role != "redirect":
        raise typer.BadParameter("is for the job redirect", param_hint="--engine-only")
    try:
        target = serve.Target(role, listen, NumberPlan(first, numbers), uas, workers)
        (direct if engine_only else serve).run(target)
    except (ServerError, ValueError) as error:
        report.console().print(str(error), style="red", markup=False)
        sys.exit(2)


@runs.command("rule-change")
def run_rule_change(
    *,
    changes: Annotated[int, typer.Option(help="rules to save", min=1)] = 200,
    numbers: Numbers = 10_000,
    first: First = "+493021000000",
    server_core: int = 0,
    generator_core: int = 1,
    carrier: Annotated[
        bool, typer.Option("--carrier", help="in a carrier's domain of 370,000 entities, rules at random")
    ] = False,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure the time from a rule's acknowledgement by the store to the first 302 with its target."""
    if carrier:
        _carrier_changes(changes, server_core, generator_core, store=store)
        return
    from benchmarks import rule_change  # noqa: PLC0415 - needs the service and the store
    from benchmarks.target.serve import Target  # noqa: PLC0415 - likewise

    _end_at_sigterm()
    out = report.console()
    facts = machine.facts()
    try:
        binary = generator.build()
        target = Target("redirect", "127.0.0.1:5079", NumberPlan(first, numbers), "127.0.0.1:5088", 1)
        done = rule_change.run(target, binary, changes, server_core=server_core, generator_core=generator_core)
    except (ServerError, generator.GeneratorError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    rows = rule_change.rows(done)
    out.print(rule_change.table(rows))
    if store:
        settings = {"changes": changes, "numbers": numbers, "server_core": server_core, "generator_core": generator_core}
        results = {"rows": rows, "changes": [asdict(change) for change in done]}
        sections = rule_change.sections(rows)
        written = report.store("rule-change", machine=facts, settings=settings, results=results, sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)


def _carrier_changes(changes: int, server_core: int, generator_core: int, *, store: bool) -> None:
    from benchmarks import carrier_changes  # noqa: PLC0415 - needs the service and the store
    from benchmarks.carrier import Carrier  # noqa: PLC0415 - likewise

    _end_at_sigterm()
    out = report.console()
    facts = machine.facts()
    size = Carrier()
    try:
        found = carrier_changes.run(size, changes, server_core=server_core, generator_core=generator_core)
    except (ServerError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    out.print(carrier_changes.table(found))
    out.print(carrier_changes.stalls(found), highlight=False)
    if store:
        settings = {**asdict(size), "changes": changes, "server_core": server_core, "generator_core": generator_core}
        sections = carrier_changes.sections(found)
        written = report.store("rule-change-carrier", machine=facts, settings=settings, results=asdict(found), sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)
    if found.p99_ms > carrier_changes.PROMISED_MS:
        sys.exit(1)


@runs.command("probing")
def run_probing(
    *,
    lines: Annotated[int, typer.Option(help="lines to be asked by OPTIONS", min=1, max=4_000_000)] = 100_000,
    seconds: Annotated[
        float, typer.Option(help="how long to look at these lines; without them two minutes are enough", min=5.0)
    ] = 600.0,
    redirects: Annotated[int, typer.Option(help="calls to a failed line, a second", min=1)] = 1_000,
    proxied: Annotated[int, typer.Option(help="calls delivered, a second", min=1)] = 100,
    server_core: int = 0,
    generator_core: int = 1,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure what asking many lines by OPTIONS each 30 s costs beside calls, and how evenly they are asked."""
    from benchmarks import probing  # noqa: PLC0415 - needs the service and the store

    _end_at_sigterm()
    out = report.console()
    facts = machine.facts()
    plan = probing.Plan(lines, seconds, redirects, proxied, server_core, generator_core)
    try:
        found = probing.run(plan, generator.build())
    except (ServerError, generator.GeneratorError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    out.print(probing.table(found))
    if store:
        written = report.store(
            "probing", machine=facts, settings=asdict(plan), results=asdict(found), sections=probing.sections(found)
        )
        out.print(f"Stored: {written} and .json", highlight=False)
    if not found.right:
        sys.exit(1)


@runs.command("import")
def run_import(
    *,
    blocks: Annotated[int, typer.Option(help="blocks of 45 numbers", min=0)] = 20_000,
    numbers: Annotated[int, typer.Option(help="single numbers", min=0)] = 100_000,
    lines: Annotated[int, typer.Option(help="lines", min=1)] = 100_000,
    rules: Annotated[int, typer.Option(help="rules", min=0)] = 100_000,
    form: Annotated[Literal["csv", "jsonl"], typer.Option(help="tables or JSON lines")] = "csv",
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure an import into an empty store from the files to the switch. Exit status 1 when it takes more than 90 s."""
    from benchmarks import importing  # noqa: PLC0415 - needs the store
    from benchmarks.carrier import Carrier  # noqa: PLC0415 - likewise

    _end_at_sigterm()
    out = report.console()
    facts = machine.facts()
    try:
        carrier = Carrier(blocks, numbers, lines, rules)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    found = importing.run(carrier, form)
    out.print(importing.table(found))
    if store:
        settings = {**asdict(carrier), "form": form}
        sections = importing.sections(found)
        written = report.store("import", machine=facts, settings=settings, results=asdict(found), sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)
    if found.seconds > importing.PROMISED_S:
        sys.exit(1)


@runs.command("start")
def run_start(
    *,
    blocks: Annotated[int, typer.Option(help="blocks of 45 numbers", min=0)] = 20_000,
    numbers: Annotated[int, typer.Option(help="single numbers", min=0)] = 100_000,
    lines: Annotated[int, typer.Option(help="lines", min=1)] = 100_000,
    rules: Annotated[int, typer.Option(help="rules", min=2)] = 100_000,
    repeats: Annotated[int, typer.Option(help="starts of each sort", min=1)] = 5,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure a start from a filled store to the first call decided by all rules. Exit status 1 when it takes more than 5 s."""
    from benchmarks import starting  # noqa: PLC0415 - needs the service and the store
    from benchmarks.carrier import Carrier  # noqa: PLC0415 - likewise

    _end_at_sigterm()
    out = report.console()
    facts = machine.facts()
    try:
        carrier = Carrier(blocks, numbers, lines, rules)
        for found in starting.run(carrier, repeats):
            out.print(starting.line(found.starts[-1]), highlight=False)
    except (ServerError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    out.print(starting.table(found))
    if store:
        settings = {**asdict(carrier), "repeats": repeats}
        sections = starting.sections(found)
        written = report.store("start", machine=facts, settings=settings, results=asdict(found), sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)
    if not found.right:
        sys.exit(1)


@runs.command("memory")
def run_memory(
    *,
    numbers: Annotated[int, typer.Option(help="numbers in the table", min=100_000)] = 10_000_000,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure the memory of a number in the engine. Exit status 1 when it is more than 64 bytes."""
    from benchmarks import memory  # noqa: PLC0415 - needs the engine

    out = report.console()
    facts = machine.facts()
    found = memory.run(numbers)
    out.print(memory.table(found))
    if store:
        results = {"tables": [asdict(one) for one in found]}
        sections = memory.sections(found)
        written = report.store("memory", machine=facts, settings={"numbers": numbers}, results=results, sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)
    if not memory.right(found):
        sys.exit(1)


@runs.command("expiry")
def run_expiry(
    *,
    lines: Annotated[int, typer.Option(help="registrations", min=1, max=4_000_000)] = 100_000,
    seconds: Annotated[float, typer.Option(help="the time over which they run out", min=0.1)] = 30.0,
    server_core: int = 0,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Measure how late the end of a registration is acted on. Exit status 1 when it is more than 100 ms, or early."""
    from benchmarks import expiry  # noqa: PLC0415 - needs the engine

    out = report.console()
    facts = machine.facts()
    plan = expiry.Plan(lines, seconds, server_core)
    try:
        found = expiry.run(plan)
    except (ServerError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    out.print(expiry.table(found))
    if store:
        sections = expiry.sections(found)
        written = report.store("expiry", machine=facts, settings=asdict(plan), results=asdict(found), sections=sections)
        out.print(f"Stored: {written} and .json", highlight=False)
    if found.early or found.down_ms["max"] > expiry.PROMISED_MS:
        sys.exit(1)


def _end_at_sigterm() -> None:
    """Let SIGTERM unwind like Ctrl-C does, so that no server of ours is left running."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))


@runs.command("redirect")
def run_redirect(
    *,
    rounds: Annotated[int, typer.Option(help="how often each server has its turn", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="full load per server and round", min=0.2)] = 4.0,
    numbers: Numbers = 10_000,
    first: First = "+493021000000",
    only: Annotated[str, typer.Option(help="some of floor,kamailio,sipproxy")] = ",".join(compare.SERVERS),
    compare_numbers: Annotated[bool, typer.Option(help="also with many numbers: what do they cost a call?")] = False,
    many: Annotated[int, typer.Option(help="that many numbers", min=1)] = MILLION,
    engine_only: Annotated[
        bool, typer.Option("--engine-only", help="sipproxy without store and control plane, for more than a few million numbers")
    ] = False,
    histinfo: Annotated[bool, typer.Option(help="callers offer History-Info, and get it")] = True,
    trains: Annotated[
        bool, typer.Option(help="callers send packets of equal length in trains (UDP_SEGMENT), not one by one")
    ] = False,
    window: Annotated[int, typer.Option(help="calls under way at full load", min=1)] = 64,
    latency_rate: Annotated[int, typer.Option(help="calls a second while latency is measured", min=1)] = 20_000,
    server_core: int = 0,
    generator_core: int = 1,
    store: Annotated[bool, typer.Option(help="write JSON and Markdown to benchmarks/results")] = True,
) -> None:
    """Compare calls to failed lines (INVITE, 302, ACK): floor, Kamailio, sipproxy. Exit status 1 when an answer was wrong."""
    servers = [name for name in compare.SERVERS if name in only.split(",")]
    if not servers:
        raise typer.BadParameter(f"must name some of {', '.join(compare.SERVERS)}", param_hint="--only")
    _end_at_sigterm()
    load = LoadPlan(core=generator_core, seconds=seconds, window=window, latency_rate=latency_rate, trains=trains)
    facts = machine.facts()
    out = report.console()
    measurements: list[Measurement] = []
    try:
        job = Job("redirect", "", NumberPlan(first, numbers), server_core, generator.build(), histinfo, engine_only=engine_only)
        several = (numbers, many) if compare_numbers else ()
        source = compare.sizes(job, servers, load, rounds, several) if several else compare.rounds(job, servers, load, rounds)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
            progress.add_task("starting and measuring …" + (f" ({many:,} numbers take time to load)" if compare_numbers else ""))
            for one in source:
                measurements.append(one)
                out.print(report.line(one), highlight=False, style=None if one.right else "red")
                if not one.right:
                    out.print(one.sample, highlight=False, markup=False)
    except (ServerError, KamailioMissingError, generator.GeneratorError, ValueError) as error:
        out.print(str(error), style="red", markup=False)
        sys.exit(2)
    summaries = compare.summarise(measurements)
    notes = compare.notes(measurements, numbers, many)
    out.print(report.table(f"Redirected calls, medians ({'trains' if trains else 'single packets'})", summaries))
    for note in notes:
        out.print(note, highlight=False)
    if store:
        settings = {"rounds": rounds, "seconds": seconds, "numbers": numbers, "window": window, "latency_rate": latency_rate}
        settings |= {"histinfo": histinfo, "trains": trains, "server_core": server_core, "generator_core": generator_core}
        settings |= {"engine_only": engine_only}
        sections = report.comparison_sections(summaries, measurements, notes)
        results = report.as_json(summaries, measurements) | {"notes": notes}
        written = report.store(
            "redirect-trains" if trains else "redirect", machine=facts, settings=settings, results=results, sections=sections
        )
        out.print(f"Stored: {written} and .json", highlight=False)
    if not all(one.right for one in measurements):
        sys.exit(1)
