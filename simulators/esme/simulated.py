"""A service provider as its own software would behave, on aiosmpplib."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiosmpplib
from aiosmpplib.correlator import SimpleCorrelator
from aiosmpplib.hook import AbstractHook
from aiosmpplib.protocol import DeliverSm, SmppMessage, SubmitSm

from simulators.esme.raw import UNANSWERED, WITHIN_S, Answer, answer_of
from simulators.watch import Watch
from simulators.wire import RESPONSE, CommandId, header_of, sequence_of

# Answers, receipts and messages kept for the test to read; the oldest make room.
KEPT = 100_000
# The library walks through every message that waits for a receipt each time it sends one, and
# keeps them for three days unless told otherwise: a thousand of them cost it 0.1 ms a message.
_RECEIPT_PATIENCE_S = 30.0
_ENQUIRE_LINK_S = 30.0

_BIND_MODES = {
    "trx": aiosmpplib.BindMode.TRANSCEIVER,
    "tx": aiosmpplib.BindMode.TRANSMITTER,
    "rx": aiosmpplib.BindMode.RECEIVER,
}
_BIND_ANSWERS = {
    CommandId.BIND_RECEIVER | RESPONSE,
    CommandId.BIND_TRANSMITTER | RESPONSE,
    CommandId.BIND_TRANSCEIVER | RESPONSE,
}


class BindRefusedError(ConnectionError):
    """The SMSC answered a bind with an error."""

    def __init__(self, command_status: int) -> None:
        super().__init__(f"bind refused with status 0x{command_status:08X}")
        self.command_status = command_status


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who binds, and how: "trx", "tx" or "rx"."""

    system_id: str
    password: str = field(repr=False)
    kind: str = "trx"


@dataclass(frozen=True, slots=True)
class Mobile:
    """A deliver_sm as aiosmpplib read it."""

    source: str
    destination: str
    text: str


@dataclass(slots=True)
class _Submission:
    """A message handed to the library, until the answers to all its parts are in."""

    done: asyncio.Future[None]
    parts: int = 1
    sequences: set[int] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)


