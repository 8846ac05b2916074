"""What the configuration says of targets, in the domain's terms."""

from routing.target_policy import CarrierPolicy
from sipproxy.config.model import Targets


def carrier_policy(targets: Targets) -> CarrierPolicy:
    """Return what holds for all customers."""
    return CarrierPolicy(
        barred=frozenset(targets.barred), barred_prefixes=tuple(targets.barred_prefixes), shared_by=targets.shared_by
    )
