"""How many calls a lossy line must lose to their timers, whoever sends the copies.

An INVITE is sent at 0, then after T1, 3·T1, 7·T1 … (RFC 3261 §17.1.1.2). A copy is answered when it and the answer arrive; one that is
sent too late to be answered within the patience does not count.
"""

from math import exp

CLOSED_NETWORK_T1_S, T1_S = 0.08, 0.5
ANSWER_S, RFC_ANSWER_S = 1.9, 2.0
RING_S = 0.3
"""When the laboratory's phones ring: an answer beyond the 100 that copies which come later are too late to ask for again."""
TRYING_COPIES = 7
"""Copies sent for a call that heard 100 and no more, on a line that loses packets."""
UNLUCKY = 0.001
"""A run in so many has more diverted calls than are allowed."""


def copies(t1_s: float, patience_s: float, round_trip_s: float) -> int:
    """Return how many copies of an INVITE can be answered in time."""
    count, at = 0, 0.0
    while at + round_trip_s <= patience_s:
        count += 1
        at += t1_s * 2 ** (count - 1)
    return count


def share(percent: float, round_trip_s: float, *, t1_s: float, patience_s: float) -> float:
    """Return the share of calls that hear nothing, at ``percent`` loss per direction, when each copy that arrives is answered once."""
    unanswered = 1 - (1 - percent / 100) ** 2
    return float(unanswered ** copies(t1_s, patience_s, round_trip_s))


def ours(percent: float, round_trip_s: float, ring_s: float = RING_S) -> float:
    """Return the share of calls that our timers divert although the phone is well (docs/verdicts.md, *What loss costs*).

    The first copy that arrives brings an answer at once and a 180 later, which counts as long as it comes in time; later ones bring
    one answer each. Who heard 100 alone asks again until the trying timer, and half of the phones pick up before it.
    """
    loss = percent / 100
    number = copies(CLOSED_NETWORK_T1_S, ANSWER_S, round_trip_s)
    ringing = copies(CLOSED_NETWORK_T1_S, ANSWER_S, round_trip_s + ring_s)
    pair_fails = 1 - (1 - loss) ** 2
    silence = loss**number + sum(
        loss**k * (1 - loss) * loss * (loss if k < ringing else 1.0) * pair_fails ** (number - 1 - k) for k in range(number)
    )
    return float(silence + loss * pair_fails**TRYING_COPIES / 2)


def most(expected: float) -> int:
    """Return the number of diverted calls that one run in a thousand exceeds, when ``expected`` is the mean (Poisson)."""
    count, term = 0, exp(-expected)
    total = term
    while 1 - total > UNLUCKY:
        count += 1
        term *= expected / count
        total += term
    return count


def allowed(percent: float, round_trip_s: float, number: int) -> int:
    """Return how many of ``number`` calls may be diverted."""
    return most(ours(percent, round_trip_s) * number)


def sentence(percent: float, round_trip_s: float, number: int) -> str:
    """Return the arithmetic in words, for the report."""
    rfc = share(percent, round_trip_s, t1_s=T1_S, patience_s=RFC_ANSWER_S)
    mine = ours(percent, round_trip_s)
    return (
        f"loss {percent:g} % per direction, round trip {round_trip_s * 1000:.0f} ms, {number:,} calls: RFC timers (T1 500 ms, 2 s)"
        f" {copies(T1_S, RFC_ANSWER_S, round_trip_s)} copies, {rfc:.4%}, {rfc * number:.1f} calls; ours (T1 80 ms, 1.9 s)"
        f" {copies(CLOSED_NETWORK_T1_S, ANSWER_S, round_trip_s)} copies, {mine:.4%}, {mine * number:.1f} calls, allowed at most"
        f" {most(mine * number)} (one run in a thousand has more)"
    )
