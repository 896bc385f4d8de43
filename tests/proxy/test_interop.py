"""Clients that other people wrote, through the gateway: smpplib and aiosmpplib."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import smpplib.client
import smpplib.consts
import smpplib.gsm
from smpplib import exceptions

from gateway.app.gateway import Gateway
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from simulators import builders
from simulators.esme import BindRefusedError, Credentials, RawEsme, SimulatedEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus

Attach = Callable[..., Awaitable[RawEsme]]
Outcome = TypeVar("Outcome")

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"
ADDRESSES = {
    "source_addr_ton": 1,
    "source_addr": SOURCE,
    "dest_addr_ton": 1,
    "destination_addr": DESTINATION,
}
SP = Credentials("sp1", "secret")


async def with_smpplib(
    gateway: Gateway, work: Callable[[smpplib.client.Client], Outcome]
) -> Outcome:
    """Run `work` on smpplib's blocking client in a thread, connected and then disconnected."""
    host, port = gateway.addresses["plain"]

    def run() -> Outcome:
        client = smpplib.client.Client(host, port, allow_unknown_opt_params=True)
        client.connect()
        try:
            return work(client)
        finally:
            client.disconnect()

    return await asyncio.to_thread(run)


async def test_smpplib_submits_queries_and_gets_its_receipt(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, verify=True)

    def work(client: smpplib.client.Client) -> tuple[bytes, int, bytes]:
        client.bind_transceiver(system_id="sp1", password="secret")
        client.send_message(
            **ADDRESSES,
            short_message="快件".encode("utf-16-be"),
            data_coding=8,
            registered_delivery=True,
        )
        answer = client.read_pdu()
        receipt = client.read_pdu()
        client.query_message(message_id=answer.message_id.decode(), source_addr=SOURCE)
        state = client.read_pdu()
        client.unbind()
        return answer.message_id, state.message_state, receipt.receipted_message_id

    message_id, state, receipted = await with_smpplib(gateway, work)

    assert (message_id.decode(), state) == (smsc.journal[0].message_id, 2)
    assert receipted == message_id
    assert smsc.counters.disagreements == 0
    await smsc.until(lambda: smsc.counters.unbinds == 1)


async def test_smpplib_sends_a_long_message_in_parts(gateway: Gateway, smsc: SimulatedSmsc) -> None:
    text = "长" * 150

    def work(client: smpplib.client.Client) -> list[int]:
        client.bind_transmitter(system_id="sp1", password="secret")
        parts, coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            client.send_message(
                **ADDRESSES, short_message=part, data_coding=coding, esm_class=esm_class
            )
        statuses = [client.read_pdu().status for _ in parts]
        client.unbind()
        return statuses

    statuses = await with_smpplib(gateway, work)

    assert statuses == [0] * 3
    assert b"".join(entry.octets[6:] for entry in smsc.journal) == builders.ucs2(text)


async def test_smpplib_hears_that_its_message_was_refused(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    def work(client: smpplib.client.Client) -> int:
        client.bind_transmitter(system_id="sp1", password="secret")
        client.send_message(**ADDRESSES, short_message=builders.ucs2("代开发票"), data_coding=8)
        status = int(client.read_pdu().status)
        client.unbind()
        return status

    assert await with_smpplib(gateway, work) == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []


async def test_smpplib_receives_what_subscribers_send(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    bound = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(client: smpplib.client.Client) -> bytes:
        client.bind_receiver(system_id="sp1", password="secret")
        loop.call_soon_threadsafe(bound.set)
        received: list[bytes] = []
        client.set_message_received_handler(lambda pdu: received.append(pdu.short_message))
        client.read_once()
        client.unbind()
        return received[0]

    async def subscriber() -> int:
        await bound.wait()
        return await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")

    text, status = await asyncio.gather(with_smpplib(gateway, work), subscriber())

    assert text == builders.ucs2("退订")
    assert status == CommandStatus.ESME_ROK


async def test_smpplib_hears_that_it_may_not_bind(gateway: Gateway) -> None:
    def work(client: smpplib.client.Client) -> None:
        client.bind_transceiver(system_id="sp1", password="guess")

    with pytest.raises(exceptions.PDUError, match="Bind Failed"):
        await with_smpplib(gateway, work)


@pytest.mark.parametrize("kind", ["trx", "tx"])
async def test_aiosmpplib_submits_long_and_short(
    gateway: Gateway, smsc: SimulatedSmsc, kind: str
) -> None:
    smsc.behaviour = Behaviour(verify=True)
    host, port = gateway.addresses["plain"]
    text = "长" * 140

    async with SimulatedEsme(host, port, Credentials("sp1", "secret", kind)) as esme:
        (short,) = await esme.submit(SOURCE, DESTINATION, "您的快件已到")
        whole = await esme.submit(SOURCE, DESTINATION, text)
        parts = await esme.submit(SOURCE, DESTINATION, text, in_parts=True)

    assert short.is_ok
    assert [len(whole), len(parts)] == [1, 3]
    assert all(answer.is_ok for answer in (*whole, *parts))
    assert b"".join(entry.octets[6:] for entry in smsc.journal[2:]) == builders.ucs2(text)
    assert smsc.counters.disagreements == 0


async def test_aiosmpplib_gets_receipts_and_what_subscribers_send(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    host, port = gateway.addresses["plain"]

    async with SimulatedEsme(host, port, SP) as esme:
        (answer,) = await esme.submit(SOURCE, DESTINATION, "您好", wants_receipt=True)
        status = await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")
        await esme.watch.until(lambda: bool(esme.receipts and esme.messages), 5)

    assert f"id:{answer.message_id} " in esme.receipts[0].text
    assert [message.text for message in esme.messages] == ["退订"]
    assert status == CommandStatus.ESME_ROK
    await smsc.until(lambda: smsc.counters.unbinds == 1)


async def test_aiosmpplib_receives_on_a_bind_of_its_own(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    host, port = gateway.addresses["plain"]

    async with SimulatedEsme(host, port, Credentials("sp1", "secret", "rx")) as esme:
        status = await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")
        await esme.watch.until(lambda: bool(esme.messages), 5)

    assert status == CommandStatus.ESME_ROK


async def test_aiosmpplib_understands_what_we_say_of_a_held_message(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    host, port = gateway.addresses["plain"]
    people = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))

    async with SimulatedEsme(host, port, SP) as esme:
        (released,) = await esme.submit(SOURCE, DESTINATION, LOAN, wants_receipt=True)
        (discarded,) = await esme.submit(SOURCE, DESTINATION, LOAN, wants_receipt=True)
        await people.request_release(int(released.message_id), "lin", utcnow())
        await esme.watch.until(lambda: len(esme.receipts) == 1, 5)
        await people.discard(int(discarded.message_id), "lin", utcnow())
        await esme.watch.until(lambda: len(esme.receipts) == 2, 5)

    texts = [receipt.text for receipt in esme.receipts]
    assert f"id:{released.message_id} " in texts[0]
    assert "stat:DELIVRD" in texts[0]
    assert f"id:{discarded.message_id} " in texts[1]
    assert "stat:REJECTD" in texts[1]


async def test_aiosmpplib_hears_that_it_may_not_bind(gateway: Gateway) -> None:
    host, port = gateway.addresses["plain"]

    with pytest.raises(BindRefusedError) as refused:
        async with SimulatedEsme(host, port, Credentials("sp1", "guess")):
            pass

    assert refused.value.command_status == CommandStatus.ESME_RBINDFAIL
