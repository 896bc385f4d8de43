"""The content stage: every text, whatever carries it and however it is coded."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.dataplane import judge_batch, request_reader
from gateway.dataplane.attention import Hold
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Clock, ContentRule, CountDimension, Limit, RepliesRule
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Action
from gateway.filter.classifier.model import PairedScorer
from gateway.filter.classifier.score import Comparison, ModelAgreement, TextClass
from gateway.filter.facts import TextFacts, VisibleFacts
from gateway.filter.scan import ContentScan
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Against
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import Often, TooOften
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp import gsm0338
from gateway.smpp.fields import Tag
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    CLEAN,
    DUBIOUS,
    NOTED,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    decisions,
    long_advert,
    rule,
    sar,
    sender,
    sent,
    status_of,
    udh,
    up,
)
from tests.policy.scorers import PRIZE, WordScorer
from tests.septets import pack

REJECT = Action.REJECT
SENTENCE = f"您好，本公司{SPAM}，欢迎来电咨询办理。"
UCS2 = builders.ucs2(SENTENCE)
GSM = gsm0338.encode("Claim your free money now, call back today")
# The text is packed behind one fill bit: the header has six octets, the seventh is due.
PACKED = (int.from_bytes(pack(GSM), "little") << 1).to_bytes(38, "little")
PORTS = b"\x06\x05\x04\x00\x50\x00\x50"
ALONE = udh("udh8", 1, b"\1\1")
RANDOM = random.Random(7).randbytes(64_000)  # noqa: S311 - no secret hangs on it


def reason_of(world: World, pdu: bytes) -> str:
    """Return why a request was stopped, or nothing."""
    session = world.session()
    batch = world.submit(session, pdu)
    (row,) = decisions(batch)
    assert bool(up(batch, session)) == (row[8] in {"forward", "shadow"})
    return row[9]


@pytest.mark.parametrize(
    "pdu",
    [
        advert(octets=UCS2),
        advert(octets=UCS2, data_coding=0x18),
        advert(octets=UCS2, data_coding=4),
        advert(octets=UCS2, data_coding=0),
        advert(octets=UCS2, data_coding=0xF5),
        advert(octets=b"\xfe\xff" + UCS2),
        advert(octets=SENTENCE.encode("utf-16-le")),
        advert(octets=b"\xff\xfe" + SENTENCE.encode("utf-16-le")),
        advert(octets=SENTENCE.encode("gbk"), data_coding=15),
        advert(octets=SENTENCE.encode("gbk"), data_coding=0),
        advert(octets=SENTENCE.encode(), data_coding=0),
        advert(octets=SENTENCE.encode(), data_coding=4),
        advert(octets=GSM, data_coding=0),
        advert(octets=GSM, data_coding=1),
        advert(octets=GSM, data_coding=3),
        advert(octets=pack(GSM), data_coding=0),
        advert(octets=pack(GSM), data_coding=0xF0),
        advert(octets=b"\x05\x70\x03abc" + PACKED, data_coding=0, esm_class=UDHI),
        advert(octets=PORTS + pack(GSM), data_coding=0, esm_class=UDHI),
        advert("代\u200b开 发-票"),
        advert(octets=UCS2 + b"\x20"),
        advert(octets=ALONE + UCS2, esm_class=UDHI),
        advert(octets=ALONE + UCS2, esm_class=0xFF),
        advert(octets=UCS2, tlvs=[(0x1454, b"odd")]),
        advert(octets=UCS2, schedule="251231235959000+", validity="000001000000000R"),
        builders.payload_submit_sm(PORT, SUBSCRIBER, UCS2),
        builders.payload_submit_sm(PORT, SUBSCRIBER, UCS2, short_message=builders.ucs2(CLEAN)),
        builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2(CLEAN), short_message=UCS2),
        advert(octets=b"", tlvs=[(Tag.MESSAGE_PAYLOAD, b"x"), (Tag.MESSAGE_PAYLOAD, UCS2)]),
        builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2("长" * 32_000) + UCS2),
        builders.data_sm(PORT, SUBSCRIBER, UCS2),
        builders.submit_multi(PORT, [SUBSCRIBER], UCS2),
        builders.replace_sm("17", PORT, UCS2),
        builders.replace_sm("17", PORT, udh("udh16", 1, b"\2\1") + UCS2),
    ],
)
def test_the_word_is_found_in_every_request_and_every_coding(pdu: bytes) -> None:
    assert reason_of(World(), pdu) == "CONTENT"


@pytest.mark.parametrize(
    ("octets", "data_coding", "reason"),
    [
        (builders.ucs2("您的快件已到。" * 4_600), 8, None),
        (b"Your parcel has come. " * 2_950, 0, None),
        ("Ihr Paket für München ist da. ".encode("latin-1") * 2_100, 3, None),
        ("您的快件已到。".encode() * 800, 4, None),
        (RANDOM, 4, "CONTENT_UNREADABLE"),
        (RANDOM, 8, "CONTENT_UNREADABLE"),
        ("您的快件已到。".encode() * 3_000, 4, "CONTENT_UNREADABLE"),
    ],
)
def test_a_text_that_fills_a_pdu_is_judged_and_one_that_may_be_read_in_too_many_ways_is_held(
    octets: bytes, data_coding: int, reason: str | None
) -> None:
    pdu = builders.payload_submit_sm(PORT, SUBSCRIBER, octets, data_coding=data_coding)

    assert reason_of(World(), pdu) == (reason or "")


@pytest.mark.parametrize("unreadable", [Action.QUARANTINE, Action.FORWARD])
@pytest.mark.parametrize(
    "request_of",
    [
        lambda octets: builders.payload_submit_sm(PORT, SUBSCRIBER, octets, data_coding=4),
        lambda octets: advert(octets=b"", data_coding=4, tlvs=[(0x0424, octets), *sar(1, b"\2\1")]),
        lambda octets: builders.submit_multi(
            PORT, [SUBSCRIBER], b"", data_coding=4, tlvs=[(0x0424, octets)]
        ),
    ],
)
def test_what_may_be_read_in_too_many_ways_never_passes_unread(
    request_of: Callable[[bytes], bytes], unreadable: Action
) -> None:
    world = World(bundle=replace(BUNDLE, content=ContentRule(unreadable=unreadable)))
    hidden = ("\u202e①票②发③开④代\u202c" * 2_600).encode("utf-16-be")

    assert reason_of(world, request_of(hidden)) == "CONTENT_UNREADABLE"


def test_a_new_text_that_may_be_read_in_too_many_ways_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_reader, "MAX_CHARACTERS", 1_000)

    assert reason_of(World(), builders.replace_sm("17", PORT, RANDOM[:200])) == "CONTENT_UNREADABLE"


def test_a_clean_text_passes_with_a_plain_record(world: World) -> None:
    session = world.session()

    (row,) = decisions(world.submit(session, advert(sequence=7)))

    assert row == (
        *("d", 1_700_000_000.0, session.number, "sp1", 4, 7),
        *(b"10690001", b"13800138000", "forward", "", "", "", "0123456789ab", 0, 0, b""),
    )


def test_texts_that_nothing_in_the_bundle_asks_about_are_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(bundle=Bundle("open", "0123456789ab"))
    monkeypatch.setattr(world.rules.scan, "memory", None)

    assert not world.rules.reads_texts
    assert reason_of(world, advert()) == ""


@pytest.mark.parametrize(
    "asking",
    [
        {"keyword_lists": BUNDLE.keyword_lists},
        {"rules": (Rule("R38", Title("具名", "name"), "[D]", NoSenderName()),)},
        {"replies": RepliesRule("好", "好")},
        {"content": ContentRule(unreadable=Action.QUARANTINE)},
    ],
)
def test_whatever_asks_about_texts_has_them_read(asking: dict[str, Any]) -> None:
    world = World(bundle=replace(Bundle("open", "0123456789ab"), **asking))
    session = world.session()

    world.submit(session, advert())

    assert world.rules.reads_texts
    assert len(world.rules.scan.memory.young) == 1


def test_messages_are_counted_by_which_of_two_models_would_stop_them() -> None:
    comparison = Comparison("a", "b")
    active, shadow = WordScorer(), WordScorer({})
    world = World(
        replace(BUNDLE, rules=(rule("R61", Suspicious(0.01)),)),
        knowledge=Knowledge(scorer=PairedScorer(active, shadow, comparison)),
    )
    session = world.session()
    prize, lists = advert("恭喜您，点此领奖"), advert("恭喜您，点此领奖", source="99")

    world.submit(session, prize, advert(CLEAN), prize, lists)
    world.submit(session, prize)

    assert comparison.counts[TextClass.PORT] == {
        **dict.fromkeys(ModelAgreement, 0),
        ModelAgreement.NEITHER: 1,
        ModelAgreement.ONLY_ACTIVE: 1,
    }
    assert comparison.messages[TextClass.PORT][ModelAgreement.ONLY_ACTIVE] == 3
    assert comparison.messages[TextClass.PORT][ModelAgreement.NEITHER] == 1


def test_r61_the_new_texts_of_personal_numbers_are_judged_at_once_as_what_people_write() -> None:
    scorer = WordScorer({"领奖": PRIZE}, personal={})
    every = frozenset(TrafficClass)
    held = rule("R61", Suspicious(0.01), applies_to=every, on_error=dict.fromkeys(every, REJECT))
    world = World(
        replace(BUNDLE, rules=(held,)),
        senders=(sender(ports=(Port(PORT), Port("139", 8))),),
        knowledge=Knowledge(scorer=scorer),
    )
    session = world.session()
    texts = ("周末去领奖吧", "你领奖了吗", "这本书坏了", "我也去领奖")

    batch = world.submit(
        session,
        advert(texts[0]),
        *(advert(one, source=f"1390000000{nth}") for nth, one in enumerate(texts[:2])),
    )
    (asked,) = scorer.persons
    broken = world.submit(session, *(advert(one, source="13900000009") for one in texts[2:]))

    assert [row[8] for row in decisions(batch)] == ["reject", "forward", "forward"]
    assert set(texts[:2]) <= set(asked)
    assert [row[9] for row in decisions(broken)] == ["CONTENT_UNCHECKED", ""]
    assert world.knowledge.unscored == 1


def test_a_message_without_a_text_passes(world: World) -> None:
    assert reason_of(world, advert(octets=b"")) == ""


def test_a_text_on_trial_passes_and_is_noted(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(NOTED))

    assert len(up(batch, session)) == 1
    assert [row[8:12] for row in decisions(batch)] == [("shadow", "CONTENT", "K-NOTE", "")]
    assert world.plane.tally.verdicts == {("shadow", "CONTENT"): 1}


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_text_seen_before_gets_the_same_verdict(world: World, *, seen_before: bool) -> None:
    if seen_before:
        reason_of(world, advert(SPAM))

    assert reason_of(world, advert(SPAM)) == "CONTENT"
    assert reason_of(world, advert(CLEAN)) == ""


@pytest.mark.parametrize(
    "pdu",
    [
        advert(octets=b"\xfd"),
        advert(octets=ALONE + b"\xfd", esm_class=UDHI),
        advert(CLEAN, tlvs=[(Tag.MESSAGE_PAYLOAD, b"\xfd")]),
        *long_advert([b"\xfd"]),
    ],
)
@pytest.mark.parametrize(
    ("action", "reason"), [(Action.QUARANTINE, "CONTENT_UNREADABLE"), (Action.FORWARD, "")]
)
def test_a_text_nobody_can_read_gets_what_the_bundle_says(
    pdu: bytes, action: Action, reason: str
) -> None:
    world = World(bundle=replace(BUNDLE, content=ContentRule(unreadable=action)))
    session = world.session()

    batch = world.submit(session, pdu)

    assert len(up(batch, session)) == (action is Action.FORWARD)
    (row,) = decisions(batch)
    assert row[9] == reason or row[8] == "shadow"


@pytest.mark.parametrize(
    "pdu",
    [
        advert(),
        advert(octets=ALONE + UCS2, esm_class=UDHI),
        advert(tlvs=[(Tag.MESSAGE_PAYLOAD, b"x")]),
        builders.data_sm(PORT, SUBSCRIBER, UCS2),
        builders.submit_multi(PORT, [SUBSCRIBER], UCS2),
        *long_advert([CLEAN]),
    ],
)
def test_a_filter_that_fails_passes_nothing(world: World, pdu: bytes) -> None:
    world.failing_filter()
    session = world.session()

    batch = world.submit(session, pdu)

    assert not up(batch, session)
    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert [(row[8], row[9]) for row in decisions(batch)] == [("quarantine", "CONTENT_UNCHECKED")]
    assert world.plane.tally.filter_failures == 1


def test_a_text_the_filter_fails_on_harms_no_neighbour(world: World) -> None:
    world.failing_filter(poison="毒")
    bad, good = world.session("sp1"), world.session("sp2")

    batch = world.submit_all((bad, advert("有毒")), (good, advert(CLEAN) + advert(SPAM)))

    assert [(row[3], row[9]) for row in decisions(batch)] == [
        ("sp1", "CONTENT_UNCHECKED"),
        ("sp2", ""),
        ("sp2", "CONTENT"),
    ]


@pytest.mark.parametrize("failing", ["course_of", "judge_text"])
def test_a_rule_that_fails_over_one_message_harms_no_neighbour(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    world = World(replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    bad, good = world.session("sp1"), world.session("sp2")
    pdus = (bad, advert(CLEAN)), (good, advert(f"{CLEAN}。"))
    world.submit_all(*pdus)
    judges = getattr(RuleSet, failing)

    def fails(rules: RuleSet, message: Submission, facts: TextFacts, at: float) -> object:
        if message.account.system_id == "sp1":
            raise RuntimeError("a rule that fails")
        return judges(rules, message, facts, at)

    def fails_together(*_: object) -> None:
        raise RuntimeError("a rule that fails over some of many")

    monkeypatch.setattr(RuleSet, failing, fails)
    if failing == "judge_text":
        monkeypatch.setattr(judge_batch, "ask_together", fails_together)
    batch = world.submit_all(*pdus)

    assert [(row[3], row[9]) for row in decisions(batch)] == [
        ("sp1", "CONTENT_UNCHECKED"),
        ("sp2", ""),
    ]


CODE = "【春晓书店】验证码482915，请勿转告他人"


def test_r28_a_walk_with_two_texts_in_turn_is_seen_in_one_tick() -> None:
    walk = rule("R28", NumberWalk(4, timedelta(minutes=10)), applies_to=frozenset(TrafficClass))
    adverts = rule("R21", OptOut(), applies_to=frozenset({TrafficClass.COMMERCIAL}))
    ports = (Port(PORT, 4, Purpose.SERVICE),)
    world = World(replace(BUNDLE, rules=(walk, adverts)), (sender(ports=ports),))
    session = world.session()
    texts = (CODE, "【春晓书店】会员日全场八折，拒收请回复R")
    walked = [advert(texts[n % 2], n + 1, to=str(13800138000 + n)) for n in range(12)]

    batch = world.submit(session, b"".join(walked))

    assert [row[9] for row in decisions(batch) if row[8] != "shadow"].count("NUMBER_WALK") == 9


def test_r28_a_walk_with_every_other_text_a_new_one_is_seen_in_one_tick() -> None:
    walk = rule("R28", NumberWalk(4, timedelta(minutes=10)), applies_to=frozenset(TrafficClass))
    world = World(replace(BUNDLE, rules=(walk,)))
    session = world.session()
    world.submit(session, advert(CLEAN, to="13900139000"))
    texts = [CLEAN if n % 2 else f"【春晓书店】您预约的第{n}册书已到店" for n in range(12)]
    walked = [advert(texts[n], n + 2, to=str(13800138000 + n)) for n in range(12)]

    batch = world.submit(session, b"".join(walked))

    assert [row[9] for row in decisions(batch)].count("NUMBER_WALK") == 9


def test_r28_a_walk_with_texts_of_two_classes_in_turn_is_seen_in_one_tick() -> None:
    walk = rule("R28", NumberWalk(4, timedelta(minutes=10)), applies_to=frozenset(TrafficClass))
    often = TooOften((Limit((CountDimension.DESTINATION,), 9, Clock.DAY),))
    codes = rule("R42", often, applies_to=frozenset({TrafficClass.VERIFICATION}))
    world = World(replace(BUNDLE, rules=(walk, codes)), (sender(ports=(Port(PORT),)),))
    session = world.session()
    texts = (CODE, "【春晓书店】您预约的书已到店，请凭本短信领取")
    walked = [advert(texts[n % 2], n + 1, to=str(13800138000 + n)) for n in range(24)]

    batch = world.submit(session, b"".join(walked))

    assert [row[9] for row in decisions(batch)].count("NUMBER_WALK") == 21


def test_a_counter_that_fails_over_one_message_harms_no_neighbour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    often = TooOften((Limit((CountDimension.DESTINATION,), 3, Clock.DAY),))
    world = World(replace(BUNDLE, rules=(rule("R42", often, applies_to=frozenset(TrafficClass)),)))
    bad, good = world.session("sp1"), world.session("sp2")
    counts = Often.ask_all

    def fails(counter: Often, messages: Sequence[Submission], at: float) -> Against:
        if any(message.account.system_id == "sp1" for message in messages):
            raise RuntimeError("a counter that fails")
        return counts(counter, messages, at)

    often_sent = b"".join(advert(CLEAN, n, to="13800138009") for n in range(1, 4))
    world.submit(good, often_sent)
    monkeypatch.setattr(Often, "ask_all", fails)
    batch = world.submit_all(
        (good, advert(CLEAN, 4, to="13800138009") + advert(CLEAN, 5)), (bad, advert(CLEAN))
    )

    assert [(row[3], row[9]) for row in decisions(batch)] == [
        ("sp2", "FREQUENCY"),
        ("sp2", ""),
        ("sp1", "CONTENT_UNCHECKED"),
    ]


def test_what_one_counter_stopped_is_not_counted_anew_when_another_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = frozenset(TrafficClass)
    walk = rule("R28", NumberWalk(2, timedelta(minutes=10)), applies_to=every)
    often = rule(
        "R42", TooOften((Limit((CountDimension.DESTINATION,), 3, Clock.DAY),)), applies_to=every
    )
    world = World(replace(BUNDLE, rules=(walk, often)))
    session = world.session()

    def fails(_counter: Often, _messages: Sequence[Submission], _at: float) -> Against:
        raise RuntimeError("a counter that fails")

    monkeypatch.setattr(Often, "ask_all", fails)
    walked = [advert(CLEAN, n + 1, to=str(13800138000 + n)) for n in range(2)]
    batch = world.submit(session, b"".join(walked))

    assert [row[9] for row in decisions(batch)] == ["CONTENT_UNCHECKED", "NUMBER_WALK"]


FAILING = "【故障】新到的茶"
EVERY_CLASS = frozenset(TrafficClass)


def to_one(maximum: int, *per: CountDimension) -> TooOften:
    return TooOften((Limit((CountDimension.DESTINATION, *per), maximum, Clock.DAY),))


@pytest.fixture
def _signature_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what counts by signature fail over one text, whatever was counted before."""
    shown = TextFacts.shown

    def fails(facts: TextFacts) -> VisibleFacts:
        if FAILING in facts.texts[0] and facts.ruling:  # its class is known by then
            raise RuntimeError("a text without an end")
        return shown(facts)

    monkeypatch.setattr(TextFacts, "shown", fails)


