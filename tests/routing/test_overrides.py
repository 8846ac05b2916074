"""Changes of a profile for one line: checked as the profile is, shared by lines alike, bounded, and left out when they are wrong."""

from datetime import UTC, datetime

import pytest

from routing.compile import Compiler
from routing.document import parse_document
from routing.model import Customer, Entity, Line, Order, Peer, ProfileValue, Site
from routing.overrides import MAX_DERIVED, Derived, checked, derived_name
from routing.rejection import RuleRejected

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def line(key: str, **changes: ProfileValue) -> Line:
    return Line(
        id=key,
        order="o",
        kind="static",
        peers=(Peer(address="192.0.2.1:5060"),),
        access="AN-7",
        profile_changes=changes,
    )


def compiled(*lines: Line) -> tuple[Compiler, dict[str, str]]:
    site = Site(id="s", address="", region="north")
    entities: list[Entity] = [Customer(id="c", name="c"), Order(id="o", customer="c", product="sipTrunk 2.0 Pro", site=site)]
    compiler = Compiler()
    deltas = list(compiler.load([*entities, *lines], NOW))
    return compiler, {spec["line_id"]: spec["profile"] for delta in deltas for spec in delta.get("lines", ())}


def test_lines_alike_share_a_profile_and_others_keep_theirs() -> None:
    compiler, profiles = compiled(line("a", fall=5), line("b", fall=5), line("c", fall=6), line("d"))
    assert profiles["a"] == profiles["b"] != profiles["c"]
    assert profiles["d"] == "static"
    assert compiler.derived() == {profiles["a"]: ("static", {"fall": 5}), profiles["c"]: ("static", {"fall": 6})}
    assert compiler.problems() == []


def test_profile_that_no_line_has_is_gone() -> None:
    compiler, _ = compiled(line("a", fall=5))
    (delta,) = compiler.change([("line", "a", line("a"))], NOW)
    assert delta["lines"][0]["profile"] == "static"
    assert compiler.derived() == {}


def test_changes_that_cannot_be_used_leave_the_line_with_its_usual_profile() -> None:
    compiler, profiles = compiled(line("a", fall=0), line("b", fell=3))
    assert profiles == {"a": "static", "b": "static"}
    first, second = (problem.message for problem in compiler.problems())
    assert "fall: input should be greater" in first
    assert "fell: extra inputs are not permitted" in second


def test_too_many_different_changes_are_refused_and_room_is_found_again() -> None:
    derived = Derived()
    names = {derived.take(f"l{n}", "static", {"hold_s": float(n)}) for n in range(MAX_DERIVED)}
    assert len(names) == MAX_DERIVED
    assert derived.take("more", "static", {"hold_s": 0.5}) is None
    assert derived.take("more", "static", {"hold_s": 1.0}) in names
    derived.drop("l7")
    assert derived.take("more", "static", {"hold_s": 0.5}) is not None


def test_name_is_the_same_for_the_same_in_any_order() -> None:
    assert derived_name("a", {"fall": 1, "rise": 2}) == derived_name("a", {"rise": 2, "fall": 1})
    assert derived_name("a", {"fall": 1}) != derived_name("b", {"fall": 1})


@pytest.mark.parametrize("wrong", [{"fall": True}, {"interval_s": -1}, {"from_uri": "x"}, {"ill_codes": (99,)}, {"name": "x"}])
def test_what_is_wrong_is_said(wrong: dict[str, ProfileValue]) -> None:
    why = checked(wrong)
    assert isinstance(why, str)
    assert why.startswith(next(iter(wrong)))


def test_groups_of_a_line_reach_the_engine() -> None:
    site = Site(id="s", address="", region="north")
    order = Order(id="o", customer="c", product="sipTrunk 2.0 Pro", site=site)
    compiler = Compiler()
    (delta,) = compiler.load([Customer(id="c", name="c"), order, line("a")], NOW)
    assert delta["lines"][0]["groups"] == ["access:AN-7", "region:north"]


def document(changes: object) -> object:
    item = {"id": "l", "peers": ["192.0.2.1:5060"], "access": "AN-7", "profile_changes": changes}
    order = {"id": "o", "product": "sipTrunk 2.0 Pro", "site": {"id": "s", "region": "north"}, "lines": [item]}
    return {"customers": [{"id": "c", "name": "c", "orders": [order]}]}


def test_load_file_takes_changes_of_a_line() -> None:
    entities = parse_document(document({"fall": 5, "interval_s": 30, "ill_codes": [503]}), "realm")
    (found,) = [entity for entity in entities if isinstance(entity, Line)]
    assert found.profile_changes == {"fall": 5, "interval_s": 30.0, "ill_codes": (503,)}
    assert found.access == "AN-7"
    (order,) = [entity for entity in entities if isinstance(entity, Order)]
    assert order.site.region == "north"


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({"fall": 0}, "profile_changes.fall", "greater than or equal to 1"),
        ({"fell": 3}, "profile_changes.fell", "not known here"),
        ({"interval_s": "fast"}, "profile_changes.interval_s", "valid number"),
        ([], "profile_changes", "a group of fields"),
    ],
)
def test_load_file_names_place_and_reason(changes: object, place: str, reason: str) -> None:
    with pytest.raises(RuleRejected) as refused:
        parse_document(document(changes), "realm")
    (fault,) = refused.value.faults
    assert fault.location.endswith(place)
    assert reason in fault.message
