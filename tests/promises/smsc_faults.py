"""Two SMSCs that fail in turn while SPs send: what became of each message, and of its receipt."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from simulators import builders
from simulators.esme import UNANSWERED, Answer, RawEsme, answer_of
from simulators.smsc import Behaviour, IdStyle, Received, SimulatedSmsc
from simulators.wire import CommandStatus
from tests.promises.deployment import PASSWORD, Deployment, source_of
from tests.promises.ledger import text_of
from tests.real_time import LONG_S, eventually, pause

# A destination has every fiftieth message of a session.
DESTINATIONS = 50
_CHUNK = 500
_RECEIPT_ID = re.compile(rb"id:(\S+) ")
# So short that a stalled SMSC is left within some six seconds.
TIMERS = {"response_s": 2, "enquire_link_s": 2, "session_init_s": 2, "reconnect_max_s": 0.3}
# What an SP may hear of a message while an SMSC fails; it decides whether to send it again.
ERRORS = {
    CommandStatus.ESME_RSYSERR,
    CommandStatus.ESME_RTHROTTLED,
    CommandStatus.ESME_RMSGQFUL,
}


def behaviour_of(seed: int) -> Behaviour:
    """Return how an SMSC behaves between its faults; no two SMSCs give the same ids."""
    return Behaviour(
        seed=seed,
        receipts=True,
        receipt_retry_s=0.5,
        id_style=IdStyle.UUID,
        answer_delay_s=0.002,
    )


def smscs_yaml(ports: Sequence[int], mode: str) -> str:
    """Return the SMSCs of gateway.yaml, equal in rank."""
    own = ', binds: 2, system_id: gw, password: "plain:gw"' if mode == "pooled" else ""
    return "".join(
        f'  - {{name: smsc{n}, address: "127.0.0.1:{port}", mode: {mode}{own}}}\n'
        for n, port in enumerate(ports)
    )


@dataclass(slots=True)
class Sp:
    """One session of an SP: what it sent, what it heard, and the receipts it got."""

    system_id: str
    number: int
    esme: RawEsme
    answers: dict[str, Answer] = field(default_factory=dict)
    waited_s: list[float] = field(default_factory=list)  # by a light sender, for each answer

    async def send(self, count: int, window: int) -> None:
        """Send `count` messages, each with a text of its own."""
        source = source_of(self.system_id)
        for first in range(0, count, _CHUNK):
            indices = range(first, min(count, first + _CHUNK))
            texts = [
                f"{self.system_id}-{self.number}-{index:07} 您的订单已发出" for index in indices
            ]
            requests = [
                builders.submit_sm(
                    source,
                    f"138{self.number:02}{index % DESTINATIONS:06}",
                    builders.ucs2(text),
                    registered_delivery=1,
                    sequence=self.esme.next_sequence(),
                )
                for index, text in zip(indices, texts, strict=True)
            ]
            octets = await self.esme.flood(requests, window, within_s=120)
            for text, one in zip(texts, octets, strict=True):
                self.answers[text] = Answer(UNANSWERED, "") if one is None else answer_of(one)

    async def send_lightly(self) -> None:
        """Send one message after the other, some fifty a second, until cancelled."""
        source = source_of(self.system_id)
        while True:
            text = f"{self.system_id}-{self.number}-{len(self.answers):07} 您的验证码是123456"
            destination = f"139{len(self.answers) % DESTINATIONS:08}"
            began = time.perf_counter()
            answer = await asyncio.shield(
                self.esme.submit(source, destination, text, registered_delivery=1)
            )
            self.waited_s.append(time.perf_counter() - began)
            self.answers[text] = answer
            await pause(0.02)


class Receipts:
    """Counts the receipts that each SP got, by message id, and those that are another's."""

    def __init__(self) -> None:
        self.of: Counter[tuple[str, str]] = Counter()
        self.astray = 0

    async def read(self, system_id: str, esme: RawEsme) -> None:
        """Read what is delivered to one session until cancelled."""
        while True:
            self._count(system_id, await esme.next_pdu(within_s=600))

    def read_rest(self, system_id: str, esme: RawEsme) -> None:
        """Read what a session has answered that nobody reads any more."""
        while not esme.pdus().empty():
            self._count(system_id, esme.pdus().get_nowait())

    def _count(self, system_id: str, pdu: bytes) -> None:
        own = source_of(system_id).encode() + b"\0"
        found = _RECEIPT_ID.search(pdu)
        if found is not None:
            self.of[system_id, found[1].decode()] += 1
            self.astray += own not in pdu


