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

from gateway.console import http_server
from gateway.console.http_server import MAX_STRANGERS, MAX_STRANGERS_OF_ONE, HttpServer
from gateway.session.stranger_limits import ConnectionRate
from tests.real_time import until

WITHIN_S = 60.0
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
    monkeypatch.setattr(http_server, "_HEAD_S", 60.0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_HEAD_S", 0.05)


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
    kept = MAX_STRANGERS_OF_ONE - 1
    async with crowded(64) as ((reader, writer), crowd):
        writer.write(HEAD)

        assert await answer(reader) == "127.0.0.1 0"
        async with asyncio.timeout(WITHIN_S):
            assert all([await is_closed(stranger) for stranger, _ in crowd[:-kept]])
        for stranger, line in crowd[-kept:]:
            line.write(HEAD)
            assert await answer(stranger) == "127.0.0.1 0"


SLOW_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n{"
CHUNKED_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
CLERK = b"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer clerk\r\nContent-Length: 2\r\n\r\n{}"


def client_of(authorization: str) -> str | None:
    return "clerk" if authorization == "Bearer clerk" else None


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("addresses", [("127.0.0.61", "127.0.0.62"), ("127.0.0.1",)])
@pytest.mark.parametrize(
    "octets", [b"", b"GET / HT", HEAD, SLOW_BODY, CHUNKED_BODY, CLERK.replace(b"clerk", b"guess")]
)
async def test_whatever_strangers_do_a_client_is_answered(
    octets: bytes, addresses: tuple[str, ...]
) -> None:
    app = Starlette(routes=[Route("/", _peer, methods=["GET", "POST"])])
    server = HttpServer(("127.0.0.1", 0), app, whom="for tests", find_client=client_of)
    await server.start()
    crowd: list[asyncio.StreamWriter] = []
    try:
        for number in range(MAX_STRANGERS + 40):
            near = (addresses[number % len(addresses)], 0)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=near)
            writer.write(octets)
            crowd.append(writer)
            assert len(server.places.strangers) <= MAX_STRANGERS

        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            crowd.append(writer)
            writer.write(CLERK)
            assert await answer(reader) == "127.0.0.1 2"
    finally:
        for writer in crowd:
            writer.close()
        await server.stop()


@pytest.mark.parametrize("octets", [SLOW_BODY, CHUNKED_BODY])
async def test_the_body_of_a_stranger_is_not_waited_for(octets: bytes) -> None:
    async def asked(_request: Request) -> Response:
        return PlainTextResponse("no")

    app = Starlette(routes=[Route("/", asked, methods=["POST"])])
    async with crowded(0, app) as ((reader, writer), _):
        writer.write(octets)

        assert await answer(reader) == "no"
        async with asyncio.timeout(WITHIN_S):
            assert await is_closed(reader)


async def test_an_address_that_comes_faster_than_it_may_is_closed_at_once() -> None:
    rate = ConnectionRate(per_s=0.001, burst=2)
    server = HttpServer(("127.0.0.1", 0), Starlette(), whom="for tests", rate=rate)
    await server.start()
    try:
        lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]

        async with asyncio.timeout(WITHIN_S):
            assert await is_closed(lines[-1][0])
        for _, writer in lines:
            writer.close()
    finally:
        await server.stop()


async def test_garbage_is_answered_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\0\r\n\r\n")

        async with asyncio.timeout(WITHIN_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")

    assert caplog.records == []


@pytest.mark.usefixtures("_patient")
async def test_a_tls_handshake_that_does_not_go_on_takes_a_strangers_place_and_no_other() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = HttpServer(("127.0.0.1", 0), Starlette(), whom="for tests", tls=context)
    await server.start()
    crowd = []
    try:
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            crowd.append(writer)
        await until(lambda: len(server.places.strangers) >= MAX_STRANGERS_OF_ONE)
        assert len(server.places.strangers) == MAX_STRANGERS_OF_ONE
    finally:
        for writer in crowd:
            writer.close()
        await server.stop()


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
