"""What the SMSC takes for later is noted for the refusals to come, and nothing else is (R21)."""

from dataclasses import replace

import pytest

from gateway.dataplane.attention import Ask, ScheduledAtSmsc
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.dataplane.submit_request import Schedule
from gateway.domain.consent import Answer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.sender import Port, Purpose
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.knowledge import Knowledge
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import SmeAddress
from gateway.smpp.pdu import decode
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.wire import pdu
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    PORT,
    SUBSCRIBER,
    World,
    advert,
    answer,
    rule,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    unnumbered,
    up,
)

IN_AN_HOUR, HOUR_S = "000000010000000R", 3600.0
OTHER, REFUSER = "13900139000", "13900139001"
ABROAD = "12125550123"  # by its type; no mainland mobile number begins with 12
AD = "秋冬新品五折"
ASKS = "春晓书店想每月给您发两条新书短信，为期一年，回复Y同意，回复N拒绝"
SOURCE = SmeAddress(1, 1, PORT.encode())


def listed(*numbers: str) -> tuple[SmeAddress, ...]:
    return tuple(SmeAddress(1, 1, number.encode()) for number in numbers)


@pytest.fixture
def world() -> World:
    """Return a world in which refusals count, and one subscriber has refused."""
    ports = (Port(PORT, 4, Purpose.MARKETING), Port("10690002", 0, Purpose.VERIFICATION))
    known = Knowledge()
    known.filings.replace("sp1", (Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, ASKS),))
    rules = (rule("R21", OptOut()), rule("R20", NoConsent()))
    world = World(
        bundle=replace(BUNDLE, rules=rules), senders=(sender(ports=ports),), knowledge=known
    )
    for number in (SUBSCRIBER, OTHER):
        world.sets.apply(int(f"86{number}"), "sp1", Answer.AGREED)
    world.sets.apply(int(f"86{REFUSER}"), "sp1", Answer.REFUSED)
    return world


@pytest.fixture
def session(world: World) -> Link:
    return world.session()


def answered(world: World, session: Link, request: bytes, status: int = 0) -> Batch:
    """Let the SMSC answer a request that passes."""
    (passed,) = up(world.submit(session, request), session)
    kind = decode(passed).command_id | 0x80000000
    return world.resp(smsc(session), answer(sequence_of(passed), b"7F3A", status, kind))


def test_r21_a_commercial_message_for_later_is_noted_with_the_smscs_id(
    world: World, session: Link
) -> None:
    request = advert(AD, schedule=IN_AN_HOUR, sequence=77)

    batch = answered(world, session, request)

    schedule = Schedule(AT + HOUR_S, SOURCE, listed(SUBSCRIBER))
    assert batch.attention == [ScheduledAtSmsc("sp1", schedule, b"7F3A")]
    # The SP hears what it would have heard.
    (heard,) = sent(batch, session)
    assert sequence_of(heard) == 77
    assert unnumbered(heard) == unnumbered(answer(1, b"7F3A"))


@pytest.mark.parametrize("others", [(), (SUBSCRIBER,), (SUBSCRIBER, REFUSER)])
def test_r21_what_goes_abroad_later_is_noted_letter_by_letter(
    world: World, session: Link, others: tuple[str, ...]
) -> None:
    world.sets.apply(int(ABROAD), "sp1", Answer.AGREED)
    one = advert(AD, to=ABROAD, schedule=IN_AN_HOUR)
    octets = builders.ucs2(AD)
    many = builders.submit_multi(PORT, (ABROAD, *others), octets, schedule=IN_AN_HOUR)

    (item,) = answered(world, session, many if others else one).attention

    assert isinstance(item, ScheduledAtSmsc)
    assert item.schedule.destinations == listed(ABROAD, *others[:1])


