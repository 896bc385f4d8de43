"""The server under the probes and the API."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.console import serving
from gateway.console.serving import HttpServer

WITHIN_S = 10.0
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _peer(request: Request) -> Response:
    assert request.client is not None
    return PlainTextResponse(f"{request.client.host} {len(await request.body())}")


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = HttpServer(("127.0.0.1", 0), Starlette(routes=[Route("/", _peer)]), whom="for tests")
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        yield reader, writer
        writer.close()
    finally:
        await server.stop()


async def answer(reader: asyncio.StreamReader) -> str:
    """Read one answer whose body stands on the last line."""
    async with asyncio.timeout(WITHIN_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return (await reader.readexactly(length)).decode()


@asynccontextmanager
async def crowded(
    count: int, app: ASGIApp | None = None
) -> AsyncIterator[tuple[Streams, list[Streams]]]:
    """Open so many connections of one address, one after the other, and then one more."""
    server = HttpServer(
        ("127.0.0.1", 0), app or Starlette(routes=[Route("/", _peer)]), whom="for tests"
    )
    await server.start()
    try:
        crowd = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count + 1)]
        yield crowd[-1], crowd[:-1]
        for _, writer in crowd:
            writer.close()
    finally:
        await server.stop()


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_HEAD_S", 60.0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_HEAD_S", 0.05)


@pytest.mark.parametrize("head", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_connection_that_brings_no_whole_head_is_closed(head: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(head)

        async with asyncio.timeout(WITHIN_S):
            assert await reader.read() == b""


async def test_octets_of_a_head_win_no_time() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: ")

        async with asyncio.timeout(WITHIN_S):
            while not (reader.at_eof() or reader.exception()):
                writer.write(b"x")
                await asyncio.sleep(0)


async def test_a_second_request_on_a_connection_has_to_be_as_quick() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        first = await answer(reader)
        writer.write(b"GET / HTTP/1.1\r\nHo")

        async with asyncio.timeout(WITHIN_S):
            rest = await reader.read()

    assert first == "127.0.0.1 0"
    assert rest == b""


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.usefixtures("_patient")
async def test_silent_strangers_of_one_address_keep_nobody_out() -> None:
    async with crowded(64) as ((reader, writer), crowd):
        writer.write(HEAD)

        assert await answer(reader) == "127.0.0.1 0"
        async with asyncio.timeout(WITHIN_S):
            assert all([await is_closed(stranger) for stranger, _ in crowd[:-7]])
        for stranger, line in crowd[-7:]:
            line.write(HEAD)
            assert await answer(stranger) == "127.0.0.1 0"


@pytest.mark.usefixtures("_patient")
async def test_where_all_connections_are_used_the_one_that_is_silent_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_MAX_CONNECTIONS", 4)

    async with crowded(3) as ((reader, writer), crowd):
        writer.write(HEAD)

        assert await answer(reader) == "127.0.0.1 0"
        async with asyncio.timeout(WITHIN_S):
            assert await is_closed(crowd[0][0])
        crowd[1][1].write(HEAD)
        assert await answer(crowd[1][0]) == "127.0.0.1 0"


@pytest.mark.usefixtures("_patient")
async def test_one_address_cannot_use_all_connections_for_its_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_MAX_OF_ONE", 2)
    ask, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_request: Request) -> Response:
        ask.release()
        await go_on.wait()
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/", slow)])
    async with crowded(1, app) as (second, (first,)), asyncio.timeout(WITHIN_S):
        for _, writer in (first, second):
            writer.write(HEAD)
            await ask.acquire()
        host, port = first[1].get_extra_info("peername")[:2]
        third, line = await asyncio.open_connection(host, port)

        assert await is_closed(third)
        line.close()
        go_on.set()
        assert [await answer(reader) for reader, _ in (first, second)] == ["done", "done"]


async def test_what_a_proxy_says_of_its_peer_is_not_believed() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")

        assert await answer(reader) == "127.0.0.1 0"


async def test_with_tls_nobody_is_answered_in_the_clear() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = HttpServer(("127.0.0.1", 0), Starlette(), whom="for tests", tls=context)
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        async with asyncio.timeout(WITHIN_S):
            assert b"HTTP" not in await reader.read()
        writer.close()
    finally:
        await server.stop()
