"""The laboratory's arithmetic, without a laboratory: what a call is counted under, times, limits, picture."""

import xml.etree.ElementTree as ET

import pytest

from routing.overrides import contradictions
from routing.profiles import PROFILES
from tests.faults.laboratory import arithmetic
from tests.faults.laboratory.caller import CallRecord, schedule
from tests.faults.laboratory.chart import Panel, svg
from tests.faults.laboratory.compare import worse
from tests.faults.laboratory.customers import fleet, gateway, pair, trunk
from tests.faults.laboratory.judge import behind, broken
from tests.faults.laboratory.measure import Observation, Row, Verdict, measure
from tests.faults.laboratory.report import cells
from tests.faults.laboratory.report import worse as said
from tests.faults.laboratory.scenarios import SCENARIOS, Limits
from tests.faults.laboratory.systems import OFTEN, RARELY
from tests.faults.laboratory.truth import LineTruth, Timeline, together

NUMBER, TARGET, LINE = "+493023125010", "+491713920010", "line"
BEGIN, FAULT, REPAIR, END = 1000.0, 1010.0, 1030.0, 1060.0


def timeline(*changes: tuple[float, bool]) -> Timeline:
    """A condition that changes as given."""
    return Timeline(list(changes))


def call(sent: float, *, status: int = 0, after_s: float = 0.0, ringing: float = 0.0, target: str = TARGET) -> CallRecord:
    """A call placed at ``sent`` whose final answer came ``after_s`` later."""
    targets = [f"sip:{target}@core"] if status == 302 else []
    final = sent + after_s if status else 0.0
    return CallRecord(NUMBER, f"{sent}@core", sent, final=final, status=status, ringing=ringing, targets=targets)


def observed(*records: CallRecord, **more: object) -> Observation:
    """A line that was cut from `FAULT` to `REPAIR`, under a system that ran all the time."""
    truth = LineTruth(timeline((BEGIN, True), (FAULT, False), (REPAIR, True)), timeline((1.0, True)), timeline((1.0, True)))
    seen = Observation("system", {LINE: truth}, line_of=lambda _: LINE, target_of=lambda _: TARGET, records=list(records))
    seen.up, seen.fault, seen.repair, seen.end = timeline((1.0, True)), FAULT, REPAIR, END
    for name, value in more.items():
        setattr(seen, name, value)
    return seen


BEFORE = call(1002, status=200, after_s=3, ringing=1002.3)
RETURNED = call(1031, status=200, after_s=3, ringing=1031.3)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (call(1015, status=200, after_s=3), "completed"),
        (call(1008, ringing=1008.3), "rang"),
        (call(1015, status=486, after_s=1), "declined"),
        (call(1015, status=302, after_s=2), "diverted"),
        (call(1008, status=302, after_s=1), "wrongly diverted"),
        (call(1009, status=302, after_s=2), "diverted"),  # the cut came while it waited
        (call(1030.5, status=302, after_s=0.01), "diverted after repair"),
        (call(1040, status=302, after_s=0.01), "wrongly diverted"),
        (call(1015, status=480, after_s=2), "lost"),
        (call(1015), "lost"),
    ],
)
def test_a_call_is_counted_under_one_word(record: CallRecord, expected: str) -> None:
    _, outcomes = measure("key", observed(BEFORE, record, RETURNED))
    assert outcomes[1] == expected


def test_what_was_open_at_a_kill_is_counted_apart() -> None:
    down = timeline((1.0, True), (1020.0, False), (1022.0, True))
    refused_before, unanswered = call(1015, status=480, after_s=2), call(1015)
    _, outcomes = measure("key", observed(refused_before, unanswered, call(1023, status=503, after_s=1), up=down))
    assert outcomes == ["lost", "open at kill", "lost"]


def test_the_times_of_a_fault() -> None:
    slow, fast = call(1011, status=302, after_s=1.9), call(1014, status=302, after_s=0.002)
    waited = call(1029.9, status=200, after_s=4, ringing=1030.7)
    verdicts = [Verdict(1013.5, LINE, "down", "options_timeout"), Verdict(1031.0, LINE, "up")]
    row, _ = measure("key", observed(BEFORE, slow, fast, waited, RETURNED, verdicts=verdicts))
    assert row.first_diverted_s == row.slowest_diverted_s == pytest.approx(1.9)
    assert row.fault_to_at_once_s == pytest.approx(4)
    assert row.fault_to_all_s == 0, "a call that waited for the repair was no failure to divert"
    assert row.fault_to_down_s == pytest.approx(3.5)
    assert row.repair_to_delivered_s == pytest.approx(0.7)
    assert (row.verdict_changes, row.false_verdicts) == (2, 0)


