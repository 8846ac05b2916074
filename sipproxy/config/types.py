"""Value types of the configuration, each with a message that tells what would be right."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$")
_MAX_PORT = 65535


def split_endpoint(text: str) -> tuple[str, int]:
    """``"192.0.2.1:5060"`` or ``"[2001:db8::1]:5060"`` as address and port; `ValueError` if it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise ValueError(text)
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    return str(ipaddress.IPv4Address(host)), int(port)


def _endpoint(text: str) -> str:
    try:
        split_endpoint(text)
    except ValueError:
        kind = "remedy"
        message = "{value} is no address with a port"
        remedy = 'write "192.0.2.1:5060", or "[2001:db8::1]:5060" for IPv6'
        raise PydanticCustomError(kind, message, {"value": repr(text), "remedy": remedy}) from None
    return text


def _host(text: str) -> str:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        if not _HOST.match(text):
            kind = "remedy"
            message = "{value} is no host name and no address"
            remedy = 'write a name such as "sip.example.net" without "sip:" and without a port'
            raise PydanticCustomError(kind, message, {"value": repr(text), "remedy": remedy}) from None
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        kind = "remedy"
        message = "{value} is no address"
        remedy = 'write "192.0.2.1" or "2001:db8::1", without a port'
        raise PydanticCustomError(kind, message, {"value": repr(text), "remedy": remedy}) from None


def _network_or_host(text: str) -> str:
    try:
        ipaddress.ip_network(text.strip("[]"), strict=True)
    except ValueError as error:
        if "host bits set" in str(error):
            kind = "remedy"
            message = "{value} has address bits behind the prefix length"
            network = ipaddress.ip_network(text, strict=False)
            remedy = f'write "{network}" for the network or leave out "/…" for the one address'
            raise PydanticCustomError(kind, message, {"value": repr(text), "remedy": remedy}) from None
        return _host(text)
    return text


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""Address and port as the engine writes them."""

Host = Annotated[str, AfterValidator(_host)]
"""A host name or an address, without a port."""

Address = Annotated[str, AfterValidator(_address)]
"""An address, without a port."""

NetworkOrHost = Annotated[str, AfterValidator(_network_or_host)]
"""An address, a network or a host name."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A short name that others refer to."""

Digits = Annotated[str, Field(pattern=r"^[0-9]{0,4}$")]
PortingPrefix = Annotated[str, Field(pattern=r"^D[0-9A-Fa-f]{1,8}$")]