@pytest.mark.usefixtures("_signature_that_fails")
@pytest.mark.parametrize("more", ["", NOTED], ids=["together", "alone"])
def test_r42_a_counter_that_fails_over_one_message_counts_its_neighbours_once(more: str) -> None:
    rules = (
        rule("R42", to_one(3), applies_to=EVERY_CLASS),
        rule("R42-b", to_one(99, CountDimension.SIGNATURE), applies_to=EVERY_CLASS),
    )
    world = World(replace(BUNDLE, rules=rules))
    session = world.session()

    texts = CLEAN, FAILING, CLEAN, CLEAN, CLEAN
    first = world.submit(session, *(advert(one + more, n) for n, one in enumerate(texts[:3])))
    then = world.submit(session, *(advert(one + more, n) for n, one in enumerate(texts[3:])))

    assert [status_of(one) for one in sent(first, session)] == []
    assert [held.verdict.deciding for held in first.attention if isinstance(held, Hold)] == [
        judge_batch.UNCHECKED
    ]
    assert len(up(first, session)) == 2
    assert len(up(then, session)) == 1
    assert [row[9] for row in decisions(then)].count("FREQUENCY") == 1


@pytest.mark.usefixtures("_signature_that_fails")
def test_r44_a_counter_that_fails_over_one_message_takes_a_token_of_each_once() -> None:
    rules = (
        rule("R44", TooFast(per_s=0.001, burst=4), applies_to=EVERY_CLASS),
        rule("R42", to_one(99, CountDimension.SIGNATURE), applies_to=EVERY_CLASS),
    )
    world = World(replace(BUNDLE, rules=rules))
    session = world.session()

    first = world.submit(session, advert(CLEAN) + advert(FAILING, 2) + advert(CLEAN, 3))
    then = world.submit(session, advert(CLEAN, 4) + advert(CLEAN, 5))

    assert [row[9] for row in decisions(first)] == ["", "CONTENT_UNCHECKED", ""]
    assert [row[9] for row in decisions(then)] == ["", "RATE"]


