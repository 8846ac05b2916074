"""The plan of numbers says the same to every server and to the judge."""

import pytest

from benchmarks.compare import notes, summarise
from benchmarks.measure import Measurement
from benchmarks.plan import ORDER_TARGET, NumberPlan
from benchmarks.target.data import entities
from routing.model import Block, Diversion, Line, Number, NumberScope


def test_a_number_with_a_rule_of_its_own_keeps_its_last_digits() -> None:
    plan = NumberPlan(count=1000)
    assert plan.target("+493021000700") == "+494066969700"
    assert plan.target("+493021000701") == ORDER_TARGET


@pytest.mark.parametrize("first", ["493021000000", "+999", "+493021999999"])
def test_a_range_that_changes_its_length_or_has_no_plus_is_refused(first: str) -> None:
    plan_of = {"493021000000": 10, "+999": 2, "+493021999999": 10**12}
    with pytest.raises(ValueError, match="same length"):
        NumberPlan(first, plan_of[first])


@pytest.mark.parametrize("count", [1, 10_000, 1_000_000])
def test_kamailio_counts_from_the_first_number_with_32_bits(count: int) -> None:
    plan = NumberPlan(count=count)
    prefix, suffix = plan.split()
    assert f"{prefix}{suffix}" == plan.first
    assert suffix + count - 1 < 2**31


def test_the_redirect_job_has_every_number_and_the_same_own_rules_as_the_judge() -> None:
    plan = NumberPlan(count=500)
    made = list(entities("redirect", plan, ""))
    assert [entity.number for entity in made if isinstance(entity, Number)] == list(plan.numbers())
    own = {
        rule.scope.number: rule.targets[0].number
        for rule in made
        if isinstance(rule, Diversion) and isinstance(rule.scope, NumberScope)
    }
    assert own == {number: plan.target(number) for number in plan.numbers() if plan.target(number) != ORDER_TARGET}
    assert all(line.wish == "forced_down" for line in made if isinstance(line, Line))


@pytest.mark.parametrize("count", [1, 7, 10_000])
def test_the_proxy_jobs_block_covers_exactly_the_range(count: int) -> None:
    plan = NumberPlan("+493021000095", count)
    block = next(entity for entity in entities("proxy", plan, "127.0.0.1:5088") if isinstance(entity, Block))
    bounds = [(extensions.first, extensions.last) for extensions in block.ranges] or [("", "")]
    covered = {block.base + first for first, _ in bounds} | {block.base + last for _, last in bounds}
    assert covered == {plan.first, f"+{int(plan.first) + count - 1}"}


def _measurement(server: str, number: int, *, cpu_us: float, rate: float, numbers: int = 10) -> Measurement:
    return Measurement(
        server=server, round=number, numbers=numbers, calls=1, rate=rate, cpu_us=cpu_us, core_us=0, softirq_us=0, foreign=0,
        p50_us=0, p99_us=0, p99_9_us=0, full_p99_us=0, pss_bytes=0, processes=1, start_s=0, retransmissions=0,
        generator_cpu_us=0, generator_idle=0, wrong=0, errors={}, sample="",
    )  # fmt: skip


def test_the_ratio_is_taken_within_each_round_and_its_median_reported() -> None:
    costs = {"kamailio": (10.0, 20.0, 10.0), "sipproxy": (4.0, 10.0, 9.0)}
    made = [
        _measurement(server, number, cpu_us=cost, rate=1)
        for server, row in costs.items()
        for number, cost in enumerate(row, start=1)
    ]
    assert {one.server: one.ratio for one in summarise(made)} == {"kamailio": 1.0, "sipproxy": 0.5}


def test_what_many_numbers_cost_compares_the_same_round() -> None:
    rates = {(1, 10): 100.0, (1, 1000): 90.0, (2, 10): 50.0, (2, 1000): 50.0, (3, 10): 100.0, (3, 1000): 80.0}
    made = [_measurement("sipproxy", number, cpu_us=1, rate=rate, numbers=size) for (number, size), rate in rates.items()]
    assert notes(made, 10, 1000) == ["sipproxy: CPU per call changes by +0.0% and the rate by -10.0% from 10 to 1,000 numbers."]
