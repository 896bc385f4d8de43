"""Connections to the webhooks of SPs: the address that is looked at is the one that is dialled."""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

import httpcore
import httpx

from gateway.app.webhook_addresses import Address, Network, may_be_dialled

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
