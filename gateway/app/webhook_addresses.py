"""Which addresses a webhook may have: public ones, and those in configured networks.

An SP chooses the URL, and its own name server gives the address. Without this check an SP could
reach services that only this machine can reach, above all the metadata service of a cloud
(169.254.169.254).
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IPv6 networks with an IPv4 address at the end, which a translator dials (RFC 6052, 8215, 4291,
# 2765).
_TRANSLATED = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))
)
_OF_A_SITE = IPv6Network("fec0::/10")  # deprecated by RFC 3879; some are still in use
# Not allowed although global: protocol addresses (RFC 6890), 6to4 relays (RFC 7526), the host of
# an Azure machine, and the prefix of a local translator.
_OF_THE_NETWORK: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("168.63.129.16/32"),
    IPv6Network("64:ff9b:1::/48"),
)


def may_be_dialled(address: Address, networks: Iterable[Network] = ()) -> bool:
    """Tell whether a webhook may have this address: public, or in one of `networks`."""
    if any(address in network for network in networks):
        return True
    return all(map(_is_public, _meant(address)))


def _is_public(address: Address) -> bool:
    is_local = address in _OF_A_SITE or any(address in network for network in _OF_THE_NETWORK)
    return address.is_global and not address.is_multicast and not is_local


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address, and the IPv4 addresses that routers or this system map it to."""
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