def test_r42_what_fails_once_the_messages_are_counted_counts_none_of_them_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(replace(BUNDLE, rules=(rule("R42", to_one(2), applies_to=EVERY_CLASS),)))
    session, subscribers = world.session(), (SUBSCRIBER, "13800138001")
    counts_out = RuleSet.counts_out

    def fails(*given: object) -> bool:
        counts_out(*given)  # type: ignore[arg-type]
        raise RuntimeError("who is to be suspended cannot be said")

    monkeypatch.setattr(RuleSet, "counts_out", fails)
    sent_to = [subscribers[0]] * 3 + [subscribers[1]]
    first = world.submit(session, *(advert(CLEAN, n, to=to) for n, to in enumerate(sent_to)))
    monkeypatch.undo()
    then = world.submit(session, *(advert(CLEAN, n, to=subscribers[1]) for n in range(2)))

    assert [row[9] for row in decisions(first)] == ["", "", "FREQUENCY", ""]
    assert world.plane.tally.filter_failures == 1
    assert [row[9] for row in decisions(then)] == ["", "FREQUENCY"]


def test_a_replacement_that_could_not_be_judged_fails(world: World) -> None:
    world.failing_filter()
    session = world.session()

    batch = world.submit(session, builders.replace_sm("17", PORT, UCS2))

    assert [status_of(pdu) for pdu in sent(batch, session)] == [CommandStatus.ESME_RREPLACEFAIL]


