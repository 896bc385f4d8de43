"""Addresses to listen on and to connect to, and the networks SPs may bind from."""

import re
from ipaddress import IPv6Address, ip_network
from typing import Annotated, NamedTuple

from pydantic import PlainValidator

from gateway.domain.sender import IpNetwork

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_MAX_PORT = 65535


class Address(NamedTuple):
    """A host name or IP address, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: object) -> Address:
    """Read ``host:port`` or ``[::1]:port``. Raises ValueError.

    The host must be named: to listen everywhere is written out, ``0.0.0.0:2775``.
    """
    if not isinstance(text, str):
        raise ValueError('must be text such as "127.0.0.1:2775", in quotes')  # noqa: TRY004 - pydantic collects ValueError, a TypeError would pass through it
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        raise ValueError(f"must be host:port, the port 0 to {_MAX_PORT}")
    if host.startswith("[") and host.endswith("]"):
        return Address(str(IPv6Address(host[1:-1])), int(port))
    if not _HOST.fullmatch(host):
        raise ValueError("must be host:port, an IPv6 host in brackets")
    return Address(host, int(port))


def parse_peer(text: object) -> Address:
    """Read an address to connect to: its port cannot be 0. Raises ValueError."""
    address = parse_address(text)
    if address.port == 0:
        raise ValueError("port 0 cannot be connected to")
    return address


def parse_network(text: object) -> IpNetwork:
    """Read an IP network or a single address. Raises ValueError, also for set host bits."""
    if not isinstance(text, str):
        raise ValueError('must be text such as "10.0.0.0/8", in quotes')  # noqa: TRY004 - as above
    return ip_network(text)


ListenAddress = Annotated[Address, PlainValidator(parse_address)]
PeerAddress = Annotated[Address, PlainValidator(parse_peer)]
Network = Annotated[IpNetwork, PlainValidator(parse_network)]
