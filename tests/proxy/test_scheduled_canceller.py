"""What the SMSC was given for later is cancelled there once its subscriber refuses (R21)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.app.gateway import Gateway
from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.policy import Enforcement, KeywordList, ListAction, RepliesRule
from gateway.domain.sanction import SanctionLadder, SanctionStep
from gateway.domain.sender import Port, Purpose, Sender
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.policy.bundle import Bundle, Override
from gateway.policy.ruleset import RuleSet
from gateway.proxy import scheduled_canceller
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.session.timers import Timers
from gateway.settings.schema import Address
from gateway.settings.smscs import Smsc, SmscMode
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.scheduled_messages import ScheduledStore, scheduled_messages
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, Cancelled, MessageState, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of, message_id_of
from tests.real_time import eventually

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]

PORT, OTP_PORT = "10690001", "10690002"
TO, MSISDN = "13800138000", 8613800138000
STRANGER = "13800138001"
LATER, SOON = "000001000000000R", "000000000001000R"  # in a day, in a second
ODD_KIND = b"\x05\x00"  # alphanumeric, unknown
AD = builders.ucs2("秋冬新品五折")


@dataclass
class Office:
    """Another process on the same store: an API, an import, a second gateway."""

    stores: Stores
    smsc: SimulatedSmsc

    async def refuse(self, msisdn: int = MSISDN, scope: str = "sp1") -> None:
        answer = ConsentAnswer(msisdn, scope, Answer.REFUSED, utcnow(), "api")
        await self.stores.consent.record([answer])


@pytest.fixture
def office(stores: Stores, smsc: SimulatedSmsc) -> Office:
    return Office(stores, smsc)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at once what otherwise waits a moment."""
    monkeypatch.setattr(scheduled_canceller, "RETRY", timedelta(0))


async def submit(
    esme: RawEsme, to: str = TO, *, schedule: str = LATER, source: str = PORT, octets: bytes = AD
) -> str:
    """Submit for later, from a number of an odd kind; return the SMSC's id."""
    request = builders.submit_sm(
        source, to, octets, schedule=schedule, sequence=esme.next_sequence()
    )
    usual = builders.address(source)
    answer = await esme.request(request.replace(usual, ODD_KIND + usual[2:]))
    assert header_of(answer).command_status == 0
    return message_id_of(answer)


async def scheduled_at(gateway: Gateway) -> list[datetime]:
    """Return for when each message on record is scheduled."""
    store = gateway.stores.scheduled
    assert isinstance(store, ScheduledStore)
    rows = await store._database.rows(select(scheduled_messages.c.scheduled_at))
    return [row["scheduled_at"] for row in rows]


async def kept(gateway: Gateway, count: int = 1) -> None:
    """Wait until the store knows of what the SMSC has taken."""
    async with asyncio.timeout(60):
        while len(await scheduled_at(gateway)) != count:
            pass


async def outcome(gateway: Gateway, until: Until, name: str, count: int = 1) -> None:
    counted = scheduled(gateway)
    await until(lambda: counted().get(name, 0) == count)


def scheduled(gateway: Gateway) -> Callable[[], dict[str, int]]:
    assert gateway._standing is not None
    standing = gateway._standing
    return lambda: dict(standing.snapshot().scheduled)


async def test_r21_what_is_scheduled_is_cancelled_when_the_subscriber_refuses(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, bundle: Bundle
) -> None:
    gateway = await start(policy=replace(bundle, replies=RepliesRule("您已退订", "您已恢复")))
    esme = await attach(gateway)
    refused, other = await submit(esme), await submit(esme, STRANGER)

    await smsc.deliver("sp1", TO, PORT, "TD")

    await outcome(gateway, until, "cancelled")
    assert smsc.state_of(refused) is MessageState.DELETED
    assert smsc.state_of(other) is MessageState.ENROUTE
    # Letter by letter what the request had, or an SMSC finds nothing (SMPP 3.4, 4.9).
    assert smsc.cancels == [Cancelled("sp1", refused, (*ODD_KIND, PORT), (1, 1, TO))]
    # The SP was told of the TD, and of nothing else.
    assert header_of(await esme.pdus().get()).command_id == CommandId.DELIVER_SM
    assert esme.pdus().empty()
    assert esme.strays == []


