"""The measure of rules with times goes through a whole day."""

from benchmarks.carrier import Carrier
from benchmarks.rule_times import run


def test_each_rule_with_times_changes_twice_on_a_tuesday() -> None:
    carrier = Carrier(blocks=20, numbers=105, lines=90, rules=200)
    day = run(carrier)
    assert day.boundaries > 2
    assert 2 * 0.85 * carrier.rules < day.changed < 2 * 0.95 * carrier.rules
