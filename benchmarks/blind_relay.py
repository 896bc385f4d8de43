"""A TCP relay that looks at nothing: the floor any proxy on the same machine stands on.

python -m benchmarks.blind_relay --listen 127.0.0.1:2775 --to 127.0.0.1:2776
"""

import argparse
import asyncio
import signal
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One half of a relayed connection: what it reads, its other half writes."""

    def __init__(self, other: "Side | None" = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but their base class.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Accepted(Side):
    """The half that was dialled; it keeps what it reads until its other half stands.

    It does not pause instead: on uvloop 0.23 a transport paused inside connection_made stays
    silent after it is resumed.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.target = host, port
        self.early: list[bytes] = []
        self.dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.dialling = asyncio.get_running_loop().create_task(self.dial())

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        else:
            super().data_received(data)

    async def dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, self.other = await loop.create_connection(lambda: Side(self), *self.target)
        except OSError:
            if self.transport is not None:
                self.transport.abort()
        else:
            super().data_received(b"".join(self.early))


async def relay(listen: tuple[str, int], to: tuple[str, int]) -> None:
    """Relay until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Accepted(*to), *listen)
    async with server:
        await stop.wait()


def host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description="Relay TCP without looking.")
    parser.add_argument("--listen", type=host_and_port, default=("127.0.0.1", 2775))
    parser.add_argument("--to", type=host_and_port, default=("127.0.0.1", 2776))
    options = parser.parse_args()
    uvloop.run(relay(options.listen, options.to))


if __name__ == "__main__":
    main()