async def test_r21_what_is_scheduled_on_a_shared_bind_is_cancelled_at_that_smsc(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    async with SimulatedSmsc() as other:
        first, second = (
            Smsc(
                name,
                Address(one.host, one.port),
                SmscMode.POOLED,
                priority=rank,
                system_id="gw",
                password="plain:gw",
            )
            for name, one, rank in (("a", smsc, 1), ("b", other, 2))
        )
        gateway = await start(smscs=(first, second))
        esme = await attach(gateway)
        refused = await submit(esme)
        await kept(gateway)
        await esme.unbind()

        await Office(gateway.stores, smsc).refuse()
        await outcome(gateway, until, "cancelled")

        assert [(one.system_id, one.message_id) for one in smsc.cancels] == [("gw", refused)]
        assert not other.cancels


async def test_r96_what_a_closed_sp_has_scheduled_is_cancelled_on_a_shared_bind(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, sender: BuildSender
) -> None:
    address = Address(smsc.host, smsc.port)
    shared = Smsc("a", address, SmscMode.POOLED, system_id="gw", password="plain:gw")
    gateway = await start(smscs=(shared,), senders=company(sender, "B2-1", "B2-2"))
    mine = await submit(await attach(gateway))
    other = await submit(await attach(gateway, "sp2"), source="10690002")
    await kept(gateway, 2)
    kind, at = WarningKind(WarningCode.W12, "R60", "sp1", PORT), utcnow()

    await gateway.stores.warnings.add([WarningCount(kind, Severity.MAJOR, 1, 0, at, at)])
    closes = replace(SanctionLadder(), automatic=frozenset({SanctionStep.CLOSE}))
    await gateway.stores.sanctions.propose(closes, at)

    await outcome(gateway, until, "cancelled")
    assert smsc.state_of(mine) is MessageState.DELETED
    assert smsc.state_of(other) is MessageState.ENROUTE
    assert [one.message_id for one in smsc.cancels] == [mine]


def company(sender: BuildSender, *owners: str) -> tuple[Sender, ...]:
    """Return sp1, sp2, ..., of these owners, each with a port for marketing."""
    return tuple(
        sender(
            system_id=f"sp{place}",
            owner=owner,
            ports=(Port(f"1069000{place}", 0, Purpose.MARKETING),),
        )
        for place, owner in enumerate(owners, 1)
    )


async def test_r21_a_refusal_cancels_what_another_account_of_the_owner_scheduled(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    office: Office,
    sender: BuildSender,
) -> None:
    gateway = await start(stores=office.stores, senders=company(sender, "B2-1", "B2-1", "B2-3"))
    first, second, third = [
        await submit(await attach(gateway, f"sp{place}"), source=f"1069000{place}")
        for place in (1, 2, 3)
    ]
    await kept(gateway, 3)

    await office.refuse()

    await outcome(gateway, until, "cancelled", 2)
    assert {one.message_id for one in smsc.cancels} == {first, second}
    assert smsc.state_of(third) is MessageState.ENROUTE


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_r21_accounts_that_a_reload_or_a_restart_joins_share_refusals_of_before(  # noqa: PLR0913 - two accounts and a store
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    sender: BuildSender,
    tmp_path: Path,
    *,
    is_restarted: bool,
) -> None:
    url = f"sqlite:///{tmp_path}/var/smsward.db"
    gateway = await start(store_url=url, senders=company(sender, "B2-1", "B2-2"))
    second = await submit(await attach(gateway, "sp2"), source="10690002")
    await kept(gateway)
    await Office(gateway.stores, smsc).refuse()
    joined = company(sender, "B2-1", "B2-1")

    if is_restarted:
        await gateway.stop()
        gateway = await start(store_url=url, senders=joined)
        await attach(gateway, "sp2")
    else:
        before = gateway.plane.rules
        gateway.plane.load(RuleSet(before.bundle, joined, before.knowledge, before))

    await outcome(gateway, until, "cancelled")
    assert [one.message_id for one in smsc.cancels] == [second]


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
async def test_r21_a_refusal_that_another_process_recorded_cancels_too(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office, scope: str
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    first, second = await submit(esme), await submit(esme, "86" + TO)
    await kept(gateway, 2)

    await office.refuse(scope=scope)

    await outcome(gateway, until, "cancelled", 2)
    assert {one.message_id for one in smsc.cancels} == {first, second}
    assert {one.destination[2] for one in smsc.cancels} == {TO, "86" + TO}


@pytest.mark.parametrize("msisdn", [12125550123, 8612125550123])
async def test_r21_what_is_scheduled_for_a_number_abroad_is_cancelled(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    office: Office,
    msisdn: int,
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    await submit(esme, "12125550123")
    await kept(gateway)

    await office.refuse(msisdn)

    await outcome(gateway, until, "cancelled")
    assert [one.destination for one in smsc.cancels] == [(1, 1, "12125550123")]


async def test_r22_a_refusal_cancels_no_code_and_no_notice_that_are_scheduled(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    code = await submit(esme, source=OTP_PORT, octets=builders.ucs2("验证码482913"))
    advert = await submit(esme)
    await kept(gateway)

    await office.refuse()

    await outcome(gateway, until, "cancelled")
    assert [one.message_id for one in smsc.cancels] == [advert]
    assert smsc.state_of(code) is MessageState.ENROUTE


async def test_r21_a_refusal_on_its_way_while_the_smsc_answers_cancels_what_it_took(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)
    submitting = spawn(submit(esme), name="submit")
    await smsc.received(1)
    await office.refuse()
    await until(lambda: gateway._knowledge.consent.is_refused("sp1", MSISDN))

    smsc.release_answers()

    message_id = await submitting
    await outcome(gateway, until, "cancelled")
    assert smsc.state_of(message_id) is MessageState.DELETED


async def test_r21_what_a_killed_gateway_left_is_cancelled_by_the_next(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/var/smsward.db"
    gateway = await start(store_url=url)
    esme = await attach(gateway)
    message_id = await submit(esme)
    await gateway.stop()
    office = Office(await open_store(url), smsc)
    await office.refuse()
    now = utcnow()
    # The one that was killed knew, and had begun.
    await office.stores.scheduled.note_refusals(0, await office.stores.changes.latest())
    assert await office.stores.scheduled.take(now, now, ["sp1"], 9)
    await office.stores.close()

    successor = await start(store_url=url)
    await attach(successor)

    await outcome(successor, until, "cancelled")
    assert smsc.state_of(message_id) is MessageState.DELETED


async def test_r21_without_a_bind_of_its_sp_the_cancellation_waits_for_one(
    start: Start,
    attach: Attach,
    until: Until,
    office: Office,
    sender: BuildSender,
) -> None:
    other = sender(system_id="sp2", ports=(Port("10690077"),))
    gateway = await start(stores=office.stores, senders=(sender(), other))
    esme = await attach(gateway)
    message_id = await submit(esme)
    await kept(gateway)
    esme.close()
    await esme.lost()
    await until(lambda: not gateway.sessions.pairs)
    await attach(gateway, "sp2")
    await office.refuse()
    await until_refused(office)
    assert office.smsc.cancels == []

    await attach(gateway)

    await outcome(gateway, until, "cancelled")
    assert [(one.system_id, one.message_id) for one in office.smsc.cancels] == [("sp1", message_id)]


@pytest.mark.usefixtures("unwritten")
async def test_r21_what_the_smsc_will_not_cancel_is_on_record_and_not_asked_again(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(refuse_cancels=CommandStatus.ESME_RCANCELFAIL)
    message_id = await submit(esme)
    await kept(gateway)

    await office.refuse()

    await outcome(gateway, until, "refused")
    await kept(gateway, 0)
    assert len(smsc.cancels) == 1
    (event,) = (row for row in gateway.records.rows if row[0] == "e" and row[2] == "scheduled")
    assert {
        "message_id": message_id,
        "state": "refused",
        "status": int(CommandStatus.ESME_RCANCELFAIL),
        "system_id": "sp1",
    }.items() <= dict(event[3]).items()


@pytest.mark.usefixtures("impatient")
async def test_r21_an_smsc_that_is_silent_or_busy_is_asked_again(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    timers = Timers(response_s=0.01, drain_s=5, reconnect_max_s=0.1)
    gateway = await start(stores=office.stores, timers=timers)
    esme = await attach(gateway)
    await submit(esme)
    await kept(gateway)
    smsc.behaviour = Behaviour(refuse_cancels=CommandStatus.ESME_RTHROTTLED)
    await office.refuse()
    await smsc.until(lambda: len(smsc.cancels) >= 2)
    smsc.behaviour = Behaviour(ignore_cancels=True, refuse_cancels=CommandStatus.ESME_RSYSERR)
    asked = len(smsc.cancels)
    await smsc.until(lambda: len(smsc.cancels) >= asked + 2)

    smsc.behaviour = Behaviour()

    await outcome(gateway, until, "cancelled")
    assert scheduled(gateway)() == {"cancelled": 1}


async def test_r21_what_could_not_be_cancelled_in_time_is_on_record(
    start: Start, attach: Attach, until: Until, office: Office, log: LogLines
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    await submit(esme, schedule=SOON)
    await kept(gateway)
    esme.close()
    await esme.lost()
    await until(lambda: not gateway.sessions.pairs)

    await office.refuse()

    await outcome(gateway, until, "too_late")
    assert office.smsc.cancels == []
    assert [line["count"] for line in log if line["event"] == "scheduled.cancel_expired"] == [1]
    assert str(MSISDN) not in str(log)


async def test_r21_of_many_only_who_refused_is_named_to_the_smsc(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    await office.refuse(8613800138009)
    await until(lambda: gateway._knowledge.consent.is_refused("sp1", 8613800138009))
    answer = await esme.request(
        builders.submit_multi(
            PORT, (TO, STRANGER, "13800138009"), AD, schedule=LATER, sequence=esme.next_sequence()
        )
    )
    await kept(gateway, 2)

    await office.refuse()

    await outcome(gateway, until, "cancelled")
    assert header_of(answer).command_status == 0
    assert b"13800138009" in answer
    assert [one.destination[2] for one in smsc.cancels] == [TO]


async def test_r41_what_its_sp_puts_off_is_cancelled_until_then(
    start: Start, attach: Attach, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    message_id = await submit(esme, schedule=SOON)
    await kept(gateway)

    replaced = await esme.request(
        builders.replace_sm(message_id, PORT, AD, schedule=LATER, sequence=esme.next_sequence())
    )

    assert header_of(replaced).command_status == 0
    in_a_day = utcnow() + timedelta(hours=23)
    async with asyncio.timeout(60):
        while min(await scheduled_at(gateway)) <= in_a_day:
            pass
    await office.refuse()
    await outcome(gateway, until, "cancelled")


async def test_r41_what_goes_at_once_or_is_refused_by_the_smsc_is_not_kept(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    await submit(esme, schedule="")
    await submit(esme, schedule="000000000000000R")
    smsc.behaviour = Behaviour(throttle_every=1)
    request = builders.submit_sm(PORT, TO, AD, schedule=LATER, sequence=esme.next_sequence())
    assert header_of(await esme.request(request)).command_status != 0
    smsc.behaviour = Behaviour()
    await submit(esme, STRANGER)

    await kept(gateway)

    await office.refuse()
    await until(lambda: gateway._knowledge.consent.is_refused("sp1", MSISDN))
    assert scheduled(gateway)() == {}


async def test_r21_what_people_let_go_for_later_is_cancelled_too(
    start: Start, attach: Attach, until: Until, office: Office, bundle: Bundle
) -> None:
    odd = KeywordList("K-ODD", "odd", ListAction.QUARANTINE, ("紫水晶",))
    gateway = await start(stores=office.stores, policy=replace(bundle, keyword_lists=(odd,)))
    esme = await attach(gateway)
    held = [
        await submit(esme, octets=builders.ucs2("紫水晶秋季五折")),
        await submit(esme, octets=builders.ucs2("紫水晶订单验证码482913"), source=OTP_PORT),
        await submit(esme, octets=builders.ucs2("紫水晶今日五折"), schedule=""),
    ]
    desk = QuarantineDesk(office.stores.quarantine, MessageIds(worker=9))
    for message_id in held:
        await desk.request_release(int(message_id), "clerk", utcnow())
    await office.smsc.received(len(held))
    await kept(gateway)

    await office.refuse()

    await outcome(gateway, until, "cancelled")
    (cancel,) = office.smsc.cancels
    sent = next(one for one in office.smsc.journal if one.message_id == cancel.message_id)
    assert "秋季五折" in sent.octets.decode("utf-16-be")


async def test_r21_while_the_rule_is_on_trial_nothing_is_cancelled(
    start: Start, attach: Attach, until: Until, office: Office, bundle: Bundle
) -> None:
    (rule,) = bundle.rules
    otherwise = replace(rule, overrides=(Override(Enforcement.SHADOW, sender="sp1"),))
    gateway = await start(stores=office.stores, policy=replace(bundle, rules=(otherwise,)))
    esme = await attach(gateway)
    message_id = await submit(esme)
    await kept(gateway)

    await office.refuse()

    await outcome(gateway, until, "spared")
    await kept(gateway, 0)
    assert office.smsc.cancels == []
    assert office.smsc.state_of(message_id) is MessageState.ENROUTE


async def test_what_the_store_does_not_take_now_is_kept_and_settled_later(
    start: Start,
    attach: Attach,
    until: Until,
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    store = office.stores.scheduled
    failures: list[str] = []

    def fail(name: str) -> None:
        async def failing(*_arguments: object) -> bool:
            failures.append(name)
            monkeypatch.delattr(store, name)
            raise StoreUnavailable("test")

        monkeypatch.setattr(store, name, failing, raising=False)

    for name in ("keep", "note_refusals", "take", "settle"):
        fail(name)
    await submit(esme)
    await office.refuse()

    await outcome(gateway, until, "cancelled")
    await kept(gateway, 0)
    assert sorted(failures) == ["keep", "note_refusals", "settle", "take"]
    assert len(office.smsc.cancels) == 1


async def until_refused(office: Office) -> None:
    """Wait until the gateway has found what is refused."""

    async def look() -> bool:
        return bool(await office.stores.scheduled.waiting_senders(utcnow()))

    await eventually(look)
