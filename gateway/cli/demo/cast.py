"""The files of the demo, its SPs, each at its own pace, and the audit of what they were told."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.settings.directories import policies_directory
from gateway.settings.schema import Address
from gateway.smpp.status import CommandStatus
from gateway.systems.quarantine.model import is_message_id
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.deployment import Deployment, load_deployment
from simulators.esme import UNANSWERED, Answer, Credentials, RawEsme, SimulatedEsme, answer_of
from simulators.smsc import Received
from simulators.traffic import (
    PERSONAS,
    SPAM_PHRASES,
    OwnedPort,
    Persona,
    PersonaName,
    Submission,
    persona_messages,
)

LOOPBACK = "127.0.0.1"
PASSWORD = "demo"  # noqa: S105 - the demo's own, on loopback, and shown to everyone
# The SP that the audience may be.
GUEST = Persona("guest", "观众", (OwnedPort("10690001", 4, "marketing"),))

_GATEWAY = """\
# The gateway of one demo.
version: 1
node: {{carrier: demo, province: demo}}
listeners:
  - {{name: plain, address: "{esme_side}"}}
smscs:
  - {{name: simulator, address: "{smsc_side}"}}
timers: {{drain_s: 5}}
store: {{url: "sqlite:///{directory}/var/smsward.db"}}
records: {{directory: "{directory}/var/cdr"}}
metrics: {{address: "{metrics}"}}
"""
_SENDERS = """\
# The SPs of one demo. A change is taken over at once.
version: 1
allow_plain_passwords: true
senders:
"""
_SENDER = """\
  - system_id: {system_id}
    password: "plain:{password}"
    name: {name}
    ports:
{ports}
    rate: {{per_s: {per_s}, burst: {burst}}}
    window: 100
"""
_PORT = '      - {{number: "{number}", extension_digits: {digits}, purpose: {purpose}}}'

# What the spammer of the demo says belongs to the demo, not to the shipped policy.
_KEYWORDS = """\
# What the spammer of this demo offers: {fate}. The action is reject, quarantine or shadow
# (recorded, forwarded all the same). Change it and save: it holds at once.{beside}
version: 1
id: {id}
category: demo
action: {action}
words: [{words}]
"""

_BESIDE = " fraud.yaml beside\n# this file holds one of the words as well, and goes on refusing it."
_RATES = {"spammer": (40, 80)}
_USUAL_RATE = (1000, 2000)
_CONSOLE_PORT = 8080


@dataclass(frozen=True, slots=True)
class Stage:
    """One demo's files and addresses."""

    directory: Path
    esme_side: Address
    metrics: Address
    console: Address

    @property
    def config(self) -> Path:
        """Return the directory of gateway.yaml and senders.yaml."""
        return self.directory / "config"

    @property
    def policies(self) -> Path:
        """Return the directory of the policy bundle, a copy that may be edited."""
        return self.directory / "policies"

    @property
    def keywords(self) -> Path:
        """Return the file with the words that the spammer is refused for."""
        return self.policies / "keywords" / "demo-reject.yaml"

    @property
    def log(self) -> Path:
        """Return the file that the gateway logs to."""
        return self.directory / "var" / "gateway.log"

    def load(self) -> Deployment:
        """Read the files back, as a gateway would."""
        return load_deployment(self.config, self.policies)


def build_stage(port: int, smsc_port: int) -> Stage:
    """Write all files into a new temporary directory; raise OSError where that fails.

    SPs bind at `port`, or at a free one when it is taken.
    """
    directory = Path(tempfile.mkdtemp(prefix="smsward-demo-"))
    stage = Stage(
        directory,
        Address(LOOPBACK, usable_port(port)),
        Address(LOOPBACK, usable_port(0)),
        Address(LOOPBACK, usable_port(_CONSOLE_PORT)),
    )
    stage.config.mkdir()
    stage.log.parent.mkdir(mode=0o700)
    # Without the self-test, which knows nothing of the demo's own words and of what is tried.
    without_selftest = shutil.ignore_patterns("selftest.yaml")
    shutil.copytree(policies_directory(), stage.policies, ignore=without_selftest)
    _write_keywords(stage)
    gateway = _GATEWAY.format(
        esme_side=stage.esme_side,
        smsc_side=Address(LOOPBACK, smsc_port),
        metrics=stage.metrics,
        directory=directory,
    )
    (stage.config / "gateway.yaml").write_text(gateway, encoding="utf-8")
    (stage.config / "console.yaml").write_text(
        f'# The console of one demo.\nversion: 1\naddress: "{stage.console}"\n', encoding="utf-8"
    )
    senders = _SENDERS + "".join(map(_sender, (*PERSONAS.values(), GUEST)))
    (stage.config / "senders.yaml").write_text(senders, encoding="utf-8")
    return stage


def usable_port(wanted: int) -> int:
    """Return `wanted` if it is free, else another free port."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, wanted))
        except OSError:
            candidate.bind((LOOPBACK, 0))
        return int(candidate.getsockname()[1])


def _write_keywords(stage: Stage) -> None:
    """Add two lists to the bundle: of the spammer's offers every other one is held."""
    stage.keywords.parent.mkdir(exist_ok=True)
    for action, fate, beside, offers in (
        ("reject", "refused at once", _BESIDE, SPAM_PHRASES[::2]),
        ("quarantine", "held for a person", "", SPAM_PHRASES[1::2]),
    ):
        list_id, words = f"DEMO-{action.upper()}", ", ".join(offers)
        text = _KEYWORDS.format(fate=fate, beside=beside, id=list_id, action=action, words=words)
        stage.keywords.with_name(f"demo-{action}.yaml").write_text(text, encoding="utf-8")


