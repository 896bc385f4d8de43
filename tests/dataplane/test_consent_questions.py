"""Requests for consent on their way: handed over, then passed on as they came, or refused (R23)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.dataplane.attention import Ask, Hold, OwnAnswer
from gateway.dataplane.link import Link
from gateway.domain.consent import Answer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Finding
from gateway.policy.bundle import Rule
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.too_often import TooOften
from gateway.policy.findings import ASKED, AWAY, REFUSED, UNKNOWN
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.policy.text_rulings import Course
from gateway.smpp.commands import CommandId
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    CLEAN,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    outcomes,
    rule,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    unnumbered,
    up,
)

TEXT = "春晓书店想每月给您发两条新书短信，为期一年，回复Y同意，回复N拒绝"
ASKS = Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, TEXT)
LATER = (1000.5, AT + 1)
THROTTLED = CommandStatus.ESME_RTHROTTLED


def asking(*rules: Rule) -> World:
    known = Knowledge()
    known.filings.replace("sp1", (ASKS,))
    needed = (rule("R21", OptOut()), rule("R20", NoConsent()), *rules)
    return World(bundle=replace(BUNDLE, rules=needed), knowledge=known)


def handed_over(world: World, session: Link, pdu: bytes | None = None) -> Ask:
    batch = world.submit(session, pdu or advert(TEXT))
    (item,) = batch.attention
    assert isinstance(item, Ask)
    assert (batch.writes, batch.rows) == ({}, [])
    return item


def settled(world: World, item: Ask, against: Finding | None = None) -> list[bytes]:
    """Settle a request; return what goes up, or else the answer."""
    session = item.message.session
    batch = world.pipeline.settle_ask(item, against, LATER)
    return up(batch, session) or sent(batch, session)


def test_who_asks_from_a_shared_port_has_written_last_when_the_request_has_gone() -> None:
    ports = (Port(PORT, 4, Purpose.MARKETING, shared=True),)
    senders = (sender(ports=ports), sender("sp2", ports=ports))
    world = replace(asking(), senders=senders)
    item = handed_over(world, world.session())
    before = world.plane.writers.last(PORT, item.msisdn)

    settled(world, item)

    assert (before, world.plane.writers.last(PORT, item.msisdn)) == ("", "sp1")


def test_r23_a_second_request_may_be_told_of_in_a_receipt() -> None:
    world = replace(asking(), senders=(sender(accept=frozenset({"CONSENT_ASKED"})),))
    session = world.session()
    item = handed_over(world, session)
    session.held -= 1  # as the shell does, which settles it

    batch = world.pipeline.settle_ask(item, ASKED, LATER)

    (kept,) = batch.attention
    assert isinstance(kept, Hold)
    assert (kept.is_refused, kept.message_id, session.held) == (True, item.message_id, 1)
    assert [row[8:12] for row in decisions(batch)] == [
        ("reject", "CONSENT_ASKED", "R23", "ESME_ROK")
    ]


def test_r23_a_request_waits_for_the_store_in_a_place_of_its_sessions_window() -> None:
    world = asking()
    session = world.session(window=1)

    item = handed_over(world, session)

    assert (item.msisdn, item.text, item.at) == (86_13800138000, TEXT, AT)
    assert session.held == 1
    assert session.room() == 0


def test_r42_a_request_is_counted_once_although_another_of_its_tick_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = Limit((CountDimension.DESTINATION,), 2, Clock.DAY)
    world = asking(rule("R42", TooOften((limit,))))
    session, settle_on = world.session(), RuleSet.settle_on

    def fails(rules: RuleSet, one: Submission, course: Course, at: float) -> None:
        if one.destination != SUBSCRIBER.encode():
            raise RuntimeError("a request that cannot be settled")
        settle_on(rules, one, course, at)

    monkeypatch.setattr(RuleSet, "settle_on", fails)
    batch = world.submit(session, advert(TEXT), advert(TEXT, 2, to="13800138001"))

    assert [type(item) for item in batch.attention] == [Ask, Hold]
    assert handed_over(world, session, advert(TEXT, 3)).msisdn == 86_13800138000
    again = world.submit(session, advert(TEXT, 4))
    assert [row[9] for row in decisions(again)] == ["FREQUENCY"]


CARRIERS: dict[str, Callable[[], bytes]] = {
    "submit_sm": lambda: advert(TEXT, 7, tlvs=[(0x1400, b"x")]),
    "payload": lambda: builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2(TEXT)),
    "data_sm": lambda: builders.data_sm(PORT, SUBSCRIBER, builders.ucs2(TEXT)),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_r23_one_that_may_go_goes_as_it_came(carrier: str) -> None:
    world, pdu = asking(), CARRIERS[carrier]()
    session = world.session()
    before = advert(CLEAN, 3)
    batch = world.submit(session, before, pdu)
    (item,) = batch.attention
    assert isinstance(item, Ask)

    (passed,) = settled(world, item)

    assert unnumbered(passed) == unnumbered(pdu)
    reply = answer(sequence_of(passed), command_id=header(pdu)[0] | 0x8000_0000)
    back = world.resp(smsc(session), reply)
    assert [unnumbered(one) for one in sent(back, session)] == [unnumbered(reply)]
    assert sequence_of(sent(back, session)[0]) == sequence_of(pdu)
    assert back.attention == []
    assert [row[6:8] for row in outcomes(back)] == [(0, b"ab12")]


@pytest.mark.parametrize(
    ("against", "status"),
    [
        (ASKED, CommandStatus.ESME_RSUBMITFAIL),
        (REFUSED, CommandStatus.ESME_RSUBMITFAIL),
        (UNKNOWN, CommandStatus.ESME_RMSGQFUL),
        (AWAY, CommandStatus.ESME_RMSGQFUL),
    ],
)
def test_r23_one_that_may_not_go_is_refused_and_its_sp_told_why(
    against: Finding, status: CommandStatus
) -> None:
    world = asking()
    item = handed_over(world, world.session(), advert(TEXT, 7))

    (told,) = settled(world, item, against)

    assert header(told) == (CommandId.SUBMIT_SM_RESP, status, 7)
    assert world.plane.tally.verdicts == {("reject", against.reason.value): 1}
    assert world.plane.tally.senders == {("sp1", "reject"): 1}


def test_r23_the_record_bears_what_was_decided_and_the_id_that_the_evidence_names() -> None:
    world = asking()
    world.plane.keeps_texts = True
    session = world.session()
    first, second = (handed_over(world, session) for _ in range(2))

    rows = [
        *decisions(world.pipeline.settle_ask(first, None, LATER)),
        *decisions(world.pipeline.settle_ask(second, ASKED, LATER)),
    ]

    assert [row[1] for row in rows] == [AT + 1, AT + 1]
    assert [row[8:12] for row in rows] == [
        ("forward", "", "", ""),
        ("reject", "CONSENT_ASKED", "R23", "ESME_RSUBMITFAIL"),
    ]
    assert [row[13] for row in rows] == [first.message_id, second.message_id]
    assert {row[14:] for row in rows} == {(8, builders.ucs2(TEXT))}
    assert world.plane.tally.forwarded == 1


def test_r23_what_rules_on_trial_found_against_a_request_is_noted() -> None:
    never = TooOften((Limit((CountDimension.SENDER,), 1, Clock.DAY),))
    world = asking(rule("R43", never, mode=Enforcement.SHADOW))
    session = world.session()
    handed_over(world, session)
    item = handed_over(world, session)

    (row,) = decisions(world.pipeline.settle_ask(item, None, LATER))

    assert row[8:11] == ("shadow", "FREQUENCY", "R43")


def test_r23_a_request_that_is_refused_bears_what_rules_on_trial_found_too() -> None:
    never = TooOften((Limit((CountDimension.SENDER,), 1, Clock.DAY),))
    world = asking(rule("R43", never, mode=Enforcement.SHADOW))
    session = world.session()
    handed_over(world, session)
    item = handed_over(world, session)

    (row,) = [row for row in world.pipeline.settle_ask(item, ASKED, LATER).rows if row[0] == "d"]

    assert (row[6].action, row[6].rule) == ("reject", "R23")
    assert [one.rule for one in row[6].findings] == ["R43", "R23"]


def test_r42_a_request_that_is_refused_is_not_counted() -> None:
    one_a_day = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),))
    world = asking(rule("R42", one_a_day))
    session = world.session()

    settled(world, handed_over(world, session), ASKED)
    settled(world, handed_over(world, session))

    (told,) = sent(world.submit(session, advert(TEXT)), session)
    assert status_of(told) == THROTTLED


@pytest.mark.parametrize(
    ("reply", "is_taken"),
    [
        (answer, True),
        (lambda own: answer(own, status=THROTTLED), False),
        (lambda own: answer(own, status=3, command_id=CommandId.GENERIC_NACK), False),
        (lambda own: answer(own, status=0x80, command_id=CommandId.GENERIC_NACK), False),
    ],
)
def test_r23_a_request_that_the_smsc_does_not_take_is_reported_and_its_sp_answered(
    reply: Callable[[int], bytes],
    is_taken: bool,  # noqa: FBT001 - a column of the table
) -> None:
    world = asking()
    session = world.session()
    item = handed_over(world, session, advert(TEXT, 7))
    (passed,) = settled(world, item)

    batch = world.resp(smsc(session), reply(sequence_of(passed)))

    told = [found.context for found in batch.attention if isinstance(found, OwnAnswer)]
    assert told == ([] if is_taken else [item])
    assert [sequence_of(one) for one in sent(batch, session)] == [7]


def test_r23_a_request_of_which_nobody_knows_whether_it_went_counts_as_gone() -> None:
    world = asking()
    session = world.session()
    settled(world, handed_over(world, session))
    world.now += 60

    batch = world.expire(smsc(session))

    assert batch.attention == []
    assert [status_of(one) for one in sent(batch, session)] == [CommandStatus.ESME_RSYSERR]


def test_r23_of_many_subscribers_consent_is_asked_one_by_one() -> None:
    other = "13900139000"
    one_a_day = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),))
    world = asking(rule("R42", one_a_day))
    world.sets.apply(int(f"86{other}"), "sp1", Answer.REFUSED)
    session = world.session()

    batch = world.submit(
        session, builders.submit_multi(PORT, [SUBSCRIBER, other], builders.ucs2(TEXT))
    )

    (told,) = sent(batch, session)
    assert status_of(told) == CommandStatus.ESME_RSUBMITFAIL
    assert [row[9] for row in decisions(batch)] == ["CONSENT_ASKED", "OPTED_OUT"]
    assert batch.attention == []
    handed_over(world, session)  # it was not counted


def test_r23_a_request_in_place_of_another_text_is_refused() -> None:
    world = asking()
    session = world.session()
    pdu = builders.replace_sm("abc", PORT, builders.ucs2(TEXT))

    batch = world.submit(session, pdu)

    (told,) = sent(batch, session)
    assert status_of(told) == CommandStatus.ESME_RREPLACEFAIL
    assert batch.attention == []


def test_r23_a_request_in_parts_is_refused_with_its_first_part_where_each_goes_on_at_once() -> None:
    world = asking()
    session = world.session()

    batch = world.submit(session, *long_advert([TEXT[:20], TEXT[20:]]))

    assert next(row[9] for row in decisions(batch)) == "CONSENT_NONE"
    assert up(batch, session) == []


def test_a_request_with_a_word_that_is_rejected_is_rejected_for_the_word() -> None:
    world = asking()
    text = f"{SPAM}，{TEXT}"
    asks = Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, text)
    world.knowledge.filings.replace("sp1", (asks,))
    session = world.session()

    batch = world.submit(session, advert(text))

    assert [row[9] for row in decisions(batch)] == ["CONTENT"]
    assert not any(isinstance(item, (Ask, Hold)) for item in batch.attention)
