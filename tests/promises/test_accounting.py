"""Promise 1: nothing lost, nothing twice, whatever breaks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from simulators.esme import UNANSWERED, RawEsme
from simulators.fault_proxy import FaultProxy
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, header_of
from tests.promises.deployment import PASSWORD, Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import LISTS, Kind, Ledger, kind_of, settle, text_of

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

MESSAGES = 50_000
SESSIONS = 12
RESET_EVERY = 1_000
WINDOWS = (1, 2, 5, 10, 30, 50)


class Chaos:
    """SPs that never send a text again, and somebody who cuts links and kills the gateway."""

    def __init__(
        self, deployment: Deployment, smsc: SimulatedSmsc, proxy: FaultProxy, ledger: Ledger
    ) -> None:
        self.ledger = ledger
        self.draw = ledger.draw
        self.unbinds = self.sp_resets = self.smsc_resets = self.kills = 0
        self.deliveries = 0
        self._deployment = deployment
        self._smsc = smsc
        self._proxy = proxy
        self._is_up = asyncio.Event()
        self._is_up.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            vandals = [group.create_task(self._cut_links()), group.create_task(self._kill_once())]
            async with asyncio.TaskGroup() as senders:
                for number in range(SESSIONS):
                    senders.create_task(self._send(f"sp{number % 4}"))
            for vandal in vandals:
                vandal.cancel()

    async def _send(self, system_id: str) -> None:
        while self.ledger.answered < MESSAGES:
            await self._is_up.wait()
            try:
                async with await RawEsme.connect("127.0.0.1", self._deployment.port) as esme:
                    if await esme.bind(system_id, PASSWORD) == 0:
                        await self._use(esme, source_of(system_id))
                    self.deliveries += _deliveries(esme)
            except (OSError, TimeoutError):
                continue

    async def _use(self, esme: RawEsme, source: str) -> None:
        for _ in range(self.draw.randint(1, 6)):
            await self._submit(esme, source)
            if esme.is_lost:
                return
        end = self.draw.choice((self._unbind, self._reset))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._submit(esme, source))
            group.create_task(end(esme))

    async def _submit(self, esme: RawEsme, source: str) -> None:
        window = self.draw.choice(WINDOWS)
        texts = self.ledger.texts(self.draw.randint(1, 10 * window))
        answers = await esme.submit_many(texts, window, source=source, registered_delivery=1)
        self.ledger.enter(texts, answers)
        # Whose link stands must not be left guessing.
        assert esme.is_lost or all(answer != UNANSWERED for answer, _ in answers)

    async def _unbind(self, esme: RawEsme) -> None:
        await self._some_messages(20)
        self.unbinds += 1
        try:
            await esme.unbind()
        except ConnectionError:
            return  # something else cut the link first

    async def _reset(self, esme: RawEsme) -> None:
        await self._some_messages(20)
        self.sp_resets += 1
        esme.abort()

    async def _cut_links(self) -> None:
        while True:
            await self._some_messages(RESET_EVERY)
            if self._proxy.pairs:
                self.smsc_resets += 1
                self.draw.choice(self._proxy.pairs).reset()

    async def _kill_once(self) -> None:
        await self._smsc.received(MESSAGES // 2, within_s=120)
        self._is_up.clear()
        self.kills += 1
        await self._deployment.kill()
        await self._deployment.start()
        self._is_up.set()

    async def _some_messages(self, most: int) -> None:
        """Wait until the SMSC has got up to `most` more messages; do not wait for long."""
        goal = self._smsc.counters.messages + self.draw.randint(1, most)
        with contextlib.suppress(TimeoutError):
            await self._smsc.received(goal, within_s=1)


async def test_what_was_acknowledged_is_at_the_smsc_or_in_quarantine_once(
    smsc: SimulatedSmsc, deploy: Deploy
) -> None:
    smsc.behaviour = Behaviour(
        receipts=True,
        out_of_order=7,
        out_of_order_patience_s=0.001,
        duplicate_answer_every=101,
        lost_answer_every=4_999,
        disconnect_every=7_001,
    )
    async with FaultProxy(smsc.host, smsc.port) as proxy:
        deployment = await deploy(
            *(Account(f"sp{number}") for number in range(4)),
            smsc_port=proxy.port,
            timers={"response_s": 2},
        )
        deployment.write_policies(LISTS)
        await deployment.start()
        chaos = Chaos(deployment, smsc, proxy, Ledger(seeded(20130101)))

        await chaos.run()
        exit_code = await deployment.drain()
        await smsc.until(lambda: not smsc.sessions)

    balance = settle(chaos.ledger, smsc.journal, await deployment.held())
    tell(
        f"accounting: {balance}; {chaos.unbinds} unbinds, {chaos.sp_resets} resets by SPs,"
        f" {chaos.smsc_resets} at the SMSC, {chaos.kills} kill -9; {chaos.deliveries} receipts"
        f" came, {smsc.counters.delivered} of them acknowledged"
    )
    assert exit_code == 0
    # The SMSC was told ESME_ROK for no receipt that no SP has.
    assert 0 < smsc.counters.delivered <= chaos.deliveries
    assert balance.answered >= MESSAGES
    assert balance.at_smsc > MESSAGES // 2
    assert balance.in_quarantine > MESSAGES // 100
    assert min(chaos.unbinds, chaos.sp_resets, chaos.smsc_resets) >= 10
    assert deployment.faults() == []


def _deliveries(esme: RawEsme) -> int:
    requests = esme.pdus()
    ids = [header_of(requests.get_nowait()).command_id for _ in range(requests.qsize())]
    return ids.count(CommandId.DELIVER_SM)


async def test_every_id_an_sp_heard_is_in_the_store_after_a_kill(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"), Account("sp2"))
    deployment.write_policies(LISTS)
    ledger = Ledger(seeded(7), weights=(10, 0, 90))
    await deployment.start()

    for _ in range(3):
        esmes = {system_id: await attach(deployment, system_id) for system_id in ("sp1", "sp2")}
        texts = [ledger.texts(20_000) for _ in esmes]
        async with asyncio.TaskGroup() as group:
            floods = [
                group.create_task(esme.submit_many(some, window=50, source=source_of(system_id)))
                for (system_id, esme), some in zip(esmes.items(), texts, strict=True)
            ]
            # One message in ten is clean, so the SMSC sees how far the others have come.
            await smsc.received(smsc.counters.messages + 80)
            await deployment.kill()
        for some, flood in zip(texts, floods, strict=True):
            ledger.enter(some, flood.result())
        await deployment.start()

    held = {str(message.message_id): text_of(message.pdu) for message in await deployment.held()}
    heard = {i: text for text, i in ledger.accepted().items() if kind_of(text) is Kind.HELD}
    tell(f"kill -9 amid quarantine traffic: {len(heard)} ids heard, {len(held)} held")
    assert len(heard) > 1_000
    assert heard.items() <= held.items()
    assert {kind_of(text_of(received.pdu)) for received in smsc.journal} == {Kind.CLEAN}
    assert deployment.faults() == []
