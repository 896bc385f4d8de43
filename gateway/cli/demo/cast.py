"""The SPs of the demo: each sends at its own pace and counts what it was told."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from gateway.cli.demo.ledger import Ledger
from gateway.cli.demo.stage import PASSWORD
from gateway.settings.addresses import Address
from gateway.smpp.status import CommandStatus
from gateway.systems.quarantine.ids import is_message_id
from simulators.esme import UNANSWERED, Answer, Credentials, RawEsme, SimulatedEsme, answer_of
from simulators.traffic import PERSONAS, PersonaName, Submission, persona_messages

_TURN_S = 0.1
_WINDOW = 50

# Messages a second of each; the spammer's is over the rate it is allowed.
PACES = {PersonaName.BANK: 100, PersonaName.RETAILER: 200, PersonaName.SPAMMER: 60}


@dataclass(slots=True)
class SpReport:
    """What one SP was told of its messages, the parts of long ones each for itself."""

    submitted: int = 0
    forwarded: int = 0
    quarantined: int = 0
    throttled: int = 0
    refused: int = 0
    unanswered: int = 0
    receipts: int = 0

    def count(self, answer: Answer) -> None:
        """Count one answer."""
        self.submitted += 1
        match answer.command_status:
            case 0 if is_message_id(answer.message_id):
                self.quarantined += 1
            case 0:
                self.forwarded += 1
            case CommandStatus.ESME_RTHROTTLED:
                self.throttled += 1
            case status if status == UNANSWERED:
                self.unanswered += 1
            case _:
                self.refused += 1


class Voice(Protocol):
    """How an SP speaks SMPP."""

    async def say(self, messages: Sequence[Submission]) -> list[tuple[bytes | None, Answer]]:
        """Submit messages; return for each part its PDU, where known, and its answer."""

    def hear(self) -> int:
        """Return how many receipts came since the last call."""

    async def leave(self) -> None:
        """Unbind."""


class Performer:
    """One SP at its pace, with the audit's pen in hand."""

    def __init__(self, name: PersonaName, voice: Voice, ledger: Ledger) -> None:
        self.system_id = PERSONAS[name].system_id
        self.told = SpReport()
        self._voice = voice
        self._ledger = ledger
        self._messages: Iterator[Submission] = persona_messages(name)
        self._per_turn = round(PACES[name] * _TURN_S)

    async def perform(self, stopped: asyncio.Event) -> None:
        """Send until `stopped`; what was sent is answered when this returns."""
        loop = asyncio.get_running_loop()
        turn_ends = loop.time()
        while not stopped.is_set():
            turn_ends = max(turn_ends + _TURN_S, loop.time())
            for pdu, answer in await self._voice.say(list(islice(self._messages, self._per_turn))):
                self.told.count(answer)
                if answer.is_ok:
                    self._ledger.promise(self.system_id, answer.message_id, pdu)
            self.told.receipts += self._voice.hear()
            await asyncio.sleep(max(0.0, turn_ends - loop.time()))

    async def leave(self) -> None:
        """Unbind."""
        await self._voice.leave()


async def enter(name: PersonaName, address: Address) -> Voice:
    """Bind one SP; raise ConnectionError or TimeoutError when it is not let in."""
    host, port = address
    system_id = PERSONAS[name].system_id
    if name is PersonaName.BANK:
        esme = SimulatedEsme(host, port, Credentials(system_id, PASSWORD), window=_WINDOW)
        await esme.start()
        return LibraryVoice(esme)
    raw = await RawEsme.connect(host, port)
    status = await raw.bind(system_id, PASSWORD)
    if status:
        raw.close()
        raise ConnectionRefusedError(f"the bind of {system_id} was answered 0x{status:08X}")
    return RawVoice(raw)


class RawVoice:
    """Octets as they are: a sender of evasions needs them."""

    def __init__(self, esme: RawEsme) -> None:
        self._esme = esme

    async def say(self, messages: Sequence[Submission]) -> list[tuple[bytes | None, Answer]]:
        """Submit messages; return for each part its PDU and its answer."""
        pdus = [pdu for one in messages for pdu in one.pdus(self._esme.next_sequence)]
        answers = await self._esme.flood(pdus, _WINDOW)
        if self._esme.is_lost:
            raise ConnectionResetError("the gateway has closed the session of an SP")
        return [
            (pdu, Answer(UNANSWERED, "") if octets is None else answer_of(octets))
            for pdu, octets in zip(pdus, answers, strict=True)
        ]

    def hear(self) -> int:
        """Return how many receipts came since the last call."""
        queue = self._esme.pdus()
        return sum(1 for _ in iter(lambda: None if queue.empty() else queue.get_nowait(), None))

    async def leave(self) -> None:
        """Unbind."""
        if not self._esme.is_lost:
            await self._esme.unbind()
            await self._esme.lost()


class LibraryVoice:
    """A usual SP's software: aiosmpplib, with texts and receipts."""

    def __init__(self, esme: SimulatedEsme) -> None:
        self._esme = esme

    async def say(self, messages: Sequence[Submission]) -> list[tuple[bytes | None, Answer]]:
        """Submit messages; return the answer of each part. The library keeps its PDUs."""
        answered = await asyncio.gather(*map(self._submit, messages))
        return [(None, answer) for answers in answered for answer in answers]

    def hear(self) -> int:
        """Return how many receipts came since the last call."""
        receipts = len(self._esme.receipts)
        self._esme.receipts.clear()
        return receipts

    async def leave(self) -> None:
        """Unbind."""
        await self._esme.stop()

    async def _submit(self, message: Submission) -> list[Answer]:
        return await self._esme.submit(
            message.source,
            message.destination,
            message.text,
            wants_receipt=bool(message.registered_delivery),
            in_parts=len(message.parts) > 1,
        )
