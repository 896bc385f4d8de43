"""Find the address of a peer behind a load balancer, from the PROXY header before TLS."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.sender import IpNetwork
from gateway.session.addresses import ip_of
from gateway.session.proxy_protocol import PREFIX_OCTETS, address_in, rest_octets

_HEADER_S = 3.0
# Headers awaited at once. A load balancer sends the header in its first segment.
_AT_ONCE = 256

Report = Callable[[str], None]


@dataclass(slots=True)
class ProxiedAddress:
    """Reads the PROXY header on connections from `networks`; other peers send none.

    `report` gets the address of a trusted proxy if its header was missing, wrong or late.
    """

    networks: tuple[IpNetwork, ...]
    report: Report
    waiting: int = 0

    async def __call__(self, sock: socket.socket, address: str) -> str:
        """Return the address of the peer. Raises ValueError, OSError or TimeoutError."""
        ip = ip_of(address)
        if ip is None or not any(ip in network for network in self.networks):
            return address
        if self.waiting >= _AT_ONCE:
            raise ConnectionRefusedError
        self.waiting += 1
        try:
            async with asyncio.timeout(_HEADER_S):
                prefix = await _exactly(sock, PREFIX_OCTETS)
                rest = await _exactly(sock, rest_octets(prefix))
            return address_in(prefix, rest) or address
        except (ValueError, OSError, TimeoutError):
            self.report(address)
            raise
        finally:
            self.waiting -= 1


async def _exactly(sock: socket.socket, count: int) -> bytes:
    """Read exactly `count` octets; those after them are TLS or SMPP."""
    loop, octets = asyncio.get_running_loop(), b""
    while len(octets) < count:
        more = await loop.sock_recv(sock, count - len(octets))
        if not more:
            raise ConnectionAbortedError
        octets += more
    return octets
