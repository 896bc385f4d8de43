"""A complaint by SMS to a report code: kept, answered with its id, never an SP's (R80)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.policy import RepliesRule
from gateway.domain.subscription import Hub
from gateway.policy.bundle import Bundle
from gateway.policy.complaint_words import ComplaintFormat
from gateway.proxy import complaint_receiver
from gateway.proxy.complaint_receiver import ReplyCount
from gateway.proxy.mt_sender import MtSender
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings
from gateway.settings.measures import ComplaintSettings
from gateway.settings.smscs import OwnAccount, OwnBindType
from gateway.storage.errors import StoreUnavailable
from gateway.systems.complaints import complaint_replies
from gateway.systems.complaints.model import (
    Complaint,
    ComplaintSource,
    ComplaintState,
    IntakeResult,
    InvalidReason,
)
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SUBSCRIBER, MSISDN, ABROAD = "13800138000", 8613800138000, "447700900123"
PORT, BODY = "1069012340000", "高薪招聘兼职，日结五百，加微信详谈"
STAR, HASH, COLON, COMMA, TWO_STEP, BOTH = "12321", "10010", "10000999", "1909", "7726", "10086999"
CODES = {
    STAR: ComplaintFormat.STAR,
    HASH: ComplaintFormat.HASH,
    COLON: ComplaintFormat.COLON,
    COMMA: ComplaintFormat.COMMA,
    TWO_STEP: ComplaintFormat.TWO_STEP,
    BOTH: ComplaintFormat.STAR,
}
CONFIRMED = "您已退订"
TAKEN, TEMPORARY, REFUSED = 0, 0x64, 0x45
RECEIVED, NEED_INFO = ComplaintState.RECEIVED, ComplaintState.NEED_INFO


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A gateway with a bind of its own, and a code for each format."""
    account = OwnAccount("gw", "plain:gw", OwnBindType.TRANSCEIVER)
    smscs = tuple(replace(smsc, own_bind=account) for smsc in settings.smscs)
    complaints, hub = ComplaintSettings(CODES), Hub(frozenset({BOTH}))
    return replace(settings, smscs=smscs, complaints=complaints, hub=hub)


@pytest.fixture
async def gateway(start: Start, bundle: Bundle, until: Until) -> Gateway:
    """A gateway whose own bind stands; it does not hear refusals."""
    return await begun(await start(policy=bundle), until)


async def begun(gateway: Gateway, until: Until) -> Gateway:
    await until(lambda: set(gateway.sessions.pool.own_binds().values()) == {1})
    return gateway


async def say(
    smsc: SimulatedSmsc, text: str, to: str, by: str = SUBSCRIBER, account: str = "gw"
) -> int:
    octets = text.encode("utf-16-be", "surrogatepass")
    return await smsc.deliver(account, by, to, octets, data_coding=8)


async def kept(gateway: Gateway, msisdn: int = MSISDN) -> list[Complaint]:
    """Return the complaints of a subscriber, the oldest first."""
    return (await gateway.stores.complaints.find(reporter=msisdn))[::-1]


def told(smsc: SimulatedSmsc) -> list[tuple[str, str, str]]:
    """Return what the gateway wrote: from which code, to whom, what."""
    return [(r.source, r.destination, r.octets.decode("utf-16-be")) for r in smsc.journal]


def facts(one: Complaint) -> tuple[str, str, ComplaintState]:
    return one.sender, one.text, one.state


@pytest.mark.parametrize(
    ("code", "text", "origin"),
    [
        (STAR, f"{PORT}*{BODY}", PORT),
        (STAR, f"+86 139-1234-5678＊{BODY}", "13912345678"),
        (STAR, f"{PORT} {BODY}", PORT),
        (HASH, f"LJDXJB#{PORT}#{BODY}", PORT),
        (HASH, f"ljdxjb＃{PORT}＃{BODY}", PORT),
        (COLON, f"{PORT}：{BODY}", PORT),
        (COMMA, f"{BODY}, VK-QUIKPY, 09/11/25", "VK-QUIKPY"),
    ],
)
async def test_r80_a_complaint_is_kept_and_answered_with_its_id(
    gateway: Gateway, smsc: SimulatedSmsc, code: str, text: str, origin: str
) -> None:
    heard = await say(smsc, text, code)

    assert heard == TAKEN
    (one,) = await kept(gateway)
    assert facts(one) == (origin, BODY, RECEIVED)
    assert (one.source, one.reporter, one.by) == (ComplaintSource.MO, MSISDN, code)
    [(source, destination, reply)] = told(smsc)
    assert (source, destination) == (code, SUBSCRIBER)
    assert f"编号{one.number}" in reply
    assert "免费" in reply
    assert len(reply) <= 70


