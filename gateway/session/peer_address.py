"""A peer's IP address, also behind a load balancer (PROXY protocol version 2)."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct


def ip_of(address: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address, or None if `address` is not one.

    An IPv4 peer on a dual-stack listener shows as ``::ffff:192.0.2.1``; the result is the IPv4
    address that operators write in their lists.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


@lru_cache(maxsize=4096)  # asked some four times for each connection
def origin_of(address: str) -> str:
    """Return the name under which a peer's failures are counted.

    It is the address, and for IPv6 its /64: a single customer owns 2**64 addresses there and could
    start afresh with each.
    """
    ip = ip_of(address)
    if isinstance(ip, IPv6Address):
        return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return address if ip is None else str(ip)


PREFIX_OCTETS = 16
MAX_OCTETS = 2048
"""Limit of what follows the prefix: addresses, and TLVs that are not read."""

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LENGTH = Struct(">H")
_VERSION = 0x20
_LOCAL, _PROXY = 0x0, 0x1
_UNSPEC, _INET, _INET6, _UNIX = 0x0, 0x1, 0x2, 0x3
_STREAM = 0x1
_ADDRESS_OCTETS = {_UNSPEC: 0, _INET: 12, _INET6: 36, _UNIX: 216}


class ProxyHeaderError(ValueError):
    """The first octets from a trusted proxy are not a header of version 2."""


def rest_octets(prefix: bytes) -> int:
    """Return how many octets follow the first PREFIX_OCTETS. Raises ProxyHeaderError."""
    if len(prefix) != PREFIX_OCTETS or not prefix.startswith(_SIGNATURE):
        raise ProxyHeaderError("there is no PROXY header of version 2")
    if prefix[12] & 0xF0 != _VERSION:
        raise ProxyHeaderError("the PROXY header is of another version")
    (length,) = _LENGTH.unpack_from(prefix, 14)
    if length > MAX_OCTETS:
        raise ProxyHeaderError(f"the PROXY header has more than {MAX_OCTETS} octets")
    return int(length)


def address_in(prefix: bytes, rest: bytes) -> str | None:
    """Return the address of the peer behind a proxy, from a whole header.

    None if the connection is the proxy's own (LOCAL: a health check) or names no IP address
    (UNSPEC, UNIX): then the address of the connection itself counts. Raises ProxyHeaderError.
    """
    if len(rest) != rest_octets(prefix):
        raise ProxyHeaderError("the PROXY header is not whole")
    command, family, transport = prefix[12] & 0x0F, prefix[13] >> 4, prefix[13] & 0x0F
    if command == _LOCAL:
        return None
    if command != _PROXY or family not in _ADDRESS_OCTETS:
        raise ProxyHeaderError("the PROXY header has an unknown command or family")
    if family != _UNSPEC and transport != _STREAM:
        raise ProxyHeaderError("the PROXY header is not about a TCP connection")
    if len(rest) < _ADDRESS_OCTETS[family]:
        raise ProxyHeaderError("the PROXY header has no whole addresses")
    match family:
        case 0x1:
            return str(IPv4Address(rest[:4]))
        case 0x2:
            return str(IPv6Address(rest[:16]))
        case _:
            return None
