"""Requests to a webhook, and what may come back."""

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

import pytest

from gateway.app.webhook_client import Postman
from gateway.runtime.tasks import spawn
from tests.app.notices.conftest import LOOPBACK

BODY = b'{"batch":1}'
NO_ANSWER, NO_CONNECTION = "no answer in time", "no connection in time"


class Posted(Protocol):
    line: str
    headers: dict[str, str]
    body: bytes


class Endpoint(Protocol):
    """See conftest."""

    answer: bytes | None
    posted: list[Posted]
    connections: int
    port: int

    async def received(self, count: int) -> list[Posted]: ...


Serving: TypeAlias = Callable[[ssl.SSLContext], AbstractAsyncContextManager[Endpoint]]


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


async def post(postman: Postman, endpoint: Endpoint, scheme: str = "http") -> str:
    url = f"{scheme}://localhost:{endpoint.port}/notices?sp=1"
    return await postman.post(url, BODY, {"X-Smsward-Timestamp": "17"})


async def test_what_is_posted_arrives_whole_under_the_configured_url(
    postman: Postman, endpoint: Endpoint
) -> None:
    assert await post(postman, endpoint) == ""

    [posted] = endpoint.posted
    assert posted.line == "POST /notices?sp=1 HTTP/1.1"
    assert posted.body == BODY
    assert posted.headers["x-smsward-timestamp"] == "17"
    assert posted.headers["user-agent"].startswith("smsward/")
    assert "cookie" not in posted.headers


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("200 OK", ""),
        ("202 Accepted", ""),
        ("299 Odd", ""),
        ("400 Bad Request", "HTTP 400"),
        ("410 Gone", "HTTP 410"),
        ("503 Service Unavailable", "HTTP 503"),
    ],
)
async def test_two_hundred_and_something_takes_and_everything_else_does_not(
    postman: Postman, endpoint: Endpoint, said: str, failure: str
) -> None:
    endpoint.answer = answer(said, body=b"13800138000 thanks you")

    assert await post(postman, endpoint) == failure


async def test_no_redirect_leads_numbers_elsewhere(
    postman: Postman, endpoint: Endpoint, other_endpoint: Endpoint
) -> None:
    endpoint.answer = answer("307 Moved", f"Location: http://127.0.0.1:{other_endpoint.port}/")

    assert await post(postman, endpoint) == "HTTP 307"
    assert other_endpoint.posted == []


async def test_no_proxy_of_the_environment_sees_numbers(
    endpoint: Endpoint, other_endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other_endpoint.port}")
    postman = Postman(LOOPBACK)
    await postman.open()

    assert await post(postman, endpoint) == ""
    assert (len(endpoint.posted), len(other_endpoint.posted)) == (1, 0)
    postman.close()


async def test_cookies_are_not_kept(postman: Postman, endpoint: Endpoint) -> None:
    endpoint.answer = answer("200 OK", "Set-Cookie: a=b")

    await post(postman, endpoint)
    await post(postman, endpoint)

    assert ["cookie" in posted.headers for posted in endpoint.posted] == [False, False]


async def test_a_connection_is_used_again_after_a_short_answer(
    postman: Postman, endpoint: Endpoint
) -> None:
    endpoint.answer = answer("200 OK", body=b"x" * 100)

    assert [await post(postman, endpoint) for _ in range(3)] == ["", "", ""]
    assert endpoint.connections == 1


async def test_an_answer_without_end_is_not_read_to_its_end(
    postman: Postman, endpoint: Endpoint
) -> None:
    endpoint.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1_000_000

    assert await post(postman, endpoint) == ""
    assert await post(postman, endpoint) == ""
    assert endpoint.connections == 2


async def test_headers_without_end_are_no_answer(postman: Postman, endpoint: Endpoint) -> None:
    endpoint.answer = b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 1_000_000

    assert await post(postman, endpoint) == "the connection ended without an answer"


async def test_who_does_not_answer_in_time_has_not_taken(
    postman: Postman, endpoint: Endpoint
) -> None:
    endpoint.answer = None

    assert await post(postman, endpoint) == NO_ANSWER


async def test_who_answers_and_does_not_come_to_an_end_has_taken(
    postman: Postman, endpoint: Endpoint
) -> None:
    endpoint.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"

    assert await post(postman, endpoint) == ""


async def test_what_is_no_http_is_no_answer(postman: Postman, endpoint: Endpoint) -> None:
    endpoint.answer = b"220 mail.example.com ESMTP\r\n\r\n"

    assert await post(postman, endpoint) == "the connection ended without an answer"


async def test_where_nobody_listens_nothing_is_delivered(postman: Postman) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"

        assert await postman.post(url, BODY, {}) == "no connection"


async def test_a_name_that_nobody_has_is_said_to_be_unknown(
    postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert await postman.post("https://sp.example.com/", BODY, {}) == "its name is not found"


async def test_a_name_server_that_hangs_costs_no_thread_of_the_gateway(
    postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over, threads = threading.Event(), set[str]()

    def hang(*_arguments: object, **_options: object) -> list[object]:
        threads.add(threading.current_thread().name.rpartition("_")[0])
        is_over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    failures = await asyncio.gather(
        *(postman.post(f"https://sp{place}.example.com/", BODY, {}) for place in range(8))
    )
    is_over.set()

    assert set(failures) == {NO_CONNECTION}
    assert threads == {"postman-names"}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for localhost: sp.pem and sp.key."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(  # noqa: S603 - the openssl of this machine, wherever it is
        [
            *("openssl", "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(directory / "sp.key"), "-out", str(directory / "sp.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return directory


@pytest.fixture
async def tls_endpoint(papers: Path, tls_serving: Serving) -> AsyncIterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers / "sp.pem", papers / "sp.key")
    async with tls_serving(context) as running:
        yield running


async def test_a_certificate_that_the_system_does_not_trust_is_not_trusted(
    postman: Postman, tls_endpoint: Endpoint
) -> None:
    assert await post(postman, tls_endpoint, "https") == "its certificate is not trusted"
    assert tls_endpoint.posted == []


async def test_one_that_it_trusts_is_but_not_for_another_name(
    tls_endpoint: Endpoint, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(papers / "sp.pem"))
    postman = Postman(LOOPBACK)
    await postman.open()

    named = await post(postman, tls_endpoint, "https")
    other = await postman.post(f"https://127.0.0.1:{tls_endpoint.port}/", BODY, {})
    postman.close()

    assert (named, other) == ("", "its certificate is not trusted")


async def test_who_speaks_no_tls_is_told_nothing(postman: Postman, endpoint: Endpoint) -> None:
    endpoint.answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    assert await post(postman, endpoint, "https") == "no TLS with it"
    assert endpoint.posted == []


async def test_all_who_open_it_at_once_can_post(endpoint: Endpoint) -> None:
    postman = Postman(LOOPBACK)

    async def open_and_post() -> str:
        await postman.open()
        return await post(postman, endpoint)

    assert await asyncio.gather(*(open_and_post() for _ in range(4))) == [""] * 4
    postman.close()


async def test_closing_gives_up_what_is_under_way(postman: Postman, endpoint: Endpoint) -> None:
    endpoint.answer = None
    posting = spawn(post(postman, endpoint), name="test")
    await endpoint.received(1)

    postman.close()
    postman.close()

    async with asyncio.timeout(60):
        await asyncio.wait({posting})
    assert posting.cancelled()
