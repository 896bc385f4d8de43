"""Commercial messages that wait for the hours in which they may arrive (R40, R41, R21)."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Protocol, cast

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.held_findings import told_items
from gateway.domain.policy import (
    ROLLING_DAY,
    CountDimension,
    Enforcement,
    KeywordList,
    Limit,
    ListAction,
)
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import Window, WindowSet
from gateway.policy.ruleset import RuleSet
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.stores import stores_of
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import Answer, RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus, header_of

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
LogLines = list[dict[str, object]]


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


PORT, CODE_PORT, DESTINATION = "10690001", "10690002", "13800138000"
SUBSCRIBER = 8613800138000
RINVSCHED = 0x61
ADVERT, LOAN = "【示例商城】全场五折，回T退订", "【示例商城】低息贷款，回T退订"
EVENING = "2025-11-25T21:00:00+08:00"
OPENING = "2025-11-26T08:00:00+08:00"


def rule(rule_id: str, check: Check, action: Action = Action.REJECT) -> Rule:
    return Rule(rule_id, Title("", ""), "[PR]", check, Enforcement.ENFORCE, action=action)


def hours(opens: int, closes: int) -> Rule:
    windows = WindowSet((Window(time(opens), time(closes)),))
    return rule("R40", OutsideWindow(windows), Action.DEFER)


@pytest.fixture
def bundle(bundle: Bundle) -> Bundle:
    """The policy of all these tests, with the hours from 8 to 21."""
    return replace(bundle, rules=(*bundle.rules, hours(8, 21)))


class Watched(QuarantineStore):
    """A store that counts how often it was asked for what is due."""

    looks = 0

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        self.looks += 1
        return await super().take_due(now, system_ids, limit)


@dataclass(frozen=True)
class Night:
    """A gateway, an SP that is bound to it, and the clock on the wall."""

    gateway: Gateway
    esme: RawEsme
    store: Watched
    wall: Wall
    until: Until
    reach: Reach

    async def deferred(self, text: str = ADVERT) -> str:
        """Submit an advert, which is to wait; return its id."""
        answer = await submit(self.esme, advert(text))
        assert answer.is_ok
        assert len(answer.message_id) == 19
        return answer.message_id

    async def reached(self, message_id: str, state: HoldState) -> HeldMessage:
        """Wait until a message stands in a state, and return it."""
        return await self.reach(self.gateway, message_id, state)

    async def looked(self) -> None:
        """Wait until the gateway has looked at what is due, and has done what it could."""
        enough = self.store.looks + 3
        await self.until(lambda: self.store.looks >= enough)

    def load(self, bundle: Bundle) -> None:
        """Let another policy hold from now on."""
        before = self.gateway.plane.rules
        senders = [account.sender for account in before.accounts.values()]
        compiled = RuleSet(replace(bundle, digest="1" * 12), senders, before.knowledge, before)
        self.gateway.tick.pipeline.load(compiled)


@pytest.fixture
async def night(
    start: Start, attach: Attach, wall: Wall, until: Until, reach: Reach, database: Database
) -> Night:
    """A gateway at nine in the evening."""
    store = Watched(database)
    wall.set(EVENING)
    gateway = await start(stores=replace(stores_of(database), quarantine=store))
    return Night(gateway, await attach(gateway), store, wall, until, reach)


def advert(text: str = ADVERT, *, schedule: str = "", validity: str = "") -> bytes:
    return builders.submit_sm(
        PORT,
        DESTINATION,
        builders.ucs2(text),
        registered_delivery=1,
        schedule=schedule,
        validity=validity,
    )


async def submit(esme: RawEsme, octets: bytes) -> Answer:
    """Submit with a sequence number of its own; return the answer."""
    sequence = esme.next_sequence().to_bytes(4, "big")
    return answer_of(await esme.request(octets[:12] + sequence + octets[16:]))


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def status_of(esme: RawEsme, octets: bytes) -> int:
    return header_of(await esme.request(octets)).command_status


async def test_r40_from_nine_in_the_evening_an_advert_waits_for_eight_in_the_morning(
    night: Night, smsc: SimulatedSmsc
) -> None:
    sent = advert(validity="000001000000000R")

    message_id = (await submit(night.esme, sent)).message_id
    waiting = await night.reached(message_id, HoldState.DEFERRED)
    night.wall.set("2025-11-26T07:59:59+08:00")
    await night.looked()
    before = list(smsc.journal)
    night.wall.set(OPENING)
    await night.reached(message_id, HoldState.RELEASED)

    assert waiting.due_at == datetime.fromisoformat(OPENING)
    assert waiting.expires_at == datetime.fromisoformat(EVENING) + timedelta(days=1)
    assert (waiting.reason, waiting.rule) == ("OUTSIDE_WINDOW", "R40")
    assert before == []
    (entry,) = smsc.journal
    assert entry.pdu[:12] + entry.pdu[16:] == sent[:12] + sent[16:]


async def test_r40_what_is_no_longer_valid_at_the_opening_is_refused_at_once(
    night: Night, smsc: SimulatedSmsc
) -> None:

    answer = await submit(night.esme, advert(validity="251126060000032+"))

    assert answer.command_status == RINVSCHED
    assert await night.gateway.stores.quarantine.find() == []
    assert smsc.journal == []


@pytest.mark.parametrize(
    ("moment", "source", "text"),
    [
        ("2025-11-26T03:00:00+08:00", CODE_PORT, "验证码1234"),
        ("2025-11-25T20:59:59+08:00", PORT, ADVERT),
    ],
)
async def test_r40_a_code_passes_at_night_and_an_advert_until_the_last_second(
    night: Night,
    smsc: SimulatedSmsc,
    moment: str,
    source: str,
    text: str,
) -> None:
    night.wall.set(moment)

    answer = await night.esme.submit(source, DESTINATION, text)

    assert answer.is_ok
    assert [entry.message_id for entry in smsc.journal] == [answer.message_id]


@pytest.mark.usefixtures("unwritten")
async def test_r21_a_refusal_two_seconds_before_the_opening_stops_what_waits_for_it(
    night: Night, smsc: SimulatedSmsc, refuse: Refuse
) -> None:
    message_id = await night.deferred()
    night.wall.set("2025-11-26T07:59:58+08:00")
    await refuse(night.gateway, SUBSCRIBER)

    night.wall.set(OPENING)
    held = await night.reached(message_id, HoldState.REFUSED)
    receipt = await night.esme.next_pdu()

    assert "OPTED_OUT" in held.note
    assert f"id:{message_id} ".encode() in receipt
    assert b"stat:REJECTD" in receipt
    assert smsc.journal == []
    events = [row[2:] for row in night.gateway.tick.records.rows if row[0] == "e"]
    (about,) = [about for kind, about in events if kind == "judged_again"]
    findings = cast("list[dict[str, object]]", about["findings"])
    assert about["reason"] == "OPTED_OUT"
    assert [(one["rule"], one["mode"]) for one in findings] == [("R21", "enforce")]


async def test_r41_what_is_scheduled_for_the_night_is_refused_by_day(
    night: Night, smsc: SimulatedSmsc
) -> None:
    night.wall.set("2025-11-25T20:00:00+08:00")

    by_night = await submit(night.esme, advert(schedule="251126020000032+"))
    by_day = await submit(night.esme, advert(schedule="251126100000032+"))

    assert by_night.command_status == RINVSCHED
    assert by_day.is_ok
    assert len(smsc.journal) == 1


async def test_r41_a_replacement_is_judged_and_what_it_changes_waits_on(
    night: Night, smsc: SimulatedSmsc
) -> None:
    message_id = await night.deferred()

    def exchange(text: str, sequence: int, schedule: str = "") -> bytes:
        octets = builders.ucs2(text)
        return builders.replace_sm(message_id, PORT, octets, sequence=sequence, schedule=schedule)

    forbidden = await status_of(night.esme, exchange("代开发票，回T退订", 51))
    by_night = await status_of(night.esme, exchange(ADVERT, 52, schedule="251126020000032+"))
    unchanged = await night.reached(message_id, HoldState.DEFERRED)
    clean = await status_of(night.esme, exchange("【示例商城】七折，回T退订", 53))
    changed = await night.reached(message_id, HoldState.DEFERRED)
    night.wall.set(OPENING)
    await night.reached(message_id, HoldState.RELEASED)

    assert forbidden == CommandStatus.ESME_RSUBMITFAIL
    assert by_night == RINVSCHED
    assert builders.ucs2(ADVERT) in unchanged.pdu
    assert clean == CommandStatus.ESME_ROK
    assert changed.due_at == unchanged.due_at
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("【示例商城】七折，回T退订")]


async def test_a_replacement_may_bring_a_validity_of_its_own(night: Night) -> None:
    message_id = await night.deferred()
    octets = builders.ucs2(ADVERT)

    request = builders.replace_sm(
        message_id, PORT, octets, sequence=51, validity="251126083000032+"
    )
    status = await status_of(night.esme, request)
    held = await night.reached(message_id, HoldState.DEFERRED)

    assert status == CommandStatus.ESME_ROK
    assert held.expires_at == datetime.fromisoformat("2025-11-26T08:30:00+08:00")


async def test_its_sender_sees_a_message_on_its_way_and_may_cancel_it(
    night: Night, smsc: SimulatedSmsc
) -> None:
    message_id = await night.deferred()

    queried = await night.esme.request(builders.query_sm(message_id, PORT, sequence=31))
    cancelled = await status_of(
        night.esme, builders.cancel_sm(message_id, PORT, DESTINATION, sequence=32)
    )
    night.wall.set(OPENING)
    await night.looked()

    assert queried[-2:] == b"\x01\x00"
    assert cancelled == CommandStatus.ESME_ROK
    assert (await night.reached(message_id, HoldState.CANCELLED)).receipt is ReceiptState.NONE
    assert smsc.journal == []


async def test_its_receipt_bears_the_id_the_sp_was_given_in_the_evening(
    night: Night, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    message_id = await night.deferred()

    night.wall.set(OPENING)
    receipt = await night.esme.next_pdu()

    assert f"id:{message_id} ".encode() in receipt
    assert b"stat:DELIVRD" in receipt


async def test_a_day_that_became_a_holiday_defers_it_once_more(
    night: Night, bundle: Bundle
) -> None:
    message_id = await night.deferred()
    night.load(replace(bundle, rules=(hours(10, 21),)))

    night.wall.set(OPENING)
    await night.looked()
    held = await night.reached(message_id, HoldState.DEFERRED)
    night.wall.set("2025-11-26T10:00:00+08:00")
    await night.reached(message_id, HoldState.RELEASED)

    assert held.due_at == datetime(2025, 11, 26, 2, tzinfo=UTC)
    assert held.expires_at == held.due_at + timedelta(hours=48)


async def test_what_is_flagged_by_the_morning_waits_for_a_person_and_then_for_the_hour(
    night: Night,
    smsc: SimulatedSmsc,
    bundle: Bundle,
) -> None:
    message_id = await night.deferred("【示例商城】全场五折")
    words = KeywordList("K-SALE", "fraud", ListAction.QUARANTINE, ("五折",))
    hint = rule("R30", NoOptoutHint(), Action.QUARANTINE)
    night.load(replace(bundle, keyword_lists=(words,), rules=(*bundle.rules, hint)))

    night.wall.set(OPENING)
    held = await night.reached(message_id, HoldState.HELD)
    assert held.campaign
    night.wall.set("2025-11-26T22:00:00+08:00")
    assert isinstance(
        await desk(night.gateway).request_release(held.message_id, "lin", utcnow()), ActResult
    )
    waiting = await night.reached(message_id, HoldState.DEFERRED)
    await night.looked()
    before = list(smsc.journal)
    night.wall.set("2025-11-27T08:00:00+08:00")
    await night.reached(message_id, HoldState.RELEASED)

    assert (held.rule, held.category, held.due_at) == ("R30", "fraud", None)
    assert [one for one, _ in told_items(held.found)] == ["R30", "K-SALE"]  # it left once released
    assert held.expires_at == datetime.fromisoformat(OPENING) + timedelta(days=1)
    assert waiting.due_at == datetime.fromisoformat("2025-11-27T08:00:00+08:00")
    assert before == []
    assert len(smsc.journal) == 1


async def test_r42_what_waits_is_counted_when_it_leaves(
    night: Night, smsc: SimulatedSmsc, bundle: Bundle
) -> None:
    daily = rule(
        "R42", TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),)), Action.THROTTLE
    )
    night.load(replace(bundle, rules=(*bundle.rules, daily)))
    first, second = await night.deferred(), await night.deferred()

    night.wall.set(OPENING)
    await night.reached(first, HoldState.RELEASED)
    refused = await night.reached(second, HoldState.REFUSED)

    assert "FREQUENCY" in refused.note
    assert len(smsc.journal) == 1


async def test_r42_what_the_smsc_takes_later_is_counted_once(
    night: Night, smsc: SimulatedSmsc, bundle: Bundle
) -> None:
    daily = rule(
        "R42", TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),)), Action.THROTTLE
    )
    night.load(replace(bundle, rules=(*bundle.rules, daily)))
    smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RTHROTTLED)
    message_id = await night.deferred()

    night.wall.set(OPENING)
    await smsc.received(2)
    smsc.behaviour = Behaviour()
    await night.reached(message_id, HoldState.RELEASED)

    assert smsc.counters.accepted == 1


async def test_r44_what_a_port_may_not_send_yet_waits_and_is_not_refused(
    night: Night,
    smsc: SimulatedSmsc,
    bundle: Bundle,
) -> None:
    slow = rule("R44-PORT", TooFast(per_s=1, burst=1), Action.THROTTLE)
    night.load(replace(bundle, rules=(*bundle.rules, slow)))
    first, second = await night.deferred(), await night.deferred()

    night.wall.set(OPENING)
    await night.reached(first, HoldState.RELEASED)
    await night.looked()
    waiting = await night.reached(second, HoldState.RELEASE_REQUESTED)
    night.wall.set("2025-11-26T08:00:01+08:00")
    await night.reached(second, HoldState.RELEASED)

    assert waiting.receipt is ReceiptState.NONE
    assert len(smsc.journal) == 2


async def test_a_long_message_waits_and_leaves_part_by_part_and_counts_once(
    night: Night, smsc: SimulatedSmsc, bundle: Bundle
) -> None:
    daily = rule(
        "R42", TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),)), Action.THROTTLE
    )
    night.load(replace(bundle, rules=(*bundle.rules, daily)))
    ids = []
    for number, text in enumerate(("【示例商城】全场", "五折，回T退订"), 1):
        octets = bytes((5, 0, 3, 7, 2, number)) + builders.ucs2(text)
        request = builders.submit_sm(PORT, DESTINATION, octets, esm_class=0x40)
        ids.append((await submit(night.esme, request)).message_id)

    night.wall.set(OPENING)
    for message_id in ids:
        await night.reached(message_id, HoldState.RELEASED)

    assert [entry.octets[5] for entry in smsc.journal] == [1, 2]


async def test_what_the_smsc_refuses_in_the_morning_its_sender_hears(
    night: Night, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=0x0B)
    message_id = await night.deferred()

    night.wall.set(OPENING)
    refused = await night.reached(message_id, HoldState.REFUSED)
    receipt = await night.esme.next_pdu()

    assert "0xB" in refused.note
    assert b"stat:REJECTD" in receipt


async def test_of_many_that_are_due_the_oldest_hour_leaves_first(
    night: Night, smsc: SimulatedSmsc, log: LogLines
) -> None:
    texts = [f"【示例商城】{discount}折，回T退订" for discount in "98765"]
    ids = [await night.deferred(text) for text in texts]

    night.wall.set(OPENING)
    for message_id in ids:
        await night.reached(message_id, HoldState.RELEASED)

    assert [entry.octets for entry in smsc.journal] == [builders.ucs2(text) for text in texts]
    told = [line for line in log if line["event"] == "quarantine.due"]
    assert sum(int(str(line["forward"])) for line in told) == 5
    assert "quarantine.released" not in {line["event"] for line in log}