async def test_r80_the_day_of_a_message_is_kept_unless_it_is_to_come(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, f"{BODY}, VK-QUIKPY, 09/11/25", COMMA)
    await say(smsc, f"{BODY}, VK-OTHER, 09/11/99", COMMA)

    past, future = await kept(gateway)
    assert past.received_at is not None
    assert f"{past.received_at.astimezone(ZoneInfo('Asia/Shanghai')):%F}" == "2025-11-09"
    assert future.received_at is None


async def test_r80_who_writes_from_abroad_is_answered_in_english(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, f"{PORT}*{BODY}", STAR, by=ABROAD)

    (one,) = await kept(gateway, int(ABROAD))
    [(_, _, reply)] = told(smsc)
    assert reply.startswith(f"Report {one.number} received")


async def test_r80_no_sp_gets_a_complaint_though_it_comes_on_its_own_bind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    heard = await say(smsc, f"{PORT}*{BODY}", STAR, account="sp1")
    of_no_number = await smsc.deliver("sp1", "INFO", STAR, b"hello")
    of_a_port = await say(smsc, "你好", "10690001", account="sp1")

    assert (heard, of_no_number, of_a_port) == (TAKEN, TAKEN, TAKEN)
    assert len(await kept(gateway)) == 1
    assert "你好".encode("utf-16-be") in await esme.next_pdu()
    assert esme.pdus().empty()


