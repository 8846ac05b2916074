"""A site is down when k of its n lines are; its other lines are asked as soon as one falls."""

from typing import TYPE_CHECKING

import pytest

from registrar_watch.sites import Site, Sites

if TYPE_CHECKING:
    from sipproxy._engine import Health, VerdictRow


class Town:
    """Where lines stand, what was told, and who was asked."""

    def __init__(self, share: float = 1.0, **sites: list[str]) -> None:
        self.places = {line: site for site, lines in sites.items() for line in lines}
        self.share = share
        self.told: list[Site] = []
        self.asked: list[list[str]] = []
        self.sites = Sites(self, self.told.append, self.asked.append)

    def site_of(self, line: str) -> str | None:
        return self.places.get(line)

    def lines_at(self, site: str) -> set[str]:
        return {line for line, place in self.places.items() if place == site}

    def site_share(self, site: str) -> float:
        assert site
        return self.share

    def say(self, health: "Health", *lines: str, at: int = 1, place: str = "unclear") -> None:
        for line in lines:
            self.sites.verdict(line, row(health, place), at)

    @property
    def states(self) -> list[tuple[str, str, int, int]]:
        return [(site.site, site.state, site.down, site.total) for site in self.told]


def row(health: "Health", place: str = "unclear") -> "VerdictRow":
    return {
        "line": 0,
        "health": health,
        "since_unix_ms": 1,
        "cause": "options_timeout",
        "evidence": "",
        "place": place,  # type: ignore[typeddict-item] # any of them
    }


def test_site_is_degraded_by_the_first_line_and_down_by_the_last() -> None:
    town = Town(north=["a", "b", "c"])
    town.say("down", "a")
    town.say("down", "b", "c")
    assert town.states == [("north", "degraded", 1, 3), ("north", "down", 3, 3)]
    town.say("up", "b")
    town.say("up", "a", "c", at=9)
    assert town.states[2:] == [("north", "degraded", 2, 3), ("north", "up", 0, 3)]
    assert town.sites.faulty() == []
    assert town.told[-1].since_unix_ms == 9


def test_a_start_takes_back_how_sites_were_and_tells_only_what_changes() -> None:
    town = Town(north=["a", "b"], south=["c", "d"])
    town.sites.restored([("a", row("down")), ("b", row("down")), ("c", row("up"))])
    town.sites.restored([("d", row("down"))])
    town.sites.tick(5)
    assert [(site.site, site.state, site.since_unix_ms) for site in town.sites.faulty()] == [
        ("north", "down", 1),
        ("south", "degraded", 1),
    ]
    assert (town.told, town.asked) == ([], []), "it was told before the start"
    town.say("up", "a", "b")
    assert town.states == [("north", "degraded", 1, 2), ("north", "up", 0, 2)]


def test_other_lines_are_asked_when_the_first_one_falls() -> None:
    town = Town(north=["a", "b", "c"], south=["d", "e"])
    town.say("down", "b")
    assert town.asked == [["a", "c"]]
    town.say("down", "b")
    assert town.asked == [["a", "c"]], "once, not at each word of it"


@pytest.mark.parametrize(("lines", "down", "state"), [(10, 7, "degraded"), (10, 8, "down"), (5, 4, "down"), (3, 2, "degraded")])
def test_share_says_how_many_lines_make_a_site(lines: int, down: int, state: str) -> None:
    town = Town(0.8, north=[f"l{n}" for n in range(lines)])
    town.say("down", *(f"l{n}" for n in range(down)))
    assert town.sites.faulty()[0].state == state


def test_line_that_stands_alone_is_no_site() -> None:
    town = Town(north=["a"])
    town.say("down", "a")
    assert (town.told, town.asked, town.sites.faulty()) == ([], [], [])


def test_suspect_lines_and_unknown_ones_do_not_count() -> None:
    town = Town(north=["a", "b"])
    town.say("suspect", "a")
    town.say("unknown", "b")
    town.say("down", "gone")
    assert town.told == []


def test_lines_that_move_or_go_are_counted_where_they_are() -> None:
    town = Town(north=["a", "b"], south=["c", "d"])
    town.say("down", "a", "b")
    town.places["a"] = "south"
    town.sites.tick(5)
    assert [(site.site, site.state) for site in town.sites.faulty()] == [("south", "degraded")]
    del town.places["a"]
    town.sites.tick(6)
    assert town.sites.faulty() == []
    assert town.sites.counts() == {"degraded": 0, "down": 0}


def test_all_verdicts_read_again_are_the_truth() -> None:
    town = Town(north=["a", "b"], south=["c", "d"])
    town.say("down", "a", "b")
    town.sites.read_again({"b": row("up"), "c": row("down"), "d": row("down")}, 7)
    assert [(site.site, site.state) for site in town.sites.faulty()] == [("south", "down")]


def test_evidence_names_lines_and_the_place_only_if_all_agree() -> None:
    town = Town(north=[f"l{n}" for n in range(8)])
    town.say("down", *(f"l{n}" for n in range(8)), place="router")
    assert town.told[-1].evidence == "down: l0, l1, l2, l3, l4 and 3 more; options_timeout × 8; all say router"
    town.say("down", "l0", place="network")
    town.say("up", "l7")
    assert "all say" not in town.told[-1].evidence
