"""A gateway that is killed and handed over again and again while SPs send: what became of all."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, GatewayProcess, source_of
from tests.promises.ledger import LISTS, Balance, Ledger, settle, text_of
from tests.promises.smsc_faults import Receipts, smscs_yaml
from tests.real_time import LONG_S, WITHIN_S, eventually, pause

SPS = ("sp1", "sp2", "sp3")
_WINDOW, _BATCH, _DESTINATIONS = 20, 200, 1_000


@dataclass(frozen=True, slots=True)
class Load:
    """At least `messages` that were answered, on `sessions` sessions of each of SPS, amid `kills`.

    A hand-over begins every `hand_over_s`, and may be killed too.
    """

    messages: int
    kills: int
    sessions: int = 2
    hand_over_s: float = 60.0


def deployment_of(directory: Path, smscs: Sequence[SimulatedSmsc], mode: str) -> Deployment:
    """Return a gateway before its SMSCs, with lists that refuse and hold."""
    deployment = Deployment(
        directory,
        0,
        [Account(name) for name in SPS],
        timers={"response_s": 5, "session_init_s": 5, "reconnect_max_s": 0.3},
        smscs=smscs_yaml([smsc.port for smsc in smscs], mode),
    )
    deployment.write_policies(LISTS)
    return deployment


class Scene:
    """A gateway before its SMSCs, the sessions of SPS, and those who end the gateway."""

    def __init__(
        self, deployment: Deployment, smscs: Sequence[SimulatedSmsc], draw: random.Random
    ) -> None:
        self.kills = self.hand_overs = self.binds = 0
        self.receipts = Receipts()
        self.ledger = Ledger(draw)
        self._draw = draw
        self.deployment = deployment
        self._smscs = smscs
        self._sent_by: dict[str, str] = {}
        self._is_up = asyncio.Event()

    async def play(self, load: Load) -> None:
        """Start the gateway, send all amid kills, and wait for the receipts of what was taken."""
        await self.deployment.start()
        self._is_up.set()
        async with asyncio.TaskGroup() as beside:
            async with asyncio.TaskGroup() as together:
                together.create_task(self._hand_over(load))
                together.create_task(self._kill(load))
                for system_id in SPS * load.sessions:
                    together.create_task(self._send(system_id, load))
            # Receipts wait at each SMSC until their SP is bound there again.
            readers: list[asyncio.Task[None]] = [
                beside.create_task(self._listen(system_id))
                for system_id in SPS * (2 * len(self._smscs))
            ]
            await eventually(self._have_receipts)
            for reader in readers:
                reader.cancel()

    async def _send(self, system_id: str, load: Load) -> None:
        while self._goes_on(load):
            await self._is_up.wait()
            try:
                esme = await RawEsme.connect("127.0.0.1", self.deployment.port)
            except (OSError, TimeoutError):
                continue  # it is killed or handed over: to call again is what an SP does
            try:
                if await esme.bind(system_id, PASSWORD) == 0:
                    self.binds += 1
                    await self._use(esme, system_id, load)
            except (OSError, TimeoutError):
                pass  # as above
            esme.abort()
            # Receipts that came between the last reading and the end were answered too.
            self.receipts.read_rest(system_id, esme)

    def _goes_on(self, load: Load) -> bool:
        return self.ledger.answered < load.messages or self.kills < load.kills

    async def _use(self, esme: RawEsme, system_id: str, load: Load) -> None:
        async with asyncio.TaskGroup() as together:
            reading = together.create_task(self.receipts.read(system_id, esme))
            try:
                await self._submit(esme, system_id, load)
            finally:
                reading.cancel()
        if not esme.is_lost:
            await esme.unbind()

    async def _submit(self, esme: RawEsme, system_id: str, load: Load) -> None:
        while self._goes_on(load) and not esme.is_lost:
            texts = self.ledger.texts(_BATCH)
            self._sent_by.update(dict.fromkeys(texts, system_id))
            answers = await esme.submit_many(
                texts,
                _WINDOW,
                source=source_of(system_id),
                destination=f"13800{self._draw.randrange(_DESTINATIONS):06}",
                registered_delivery=1,
            )
            self.ledger.enter(texts, answers)

    async def _listen(self, system_id: str) -> None:
        async with await RawEsme.connect("127.0.0.1", self.deployment.port) as esme:
            assert await esme.bind(system_id, PASSWORD) == 0
            await self.receipts.read(system_id, esme)

    async def _kill(self, load: Load) -> None:
        """Kill the gateway after a random number of messages each, and start it again at once."""
        mean = load.messages / load.kills
        for _ in range(load.kills):
            goal = self._arrived() + self._draw.randrange(int(1.6 * mean))
            await eventually(partial(self._have_arrived, goal), LONG_S, every_s=0.01)
            self._is_up.clear()
            await self.deployment.kill()
            await self.deployment.start()
            self.kills += 1
            self._is_up.set()

    async def _hand_over(self, load: Load) -> None:
        while self._goes_on(load):
            await pause(load.hand_over_s)
            await self._is_up.wait()
            process = self.deployment.running
            started = len(process.events("gateway.started"))
            process.signal(signal.SIGUSR2)
            await process.watch.until(partial(_has_started, process, started + 1), WITHIN_S)
            self.hand_overs += process.exit_code is None

    async def _have_arrived(self, goal: int) -> bool:
        return self._arrived() >= goal

    def _arrived(self) -> int:
        return sum(smsc.counters.messages for smsc in self._smscs)

    async def _have_receipts(self) -> bool:
        return not self.without_receipt()

    def without_receipt(self) -> int:
        """Return how many messages were accepted and are at an SMSC, and have no receipt."""
        accepted = self.ledger.accepted()
        heard = {(self._sent_by[text], accepted[text]) for text in accepted}
        at_smsc = {one.message_id for smsc in self._smscs for one in smsc.journal}
        return sum(one[1] in at_smsc and not self.receipts.of[one] for one in heard)

    async def balance(self) -> Balance:
        """Compare what SPs heard with the SMSCs and the quarantine; fail on any difference."""
        journal = list(chain.from_iterable(smsc.journal for smsc in self._smscs))
        return settle(self.ledger, journal, await self.deployment.held())

    def receipts_of_others(self) -> int:
        """Return how many receipts reached an SP that had not sent the message."""
        of_text = {text_of(one.pdu): one.message_id for smsc in self._smscs for one in smsc.journal}
        sender_of = {of_text[text]: sp for text, sp in self._sent_by.items() if text in of_text}
        wrong: Counter[tuple[str, str]] = Counter()
        for (sp, message_id), count in self.receipts.of.items():
            if sender_of.get(message_id, sp) != sp:
                wrong[sp, message_id] += count
        return wrong.total() + self.receipts.astray


def _has_started(process: GatewayProcess, times: int) -> bool:
    """Tell whether a process has started so often by itself, or was killed."""
    return len(process.events("gateway.started")) >= times or process.exit_code is not None