def test_a_line_that_never_comes_back_is_said_to() -> None:
    row, _ = measure("key", observed(BEFORE, call(1015, status=302, after_s=0.01), call(1050, status=302, after_s=0.01)))
    assert row.never_delivered
    assert row.repair_to_delivered_s is None
    assert "after a repair no call was delivered any more" in broken(row, Limits())


@pytest.mark.parametrize(("at", "false"), [(1005.0, 1), (1015.0, 0), (1035.0, 0), (1055.0, 1)])
def test_a_verdict_is_false_while_the_line_could_answer(at: float, false: int) -> None:
    row, _ = measure("key", observed(BEFORE, RETURNED, verdicts=[Verdict(at, LINE, "down")]))
    assert row.false_verdicts == false


def test_a_diversion_to_somebody_else_is_a_violation() -> None:
    row, _ = measure("key", observed(BEFORE, call(1015, status=302, after_s=1, target="+491713920099")))
    assert len(row.violations) == 1
    assert broken(row, Limits(delivered_s=None))


def test_at_half_of_all_packets_lost_nothing_is_called_wrong() -> None:
    row, _ = measure("key", observed(call(1005, status=302, after_s=1), BEFORE, judged=False))
    assert (row.diverted, row.wrongly_diverted, row.false_verdicts) == (1, 0, 0)


def test_limits_name_what_they_miss() -> None:
    row = Row("key", "system", offered=10, completed=5, diverted=4, lost=1, first_diverted_s=2.4, repair_to_delivered_s=0.5)
    said = broken(row, Limits())
    assert [text.split()[0] for text in said] == ["1", "the"]
    assert len(broken(row, Limits(), margin_s=0.5)) == 1
    assert broken(Row("key", "system"), Limits(first_diverted_s=None, delivered_s=None)), "a run without calls shows nothing"


def test_conditions_hold_together() -> None:
    both = together(timeline((1, True), (5, False), (7, True)), timeline((2, True)))
    assert both.spans(10) == [(2, 5), (7, 10)]
    assert both.throughout(2, 4.9)
    assert not both.throughout(2, 5)
    assert not both.at(0)


def test_copies_of_an_invite_that_can_be_answered() -> None:
    assert arithmetic.copies(0.5, 2.0, 0.0) == 3, "at 0, 0.5 and 1.5 s"
    assert arithmetic.copies(0.08, 1.9, 0.4) == 5, "at 0, 0.08, 0.24, 0.56 and 1.2 s"
    assert arithmetic.share(20, 0.0, t1_s=0.5, patience_s=2.0) == pytest.approx(0.36**3)


@pytest.mark.parametrize(("percent", "of_ten_thousand"), [(5, 0.016), (10, 0.58), (20, 21), (30, 166)])
def test_the_arithmetic_is_the_one_that_the_verdicts_are_documented_with(percent: float, of_ten_thousand: float) -> None:
    assert arithmetic.ours(percent, 0.4, ring_s=1.0) * 10_000 == pytest.approx(of_ten_thousand, rel=0.05)


def test_what_the_arithmetic_allows_is_a_mean_and_bad_luck() -> None:
    assert [arithmetic.most(mean) for mean in (0.0, 0.1, 1.7, 8.5)] == [0, 2, 7, 19]
    row = Row("key", "ours", offered=800, completed=792, diverted=8, wrongly_diverted=8, allowed=arithmetic.allowed(20, 0.0, 800))
    lossy = Limits(wrongly_diverted=None, first_diverted_s=None, delivered_s=None, by_arithmetic=True)
    assert row.allowed == 6
    assert broken(row, lossy) == ["8 calls were diverted, the arithmetic of retransmissions allows 6"]
    assert broken(row, Limits(wrongly_diverted=None, first_diverted_s=None, delivered_s=None)) == []


def test_calls_come_at_a_steady_rate_by_seed() -> None:
    first, again = (list(schedule([NUMBER], 20, 10, seed=7)) for _ in range(2))
    assert first == again
    assert len(first) == 200
    assert all(n / 20 <= at < (n + 1) / 20 for n, (at, _) in enumerate(first))


def test_the_picture_is_well_formed_and_counts_every_call() -> None:
    seen = observed(BEFORE, call(1015, status=302, after_s=1.9), RETURNED, verdicts=[Verdict(1013, LINE, "down")])
    _, outcomes = measure("key", seen)
    root = ET.fromstring(svg("a <fault>", "what & how", [Panel(seen, outcomes, LINE)], BEGIN))  # noqa: S314 - our own text
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 1, "one dot for the diverted call"


