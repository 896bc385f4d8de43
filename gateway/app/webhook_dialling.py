"""Connections to the webhooks of SPs: to the world, and to such networks of ours as are named.

An SP names a URL, and a name server that it runs says where that is: without a look at the
address it would be a way into whatever only this machine can reach, the metadata service of a
cloud (169.254.169.254) first of all. The address that is looked at is the one that is dialled.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpcore
import httpx

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
_MAX_TRIED = 4


class AddressForbiddenError(OSError):
    """A name stands for addresses that no webhook may have."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to those in `networks`.

    Every connection is resolved here, once, and goes to an address that was looked at: what a
    name server says a moment later is too late.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a stream; raises ConnectError or ConnectTimeout of httpcore."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(
                    await self._addresses(host, port), port, local_address, socket_options
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error

    async def _connect(
        self,
        addresses: Sequence[Address],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = addresses
        for address in others:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, None, local_address, socket_options
                )
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(str(last), port, None, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return what may be dialled for `host`. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found)
        allowed = [one for one in addresses if may_be_dialled(one, self._networks)]
        if not allowed:
            raise AddressForbiddenError("no public address, nor one of webhooks.networks")
        return allowed[:_MAX_TRIED]


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over connections of a GuardedBackend."""

    def __init__(
        self, networks: Sequence[Network], limits: httpx.Limits, context: ssl.SSLContext
    ) -> None:
        super().__init__(verify=context, limits=limits, trust_env=False)
        # httpx has no argument for it; tests would see connections that are not guarded.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=GuardedBackend(networks),
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
