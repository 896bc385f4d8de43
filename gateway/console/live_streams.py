"""Live parts of a page by server-sent events: one look at the gateway for all who watch.

For all viewers the gateway is asked once every two seconds, and a part is rendered
once in each language. A viewer gets the parts that changed since its last event: who reads slowly
gets fewer events, and no queue grows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.console.http_server import KEEP_STREAM
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable

MOST_STREAMS, MOST_STREAMS_OF_USER = 100, 6
EVERY_S = 2.0
# A session is looked up in every other turn: a sign-out ends its streams within some seconds.
_TURNS_PER_LOOK = 2
_CLOSING = {"Connection": "close", "X-Accel-Buffering": "no"}

Parts = Mapping[str, str]
"""HTML by the id of the element that it stands in."""

RenderParts = Callable[[Collection[str]], Awaitable[Mapping[str, Parts]]]
"""Returns the parts in each of the languages."""

FindOpen = Callable[[Collection[str]], Awaitable[frozenset[str]]]
"""Returns which of these digests are of sessions that are open. Raises StoreUnavailable."""


@dataclass(slots=True, eq=False)
class LiveStream:
    """One viewer: of the session with the digest `session`, and what it has not got yet."""

    user: str
    session: str
    language: str
    waiting: set[str] = field(default_factory=set)
    is_over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """End the stream after what is being sent."""
        self.is_over = True
        self.changed.set()


class LiveStreams:
    """All streams of a process. `render` returns the parts, `find_open` the open sessions."""

    def __init__(self, render: RenderParts, find_open: FindOpen) -> None:
        self._render = render
        self._find_open = find_open
        self._streams: set[LiveStream] = set()
        self._parts: dict[str, Parts] = {}
        self._task: asyncio.Task[None] | None = None
        self._turns = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many streams there are."""
        return len(self._streams)

    def open(self, user: str, session: str, language: str) -> LiveStream | None:
        """Return a new stream, None where there are too many, of this user or in all."""
        own = sum(one.user == user for one in self._streams)
        if self._is_closed or own >= MOST_STREAMS_OF_USER or len(self._streams) >= MOST_STREAMS:
            return None
        stream = LiveStream(user, session, language)
        stream.waiting.update(self._parts.get(language, ()))
        if stream.waiting:
            stream.changed.set()
        self._streams.add(stream)
        if self._task is None or self._task.done():
            self._task = spawn(self._keep(), name="console.streams")
        return stream

    def leave(self, stream: LiveStream) -> None:
        """Forget a stream. May be repeated."""
        self._streams.discard(stream)

    def close(self) -> None:
        """End all streams, and give no more."""
        self._is_closed = True
        for stream in self._streams:
            stream.end()

    async def _keep(self) -> None:
        """Take turns while there are viewers."""
        while self._streams:
            await self.turn()
            await asyncio.sleep(EVERY_S)
        self._parts.clear()  # who comes next wants to see what is then

    async def turn(self) -> None:
        """Look once, and tell each viewer what changed; end streams of sessions that are over."""
        self._turns += 1
        if self._turns % _TURNS_PER_LOOK == 0:
            await self._end_old()
        languages = {one.language for one in self._streams}
        for language, parts in (await self._render(languages)).items():
            before = self._parts.get(language, {})
            changed = {name for name, html in parts.items() if before.get(name) != html}
            self._parts[language] = parts
            for stream in self._streams:
                if stream.language == language:
                    stream.waiting |= changed
                    stream.changed.set()

    async def _end_old(self) -> None:
        streams = tuple(self._streams)
        try:
            still = await self._find_open({one.session for one in streams})
        except StoreUnavailable:
            still = frozenset()  # as every page then: it cannot be said who is signed in
        for stream in streams:
            if stream.session not in still:
                stream.end()

    async def events(self, stream: LiveStream, keep: Callable[[], object]) -> AsyncIterator[str]:
        """Yield events until the stream is over; call `keep` where the one before was taken."""
        while True:
            keep()
            await stream.changed.wait()
            if stream.is_over:
                return
            stream.changed.clear()
            parts = self._parts.get(stream.language, {})
            names, stream.waiting = stream.waiting, set()
            yield event_of({name: parts[name] for name in parts if name in names})


def event_of(parts: Parts) -> str:
    """Return the server-sent event that puts parts in their places."""
    lines = partials(parts).splitlines() or [""]
    return "".join(f"data: {line}\n" for line in lines) + "\n"


def partials(parts: Parts) -> str:
    """Return the HTML by which htmx puts parts in their places."""
    return "\n".join(
        f'<hx-partial hx-target="#{name}" hx-swap="innerHTML">{html}</hx-partial>'
        for name, html in parts.items()
    )


class StreamAnswer(StreamingResponse):
    """The answer that is a stream, on a connection of its own."""

    def __init__(self, streams: LiveStreams, stream: LiveStream, request: Request) -> None:
        keep: Callable[[], object] = request.scope.get(KEEP_STREAM, bool)
        events = streams.events(stream, keep)
        super().__init__(events, media_type="text/event-stream", headers=_CLOSING)
        self._leave = partial(streams.leave, stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the stream or its connection is over (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()  # also where no event was ever sent