def test_scenarios_and_customers_are_told_apart_by_name() -> None:
    assert len({scenario.key for scenario in SCENARIOS}) == len(SCENARIOS)
    numbers = [number for customer in (trunk(), gateway(), pair(), *fleet(2000)) for number in customer.numbers()]
    assert len(set(numbers)) == len(numbers)
    assert sum(scenario.smoke for scenario in SCENARIOS) == 6


OURS = Row("key", "ours", offered=10, completed=5, diverted=5, wrongly_diverted=1, fault_to_down_s=2.9, first_diverted_s=1.90)
THEIRS = Row("key", "theirs", offered=10, completed=5, diverted=5, fault_to_down_s=2.1, first_diverted_s=1.88)


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_may_be_asked_often_for_a_while(name: str) -> None:
    assert contradictions({**PROFILES[name], **OFTEN}) == contradictions({**PROFILES[name], **RARELY}) == []


def test_the_report_says_where_the_other_system_did_better() -> None:
    ours, theirs = OURS.as_json(), THEIRS.as_json()
    assert said({"rows": [ours, theirs]}) == "wrongly diverted 1, theirs 0; fault → down 2.9 s, theirs 2.1 s"
    assert said({"rows": [theirs, ours]}) == ""
    assert said({"rows": [ours, theirs], "remark": "chance"}).endswith("theirs 2.1 s (chance)")
    assert cells("title", ours, theirs)[-1] == "wrongly diverted, fault → down"
    assert cells("title", theirs, ours)[-1] == "none"


def test_a_detection_that_never_came_is_worse_than_any() -> None:
    out = Row("key", "ours", lines_out=2, lines_unnoticed=2, violations=["a"]).as_json()
    assert list(worse(out, THEIRS.as_json())) == ["fault_to_down_s", "lines_unnoticed", "violations", "completed"]
    well = Row("key", "ours", completed=5).as_json()
    assert worse(well, THEIRS.as_json()) == {}, "who diverts nobody where no line was out is not late"
    late = Row("key", "ours", completed=5, fault_to_all_s=39.0).as_json()
    assert worse(late, {**THEIRS.as_json(), "fault_to_all_s": 30.0}) == {}
    assert next(iter(worse({**late, "lines_out": 1}, {**THEIRS.as_json(), "fault_to_all_s": 30.0}))) == "fault_to_all_s"


def test_a_figure_in_which_we_must_not_be_behind_is_a_limit() -> None:
    limits = Limits(not_behind=("wrongly_diverted",))
    assert behind(OURS.as_json(), THEIRS.as_json(), limits) == ["behind: wrongly diverted 1, theirs 0"]
    assert behind(OURS.as_json(), THEIRS.as_json(), Limits()) == []


def test_detection_is_taken_from_when_each_line_was_out() -> None:
    always = timeline((1.0, True))
    lines = {
        name: LineTruth(timeline((1.0, True), (FAULT + out, False), (REPAIR, True)), always, always)
        for name, out in (("a", 0.0), ("b", 2.0), ("c", 4.0))
    }
    lines["well"] = LineTruth(always, always, always)
    verdicts = [Verdict(FAULT + at, line, "down") for line, at in (("a", 3.0), ("b", 10.0), ("c", 6.5))]
    row, _ = measure("key", observed(BEFORE, RETURNED, lines=lines, line_of=lambda _: "a", verdicts=verdicts))
    assert (row.fault_to_down_s, row.slowest_down_s) == (pytest.approx(3), pytest.approx(8))
    assert (row.lines_out, row.lines_unnoticed, row.false_verdicts) == (3, 0, 0)
    row, _ = measure("key", observed(BEFORE, RETURNED, lines=lines, line_of=lambda _: "a", verdicts=verdicts[:1]))
    assert (row.fault_to_down_s, row.slowest_down_s, row.lines_unnoticed) == (None, None, 2)
    assert "the last verdict down did not come" in broken(row, Limits(down_s=14.0))


def test_a_fault_that_was_not_in_force_is_said() -> None:
    through = call(1015, status=200, after_s=3, ringing=1015.3)
    row, _ = measure("key", observed(BEFORE, through, RETURNED))
    row.takes_out = True
    assert (row.calls_while_out, row.impossible) == (1, 1)
    assert "1 calls reached a phone that nobody could reach: the fault was not in force" in broken(row, Limits())
    nobody_called, _ = measure("key", observed(BEFORE, RETURNED))
    nobody_called.takes_out = True
    assert "no call was placed while a line was out: the run shows nothing" in broken(nobody_called, Limits())
    harmless = Row("key", "ours", offered=2, completed=2, takes_out=False)
    limits = Limits(first_diverted_s=None, delivered_s=None)
    assert broken(harmless, limits) == ["nothing shows that the fault was in force"]
    harmless.evidence = "7 packets lost"
    assert broken(harmless, limits) == []
