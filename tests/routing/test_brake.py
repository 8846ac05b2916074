"""The brake: windows that slide, levels that do not flap, and an end by itself."""

from hypothesis import given
from hypothesis import strategies as st

from routing.brake import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, Brake, Shares, hour_window, record_of, take_record
from routing.products import PRODUCTS, ProductLimits

LIMITS = ProductLimits(rules_per_line=1, changes_per_hour=1, diverted_per_hour=100, diverted_per_day=250)
SHARES = Shares()
T0 = 1_800_000_000_000 // QUARTER_MS * QUARTER_MS


@given(st.lists(st.tuples(st.integers(0, 2 * HOUR_MS), st.integers(1, 9)), max_size=30), st.integers(0, 3 * HOUR_MS))
def test_a_window_holds_all_of_its_time_and_at_most_a_bucket_more(calls: list[tuple[int, int]], now: int) -> None:
    window = hour_window()
    for at, count in calls:
        window.add(T0 + at, count)
    least = sum(count for at, count in calls if now - HOUR_MS <= at)
    most = sum(count for at, count in calls if now - HOUR_MS - MINUTE_MS < at)
    assert least <= window.total(T0 + now) <= most
    window.forget(T0 + now)
    assert least <= window.total(T0 + now) <= most


def test_warned_resting_and_free_again_by_itself() -> None:
    brake = Brake()
    told = []
    for minute in range(130):
        now = T0 + minute * MINUTE_MS
        if brake.level != "resting":
            brake.add(now, 10)
        level = brake.judge(LIMITS, SHARES, now)
        if level is not None:
            told.append((minute, level))
            if told == [(7, "warned"), (9, "resting")]:
                assert brake.reached is not None
                assert (brake.reached.span, brake.reached.count, brake.reached.limit) == ("hour", 100, 100)
                assert brake.ends_at(LIMITS, SHARES, now) == T0 + (4 + 61) * MINUTE_MS
    # 80 after eight minutes, 100 after ten; half of them have left the window an hour after the fifth minute.
    assert told[:3] == [(7, "warned"), (9, "resting"), (65, "free")]
    assert told[3:] == [(73, "warned"), (75, "resting")]


def test_the_day_has_the_say_where_the_hour_has_none() -> None:
    brake = Brake()
    for call in range(6):
        brake.add(T0 + call * 2 * HOUR_MS, 45)
        level = brake.judge(LIMITS, SHARES, T0 + call * 2 * HOUR_MS)
        assert level == {4: "warned", 5: "resting"}.get(call)
    assert brake.reached is not None
    assert brake.reached.span == "day"
    now = T0 + 10 * HOUR_MS
    ends = brake.ends_at(LIMITS, SHARES, now)
    assert brake.judge(LIMITS, SHARES, ends - 1) is None
    assert brake.judge(LIMITS, SHARES, ends) == "free"
    assert ends == T0 + 6 * HOUR_MS + QUARTER_MS + DAY_MS


def test_a_release_counts_anew() -> None:
    brake = Brake()
    brake.add(T0, 200)
    assert brake.judge(LIMITS, SHARES, T0) == "resting"
    brake.release(T0)
    assert brake.judge(LIMITS, SHARES, T0) is None
    brake.add(T0, 99)
    assert brake.judge(LIMITS, SHARES, T0) == "warned"
    brake.add(T0, 1)
    assert brake.judge(LIMITS, SHARES, T0) == "resting"


def test_a_raised_limit_ends_the_rest() -> None:
    brake = Brake()
    brake.add(T0, 100)
    assert brake.judge(LIMITS, SHARES, T0) == "resting"
    assert brake.judge(ProductLimits(1, 1, 1000, 1000), SHARES, T0) == "free"


def test_a_stored_level_comes_back_as_it_was() -> None:
    brake = Brake()
    brake.add(T0, 100)
    brake.judge(LIMITS, SHARES, T0)
    other = Brake()
    take_record(other, record_of(brake))
    assert (other.level, other.since_ms, other.reached) == (brake.level, brake.since_ms, brake.reached)


def test_each_product_has_limits_that_go_together() -> None:
    for product in PRODUCTS.values():
        limits = product.limits
        assert limits.rules_per_line >= 100
        assert limits.diverted_per_hour < limits.diverted_per_day < 24 * limits.diverted_per_hour
        assert limits.changes_per_hour >= 60
