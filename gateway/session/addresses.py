"""A peer's IP address, which decides who may bind and who is locked out."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


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
