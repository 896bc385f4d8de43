"""What is refused is answered ESME_ROK to an SP that asks for that, and a receipt tells it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.sender import Sender
from gateway.proxy import hold_writer
from gateway.settings.gateway import Limits
from gateway.smpp.fields import UnsuccessSme
from gateway.smpp.pdu import decode
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandId, c_octets, header_of, pdu, read_message

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"
FRAUD = "代开发票"


@pytest.fixture
def told_later(sender: BuildSender) -> Sender:
    return sender(accept=frozenset({"CONTENT"}))


async def submit(esme: RawEsme, text: str = FRAUD, *, receipt: int = 1) -> str:
    answer = await esme.submit(SOURCE, DESTINATION, text, registered_delivery=receipt)
    assert answer.is_ok
    return answer.message_id


async def test_what_is_refused_is_accepted_and_a_receipt_says_rejected(
    start: Start, attach: Attach, smsc: SimulatedSmsc, told_later: Sender
) -> None:
    gateway = await start(senders=(told_later,))
    esme = await attach(gateway)

    message_id = await submit(esme)
    receipt = read_message(await esme.next_pdu()).octets.decode("ascii")
    await submit(esme, "您好")

    assert receipt.startswith(f"id:{message_id} ")
    assert "stat:REJECTD err:002" in receipt
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]


async def test_the_receipt_outlives_a_restart_and_reaches_a_later_bind(
    start: Start, attach: Attach, told_later: Sender, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first_run = await start(store_url=url, senders=(told_later,))
    esme = await attach(first_run, kind="tx")
    message_id = await submit(esme)
    await first_run.stop()

    second_run = await start(store_url=url, senders=(told_later,))
    receiving = await attach(second_run, kind="rx")

    assert f"id:{message_id} ".encode() in await receiving.next_pdu()


async def test_a_query_is_answered_that_the_message_is_rejected(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    esme = await attach(await start(senders=(told_later,)))
    message_id = await submit(esme, receipt=0)

    answer = await esme.request(builders.query_sm(message_id, SOURCE, sequence=9))

    assert answer == pdu(CommandId.QUERY_SM | RESPONSE, 9, c_octets(message_id) + b"\0\x08\0")


async def test_who_asked_for_no_receipt_gets_none(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    gateway = await start(senders=(told_later,))
    message_id = await submit(await attach(gateway), receipt=0)

    held = await gateway.stores.quarantine.get(int(message_id))

    assert held is not None
    assert (held.state, held.reason, held.receipt) == (
        HoldState.REFUSED,
        "CONTENT",
        ReceiptState.NONE,
    )


async def test_other_reasons_are_refused_in_the_answer(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    esme = await attach(await start(senders=(told_later,)))

    foreign = await esme.submit("95588", DESTINATION, "您好")

    assert foreign.command_status == 0x0A  # ESME_RINVSRCADR


class DownQuarantine(QuarantineStore):
    """A store that keeps nothing; `asked` is how many rows each call had."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked: list[int] = []

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        self.asked.append(len(items))
        raise StoreUnavailable(f"no disk for {len(items)}")


async def test_what_cannot_be_kept_is_refused_in_the_answer(
    start: Start, attach: Attach, sender: BuildSender, stores: Stores, database: Database
) -> None:
    reason = "SOURCE_NOT_OWNED"
    told_later = sender(accept=frozenset({reason}), statuses={reason: "0x411"})
    stores = replace(stores, quarantine=DownQuarantine(database))
    esme = await attach(await start(senders=(told_later,), stores=stores))

    answer = await esme.submit("95588", DESTINATION, "您好")

    assert (answer.command_status, answer.message_id) == (0x411, "")


