"""An ESME that sends exactly the octets it is told to, in the rhythm it is told to."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from ssl import SSLContext
from types import TracebackType
from typing import NamedTuple, Self, cast

from simulators import builders, sockets
from simulators.watch import Watch
from simulators.wire import (
    RESPONSE,
    CommandId,
    Framer,
    MalformedError,
    c_octets,
    header_of,
    message_id_of,
    pdu,
    sequence_of,
)

WITHIN_S = 60.0
# The status of a submit whose answer never came.
UNANSWERED = -1
# Requests and stray answers kept for the test to read; what comes on top is counted only.
KEPT = 100_000
# What a request gets in place of an answer when the link is lost.
_LOST = b""
_MAX_SEQUENCE = 0x7FFF_FFFF


class Answer(NamedTuple):
    """What an SMSC answered: a command_status, and the message_id when it gave one."""

    command_status: int
    message_id: str

    @property
    def is_ok(self) -> bool:
        """Tell whether the message was accepted."""
        return self.command_status == 0


class RawEsme(asyncio.Protocol):
    """A client for tests: no state machine forbids it anything.

    Requests from the other side are queued in `pdus()` and answered ESME_ROK, or
    `deliver_status` for messages, unless `answers_requests` is off. With `octets_per_write` set,
    `send` and what goes through it leave in pieces of that size, each in a turn of its own.
    Once `is_lost`, `error` is what the connection ended with: None for a FIN.
    """

    def __init__(self) -> None:
        self.answers_requests = True
        self.deliver_status = 0
        self.octets_per_write = 0
        self.strays: list[bytes] = []
        self.dropped = 0
        self.is_lost = False
        self.error: Exception | None = None
        self._framer = Framer()
        self._watch = Watch()
        self._sequence = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._requests: asyncio.Queue[bytes] = asyncio.Queue(KEPT)
        self._flood: _Flood | None = None
        self._may_write = True

    @classmethod
    async def connect(
        cls, host: str, port: int, *, ssl: SSLContext | None = None, local: str | None = None
    ) -> Self:
        """Open a connection, from the address `local` if given; raise OSError when that fails."""
        loop = asyncio.get_running_loop()
        local_addr = (local, 0) if local else None
        _, esme = await loop.create_connection(cls, host, port, ssl=ssl, local_addr=local_addr)
        return esme

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A peer that does not read would keep a polite close waiting for ever.
        if self._transport.get_write_buffer_size():
            self.abort()
        self.close()
        await self.lost()

    # Sending

    async def bind(
        self, system_id: str, password: str, kind: str = "trx", interface_version: int = 0x34
    ) -> int:
        """Bind as "trx", "tx" or "rx"; return the command_status."""
        request = builders.bind(
            system_id,
            password,
            kind=kind,
            interface_version=interface_version,
            sequence=self.next_sequence(),
        )
        return header_of(await self.request(request)).command_status

    async def submit(
        self,
        source: str,
        destination: str,
        text: str | bytes,
        *,
        data_coding: int = builders.UCS2,
        registered_delivery: int = 0,
    ) -> Answer:
        """Submit one message, a str as UCS-2 and octets as they are; return what was answered."""
        octets = builders.ucs2(text) if isinstance(text, str) else text
        request = builders.submit_sm(
            source,
            destination,
            octets,
            data_coding=data_coding,
            registered_delivery=registered_delivery,
            sequence=self.next_sequence(),
        )
        return answer_of(await self.request(request))

    # The fields that tests vary, each with its everyday value.
    async def submit_many(  # noqa: PLR0913
        self,
        texts: Iterable[str | bytes],
        window: int,
        *,
        source: str = "10690001",
        destination: str = "13800138000",
        data_coding: int = builders.UCS2,
        registered_delivery: int = 0,
        within_s: float = 60.0,
    ) -> list[Answer]:
        """Submit `texts` with at most `window` unanswered; return the answers in their order.

        What was not answered when the link was lost, or after `within_s`, is UNANSWERED.
        """
        requests = [
            builders.submit_sm(
                source,
                destination,
                builders.ucs2(text) if isinstance(text, str) else text,
                data_coding=data_coding,
                registered_delivery=registered_delivery,
                sequence=self.next_sequence(),
            )
            for text in texts
        ]
        answers = await self.flood(requests, window, within_s=within_s)
        return [
            Answer(UNANSWERED, "") if octets is None else answer_of(octets) for octets in answers
        ]

    async def flood(
        self, requests: Sequence[bytes], window: int, *, within_s: float = 60.0
    ) -> list[bytes | None]:
        """Send whole PDUs with at most `window` unanswered; return each one's answer or None.

        They need distinct sequence_numbers. Only one flood at a time.
        """
        if self._flood:
            raise RuntimeError("a flood is under way")
        flood = self._flood = _Flood(requests, window)
        try:
            self._pour()
            await self._watch.until(lambda: flood.is_over or self.is_lost, within_s)
        except TimeoutError:
            pass
        finally:
            self._flood = None
        return flood.answers

    async def request(self, octets: bytes, *, within_s: float = WITHIN_S) -> bytes:
        """Send a PDU and return the answer with its sequence_number.

        Raises ConnectionError when the link is lost before it came, TimeoutError after `within_s`.
        """
        answer = self._expect(sequence_of(octets))
        try:
            async with asyncio.timeout(within_s):
                await self.send(octets)
                answered = await answer
        finally:
            self._waiting.pop(sequence_of(octets), None)
        if answered == _LOST:
            raise ConnectionResetError("the link is lost")
        return answered

    async def send(self, octets: bytes) -> None:
        """Send octets of any kind; return when the transport has taken them."""
        step = self.octets_per_write or len(octets) or 1
        for at in range(0, len(octets), step):
            if self.is_lost:
                raise ConnectionResetError("the link is lost")
            self._transport.write(octets[at : at + step])
            # A turn of the loop, so that the next piece leaves in a segment of its own.
            await asyncio.sleep(0)
            await self._watch.until(lambda: self._may_write or self.is_lost, WITHIN_S)

    def next_sequence(self) -> int:
        """Take the next sequence_number."""
        self._sequence = self._sequence % _MAX_SEQUENCE + 1
        return self._sequence

    # Receiving

    def pdus(self) -> asyncio.Queue[bytes]:
        """Return the queue of requests from the other side."""
        return self._requests

    async def next_pdu(self, within_s: float = WITHIN_S) -> bytes:
        """Wait for the next request from the other side."""
        async with asyncio.timeout(within_s):
            return await self._requests.get()

    async def next_stray(self, count: int = 1, within_s: float = WITHIN_S) -> bytes:
        """Wait until `count` answers came that nobody waited for; return the last of them."""
        await self._watch.until(lambda: len(self.strays) >= count, within_s)
        return self.strays[count - 1]

    def pause(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    # Leaving

    async def unbind(self) -> int:
        """Unbind, close, and return the command_status."""
        answer = await self.request(builders.unbind(self.next_sequence()))
        self.close()
        return header_of(answer).command_status

    def close(self) -> None:
        """Close with a FIN, without unbinding."""
        self._transport.close()

    def abort(self) -> None:
        """Close with a RST."""
        sockets.reset(self._transport)

    def half_close(self) -> None:
        """Send a FIN and go on reading; TLS cannot."""
        self._transport.write_eof()

    async def lost(self, within_s: float = WITHIN_S) -> None:
        """Wait until the connection has ended, from whichever side."""
        await self._watch.until(lambda: self.is_lost, within_s)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.error = exc
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(_LOST)
        self._watch.changed()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._pour()
        self._watch.changed()

    def data_received(self, data: bytes) -> None:
        for octets in self._framer.feed(data):
            header = header_of(octets)
            if header.command_id & RESPONSE:
                self._settle(header.sequence_number, octets)
            else:
                self._take_request(header.command_id, header.sequence_number, octets)
        self._pour()
        self._watch.changed()

    def _settle(self, sequence: int, octets: bytes) -> None:
        waiter = self._waiting.pop(sequence, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(octets)
        elif self._flood is None or not self._flood.settle(sequence, octets):
            self._keep_stray(octets)

    def _keep_stray(self, octets: bytes) -> None:
        if len(self.strays) < KEPT:
            self.strays.append(octets)
        else:
            self.dropped += 1

    def _take_request(self, command_id: int, sequence: int, octets: bytes) -> None:
        if self._requests.full():
            self.dropped += 1
        else:
            self._requests.put_nowait(octets)
        if not self.answers_requests or command_id == CommandId.ALERT_NOTIFICATION:
            return
        is_message = command_id in (CommandId.DELIVER_SM, CommandId.DATA_SM)
        status = self.deliver_status if is_message else 0
        body = c_octets("") if is_message and not status else b""
        self._transport.write(pdu(command_id | RESPONSE, sequence, body, command_status=status))

    def _expect(self, sequence: int) -> asyncio.Future[bytes]:
        if sequence in self._waiting:
            raise ValueError("a request with this sequence_number is under way")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answer
        return answer

    def _pour(self) -> None:
        if self._flood and self._may_write and not self.is_lost:
            octets = self._flood.next_octets()
            if octets:
                self._transport.write(octets)


class _Flood:
    """Many requests under a window: which are out, which are answered."""

    def __init__(self, requests: Sequence[bytes], window: int) -> None:
        self.answers: list[bytes | None] = [None] * len(requests)
        self._window = window
        self._left: Iterator[bytes] = iter(requests)
        self._places = {sequence_of(octets): at for at, octets in enumerate(requests)}
        if len(self._places) < len(requests):
            raise ValueError("two requests share a sequence_number")
        self._in_flight = 0

    @property
    def is_over(self) -> bool:
        return not self._places

    def next_octets(self) -> bytes:
        """Fill the window; return what to write."""
        room = self._window - self._in_flight
        requests = list(islice(self._left, room))
        self._in_flight += len(requests)
        return b"".join(requests)

    def settle(self, sequence: int, octets: bytes) -> bool:
        """Keep an answer; False when it answers none of these requests, or one already answered."""
        place = self._places.pop(sequence, None)
        if place is None:
            return False
        self.answers[place] = octets
        self._in_flight -= 1
        return True


def answer_of(octets: bytes) -> Answer:
    """Read an answer to a message; a body that cannot be read gives no message_id."""
    try:
        message_id = message_id_of(octets)
    except MalformedError:
        message_id = ""
    return Answer(header_of(octets).command_status, message_id)
