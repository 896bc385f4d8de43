"""Streams of live pages: who gets them, what they carry, and when they end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest

from gateway.console import http_server, live_streams
from gateway.console.http_server import HttpServer
from gateway.console.live_streams import (
    MOST_STREAMS,
    MOST_STREAMS_OF_USER,
    LiveStream,
    LiveStreams,
)
from gateway.domain.permissions import UserRole
from gateway.storage.errors import StoreUnavailable
from tests.console.browsing import STATUS, Site, post, sign_in
from tests.real_time import until

WITHIN_S = 60.0


@dataclass
class Stage:
    """What is rendered, and which sessions are open."""

    parts: dict[str, str] = field(default_factory=lambda: {"a": "1", "b": "1"})
    open: frozenset[str] | None = frozenset({"s"})
    renders: int = 0

    async def render(self, languages: Collection[str]) -> dict[str, dict[str, str]]:
        self.renders += 1
        return {
            one: {key: f"{one} {html}" for key, html in self.parts.items()} for one in languages
        }

    async def find_open(self, digests: Collection[str]) -> frozenset[str]:
        if self.open is None:
            raise StoreUnavailable("no disk")
        return self.open & frozenset(digests)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def streams(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> LiveStreams:
    """Return streams whose turns the test takes."""

    async def rest(_self: LiveStreams) -> None:
        return None

    monkeypatch.setattr(LiveStreams, "_keep", rest)
    return LiveStreams(stage.render, stage.find_open)


def opened(streams: LiveStreams, user: str = "lin", language: str = "en") -> LiveStream:
    stream = streams.open(user, "s", language)
    assert stream is not None
    return stream


def events_of(
    streams: LiveStreams, stream: LiveStream, keep: Callable[[], object] = bool
) -> AsyncIterator[str]:
    return streams.events(stream, keep)


async def test_a_viewer_gets_all_parts_and_then_what_changed(
    streams: LiveStreams, stage: Stage
) -> None:
    stream = opened(streams)
    events = events_of(streams, stream)

    await streams.turn()
    first = await anext(events)
    stage.parts["b"] = "2\n3"
    await streams.turn()
    second = await anext(events)

    assert first == (
        'data: <hx-partial hx-target="#a" hx-swap="innerHTML">en 1</hx-partial>\n'
        'data: <hx-partial hx-target="#b" hx-swap="innerHTML">en 1</hx-partial>\n\n'
    )
    assert second == (
        'data: <hx-partial hx-target="#b" hx-swap="innerHTML">en 2\ndata: 3</hx-partial>\n\n'
    )


async def test_all_viewers_cost_one_look_and_who_comes_later_gets_what_is_there(
    streams: LiveStreams, stage: Stage
) -> None:
    viewers = [opened(streams, f"user {n}", "zh" if n % 2 else "en") for n in range(50)]

    await streams.turn()
    got = [await anext(events_of(streams, one)) for one in viewers]
    late = await anext(events_of(streams, opened(streams, "late")))

    assert stage.renders == 1
    assert {one.count("hx-partial hx-target") for one in got} == {2}
    assert (got[0], "zh 1" in got[1], late) == (late, True, got[0])


async def test_who_reads_slowly_gets_one_event_of_many(streams: LiveStreams, stage: Stage) -> None:
    stream = opened(streams)
    events = events_of(streams, stream)

    for number in range(100):
        stage.parts["a"] = str(number)
        await streams.turn()

    assert "en 99" in await anext(events)
    assert stream.waiting == set()
    assert not stream.changed.is_set()


async def test_time_is_given_anew_only_after_an_event_was_taken(
    streams: LiveStreams, stage: Stage
) -> None:
    calls: list[None] = []
    events = events_of(streams, opened(streams), lambda: calls.append(None))

    await streams.turn()
    await anext(events)
    stage.parts["a"] = "2"
    await streams.turn()

    assert len(calls) == 1
    await anext(events)
    assert len(calls) == 2


@pytest.mark.parametrize("open_sessions", [frozenset(), None])
async def test_a_session_that_is_over_ends_its_streams(
    streams: LiveStreams, stage: Stage, open_sessions: frozenset[str] | None
) -> None:
    events = events_of(streams, opened(streams))
    await streams.turn()
    await anext(events)

    stage.open = open_sessions
    stage.parts["a"] = "a secret"
    await streams.turn()

    assert [event async for event in events] == []


async def test_there_are_only_so_many_streams_of_a_user_and_in_all(streams: LiveStreams) -> None:
    own = [streams.open("lin", "s", "en") for _ in range(MOST_STREAMS_OF_USER + 1)]
    others = [streams.open(f"user {n}", "s", "en") for n in range(MOST_STREAMS)]

    assert (own[-1], None in own[:-1]) == (None, False)
    assert others.count(None) == MOST_STREAMS_OF_USER
    assert len(streams) == MOST_STREAMS

    for one in own[:-1]:
        assert one is not None
        streams.leave(one)
    assert streams.open("lin", "s", "en") is not None


async def test_a_console_that_stops_ends_all_streams_and_gives_none(streams: LiveStreams) -> None:
    events = events_of(streams, opened(streams))

    streams.close()

    assert [event async for event in events] == []
    assert streams.open("lin", "s", "en") is None


async def test_turns_are_taken_while_somebody_watches(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "EVERY_S", 0.0)
    streams = LiveStreams(stage.render, stage.find_open)
    stream = opened(streams)
    events = streams.events(stream, bool)

    async with asyncio.timeout(WITHIN_S):
        await anext(events)
        streams.leave(stream)
        assert streams._task is not None
        await streams._task
        seen = stage.renders
        again = opened(streams)
        await anext(streams.events(again, bool))
        streams.leave(again)
        await streams._task

    assert stage.renders > seen


# Over a network


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(("127.0.0.1", 0), site.app(), whom="for the test")
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=WITHIN_S) as client:
            client.headers["Accept-Language"] = "en"
            yield client
    finally:
        site.streams.close()
        await server.stop()


async def test_a_sign_out_ends_the_stream_of_its_session_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "EVERY_S", 0.01)
    async with (
        served(site) as lin,
        httpx.AsyncClient(base_url=lin.base_url, timeout=WITHIN_S) as mei,
    ):
        await sign_in(lin, site, UserRole.VIEWER)
        await sign_in(mei, site, UserRole.VIEWER, name="mei")
        async with (
            lin.stream("GET", "/live/events") as first,
            mei.stream("GET", "/live/events") as second,
        ):
            lines = first.aiter_lines()
            assert "live-alarms" in await anext(lines)
            assert first.headers["content-type"].startswith("text/event-stream")
            assert first.headers["cache-control"] == "no-store"
            await post(lin, "/sign-out")
            async for _ in lines:
                pass

            site.status = replace(STATUS, warnings=("seen by one",))
            async for line in second.aiter_lines():
                if "seen by one" in line:
                    break
    assert len(site.streams) == 0


async def test_a_stream_outlasts_the_time_of_a_request_and_a_gone_viewer_leaves(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "EVERY_S", 0.05)
    async with served(site) as browser:
        await sign_in(browser, site, UserRole.VIEWER)
        monkeypatch.setattr(http_server, "_REQUEST_S", 0.3)
        async with browser.stream("GET", "/live/events") as answer:
            count = 0
            async for line in answer.aiter_lines():
                site.clock.move(1)
                count += line.startswith("data: ")
                if count > 30:
                    break
        await until(lambda: not len(site.streams))


async def test_a_viewer_that_reads_nothing_is_dropped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "EVERY_S", 0.05)
    big = replace(STATUS, warnings=("x" * 2_000_000,))
    site.status = big
    async with served(site) as browser:
        await sign_in(browser, site, UserRole.VIEWER)
        monkeypatch.setattr(http_server, "_REQUEST_S", 0.5)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", browser.base_url.port)
        writer.write(f"GET /live/events HTTP/1.1\r\nHost: a\r\nCookie: {cookies}\r\n\r\n".encode())
        try:
            async with asyncio.timeout(WITHIN_S):
                await reader.readline()
                while len(site.streams):
                    site.clock.move(1)
                    site.status = replace(big, warnings=(f"{site.clock.at}{big.warnings[0]}",))
                    await asyncio.sleep(0)
        finally:
            writer.transport.abort()


async def test_a_stranger_gets_no_stream_nor_does_an_sp(
    browser: httpx.AsyncClient, site: Site
) -> None:
    stranger = await browser.get("/live/events")
    await sign_in(browser, site, UserRole.SENDER, system_id="sp1")

    assert (stranger.status_code, (await browser.get("/live/events")).status_code) == (303, 403)


async def test_where_there_are_too_many_the_page_has_to_ask(
    browser: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)
    monkeypatch.setattr(live_streams, "MOST_STREAMS", 0)

    answer = await browser.get("/live/events")

    assert (answer.status_code, answer.text) == (204, "")
