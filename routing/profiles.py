"""The default profiles: how lines are judged, per kind of product.

An operator changes them in the configuration; these are the values of a fresh installation. The keys are those of
``sipproxy._engine.ProfileSettings``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipproxy._engine import ProfileSettings


def _profile(
    name: str,
    *,
    fall: int = 3,
    rise: int = 2,
    hold_s: float = 5.0,
    judge_options: bool = True,
    judge_registration: bool = True,
    trying_timer_s: float = 6.0,
    suspect_timer_s: float = 0.8,
    fault_codes: tuple[int, ...] = (408, 503),
) -> "ProfileSettings":
    return {
        "name": name,
        # Ten seconds between probes: with fast confirmation a silent fault is a verdict after at most
        # 10 s + 2 × 0.5 s + 1 s = 12 s, 6.5 s on average, at 0.1 packets a second and line (docs/verdicts.md).
        "interval_s": 10.0,
        # After the first lost probe the next follow quickly: doubt is short, and one lost packet changes nothing.
        "fast_interval_s": 0.5,
        # Its own time-out, not Timer F's 32 s (RFC 3261 §17.1.2.2): access round trips stay below 200 ms, also over mobile backup.
        "timeout_s": 1.0,
        # A long or unsteady round trip is waited for, up to this.
        "timeout_max_s": 2.0,
        # Three in a row where nothing else is ever lost; more, as the measured loss asks for: 14 is enough for 36 % of all round trips.
        "fall": fall,
        "fall_max": 14,
        # Two in a row: a router that boots answers once and restarts.
        "rise": rise,
        # The shortest stay in down, so that a flapping line does not send each call another way.
        "hold_s": hold_s,
        # Each fall doubles the stay, up to this; two quiet minutes halve it.
        "hold_max_s": 120.0,
        "flap_half_life_s": 120.0,
        # A phone system that names the time at which it is back is believed for a minute.
        "hold_down_max_s": 60.0,
        # The engine judges by OPTIONS only a line that has answered OPTIONS before.
        "judge_options": judge_options,
        "judge_registration": judge_registration,
        # A phone system in order sends 100 within 200 ms. Timer A retransmits at 0.5 s and 1.5 s (RFC 3261 §17.1.1.2), so at
        # 1.9 s three copies were sent and none was answered. The same for all products: the first call after a fault is diverted
        # within 2 s.
        "answer_timer_s": 1.9,
        # 100 and nothing more: the system lives but gets nowhere; longer, for slow gateways towards ISDN.
        "trying_timer_s": trying_timer_s,
        # Ringing is the phone's affair: Timer C, more than three minutes (RFC 3261 §16.6 step 11).
        "ring_timer_s": 185.0,
        # A line in doubt gets the first retransmission at 0.5 s and a moment to answer it.
        "suspect_timer_s": suspect_timer_s,
        # Before any 18x these say "not reachable", not "does not want" (408 time-out, 503 overload or out of service).
        "fault_codes": list(fault_codes),
        # Calls after a recovery that carry the suspect timer; the recovery itself was proven, so none.
        "return_calls": 0,
        # Any other answer to OPTIONS, also 404 or 405, shows that somebody is at home.
        "ill_codes": [408, 503],
        "from_uri": "sip:probe@localhost",
        "contact_uri": "",
    }


_ALL = (
    # Registered phone system or device: registration, OPTIONS and calls.
    _profile("registered"),
    # Access device with ISDN or analogue behind it: it sends 100 itself, and dialling through to the terminal takes longer.
    _profile("access-device", trying_timer_s=10.0),
    # Static peers: there is no registration to judge by. 500 before 18x is how gateways say that their trunk side is gone.
    _profile("static", judge_registration=False, fault_codes=(408, 500, 503)),
    # A trunk that is static or registered as ordered: a static line has no registration, so it is not judged by one.
    _profile("gateway", judge_registration=False, trying_timer_s=10.0, fault_codes=(408, 500, 503)),
    # Phones that register elsewhere: there is no OPTIONS to them, their registrar's network answers for them. 480 and 430 are how
    # it says that nobody is registered, or that the flow is dead (RFC 3261 §21.4.18, RFC 5626 §11.5). It sends 100 by itself,
    # so that says nothing, and a phone that lives rings within four seconds.
    _profile("foreign", judge_options=False, rise=1, trying_timer_s=4.0, fault_codes=(408, 430, 480, 503)),
    # The next hops towards a registrar elsewhere, watched once for all lines behind them.
    _profile("registrar", judge_registration=False),
    # Single phones: they restart now and then, so a longer hold and one more good answer keep calls from flapping.
    _profile("phone", rise=3, hold_s=10.0),
)

PROFILES: Mapping[str, "ProfileSettings"] = MappingProxyType({profile["name"]: profile for profile in _ALL})
"""Name → settings. Copy before changing."""

DEFAULT_PROFILE = "registered"
"""For a line whose product and profile are both unknown."""
