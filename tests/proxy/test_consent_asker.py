"""Requests for consent as an SP lives them: once for each content, between real sockets (R23)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.policy import ContentRule, Enforcement, LongMessages, RepliesRule
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.proxy import consent_book
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.subscriptions.model import ConsentRequest, ConsentRequestState
from gateway.systems.subscriptions.sql import SubscriptionStore
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
Begin = Callable[..., Awaitable["Shop"]]
LogLines = list[dict[str, object]]

PORT, SUBSCRIBER, MSISDN = "10690001", "13800138000", 8613800138000
REJECTED, TRY_LATER, THROTTLED = (
    CommandStatus.ESME_RSUBMITFAIL,
    CommandStatus.ESME_RMSGQFUL,
    CommandStatus.ESME_RTHROTTLED,
)
TEMPLATE = "示例商城想每月给您发{1}条新品短信，为期一年，回复Y同意，回复N拒绝"
REQUEST = "【示例商城】示例商城想每月给您发两条新品短信，为期一年，回复Y同意，回复N拒绝"
SIMILAR = REQUEST.replace("两", "三")
ADVERT = "【示例商城】会员日全场八折，到店有礼，拒收请回复R"
LOAN = "低息贷款的新品，示例商城每月给您发两条，为期一年，回复Y同意，回复N拒绝"
T0, LATER, NEXT_DAY = (
    "2013-09-25T10:00:00+08:00",
    "2013-09-26T09:59:59+08:00",
    "2013-09-26T10:00:00+08:00",
)
PROGRESSIVE = ContentRule()
FILED = (
    Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, TEMPLATE),
    Template("sp1", "T2", TemplateKind.CONSENT_REQUEST, LOAN),
)


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


class MoodySubscriptions(SubscriptionStore):
    """A store that can be slow, or down."""

    is_down = False

    def __init__(self, database: Database) -> None:
        super().__init__(database, utcnow)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = 0

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        self.asked += 1
        await self.may_answer.wait()
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().requests_of(msisdn, system_id)


@pytest.fixture
def stores(stores: Stores, database: Database) -> Stores:
    """Stores that forget, that of requests among them moody."""
    return replace(stores, subscriptions=MoodySubscriptions(database))


@pytest.fixture
def store(stores: Stores) -> MoodySubscriptions:
    assert isinstance(stores.subscriptions, MoodySubscriptions)
    return stores.subscriptions


def rule(rule_id: str, check: Check) -> Rule:
    return Rule(rule_id, Title("", ""), "DEC2012 (7)", check, Enforcement.ENFORCE)


R20, R21 = rule("R20", NoConsent()), rule("R21", OptOut())


@dataclass
class Shop:
    """An SP that wants to advertise, one subscriber, an SMSC, and the gateway between them."""

    gateway: Gateway
    esme: RawEsme
    smsc: SimulatedSmsc
    store: MoodySubscriptions

    async def submit(self, text: str = REQUEST) -> int:
        return (await self.esme.submit(PORT, SUBSCRIBER, text)).command_status

    def arrived(self) -> list[str]:
        """Return what the SMSC took from the SP, in order."""
        return [
            entry.octets.decode("utf-16-be")
            for entry in self.smsc.journal
            if entry.command_status == 0
        ]

    def why(self) -> list[str]:
        """Return the reasons for which anything was refused so far."""
        return sorted(reason for _, reason in self.gateway.plane.tally.verdicts)

    async def request(self) -> ConsentRequest | None:
        found = await SubscriptionStore.requests_of(self.store, MSISDN, "sp1")
        return found[0] if found else None

    async def answer(self) -> ConsentAnswer | None:
        return await self.gateway.stores.consent.answer_of(MSISDN, "sp1")


@pytest.fixture
def begin(
    start: Start,
    attach: Attach,
    bundle: Bundle,
    smsc: SimulatedSmsc,
    stores: Stores,
    sender: BuildSender,
) -> Begin:
    """Start a gateway with an SP that has filed its request; give what rules there are."""

    async def begin(
        *rules: Rule, content: ContentRule = PROGRESSIVE, accept: frozenset[str] = frozenset()
    ) -> Shop:
        await stores.filings.put(FILED)
        policy = replace(
            bundle,
            rules=rules or (R21, R20),
            replies=RepliesRule("您已退订", "您已恢复"),
            content=content,
        )
        gateway = await start(policy=policy, stores=stores, senders=(sender(accept=accept),))
        store = stores.subscriptions
        assert isinstance(store, MoodySubscriptions)
        return Shop(gateway, await attach(gateway), smsc, store)

    return begin


@pytest.fixture
async def shop(begin: Begin) -> Shop:
    return await begin()


@pytest.mark.parametrize(
    ("rules", "against"),
    [((R20,), ["CONSENT_ASKED"]), ((R20, R21), ["CONSENT_ASKED", "OPTED_OUT"])],
)
async def test_r23_silence_for_a_day_is_a_refusal_and_nobody_is_asked_twice(
    begin: Begin, wall: Wall, until: Until, rules: tuple[Rule, ...], against: list[str]
) -> None:
    wall.set(T0)
    shop = await begin(*rules)

    assert await shop.submit() == 0
    wall.set(LATER)
    assert await shop.submit(SIMILAR) == REJECTED
    request = await shop.request()
    assert request is not None
    assert (request.state, request.message_id.isdigit()) == (ConsentRequestState.PENDING, True)
    assert request.port == PORT
    wall.set(NEXT_DAY)
    await until(lambda: shop.gateway._knowledge.consent.is_refused("sp1", MSISDN))

    assert await shop.submit(SIMILAR) == REJECTED
    answer = await shop.answer()
    assert answer is not None
    assert (answer.answer, answer.channel) == (Answer.REFUSED, "no_reply")
    assert answer.evidence == f"request {request.message_id}"
    assert shop.arrived() == [REQUEST]
    assert shop.why() == against


async def test_r23_a_yes_within_the_day_lets_commercial_messages_pass(
    shop: Shop, wall: Wall, until: Until
) -> None:
    wall.set(T0)
    assert await shop.submit(ADVERT) == REJECTED
    assert await shop.submit() == 0
    wall.set(LATER)

    yes = builders.ucs2("是")
    assert await shop.smsc.deliver("sp1", SUBSCRIBER, PORT, yes, data_coding=8) == 0
    await until(lambda: shop.gateway._knowledge.consent.has_agreed("sp1", MSISDN))

    assert await shop.submit(ADVERT) == 0
    assert await shop.submit(SIMILAR) == REJECTED


async def test_r23_of_two_similar_requests_in_one_read_one_is_sent(shop: Shop) -> None:
    found = await asyncio.gather(shop.submit(), shop.submit(SIMILAR))

    assert sorted(found) == [0, REJECTED]
    assert len(shop.arrived()) == 1


async def test_r23_a_refused_request_that_is_answered_later_waits_for_no_other_traffic(
    begin: Begin,
) -> None:
    shop = await begin(accept=frozenset({"CONSENT_ASKED"}))

    async with asyncio.timeout(10):
        found = [await shop.submit(), await shop.submit(SIMILAR)]

    assert found == [0, 0]
    assert shop.arrived() == [REQUEST]


async def test_r23_while_the_store_is_down_nobody_is_asked_and_the_sp_tries_again(
    shop: Shop, log: LogLines
) -> None:
    shop.store.is_down = True
    assert await shop.submit() == TRY_LATER
    shop.store.is_down = False

    assert await shop.submit() == 0
    assert shop.arrived() == [REQUEST]
    assert shop.why() == ["CONSENT_UNCHECKED"]
    assert [line["event"] for line in log].count("store.failed") == 1


async def test_r23_what_waits_for_the_store_takes_a_place_in_the_window_until_it_is_answered(
    shop: Shop, until: Until
) -> None:
    (session,) = shop.gateway.sessions.pairs
    room = session.room()
    shop.store.may_answer.clear()
    waiting = spawn(shop.submit(), name="sp")
    await until(lambda: shop.store.asked == 1)
    meanwhile = session.room()
    shop.store.may_answer.set()

    assert await waiting == 0
    assert (meanwhile, session.room(), session.held) == (room - 1, room, 0)


async def test_r23_more_requests_than_may_wait_for_the_store_are_refused_for_the_moment(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent_book, "_MAX_AT_ONCE", 0)

    assert await shop.submit() == TRY_LATER
    assert shop.arrived() == []


async def test_r23_what_the_smsc_did_not_take_may_be_sent_again(shop: Shop, until: Until) -> None:
    shop.smsc.behaviour = Behaviour(throttle_every=1)
    assert await shop.submit() == THROTTLED
    await until(lambda: shop.store.asked == 2)
    shop.smsc.behaviour = Behaviour()

    assert await shop.submit() == 0


async def test_r23_what_cannot_be_taken_back_stays_asked(
    shop: Shop, until: Until, log: LogLines
) -> None:
    shop.smsc.behaviour = Behaviour(hold_answers=True, error_every=1)
    waiting = spawn(shop.submit(), name="sp")
    await until(lambda: bool(shop.smsc.journal))
    shop.store.is_down = True
    shop.smsc.release_answers()
    await waiting
    await until(lambda: any(line["event"] == "store.failed" for line in log))

    shop.store.is_down = False
    assert await shop.submit() == REJECTED


async def test_r21_a_refusal_that_comes_while_the_store_is_asked_wins(
    shop: Shop, refuse: Refuse, until: Until
) -> None:
    shop.store.may_answer.clear()
    waiting = spawn(shop.submit(), name="sp")
    await until(lambda: shop.store.asked == 1)
    await refuse(shop.gateway, MSISDN)
    shop.store.may_answer.set()

    assert await waiting == REJECTED
    assert shop.why() == ["OPTED_OUT"]
    assert await shop.request() is None


async def test_r23_a_request_whose_smsc_is_lost_meanwhile_was_not_asked(
    shop: Shop, until: Until
) -> None:
    shop.store.may_answer.clear()
    waiting = spawn(shop.submit(), name="sp")
    await until(lambda: shop.store.asked == 1)
    shop.smsc.pause()  # a new bind must not be quicker than the store
    shop.smsc.disconnect_all()
    session = next(iter(shop.gateway.sessions.pairs))
    await until(lambda: session.peer is None)
    shop.store.may_answer.set()

    assert await waiting == TRY_LATER
    shop.smsc.resume()
    await until(lambda: shop.store.asked == 2)
    async with asyncio.timeout(60):
        while await shop.request() is not None:
            pass
    await until(lambda: session.peer is not None and session.peer.state.is_bound)
    assert await shop.submit() == 0


async def test_r23_a_request_that_a_person_lets_go_is_asked_for_once_too(
    shop: Shop, reach: Reach
) -> None:
    desk = QuarantineDesk(shop.gateway.stores.quarantine, MessageIds(worker=9))
    held = [(await shop.esme.submit(PORT, SUBSCRIBER, LOAN)).message_id for _ in range(2)]

    states = []
    for message_id, state in zip(held, (HoldState.RELEASED, HoldState.REFUSED), strict=True):
        assert isinstance(await desk.request_release(int(message_id), "lin", utcnow()), ActResult)
        states.append((await reach(shop.gateway, message_id, state)).note)

    assert shop.arrived() == [LOAN]
    assert states[1] == "judged again: CONSENT_ASKED"


async def test_r23_a_request_to_many_that_a_person_lets_go_is_refused(
    shop: Shop, reach: Reach
) -> None:
    desk = QuarantineDesk(shop.gateway.stores.quarantine, MessageIds(worker=9))
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, "13900139000"], builders.ucs2(LOAN), sequence=99)
    message_id = answer_of(await shop.esme.request(pdu)).message_id

    assert isinstance(await desk.request_release(int(message_id), "lin", utcnow()), ActResult)

    refused = await reach(shop.gateway, message_id, HoldState.REFUSED)
    assert refused.note == "judged again: CONSENT_ASKED"
    assert shop.arrived() == []


async def test_r23_a_long_request_goes_whole_where_long_messages_are_assembled(
    begin: Begin, reach: Reach
) -> None:
    shop = await begin(content=ContentRule(long_messages=LongMessages.ASSEMBLE))

    async def submit(text: str, reference: int) -> list[str]:
        ids = []
        for number, piece in enumerate((text[:20], text[20:]), start=1):
            octets = bytes((5, 0, 3, reference, 2, number)) + builders.ucs2(piece)
            sequence = shop.esme.next_sequence()
            pdu = builders.submit_sm(PORT, SUBSCRIBER, octets, esm_class=0x40, sequence=sequence)
            ids.append(answer_of(await shop.esme.request(pdu)).message_id)
        return ids

    for one in await submit(REQUEST, 1):
        await reach(shop.gateway, one, HoldState.RELEASED)
    notes = {
        (await reach(shop.gateway, one, HoldState.REFUSED)).note for one in await submit(SIMILAR, 2)
    }

    assert notes == {"judged again: CONSENT_ASKED"}
    assert len(shop.smsc.journal) == 2
