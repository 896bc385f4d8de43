"""Ending a TCP connection the rude way."""

import asyncio
import socket
import struct
from typing import cast

_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)


def reset(transport: asyncio.BaseTransport) -> None:
    """Drop what is unsent and end the connection with a RST instead of a FIN."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
    # uvloop's transports have it without being subclasses of asyncio's.
    cast("asyncio.WriteTransport", transport).abort()
