"""From the checked configuration to what routing knows of registrars of others."""

from routing.foreign import ForeignRegistrar
from sipproxy.config.model import Configuration


def foreign_registrars(configuration: Configuration) -> list[ForeignRegistrar]:
    """Return the registrars with their next hops; the order of the addresses is their priority."""
    return [
        ForeignRegistrar(entry.name, tuple((address, rank) for rank, address in enumerate(entry.addresses, start=1)))
        for entry in configuration.registrars
    ]
