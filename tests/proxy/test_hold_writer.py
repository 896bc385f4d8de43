"""What is flagged is committed first and answered after; without a store nothing passes unseen."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import ContentRule
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.policy.bundle import Bundle
from gateway.proxy import hold_writer
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandId, CommandStatus, c_string, header_of, sequence_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"


class MoodyQuarantine(QuarantineStore):
    """A store that can be slow, or down."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.is_down = False
        self.commits: list[int] = []
        self.may_commit = asyncio.Event()
        self.may_commit.set()

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        self.commits.append(len(items))
        await self.may_commit.wait()
        if self.is_down:
            raise StoreUnavailable("no disk")
        await super().hold(items)


@pytest.fixture
def store(database: Database) -> MoodyQuarantine:
    return MoodyQuarantine(database)


@pytest.fixture
def stores(stores: Stores, store: MoodyQuarantine) -> Stores:
    return replace(stores, quarantine=store)


async def test_r61_a_flagged_message_is_answered_with_our_id_once_it_is_committed(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    store: MoodyQuarantine,
    stores: Stores,
    until: Until,
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.may_commit.clear()
    sent = builders.submit_sm(
        SOURCE, DESTINATION, builders.ucs2(LOAN), registered_delivery=1, sequence=5
    )

    waiting = asyncio.gather(esme.request(sent))
    await until(lambda: len(store.commits) == 1)
    await esme.request(builders.enquire_link(6))
    assert not waiting.done()
    store.may_commit.set()
    (octets,) = await waiting

    answer = answer_of(octets)
    assert answer.is_ok
    assert answer.message_id.isdigit()
    assert (len(answer.message_id), answer.message_id[0]) == (19, "8")
    held = await store.get(int(answer.message_id))
    assert held is not None
    assert (held.system_id, held.source, held.destination) == ("sp1", SOURCE, DESTINATION)
    assert (held.state, held.receipt_asked, held.pdu) == (HoldState.HELD, True, sent)
    assert (held.reason, held.rule, held.category) == ("CONTENT", "K-LOAN", "loan")
    assert (held.evidence, held.digest) == ("低息贷款", "0123456789ab")
    assert smsc.journal == []


async def test_a_store_that_is_down_passes_nothing_and_ends_no_session(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    store: MoodyQuarantine,
    stores: Stores,
    log: LogLines,
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.is_down = True

    refused = [await esme.submit(SOURCE, DESTINATION, LOAN) for _ in range(2)]
    clean = await esme.submit(SOURCE, DESTINATION, "您好")
    store.is_down = False
    held = await esme.submit(SOURCE, DESTINATION, LOAN)

    full = (CommandStatus.ESME_RMSGQFUL, "")
    assert refused == [full, full]
    assert clean.is_ok
    assert held.is_ok
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]
    told = [line["event"] for line in log if str(line["event"]).startswith("store.")]
    assert told == ["store.failed", "store.recovered"]


@pytest.mark.usefixtures("unwritten")
async def test_what_could_not_be_held_is_on_record_as_refused(
    start: Start, attach: Attach, store: MoodyQuarantine, stores: Stores
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.is_down = True
    await esme.submit(SOURCE, DESTINATION, LOAN)
    store.is_down = False
    held = await esme.submit(SOURCE, DESTINATION, LOAN)

    ended = [row for row in gateway.records.rows if row[0] == "o"]

    assert [row[4:6] for row in ended] == [
        (CommandStatus.ESME_RMSGQFUL, b""),
        (CommandStatus.ESME_ROK, held.message_id.encode()),
    ]


async def test_a_store_that_hangs_costs_the_sp_a_retry_and_no_more(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    database = tmp_path / "smsward.db"
    gateway = await start(store_url=f"sqlite:///{database}")
    esme = await attach(gateway)
    other = sqlite3.connect(database, isolation_level=None, timeout=60, check_same_thread=False)
    # In a thread: the gateway may be about to commit, and does so in this loop.
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")

    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, LOAN))
    clean = await esme.submit(SOURCE, DESTINATION, "您好")
    (refused,) = await waiting
    other.execute("ROLLBACK")
    other.close()
    held = await esme.submit(SOURCE, DESTINATION, LOAN)

    assert clean.is_ok
    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert held.is_ok
    assert len(smsc.journal) == 1
    assert await gateway.stores.quarantine.get(int(held.message_id)) is not None


async def test_no_more_waits_for_the_store_than_may(
    start: Start,
    attach: Attach,
    store: MoodyQuarantine,
    stores: Stores,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold_writer, "_MAX_WAITING", 2)
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.may_commit.clear()

    waiting = asyncio.gather(esme.submit_many([LOAN] * 5, window=5))
    await until(lambda: gateway.plane.tally.verdicts.get(("quarantine", "CONTENT")) == 5)
    store.may_commit.set()
    (answers,) = await waiting

    full = CommandStatus.ESME_RMSGQFUL
    assert sorted(answer.command_status for answer in answers) == [0, 0, full, full, full]
    assert gateway.plane.tally.forwarded == 0


async def test_what_a_turn_flags_is_one_commit(
    start: Start, attach: Attach, store: MoodyQuarantine, stores: Stores
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)

    answers = await esme.submit_many([LOAN] * 20, window=20)

    assert len({answer.message_id for answer in answers}) == 20
    assert sum(store.commits) == 20
    assert len(store.commits) < 5


@pytest.mark.usefixtures("unkept")
async def test_an_unbind_waits_for_the_commit(
    start: Start, attach: Attach, store: MoodyQuarantine, stores: Stores, until: Until
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.may_commit.clear()
    flagged = builders.submit_sm(SOURCE, DESTINATION, builders.ucs2(LOAN), sequence=5)

    await esme.send(flagged + builders.unbind(6))
    await until(lambda: len(store.commits) == 1)
    assert esme.strays == []
    store.may_commit.set()
    await esme.lost()

    assert [sequence_of(octets) for octets in esme.strays] == [5, 6]


async def test_a_window_counts_what_waits_for_the_commit(
    start: Start, attach: Attach, store: MoodyQuarantine, stores: Stores, until: Until
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    session.window = 2
    store.may_commit.clear()

    waiting = asyncio.gather(esme.submit_many([LOAN] * 5, window=5))
    await until(lambda: session.is_blocked)
    assert session.held == 2
    store.may_commit.set()
    (answers,) = await waiting

    assert [answer.command_status for answer in answers] == [0] * 5
    assert session.held == 0


async def test_what_was_held_for_an_sp_that_went_stays_held(
    start: Start, attach: Attach, store: MoodyQuarantine, stores: Stores, until: Until
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    store.may_commit.clear()
    await esme.send(builders.submit_sm(SOURCE, DESTINATION, builders.ucs2(LOAN)))
    await until(lambda: len(store.commits) == 1)

    esme.close()
    await until(lambda: not gateway.sessions.pairs)
    store.may_commit.set()
    async with asyncio.timeout(60):
        while not (found := await store.find()):
            pass

    (held,) = found
    assert held.state is HoldState.HELD


async def test_an_id_that_is_taken_is_our_fault_and_not_the_sp_s(
    start: Start, attach: Attach, stores: Stores, log: LogLines
) -> None:
    gateway = await start(stores=stores)
    esme = await attach(gateway)
    held = await esme.submit(SOURCE, DESTINATION, LOAN)
    gateway.plane.next_id = lambda _at: int(held.message_id)

    refused = await esme.submit(SOURCE, DESTINATION, LOAN)

    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert [line["event"] for line in log if line["event"] == "task.failed"] == ["task.failed"]
    log[:] = [line for line in log if line["event"] != "task.failed"]


async def test_each_kind_of_message_is_answered_in_its_own_form(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    octets = builders.ucs2(LOAN)

    data = await esme.request(builders.data_sm(SOURCE, DESTINATION, octets, sequence=1))
    payload = await esme.request(
        builders.payload_submit_sm(SOURCE, DESTINATION, octets, sequence=2)
    )
    multi = await esme.request(
        builders.submit_multi(SOURCE, [DESTINATION, "not-a-number"], octets, sequence=3)
    )

    commands = [header_of(one).command_id ^ RESPONSE for one in (data, payload, multi)]
    assert commands == [CommandId.DATA_SM, CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI]
    assert {header_of(one).command_status for one in (data, payload, multi)} == {0}
    assert len({answer_of(one).message_id for one in (data, payload, multi)}) == 3
    _, at = c_string(multi, 16)
    assert multi[at] == 1  # no_unsuccess: the one that is no number
    assert b"not-a-number\0\0\0\0\x0b" in multi
    assert smsc.journal == []


@pytest.mark.parametrize(
    ("validity", "seconds"),
    [("", 600), ("000000000100000R", 60), ("000001000000000R", 600), ("garbage", 600)],
)
async def test_a_message_is_held_no_longer_than_it_is_valid(
    start: Start, attach: Attach, bundle: Bundle, validity: str, seconds: int
) -> None:
    gateway = await start(policy=replace(bundle, content=ContentRule(quarantine_ttl_s=600)))
    esme = await attach(gateway)

    octets = await esme.request(
        builders.submit_sm(SOURCE, DESTINATION, builders.ucs2(LOAN), validity=validity)
    )

    held = await gateway.stores.quarantine.get(int(answer_of(octets).message_id))
    assert held is not None
    assert abs((held.expires_at - held.held_at).total_seconds() - seconds) < 2