def test_a_part_the_filter_failed_on_stops_the_others(world: World) -> None:
    session = world.session()
    first, second = long_advert(["您好", "再见"])
    world.failing_filter()
    world.submit(session, first)
    world.rules.scan = ContentScan(world.rules.scan.index)
    del world.rules.scan.index.search_views

    batch = world.submit(session, second)

    assert [row[9] for row in decisions(batch)] == ["CONTENT_UNCHECKED"]


@pytest.mark.parametrize("action", [Action.REJECT, Action.QUARANTINE])
def test_r61_what_was_found_in_a_part_stops_the_others(action: Action) -> None:
    links = rule(
        "R61-link",
        BadLink(block=("xinqian88.top",)),
        action=action,
        applies_to=frozenset(TrafficClass),
    )
    world = World(replace(BUNDLE, rules=(links,)))
    session = world.session()

    found = [
        row[9]
        for part in long_advert(["请看 xinqian88.top", "shop.cn", "谢谢"])
        for row in decisions(world.submit(session, part))
    ]

    assert found == ["BAD_LINK"] * 3


def test_a_message_its_addresses_stopped_is_not_read(world: World) -> None:
    world.failing_filter()

    assert reason_of(world, advert(source="95588")) == "SOURCE_NOT_OWNED"


def test_a_reload_judges_from_the_next_tick_on(world: World) -> None:
    before = reason_of(world, advert(DUBIOUS))

    world.reload(replace(BUNDLE, digest="ffffffffffff", keyword_lists=()))

    assert (before, reason_of(world, advert(DUBIOUS))) == ("CONTENT", "")