@pytest.mark.parametrize(
    "request_",
    [
        advert(AD),
        advert(AD, schedule="000000000000000R"),
        advert(AD, validity=IN_AN_HOUR),
        advert("验证码482913，5分钟内有效", source="10690002", schedule=IN_AN_HOUR),
    ],
    ids=["at once", "now", "with a validity", "a code"],
)
def test_r22_what_goes_at_once_and_what_is_not_commercial_is_not_noted(
    world: World, session: Link, request_: bytes
) -> None:
    assert answered(world, session, request_).attention == []


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RINVSCHED])
def test_r41_what_the_smsc_did_not_take_is_not_noted(
    world: World, session: Link, status: CommandStatus
) -> None:
    batch = answered(world, session, advert(AD, schedule=IN_AN_HOUR), status)

    assert batch.attention == []
    assert status_of(sent(batch, session)[0]) == status


def test_r41_a_nack_takes_nothing_whatever_its_status(world: World, session: Link) -> None:
    (passed,) = up(world.submit(session, advert(AD, schedule=IN_AN_HOUR)), session)
    nack = pdu(CommandId.GENERIC_NACK, sequence_of(passed))

    batch = world.resp(smsc(session), nack)

    assert batch.attention == []
    assert len(sent(batch, session)) == 1


def test_r21_an_answer_that_comes_too_late_for_the_sp_is_noted_all_the_same(
    world: World, session: Link
) -> None:
    (passed,) = up(world.submit(session, advert(AD, schedule=IN_AN_HOUR)), session)
    world.now += 31
    assert len(sent(world.expire(smsc(session)), session)) == 1

    batch = world.resp(smsc(session), answer(sequence_of(passed), b"7F3A"))

    assert [type(item) for item in batch.attention] == [ScheduledAtSmsc]
    assert batch.writes == {}


def test_r21_of_a_message_to_many_only_who_gets_it_is_noted(world: World, session: Link) -> None:
    to = [SUBSCRIBER, REFUSER, OTHER]
    request = builders.submit_multi(PORT, to, builders.ucs2(AD), schedule=IN_AN_HOUR)

    batch = answered(world, session, request)

    (item,) = batch.attention
    assert isinstance(item, ScheduledAtSmsc)
    assert item.schedule.destinations == listed(SUBSCRIBER, OTHER)
    (heard,) = sent(batch, session)
    assert REFUSER.encode() in heard
    assert SUBSCRIBER.encode() not in heard


def test_r21_a_message_to_many_that_nobody_refused_is_noted_for_all(
    world: World, session: Link
) -> None:
    to = [SUBSCRIBER, OTHER]
    request = builders.submit_multi(PORT, to, builders.ucs2(AD), schedule=IN_AN_HOUR)

    batch = answered(world, session, request)

    (item,) = batch.attention
    assert isinstance(item, ScheduledAtSmsc)
    assert item.schedule.destinations == listed(*to)
    assert unnumbered(sent(batch, session)[0]) == unnumbered(
        answer(1, b"7F3A", 0, CommandId.SUBMIT_MULTI_RESP)
    )


def test_r41_a_replacement_that_puts_a_message_off_tells_which_and_until_when() -> None:
    world = World(bundle=replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    session = world.session()
    request = builders.replace_sm("7F3A", PORT, builders.ucs2("好的"), schedule=IN_AN_HOUR)
    (passed,) = up(world.submit(session, request), session)

    batch = world.resp(smsc(session), pdu(CommandId.REPLACE_SM_RESP, sequence_of(passed)))

    (item,) = batch.attention
    assert item == ScheduledAtSmsc(
        "sp1", Schedule(AT + HOUR_S, SOURCE, (), message_id=b"7F3A"), b"7F3A"
    )


@pytest.mark.parametrize(("schedule", "count"), [(IN_AN_HOUR, 1), ("", 0)])
def test_r23_a_request_for_consent_sells_and_is_noted_when_it_is_for_later(
    world: World, session: Link, schedule: str, count: int
) -> None:
    asked = world.submit(session, advert(ASKS, to="13800138009", schedule=schedule))
    (item,) = asked.attention
    assert isinstance(item, Ask)
    (passed,) = up(world.pipeline.settle_ask(item, None, (world.now, AT)), session)

    batch = world.resp(smsc(session), answer(sequence_of(passed), b"7F3A"))

    assert [type(one) for one in batch.attention] == [ScheduledAtSmsc] * count