async def test_r80_a_text_without_a_number_is_asked_about_once_and_completed_by_it(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    assert await say(smsc, BODY, TWO_STEP) == TAKEN
    (asked,) = await kept(gateway)
    assert await say(smsc, f"号码：{PORT}", TWO_STEP) == TAKEN

    (one,) = await kept(gateway)
    assert facts(asked) == ("", BODY, NEED_INFO)
    assert (one.number, *facts(one)) == (asked.number, PORT, BODY, RECEIVED)
    assert [reply for _, _, reply in told(smsc)] == [
        f"举报{one.number}已登记。请在7天内回复发来该短信的号码（免费）",
        f"您的举报已受理，编号{one.number}。感谢您的举报。本短信免费",
    ]


async def test_r80_the_whole_complaint_again_with_its_number_completes_it(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, BODY, STAR)
    await say(smsc, f"{PORT}*{BODY}", STAR)
    await say(smsc, f"{PORT}*另一条", STAR)

    first, second = await kept(gateway)
    assert facts(first) == (PORT, BODY, RECEIVED)
    assert facts(second) == (PORT, "另一条", RECEIVED)


async def test_r80_a_number_that_comes_first_waits_for_the_text(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, PORT, STAR)
    await say(smsc, BODY, STAR)

    (one,) = await kept(gateway)
    assert facts(one) == (PORT, BODY, RECEIVED)
    assert told(smsc)[0][2] == f"举报{one.number}已登记。请在7天内回复该短信的内容（免费）"


async def test_r80_nothing_at_all_is_asked_for_both(gateway: Gateway, smsc: SimulatedSmsc) -> None:
    await say(smsc, " ", TWO_STEP)
    await say(smsc, PORT, TWO_STEP)
    await say(smsc, BODY, TWO_STEP)

    (one,) = await kept(gateway)
    assert facts(one) == (PORT, BODY, RECEIVED)
    assert len(told(smsc)) == 3


async def test_r80_the_latest_text_is_completed_and_then_the_one_before(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    for text in ("甲", "乙", PORT, "95533"):
        await say(smsc, text, TWO_STEP)

    first, second = await kept(gateway)
    assert (first.sender, second.sender) == ("95533", PORT)


async def test_r80_what_the_smsc_delivers_again_is_the_same_complaint(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    for _ in range(2):
        await say(smsc, f"{PORT}*{BODY}", STAR)
        await say(smsc, "没有号码", TWO_STEP)

    assert len(await kept(gateway)) == 2
    assert len(set(told(smsc))) == 2


async def test_r80_the_smsc_hears_nothing_before_the_complaint_is_committed(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, may_commit, asked = gateway.stores.complaints, asyncio.Event(), asyncio.Event()
    receive = store.receive

    async def slow(*given: object) -> list[IntakeResult]:
        asked.set()
        await may_commit.wait()
        return await receive(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "receive", slow)
    saying = spawn(say(smsc, f"{PORT}*{BODY}", STAR), name="say")
    await asked.wait()
    await say(smsc, "加急", "10699999")  # a round trip

    assert not saying.done()  # a kill -9 now loses nothing: the SMSC still has it
    assert told(smsc) == []
    may_commit.set()
    assert await saying == TAKEN
    assert len(await kept(gateway)) == 1


async def test_r80_the_smsc_keeps_what_the_store_can_not(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> list[IntakeResult]:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as failing:
        failing.setattr(gateway.stores.complaints, "receive", fail)
        assert await say(smsc, f"{PORT}*{BODY}", STAR) == TEMPORARY
    assert told(smsc) == []
    assert await say(smsc, f"{PORT}*{BODY}", STAR) == TAKEN

    assert len(await kept(gateway)) == 1
    assert gateway.plane.tally.replies_put_back == 1


async def test_r80_a_complaint_that_can_not_be_answered_now_comes_again(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unbound:
        unbound.setattr(MtSender, "say", lambda *_: False)
        assert await say(smsc, f"{PORT}*{BODY}", STAR) == TEMPORARY
    assert await say(smsc, f"{PORT}*{BODY}", STAR) == TAKEN

    (one,) = await kept(gateway)
    assert [f"编号{one.number}" in reply for _, _, reply in told(smsc)] == [True]


async def test_r80_no_more_of_a_number_is_taken_at_once_than_may_wait(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, may_commit = gateway.stores.complaints, asyncio.Event()
    receive = store.receive

    async def slow(*given: object) -> list[IntakeResult]:
        await may_commit.wait()
        return await receive(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "receive", slow)
    saying = [spawn(say(smsc, f"{PORT}*第{n}条", STAR), name="say") for n in range(9)]
    done, _ = await asyncio.wait(saying, return_when=asyncio.FIRST_COMPLETED)

    assert [one.result() for one in done] == [TEMPORARY]
    may_commit.set()
    assert sorted(await asyncio.gather(*saying)) == [TAKEN] * 8 + [TEMPORARY]


async def test_r80_machines_that_answer_each_other_come_to_an_end(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    for n in range(12):
        assert await say(smsc, f"自动回复{n}：正在开会", TWO_STEP) == TAKEN

    assert len(await kept(gateway)) == 12
    assert len(told(smsc)) == 10


def test_r80_a_number_is_replied_to_again_after_an_hour() -> None:
    now = [0.0]
    count = ReplyCount(lambda: now[0])

    assert [count.takes(1) for _ in range(12)] == [True] * 10 + [False] * 2
    now[0] = 3_600.0
    assert count.takes(1)
    assert all(count.takes(2 + n) for n in range(10_001))
    assert len(count._counts) == 10_000


async def test_r80_a_refusal_to_a_code_that_is_a_hub_code_too_is_a_refusal(
    start: Start, bundle: Bundle, smsc: SimulatedSmsc, until: Until
) -> None:
    hearing = replace(bundle, replies=RepliesRule(CONFIRMED, "您已恢复"))
    gateway = await begun(await start(policy=hearing), until)

    assert await say(smsc, "TD", BOTH) == TAKEN
    assert await say(smsc, "屏蔽 房产", BOTH) == TAKEN
    assert await say(smsc, f"{PORT}*退订请回TD", BOTH) == TAKEN
    assert await say(smsc, "周年庆全场六折起，欢迎光临，退订请回复TD", BOTH) == TAKEN
    assert await say(smsc, "TD", STAR) == TAKEN

    answer = await gateway.stores.consent.answer_of(MSISDN, EVERY_SENDER)
    assert answer is not None
    assert answer.answer is Answer.REFUSED
    assert len(await gateway.stores.preferences.of(MSISDN)) == 1
    assert [one.text for one in await kept(gateway)] == [
        "退订请回TD",
        "周年庆全场六折起，欢迎光临，退订请回复TD",
        "TD",
    ]
    assert told(smsc)[0][2] == CONFIRMED


async def test_r80_where_refusals_are_not_heard_all_is_a_complaint(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    assert await say(smsc, "TD", BOTH) == TAKEN

    assert [one.text for one in await kept(gateway)] == ["TD"]
    assert await gateway.stores.consent.answers_of([MSISDN]) == []


LONG = f"{PORT}*" + "各位老乡，本店新到一批货，数量有限，先到先得。" * 4


def part(number: int, total: int, reference: int = 7, text: str = LONG) -> bytes:
    each = -(-len(text) // total)
    piece = text[(number - 1) * each : number * each]
    return bytes((5, 0, 3, reference, total, number)) + piece.encode("utf-16-be")


async def say_parts(smsc: SimulatedSmsc, parts: Sequence[bytes]) -> list[int]:
    delivering = (
        smsc.deliver("gw", SUBSCRIBER, STAR, one, data_coding=8, esm_class=0x40) for one in parts
    )
    return await asyncio.gather(*delivering)


async def test_r80_a_long_complaint_is_one(gateway: Gateway, smsc: SimulatedSmsc) -> None:
    heard = await say_parts(smsc, [part(2, 2), part(2, 2), part(1, 2)])

    assert heard == [TAKEN] * 3
    (one,) = await kept(gateway)
    assert facts(one) == (PORT, LONG.partition("*")[2], RECEIVED)
    assert len(told(smsc)) == 1


async def test_r80_parts_that_come_late_are_added_to_the_complaint(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)

    # One after the other, as an SMSC with a window of 1 does.
    heard = [await say_parts(smsc, [part(number, 3)]) for number in (2, 1, 1, 3)]

    assert heard == [[TAKEN]] * 4
    (one,) = await kept(gateway)
    assert facts(one) == (PORT, LONG.partition("*")[2], RECEIVED)
    assert len(told(smsc)) == 1


async def test_r80_a_late_part_changes_no_complaint_that_was_judged(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)
    await say_parts(smsc, [part(1, 2)])
    (before,) = await kept(gateway)
    await gateway.stores.complaints.judge({before.number: None})

    assert await say_parts(smsc, [part(2, 2)]) == [TAKEN]

    (after,) = await kept(gateway)
    assert after.text == before.text
    assert LONG.partition("*")[2].startswith(after.text)


async def test_r80_a_late_part_that_the_store_can_not_take_comes_again(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> bool:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)
    await say_parts(smsc, [part(1, 2)])
    with monkeypatch.context() as failing:
        failing.setattr(gateway.stores.complaints, "complete", fail)
        assert await say_parts(smsc, [part(2, 2)]) == [TEMPORARY]
    assert await say_parts(smsc, [part(2, 2)]) == [TAKEN]

    (one,) = await kept(gateway)
    assert one.text == LONG.partition("*")[2]


async def test_r80_parts_of_a_complaint_that_was_put_off_are_taken_when_they_come_again(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> list[IntakeResult]:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)
    with monkeypatch.context() as failing:
        failing.setattr(gateway.stores.complaints, "receive", fail)
        assert await say_parts(smsc, [part(1, 2)]) == [TEMPORARY]
    assert await say_parts(smsc, [part(1, 2)]) == [TAKEN]

    assert len(await kept(gateway)) == 1


async def test_r80_a_reference_is_free_again_after_some_minutes(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)
    await say_parts(smsc, [part(1, 2)])
    monkeypatch.setattr(complaint_receiver, "_ENDED_S", 0.0)

    await say_parts(smsc, [part(1, 2, text=f"95533*{LONG}"), part(2, 2, text=f"95533*{LONG}")])

    assert [one.sender for one in await kept(gateway)] == [PORT, "95533"]


@pytest.mark.usefixtures("gateway")
async def test_r80_parts_that_wait_are_bounded(
    smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_receiver, "_PARTS_S", 0.01)
    monkeypatch.setattr(complaint_receiver, "_MAX_PARTS", 2)
    monkeypatch.setattr(complaint_receiver, "_MAX_LONG", 1)

    many = await say_parts(smsc, [part(1, 4), part(2, 4), part(3, 4), part(1, 2, 8)])
    later = await say_parts(smsc, [part(1, 2, 9)])

    assert many == [TAKEN, TAKEN, TEMPORARY, TEMPORARY]
    assert later == [TAKEN]


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize("octets", [b"", b"\xd8\x00", b"\x09\x00", b"\xff" * 200])
async def test_r80_whatever_octets_are_sent_are_answered(
    smsc: SimulatedSmsc, octets: bytes
) -> None:
    for esm_class in (0, 0x40):
        heard = await smsc.deliver(
            "gw", SUBSCRIBER, STAR, octets, data_coding=8, esm_class=esm_class
        )
        assert heard in {TAKEN, 0x43}


async def test_r89_who_asks_hears_once_a_day_how_its_own_complaints_stand(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, f"{PORT}*{BODY}", STAR)
    await say(smsc, f"{PORT}*{BODY}", STAR, by="13911112222")
    (one,) = await kept(gateway)
    await gateway.stores.complaints.judge({one.number: InvalidReason.NO_RECORD})

    heard = [await say(smsc, "CX", STAR), await say(smsc, "查询 1", TWO_STEP)]

    assert heard == [TAKEN, TAKEN]
    assert [reply for _, to, reply in told(smsc) if to == SUBSCRIBER][1:] == [
        f"您的举报（免费）：{one.number}未成立",
        "今日已查询过，请明日再查（免费）",
    ]
    assert len(await kept(gateway)) == 1


async def test_r89_of_what_another_has_reported_nobody_is_told(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await say(smsc, f"{PORT}*{BODY}", STAR, by="13911112222")
    (one,) = await kept(gateway, 8613911112222)

    await say(smsc, f"STATUS {one.number}", STAR, by=ABROAD)
    await say(smsc, f"CX{one.number}", STAR)

    replies = [reply for _, to, reply in told(smsc) if to in {SUBSCRIBER, ABROAD}]
    assert replies == ["There is no such report of yours (free)", "没有您的举报（免费）"]


async def test_r89_the_newest_that_one_message_holds_are_told(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_replies, "MAX_CHARS", 36)
    for n in range(3):
        await say(smsc, f"{PORT}*{BODY}{n}", STAR, by=ABROAD)
    numbers = [one.number for one in await kept(gateway, int(ABROAD))]

    await say(smsc, "status", STAR, by=ABROAD)

    assert told(smsc)[-1][2] == f"Your reports (free): {numbers[-1]} received"


@pytest.mark.usefixtures("gateway")
async def test_r89_an_answer_that_could_not_be_sent_does_not_count(
    smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(smsc, f"{PORT}*{BODY}", STAR)
    with monkeypatch.context() as unbound:
        unbound.setattr(MtSender, "say", lambda *_: False)
        assert await say(smsc, "CX", STAR) == TEMPORARY
    assert await say(smsc, "CX", STAR) == TAKEN

    assert "已受理" in told(smsc)[-1][2]


async def test_r89_at_a_code_that_is_a_hub_code_too_a_query_is_of_complaints(
    start: Start, bundle: Bundle, smsc: SimulatedSmsc, until: Until
) -> None:
    hearing = replace(bundle, replies=RepliesRule(CONFIRMED, "您已恢复"))
    gateway = await begun(await start(policy=hearing), until)

    await say(smsc, "查询", BOTH)

    assert [reply for _, _, reply in told(smsc)] == ["没有您的举报（免费）"]
    assert await kept(gateway) == []