async def fail_in_turn(smscs: Sequence[SimulatedSmsc], step: int) -> None:
    """Kill, stall, throttle and flap an SMSC, again and again until cancelled.

    Each fault is of the one that got most messages lately, and lasts until `step` have come.
    """

    def counts() -> list[int]:
        return [one.counters.messages for one in smscs]

    async def pass_by(count: int = step) -> SimulatedSmsc:
        before = counts()

        async def have_passed() -> bool:
            return sum(counts()) >= sum(before) + count

        await eventually(have_passed, LONG_S, every_s=0.01)
        grown = [now - then for now, then in zip(counts(), before, strict=True)]
        return smscs[grown.index(max(grown))]

    while True:
        smsc = await pass_by()
        await smsc.stop()
        await pass_by()
        await smsc.start()
        smsc = await pass_by()
        smsc.pause()
        await pass_by()
        smsc.resume()
        smsc = await pass_by()
        usual = smsc.behaviour
        smsc.behaviour = replace(usual, throttle_every=20)
        await pass_by()
        smsc.behaviour = usual
        smsc = await pass_by()
        for _ in range(5):
            smsc.disconnect_all(by_reset=True)
            await pass_by(step // 5)


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: by `sessions` sessions of each of two SPs, `messages` each; see fail_in_turn.

    Beside them sp3 is a light sender.
    """

    sessions: int
    messages: int
    step: int
    window: int = 50


class Scene:
    """A gateway before two SMSCs, and the sessions of three SPs."""

    def __init__(self, deployment: Deployment, smscs: Sequence[SimulatedSmsc]) -> None:
        self.sps: list[Sp] = []
        self.receipts = Receipts()
        self._deployment = deployment
        self._smscs = smscs
        self._readers: list[asyncio.Task[None]] = []

    async def play(self, load: Load) -> None:
        """Start the gateway, send all amid faults, and wait for the receipts of what was taken."""
        await self._deployment.start()
        async with asyncio.TaskGroup() as beside:
            for system_id in ("sp3", *("sp1", "sp2") * load.sessions):
                assert await self._bind(beside, system_id)
            light, *heavy = self.sps
            failing = beside.create_task(fail_in_turn(self._smscs, load.step))
            chatting = beside.create_task(light.send_lightly())
            async with asyncio.TaskGroup() as senders:
                for sp in heavy:
                    senders.create_task(sp.send(load.messages, load.window))
            failing.cancel()
            chatting.cancel()
            await self._mend()
            # In transparent mode receipts of an SMSC wait until their SP is bound there again.
            for system_id in ("sp1", "sp2", "sp3") * (2 * load.sessions + 1):
                await eventually(partial(self._bind, beside, system_id))
            await eventually(self._have_receipts)
            for reader in self._readers:
                reader.cancel()
        for sp in self.sps:
            sp.esme.close()

    async def _bind(self, beside: asyncio.TaskGroup, system_id: str) -> bool:
        esme = await RawEsme.connect("127.0.0.1", self._deployment.port)
        if await esme.bind(system_id, PASSWORD, "trx"):
            return False  # no SMSC is there at the moment
        self._readers.append(beside.create_task(self.receipts.read(system_id, esme)))
        self.sps.append(Sp(system_id, len(self.sps), esme))
        return True

    async def _mend(self) -> None:
        for smsc in self._smscs:  # it may be stopped, or stalled
            smsc.resume()
            await smsc.stop()
            await smsc.start()

    async def _have_receipts(self) -> bool:
        return not self.account().without_receipt

    def account(self) -> "Account":
        """Compare what SPs heard with what SMSCs have."""
        return account_of(self.sps, self._smscs, self.receipts)


@dataclass(frozen=True, slots=True)
class Account:
    """What became of all messages."""

    sent: int
    accepted: int  # answered ESME_ROK
    refused: int  # answered with one of ERRORS
    unanswered: int
    lost: int  # accepted, and at no SMSC
    doubled: int  # at the SMSCs more than once
    misordered: int  # of those accepted, behind a later one of the same session and destination
    without_receipt: int
    receipts_again: int  # after a link was lost an SMSC sends those again that had no answer


def account_of(sps: Sequence[Sp], smscs: Sequence[SimulatedSmsc], receipts: Receipts) -> Account:
    """Compare all answers with the journals of the SMSCs, and these with the receipts."""
    answers = {text: answer for sp in sps for text, answer in sp.answers.items()}
    accepted = {text: answer.message_id for text, answer in answers.items() if answer.is_ok}
    arrived = sorted((one for smsc in smscs for one in smsc.journal), key=lambda one: one.at)
    times = Counter(text_of(one.pdu) for one in arrived)
    ids = {text_of(one.pdu): one.message_id for one in arrived}
    owed = [(text.partition("-")[0], message_id) for text, message_id in accepted.items()]
    return Account(
        sent=len(answers),
        accepted=len(accepted),
        refused=sum(answer.command_status in ERRORS for answer in answers.values()),
        unanswered=sum(answer.command_status == UNANSWERED for answer in answers.values()),
        lost=sum(ids.get(text) != message_id for text, message_id in accepted.items()),
        doubled=sum(count > 1 for count in times.values()),
        misordered=_misordered(arrived, accepted),
        without_receipt=sum(not receipts.of[one] for one in owed),
        receipts_again=sum(count - 1 for count in receipts.of.values()),
    )


def _misordered(arrived: Sequence[Received], accepted: dict[str, str]) -> int:
    last: dict[tuple[str, str], str] = {}
    wrong = 0
    for one in arrived:
        text = text_of(one.pdu)
        key = (text.rpartition("-")[0], one.destination)
        if text in accepted:
            wrong += text < last.get(key, "")
            last[key] = text
    return wrong
