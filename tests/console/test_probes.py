import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from gateway.console.http_server import MetricsReaders, ProbeServer, Readiness, probe_app
from gateway.runtime.snapshot import Counters, PolicyIdentity, RecordsHealth, Snapshot

READY = Readiness({"listeners": True, "store": True}, ("policy forwards everything",))
SNAPSHOT = Snapshot(
    counters=Counters(),
    sessions={},
    in_flight={"sp1": 17},
    held={},
    records=RecordsHealth(pending=0, failing=False, written=0, lost=0, malformed=0, failures=0),
    policy=PolicyIdentity("open", "0123456789ab", "balanced"),
)


def app(readiness: Callable[[], Readiness] = lambda: READY) -> Starlette:
    return probe_app(readiness, lambda: SNAPSHOT)


@asynccontextmanager
async def serving(
    application: Starlette, host: str = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    server = ProbeServer((host, 0), application)
    await server.start()
    shown = f"[{host}]" if ":" in host else host
    try:
        async with httpx.AsyncClient(
            base_url=f"http://{shown}:{server.port}", trust_env=False
        ) as client:
            yield client
    finally:
        await server.stop()


async def test_a_gateway_whose_loop_turns_is_alive() -> None:
    async with serving(app(lambda: Readiness({"store": False}))) as client:
        answer = await client.get("/livez")

    assert (answer.status_code, answer.text) == (200, "alive\n")


async def test_a_ready_gateway_says_so_with_its_warnings() -> None:
    async with serving(app()) as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "degraded": False,
        "checks": {"listeners": True, "store": True},
        "warnings": ["policy forwards everything"],
    }


async def test_one_failed_check_turns_traffic_away_and_is_asked_anew_each_time() -> None:
    standing = READY
    async with serving(app(lambda: standing)) as client:
        before = await client.get("/readyz")
        standing = replace(READY, checks={"listeners": True, "store": False})
        after = await client.get("/readyz")

    assert (before.status_code, after.status_code) == (200, 503)
    assert after.json()["ready"] is False
    assert after.json()["checks"] == {"listeners": True, "store": False}


async def test_metrics_are_told_in_the_text_format() -> None:
    async with serving(app()) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'smsward_in_flight{system_id="sp1"} 17.0' in answer.text.splitlines()


TOKEN = "t" * 32


def request_from(address: str, authorization: str = "") -> Request:
    headers = [(b"authorization", authorization.encode())] if authorization else []
    return Request({"type": "http", "client": (address, 1), "headers": headers})


@pytest.mark.parametrize(
    ("address", "authorization", "is_reader"),
    [
        ("127.0.0.9", "", True),
        ("::1", "", True),
        ("172.17.0.1", "", False),
        ("172.17.0.1", f"Bearer {TOKEN}", False),
    ],
)
def test_without_a_token_only_this_machine_reads_the_metrics(
    address: str, authorization: str, *, is_reader: bool
) -> None:
    readers = MetricsReaders()

    assert readers.may_read(request_from(address, authorization)) is is_reader
    assert readers.find(authorization) is None


@pytest.mark.parametrize(
    ("authorization", "is_reader"),
    [
        ("", False),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        (f"Bearer {TOKEN}x", False),
        (f"bearer  {TOKEN} ", True),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "172.17.0.1"])
def test_with_a_token_whoever_shows_it_reads_them_and_nobody_else(
    address: str, authorization: str, *, is_reader: bool
) -> None:
    readers = MetricsReaders(sha256(TOKEN.encode()).digest())

    assert readers.may_read(request_from(address, authorization)) is is_reader


async def test_who_may_not_read_the_metrics_hears_how_and_learns_no_system_id() -> None:
    readers = MetricsReaders(sha256(TOKEN.encode()).digest())
    application = probe_app(lambda: READY, lambda: SNAPSHOT, readers)
    async with serving(application) as client:
        refused = await client.get("/metrics")
        ready = await client.get("/readyz")
        told = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

    assert (refused.status_code, ready.status_code, told.status_code) == (401, 200, 200)
    assert "metrics.token" in refused.text
    assert "sp1" not in refused.text
    assert "sp1" in told.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/readyz", 405), ("HEAD", "/livez", 200)],
)
async def test_nothing_else_is_answered(method: str, path: str, status: int) -> None:
    async with serving(app()) as client:
        answer = await client.request(method, path)

    assert answer.status_code == status
    assert "server" not in answer.headers


async def test_ipv6_works_too() -> None:
    async with serving(app(), "::1") as client:
        answer = await client.get("/livez")

    assert answer.status_code == 200


async def test_a_port_in_use_is_a_clear_error() -> None:
    first = ProbeServer(("127.0.0.1", 0), app())
    await first.start()
    second = ProbeServer(("127.0.0.1", first.port), app())

    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{first.port} for probes"):
        await second.start()

    await second.stop()
    await first.stop()


async def test_signals_stay_the_gateways() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    async with serving(app()) as client:
        await client.get("/livez")
        during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    assert during == before


async def test_the_port_is_free_after_stop_and_stop_may_be_repeated() -> None:
    server = ProbeServer(("127.0.0.1", 0), app())
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{server.port}/livez")

    await server.stop()
    await server.stop()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_the_port_is_free_too_when_it_is_stopped_before_it_has_begun() -> None:
    server = ProbeServer(("127.0.0.1", 0), app())
    await server.start()

    await server.stop()

    with socket.create_server(("127.0.0.1", server.port)) as again:
        assert again.getsockname()[1] == server.port


async def test_a_failing_check_is_an_error_of_that_answer_only() -> None:
    def broken() -> Readiness:
        raise RuntimeError

    async with serving(app(broken)) as client:
        failed = await client.get("/readyz")
        alive = await client.get("/livez")

    assert (failed.status_code, alive.status_code) == (500, 200)
