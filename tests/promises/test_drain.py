"""SIGTERM: what was taken is answered, both sides hear an unbind, and the exit code is 0."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import LISTS, Kind, Ledger, kind_of, settle, text_of

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

SENDERS = ("sp1", "sp2", "sp3", "sp4")
PER_SENDER = 20_000


async def test_a_drain_amid_traffic_answers_what_it_took(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(answer_delay_s=0.3)
    deployment = await deploy(*map(Account, SENDERS))
    deployment.write_policies(LISTS)
    await deployment.start()
    ledger = Ledger(seeded(15))
    esmes = {system_id: await attach(deployment, system_id) for system_id in SENDERS}
    texts = {system_id: ledger.texts(PER_SENDER) for system_id in SENDERS}

    async with asyncio.TaskGroup() as group:
        floods = {
            system_id: group.create_task(
                esme.submit_many(texts[system_id], 100, source=source_of(system_id))
            )
            for system_id, esme in esmes.items()
        }
        await smsc.received(800)
        exit_code = await deployment.drain()
        await smsc.until(lambda: not smsc.sessions)
    for system_id, flood in floods.items():
        ledger.enter(texts[system_id], flood.result())

    balance = settle(ledger, smsc.journal, await deployment.held())
    statuses = Counter(answer.command_status for answer in ledger.answers.values())
    last = [header_of(_last_request(esme)).command_id for esme in esmes.values()]
    tell(f"drain: {balance}; {smsc.counters.unbinds} unbinds at the SMSC")
    assert exit_code == 0
    # At the SIGTERM hundreds were without an answer; all of them got the SMSC's own.
    assert {text_of(r.pdu) for r in smsc.journal} <= ledger.accepted().keys()
    assert balance.in_doubt_unanswered == balance.in_doubt_refused == 0
    assert statuses[CommandStatus.ESME_RMSGQFUL] > 0
    assert last == [CommandId.UNBIND] * len(SENDERS)
    assert smsc.counters.unbinds == len(SENDERS)
    assert deployment.running.events("store.failed") == []
    assert deployment.faults() == []


async def test_a_second_sigterm_ends_a_drain_that_waits(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    deployment = await deploy(Account("sp1"), timers={"drain_s": 600, "response_s": 600})
    deployment.write_policies(LISTS)
    await deployment.start()
    esme = await attach(deployment)
    ledger = Ledger(seeded(16), weights=(1, 0, 1))
    texts = ledger.texts(200)

    async with asyncio.TaskGroup() as group:
        flood = group.create_task(esme.submit_many(texts, 200, source=source_of("sp1")))
        clean = sum(kind_of(text) is Kind.CLEAN for text in texts)
        await smsc.received(min(clean, 100))
        deployment.running.signal(signal.SIGTERM)
        await deployment.running.logged("gateway.draining")
        deployment.running.signal(signal.SIGTERM)
        exit_code = await deployment.running.ended(within_s=15)
    ledger.enter(texts, flood.result())

    tell(f"second SIGTERM: {settle(ledger, smsc.journal, await deployment.held())}")
    assert exit_code == 0
    assert deployment.faults() == []


def _last_request(esme: RawEsme) -> bytes:
    requests = esme.pdus()
    last = b""
    while not requests.empty():
        last = requests.get_nowait()
    return last
