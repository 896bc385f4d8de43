"""Where a webhook may be: in the world, and in such networks of ours as are named.

An SP names a URL, and a name server that it runs says where that is: without a look at the
address it would be a way into whatever only this machine can reach, the metadata service of a
cloud (169.254.169.254) first of all.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Where IPv4 addresses stand at the end of IPv6 ones, for a translator to dial (RFC 6052, 8215,
# 4291, 2765).
_TRANSLATED = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))
)
_OF_A_SITE = IPv6Network("fec0::/10")  # RFC 3879 gave them up; some are in use
# What is no place of a webhook though it counts as global: addresses of protocols (RFC 6890),
# relays of 6to4 (RFC 7526), the host of an Azure machine, and whoever a local translator says.
_OF_THE_NETWORK: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("168.63.129.16/32"),
    IPv6Network("64:ff9b:1::/48"),
)


def may_be_dialled(address: Address, networks: Iterable[Network] = ()) -> bool:
    """Tell whether a webhook may be there: it is public, or in one of `networks`."""
    if any(address in network for network in networks):
        return True
    return all(map(_is_public, _meant(address)))


def _is_public(address: Address) -> bool:
    is_local = address in _OF_A_SITE or any(address in network for network in _OF_THE_NETWORK)
    return address.is_global and not address.is_multicast and not is_local


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address, and the IPv4 ones that routers or this system take it for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is not None:
            yield inner
            return
        if any(address in network for network in _TRANSLATED):
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:
            yield address.sixtofour
    yield address
