"""An SP's webhook on loopback, which says what the test wants it to say."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from gateway.app.webhook_client import Postman

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
WITHIN_S = 60.0
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True)
class Posted:
    """One request: its first line, its headers by lower-case name, its body."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def batch(self) -> dict[str, object]:
        batch: dict[str, object] = json.loads(self.body)
        return batch

    @property
    def notices(self) -> list[dict[str, object]]:
        notices = self.batch["notices"]
        assert isinstance(notices, list)
        return notices


@dataclass
class Endpoint:
    """Answers every request with `answer`, or with nothing at all when that is None."""

    answer: bytes | None = TAKEN
    posted: list[Posted] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def received(self, count: int) -> list[Posted]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(WITHIN_S), self._came:
            await self._came.wait_for(lambda: len(self.posted) >= count)
        return self.posted

    @asynccontextmanager
    async def serving(self, context: ssl.SSLContext | None = None) -> AsyncIterator["Endpoint"]:
        """Listen on loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()
            await asyncio.sleep(0)  # or the loop ends before its sockets do

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.append(writer)
        # A connection that is cut, also by the test's end, is part of the game.
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        async with self._came:
            self.posted.append(Posted(head[0], headers, body))
            self._came.notify_all()
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().serving() as running:
        yield running


@pytest.fixture
async def other_endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().serving() as running:
        yield running


@pytest.fixture
def tls_serving() -> Callable[[ssl.SSLContext], AbstractAsyncContextManager[Endpoint]]:
    """Serve over TLS."""
    return lambda context: Endpoint().serving(context)


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    """One that waits half a second for an answer."""
    opened = Postman(LOOPBACK, deadline_s=0.5)
    await opened.open()
    yield opened
    opened.close()