async def test_it_takes_no_place_of_what_is_held(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    gateway = await start(senders=(told_later,), limits=Limits(held_per_sender=1))
    esme = await attach(gateway)

    await asyncio.gather(*(submit(esme, receipt=0) for _ in range(3)))
    await submit(esme, "低息贷款，当天到账")

    states = await gateway.stores.quarantine.count_by_state()
    assert (states[HoldState.REFUSED], states[HoldState.HELD]) == (3, 1)


OTHER = "13800138001"


async def many(esme: RawEsme, text: str = FRAUD) -> tuple[str, list[str]]:
    """Submit to two at once; return the message_id of the answer and whom it refuses."""
    octets = builders.ucs2(text)
    to = [DESTINATION, OTHER]
    answer = decode(
        await esme.request(
            builders.submit_multi(SOURCE, to, octets, registered_delivery=1, sequence=4)
        )
    )
    listed = answer.fields.get("unsuccess_sme", ())
    assert isinstance(listed, tuple)
    refused = [one.address.decode() for one in listed if isinstance(one, UnsuccessSme)]
    return answer.octets("message_id").decode(), refused


async def test_of_many_destinations_each_that_is_refused_has_a_receipt_under_the_one_id(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    esme = await attach(await start(senders=(told_later,)))

    message_id, refused = await many(esme)
    receipts = [read_message(await esme.next_pdu()) for _ in range(2)]

    assert refused == []
    assert {one.source for one in receipts} == {DESTINATION, OTHER}
    for one in receipts:
        assert one.octets.startswith(f"id:{message_id} ".encode())
        assert b"stat:REJECTD err:002" in one.octets


async def test_beside_destinations_that_pass_a_refused_one_has_its_receipt_under_the_smsc_s_id(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender
) -> None:
    gateway = await start(senders=(sender(accept=frozenset({"OPTED_OUT"})),))
    gateway.plane.rules.knowledge.consent.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    esme = await attach(gateway)

    message_id, listed = await many(esme, "【示例商城】会员日全场八折，拒收请回复R")
    receipt = read_message(await esme.next_pdu())

    assert listed == []
    assert [entry.message_id for entry in smsc.journal] == [message_id]
    assert (receipt.source, receipt.octets.startswith(f"id:{message_id} ".encode())) == (
        OTHER,
        True,
    )


async def test_beside_destinations_that_are_held_a_refused_one_has_a_receipt_under_that_id(
    start: Start, attach: Attach, sender: BuildSender
) -> None:
    gateway = await start(senders=(sender(accept=frozenset({"OPTED_OUT"})),))
    gateway.plane.rules.knowledge.consent.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    esme = await attach(gateway)

    message_id, listed = await many(esme, "【示例商城】低息贷款，拒收请回复R")
    receipt = read_message(await esme.next_pdu())

    held = await gateway.stores.quarantine.get(int(message_id))
    assert listed == []
    assert held is not None
    assert held.state is HoldState.HELD
    assert receipt.source == OTHER
    assert receipt.octets.startswith(f"id:{message_id} ".encode())


async def test_destinations_that_cannot_be_kept_are_refused_in_the_answer(
    start: Start, attach: Attach, told_later: Sender, stores: Stores, database: Database
) -> None:
    stores = replace(stores, quarantine=DownQuarantine(database))
    esme = await attach(await start(senders=(told_later,), stores=stores))
    octets = builders.ucs2(FRAUD)

    answer = await esme.request(builders.submit_multi(SOURCE, [DESTINATION], octets, sequence=4))

    assert header_of(answer).command_status == 0x45


async def test_destinations_of_one_turn_are_kept_together_and_a_failing_store_is_told_once(
    start: Start,
    attach: Attach,
    told_later: Sender,
    stores: Stores,
    database: Database,
    log: list[dict[str, object]],
) -> None:
    quarantine = DownQuarantine(database)
    gateway = await start(senders=(told_later,), stores=replace(stores, quarantine=quarantine))
    esme = await attach(gateway)
    octets, numbers = builders.ucs2(FRAUD), range(4, 8)
    together = (builders.submit_multi(SOURCE, [DESTINATION], octets, sequence=n) for n in numbers)

    await esme.send(b"".join(together))
    answers = [header_of(await esme.next_stray()) for _ in numbers]

    assert [one.command_status for one in answers] == [0x45] * 4
    assert quarantine.asked == [4]
    assert gateway._standing is not None
    assert gateway._standing.holding.is_failing
    assert [line["event"] for line in log].count("store.failed") == 1


async def test_more_destinations_than_may_wait_are_refused_in_the_answer(
    start: Start, attach: Attach, told_later: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_writer, "_MAX_WAITING", 3)
    gateway = await start(senders=(told_later,))
    esme = await attach(gateway)
    octets, to = builders.ucs2(FRAUD), [f"1380013800{number}" for number in range(4)]

    refused = await esme.request(builders.submit_multi(SOURCE, to, octets, sequence=4))
    kept = await esme.request(builders.submit_multi(SOURCE, to[:3], octets, sequence=5))

    assert header_of(refused).command_status == 0x45
    assert header_of(kept).command_status == 0


async def test_of_200_destinations_each_has_a_receipt(
    start: Start, attach: Attach, told_later: Sender
) -> None:
    esme = await attach(await start(senders=(told_later,)))
    to = [f"13800138{number:03}" for number in range(200)]
    octets = builders.ucs2(FRAUD)

    await esme.request(builders.submit_multi(SOURCE, to, octets, registered_delivery=1, sequence=4))

    sources = {read_message(await esme.next_pdu()).source for _ in to}
    assert sources == set(to)