class SimulatedEsme:
    """An SP with a window, usable as an async context manager.

    aiosmpplib binds, binds again when the link is lost, slows down when it is throttled and
    answers receipts. It cannot carry every octet (data_coding 15, binary TLVs): use RawEsme there.
    """

    def __init__(self, host: str, port: int, credentials: Credentials, *, window: int = 10) -> None:
        self.answers: deque[Answer] = deque(maxlen=KEPT)
        self.receipts: deque[Mobile] = deque(maxlen=KEPT)
        self.messages: deque[Mobile] = deque(maxlen=KEPT)
        self.watch = Watch()
        self._credentials = credentials
        self._window = asyncio.Semaphore(window)
        self._serial = 0
        self._submissions: dict[str, _Submission] = {}
        self._by_sequence: dict[int, _Submission] = {}
        self._bind_status = UNANSWERED
        self._running: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._broker = _Broker()
        self._client = aiosmpplib.ESME(
            host,
            port,
            credentials.system_id,
            credentials.password,
            bind_mode=_BIND_MODES[credentials.kind],
            enquire_link_interval=_ENQUIRE_LINK_S,
            log_handler=logging.NullHandler(),
            log_level="CRITICAL",
            hook=_Hook(self),
            broker=self._broker,
            correlator=SimpleCorrelator(
                credentials.system_id, max_ttl_delivery=_RECEIPT_PATIENCE_S
            ),
        )

    async def start(self, within_s: float = WITHIN_S) -> None:
        """Connect and bind.

        Raises BindRefusedError, or TimeoutError while nobody answers: the library tries for ever.
        """
        self._running = asyncio.get_running_loop().create_task(self._client.start())
        try:
            await self.watch.until(lambda: self._bind_status != UNANSWERED, within_s)
        except TimeoutError:
            await self.stop()
            raise
        if self._bind_status:
            await self.stop()
            raise BindRefusedError(self._bind_status)

    async def stop(self) -> None:
        """Unbind if bound, and let go of the connection."""
        if self._running is None:
            return
        if self._bind_status == 0:
            # Its sender would sleep on in dequeue until the library's patience ends.
            await asyncio.gather(self._client.stop(), self._broker.close())
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._running = None
        if self._writer is not None:
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
            self._writer = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def submit(
        self,
        source: str,
        destination: str,
        text: str,
        *,
        wants_receipt: bool = False,
        in_parts: bool = False,
        within_s: float = 30.0,
    ) -> list[Answer]:
        """Submit one message when the window has room; return an answer for each of its parts.

        A text that does not fit goes as message_payload, or `in_parts` with an 8-bit UDH. What is
        not answered within `within_s` is UNANSWERED.
        """
        self._serial += 1
        request = SubmitSm(
            short_message=text,
            source=_number(source),
            destination=_number(destination),
            registered_delivery=int(wants_receipt),
            esm_class=0x40 if in_parts else 0,
            auto_message_payload=not in_parts,
            log_id=str(self._serial),
        )
        async with self._window:
            return await self._send(request, within_s)

    async def _send(self, request: SubmitSm, within_s: float) -> list[Answer]:
        submission = _Submission(asyncio.get_running_loop().create_future())
        self._submissions[request.log_id] = submission
        await self._broker.enqueue(request)
        try:
            async with asyncio.timeout(within_s):
                await submission.done
        except TimeoutError:
            missing = submission.parts - len(submission.answers)
            submission.answers += [Answer(UNANSWERED, "")] * missing
        finally:
            del self._submissions[request.log_id]
            for sequence in submission.sequences:
                self._by_sequence.pop(sequence, None)
        return submission.answers

    def sending(self, message: SmppMessage) -> None:
        """Note the sequence_number of a message, or of a part, before it is written."""
        self._adopt(self._client._writer)  # noqa: SLF001
        submission = (
            self._submissions.get(message.log_id) if isinstance(message, SubmitSm) else None
        )
        if submission is not None:
            _, _, total = message.get_segmentation_data()
            submission.parts = total or 1
            submission.sequences.add(message.sequence_num)
            self._by_sequence[message.sequence_num] = submission

    def received(self, message: SmppMessage | None, octets: bytes) -> None:
        """Sort what came: the answer to a bind or a message, a receipt, an MO."""
        header = header_of(octets)
        if header.command_id in _BIND_ANSWERS:
            self._bind_status = header.command_status
        elif header.command_id == CommandId.SUBMIT_SM | RESPONSE:
            self._take_answer(octets)
        elif isinstance(message, DeliverSm):
            text = message.short_message or message.message_payload
            mobile = Mobile(message.source.number, message.destination.number, text)
            (self.receipts if message.is_receipt() else self.messages).append(mobile)
        self.watch.changed()

    def _adopt(self, writer: asyncio.StreamWriter | None) -> None:
        # The library forgets its connection when it stops or connects anew, and never closes it.
        if writer is not None and writer is not self._writer:
            if self._writer is not None:
                self._writer.close()
            self._writer = writer

    def _take_answer(self, octets: bytes) -> None:
        answer = answer_of(octets)
        self.answers.append(answer)
        submission = self._by_sequence.pop(sequence_of(octets), None)
        if submission is None:
            return
        submission.answers.append(answer)
        if len(submission.answers) == submission.parts and not submission.done.done():
            submission.done.set_result(None)


class _Hook:
    """Tells SimulatedEsme what passes; it trusts raw octets more than the library's reading."""

    def __init__(self, esme: SimulatedEsme) -> None:
        self._esme = esme

    async def sending(self, message: SmppMessage, _pdu: bytes, _client_id: str) -> None:
        self._esme.sending(message)

    async def received(self, message: SmppMessage | None, pdu: bytes, _client_id: str) -> None:
        self._esme.received(message, pdu)

    async def send_error(self, message: SmppMessage, error: Exception, client_id: str) -> None:
        """Leave the submission to its deadline."""


class _Broker:
    """The library's queue of messages to send, which can be closed."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[SmppMessage | None] = asyncio.Queue()

    async def enqueue(self, message: SmppMessage) -> None:
        await self._queue.put(message)

    async def dequeue(self) -> SmppMessage:
        message = await self._queue.get()
        if message is None:
            raise ConnectionAbortedError("the ESME stops")
        return message

    async def close(self) -> None:
        await self._queue.put(None)


# The library asks for subclasses; it ships no types, and a subclass of Any is none to mypy.
AbstractHook.register(_Hook)
aiosmpplib.AbstractBroker.register(_Broker)


def _number(digits: str) -> aiosmpplib.PhoneNumber:
    return aiosmpplib.PhoneNumber(digits, aiosmpplib.TON.INTERNATIONAL, aiosmpplib.NPI.ISDN)
