"""How many calls a lossy line must lose to their answer timer, whoever sends the copies.

An INVITE is sent at 0, then after T1, 3·T1, 7·T1 … (RFC 3261 §17.1.1.2). A copy is answered when it and the answer arrive; one that is
sent too late to be answered within the patience does not count. A call is diverted when no copy is answered.
"""

CLOSED_NETWORK_T1_S, T1_S = 0.08, 0.5
PATIENCE_S, LOSSY_PATIENCE_S = 1.9, 2.9
"""The answer timer, and what a lossy line that gave a sign of life gets."""


def copies(t1_s: float, patience_s: float, round_trip_s: float) -> int:
    """Return how many copies of an INVITE can be answered in time."""
    count, at = 0, 0.0
    while at + round_trip_s <= patience_s:
        count += 1
        at += t1_s * 2 ** (count - 1)
    return count


def share(
    percent: float, round_trip_s: float, *, t1_s: float = CLOSED_NETWORK_T1_S, patience_s: float = LOSSY_PATIENCE_S
) -> float:
    """Return the share of calls that no copy saves, at ``percent`` loss per direction."""
    unanswered = 1 - (1 - percent / 100) ** 2
    return float(unanswered ** copies(t1_s, patience_s, round_trip_s))


def sentence(percent: float, round_trip_s: float, number: int) -> str:
    """Return the arithmetic in words, for the report."""
    lines = []
    for name, t1_s, patience_s in (
        ("RFC timers (T1 500 ms, 2 s)", T1_S, 2.0),
        ("ours (T1 80 ms, 2.9 s)", CLOSED_NETWORK_T1_S, LOSSY_PATIENCE_S),
    ):
        part = share(percent, round_trip_s, t1_s=t1_s, patience_s=patience_s)
        count = copies(t1_s, patience_s, round_trip_s)
        lines.append(f"{name}: {count} copies, {part:.4%}, {part * number:.1f} of {number:,} calls")
    return f"loss {percent:g} % per direction, round trip {round_trip_s * 1000:.0f} ms: " + "; ".join(lines)
