import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
import smpplib.client
from smpplib import exceptions

from simulators.smsc import Behaviour, SimulatedSmsc

Outcome = TypeVar("Outcome")

SOURCE, DESTINATION = "10690001", "13800138000"
ADDRESSES = {
    "source_addr_ton": 1,
    "source_addr": SOURCE,
    "dest_addr_ton": 1,
    "destination_addr": DESTINATION,
}


async def with_client(
    smsc: SimulatedSmsc, work: Callable[[smpplib.client.Client], Outcome]
) -> Outcome:
    """Run `work` on smpplib's blocking client in a thread, connected and then disconnected."""

    def run() -> Outcome:
        client = smpplib.client.Client(smsc.host, smsc.port, allow_unknown_opt_params=True)
        client.connect()
        try:
            return work(client)
        finally:
            client.disconnect()

    return await asyncio.to_thread(run)


async def test_smpplib_submits_queries_and_gets_its_receipt(smsc: SimulatedSmsc) -> None:
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

    message_id, state, receipted = await with_client(smsc, work)

    assert (message_id.decode(), state) == (smsc.journal[0].message_id, 2)
    assert receipted == message_id
    assert smsc.counters.disagreements == 0
    assert smsc.counters.unbinds == 1


async def test_smpplib_skips_poison_tlvs(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(receipts=True, poison_tlvs=True)

    def work(client: smpplib.client.Client) -> bytes:
        client.bind_transceiver(system_id="sp1", password="secret")
        client.send_message(**ADDRESSES, short_message=b"hi", registered_delivery=True)
        client.read_pdu()
        return bytes(client.read_pdu().short_message)

    assert b"stat:DELIVRD" in await with_client(smsc, work)


async def test_smpplib_hears_why_it_may_not_bind(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(passwords={"sp1": "secret"})

    def work(client: smpplib.client.Client) -> None:
        client.bind_transmitter(system_id="sp1", password="guess")

    with pytest.raises(exceptions.PDUError, match="Invalid Password"):
        await with_client(smsc, work)
