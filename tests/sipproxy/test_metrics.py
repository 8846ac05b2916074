"""Metrics: the documented table is the exposed one, and names follow Prometheus' conventions."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import HistogramMetricFamily

from sipproxy.metrics import ENGINE, HISTOGRAMS, SERVICE, _family, _histogram, table

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"


def test_documentation_is_the_table() -> None:
    assert DOCUMENT.read_text().partition("python -m sipproxy.metrics -->\n\n")[2] == table()


@pytest.mark.parametrize("name", [f.name for f in ENGINE] + [name for name, _ in HISTOGRAMS.values()] + list(SERVICE))
def test_names_follow_the_conventions(name: str) -> None:
    assert re.fullmatch(r"sipproxy_[a-z0-9_]+", name)
    assert not name.endswith("_total")  # the library adds it to counters


def test_no_engine_counter_has_two_names() -> None:
    counters = [counter for family in ENGINE for counter in family.samples]
    assert len(counters) == len(set(counters))


def test_every_counter_of_the_engine_has_a_name() -> None:
    source = (Path(__file__).parents[2] / "engine/dataplane/src/counters.rs").read_text()
    declared = re.findall(r"^    (\w+),$", source.partition("counters! {\n")[2].partition("\n}\n")[0], re.MULTILINE)
    named = {counter for family in ENGINE for counter in family.samples}
    assert declared
    assert set(declared) - named == set()


def test_buckets_become_cumulative() -> None:
    family = _histogram("sipproxy_x_seconds", "text", [0.1, 1.0], [2, 0, 3], 4.5)
    assert isinstance(family, HistogramMetricFamily)
    values = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert values["sipproxy_x_seconds_bucket", "0.1"] == 2
    assert values["sipproxy_x_seconds_bucket", "+Inf"] == 5
    assert values["sipproxy_x_seconds_count", None] == 5
    assert values["sipproxy_x_seconds_sum", None] == 4.5


def test_family_has_a_sample_per_label_value() -> None:
    family = _family("counter", "sipproxy_calls", "text", "outcome", {"redirected": 2.0, "proxied": 1.0})
    assert {sample.labels["outcome"]: sample.value for sample in family.samples} == {"redirected": 2.0, "proxied": 1.0}