def _sender(persona: Persona) -> str:
    per_s, burst = _RATES.get(persona.system_id, _USUAL_RATE)
    ports = (
        _PORT.format(number=port.number, digits=port.extension_digits, purpose=port.purpose)
        for port in persona.ports
    )
    return _SENDER.format(
        system_id=persona.system_id,
        password=PASSWORD,
        name=persona.name,
        ports="\n".join(ports),
        per_s=per_s,
        burst=burst,
    )


_HEADER_OCTETS = 16
_PAGE = 500

# Who submitted, and the message_id that the answer bore.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Audit:
    """How the books stand. All but the first two should be 0."""

    at_smsc: int
    in_quarantine: int
    missing: int  # accepted, and neither at the SMSC nor in quarantine
    unasked: int  # at the SMSC or in quarantine, and no SP was told so
    altered: int  # other octets than the SP sent
    doubled: int  # under one message_id more than once

    @property
    def is_balanced(self) -> bool:
        """Tell whether nothing was lost, invented, changed or doubled."""
        return not (self.missing or self.unasked or self.altered or self.doubled)


class Ledger:
    """Enters promises and deliveries, and strikes out what agrees: it stays small for hours."""

    def __init__(self, store: QuarantineStore, system_ids: Iterable[str]) -> None:
        self._store = store
        self._system_ids = frozenset(system_ids)
        self._promised: dict[Key, bytes | None] = {}
        self._delivered: dict[Key, bytes] = {}
        self._at_smsc = 0
        self._in_quarantine = 0
        self._altered = 0
        self._doubled = 0

    def promise(self, system_id: str, message_id: str, pdu: bytes | None) -> None:
        """Enter an ESME_ROK that an SP got; `pdu` is what it sent, where that is known."""
        key = (system_id, message_id)
        self._doubled += key in self._promised
        self._promised[key] = pdu and pdu[_HEADER_OCTETS:]

    def deliver(self, received: Iterable[Received]) -> None:
        """Enter what the SMSC accepted. What is not of the demo's own SPs is left out."""
        for message in received:
            if not message.command_status and message.system_id in self._system_ids:
                key = (message.system_id, message.message_id)
                self._doubled += key in self._delivered
                self._delivered[key] = message.pdu[_HEADER_OCTETS:]

    async def strike_out(self) -> None:
        """Strike out the promises that are kept. Raises StoreUnavailable."""
        for key in self._promised.keys() & self._delivered.keys():
            self._compare(self._promised.pop(key), self._delivered.pop(key))
            self._at_smsc += 1
        for key in [key for key in self._promised if is_message_id(key[1])]:
            held = await self._store.get(int(key[1]))
            if held is not None and held.system_id == key[0]:
                self._compare(self._promised.pop(key), held.pdu[_HEADER_OCTETS:])
                self._in_quarantine += 1

    async def audit(self) -> Audit:
        """Strike out what is left, count what cannot be, and return how the books stand."""
        await self.strike_out()
        held = 0
        for system_id in self._system_ids:
            held += await self._count_held(system_id)
        return Audit(
            at_smsc=self._at_smsc,
            in_quarantine=self._in_quarantine,
            missing=len(self._promised),
            unasked=len(self._delivered) + held - self._in_quarantine,
            altered=self._altered,
            doubled=self._doubled,
        )

    async def _count_held(self, system_id: str) -> int:
        """Count an SP's messages in the store; those released were asked for by a person."""
        count, before_id = 0, None
        while page := await self._store.find(system_id=system_id, before_id=before_id, limit=_PAGE):
            for held in page:
                self._strike_out_released(held)
            count += len(page)
            before_id = page[-1].message_id
        return count

    def _strike_out_released(self, held: HeldMessage) -> None:
        if held.state is HoldState.RELEASED:
            octets = self._delivered.pop((held.system_id, held.smsc_message_id), None)
            self._compare(octets, held.pdu[_HEADER_OCTETS:])

    def _compare(self, one: bytes | None, other: bytes) -> None:
        self._altered += one is not None and one != other


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


Voice = RawVoice | LibraryVoice  # how an SP speaks SMPP


class Performer:
    """One SP at its pace, with the audit's pen in hand."""

    def __init__(self, name: PersonaName, voice: Voice, ledger: Ledger) -> None:
        self.system_id = PERSONAS[name].system_id
        self.told = SpReport()
        self.voice = voice
        self._ledger = ledger
        self._messages: Iterator[Submission] = persona_messages(name)
        self._per_turn = round(PACES[name] * _TURN_S)

    async def perform(self, stopped: asyncio.Event) -> None:
        """Send until `stopped`; what was sent is answered when this returns."""
        loop = asyncio.get_running_loop()
        turn_ends = loop.time()
        while not stopped.is_set():
            turn_ends = max(turn_ends + _TURN_S, loop.time())
            for pdu, answer in await self.voice.say(list(islice(self._messages, self._per_turn))):
                self.told.count(answer)
                if answer.is_ok:
                    self._ledger.promise(self.system_id, answer.message_id, pdu)
            self.told.receipts += self.voice.hear()
            await asyncio.sleep(max(0.0, turn_ends - loop.time()))


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
