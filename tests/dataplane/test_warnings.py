"""What the tick notes for a warning: of messages with findings, and of no others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.dataplane.attention import Ask, Hold
from gateway.dataplane.link import Link
from gateway.domain.consent import Answer
from gateway.domain.filings import PortScope, Template, TemplateKind
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind
from gateway.policy.bundle import Rule
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    PORT,
    SUBSCRIBER,
    World,
    advert,
    answer,
    decisions,
    rule,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    up,
)

W3, W5, W8, W9, W10 = (WarningCode(code) for code in ("W3", "W5", "W8", "W9", "W10"))
OTHER = "13900139000"
BANK = "【某行】验证码1234。办卡享免息额度5万元,回T退订"
NOW = datetime.fromtimestamp(AT, UTC)
WALK = NumberWalk(100, timedelta(minutes=10))
MOSTLY = UnknownNumbers(0.3, timedelta(minutes=10), 50)
UNKNOWN = CommandStatus.ESME_RINVDSTADR


def warning(one: Rule, code: WarningCode, severity: Severity | None = None) -> Rule:
    return replace(one, warning=code, severity=severity)


def ruled(*rules: Rule, knowledge: Knowledge | None = None) -> World:
    return World(replace(BUNDLE, rules=rules), knowledge=knowledge or Knowledge())


def taken(world: World) -> dict[WarningKind, WarningCount]:
    return {one.kind: one for one in world.plane.warnings.take()}


def test_r04_a_port_out_of_its_province_raises_the_warning_w8() -> None:
    knowledge = Knowledge(provinces=ProvinceTable([(1380013, "广东")]))
    knowledge.filings.replace("sp1", (PortScope("sp1", PORT, "福建"),))
    world = ruled(warning(rule("R04", OtherProvince()), W8), knowledge=knowledge)
    session = world.session()

    batch = world.submit(session, advert(sequence=7))

    assert [status_of(pdu) for pdu in sent(batch, session)] == [CommandStatus.ESME_RINVDSTADR]
    assert world.plane.warnings.take() == (
        WarningCount(
            WarningKind(W8, "R04", "sp1", PORT), None, 1, 0, NOW, NOW, (f"{session.number}:7",)
        ),
    )
    assert world.plane.warnings.take() == ()


def test_r05_promotion_from_a_service_port_is_a_serious_violation() -> None:
    misuse = warning(rule("R05", PortMisuse(), action=Action.QUARANTINE), W3, Severity.SERIOUS)
    ports = (Port(PORT, 4, Purpose.SERVICE),)
    world = World(replace(BUNDLE, rules=(misuse,)), (sender(ports=ports),))
    session = world.session()

    batch = world.submit(session, advert(BANK), advert("验证码482913，5分钟内有效", 2))

    (held,) = batch.attention
    assert isinstance(held, Hold)
    assert len(up(batch, session)) == 1
    (found,) = world.plane.warnings.take()
    assert (found.kind, found.severity) == (
        WarningKind(W3, "R05", "sp1", PORT),
        Severity.SERIOUS,
    )
    assert (found.count, found.samples) == (1, (str(held.message_id),))


def test_r28_a_walk_warns_of_w9_from_the_hundredth_on() -> None:
    world = ruled(warning(rule("R28", WALK, action=Action.QUARANTINE), W9))
    session = world.session(window=1000)
    walk = [advert(sequence=n + 1, to=str(13900000000 + n)) for n in range(150)]

    batch = world.submit(session, *walk)

    assert len(up(batch, session)) == 99
    (found,) = world.plane.warnings.take()
    assert (found.kind, found.count) == (WarningKind(W9, "R28", "sp1", PORT), 51)
    assert len(found.samples) == 5


def test_r38_what_is_on_trial_warns_of_a_message_to_many_of_whom_one_refused() -> None:
    nameless = warning(rule("R38", NoSenderName(), mode=Enforcement.SHADOW), W3)
    world = ruled(rule("R21", OptOut()), nameless)
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    session = world.session()
    text = "全场图书八折，拒收请回复R".encode("utf-16-be")

    batch = world.submit(
        session, builders.submit_multi(PORT, [SUBSCRIBER, OTHER], text, data_coding=8)
    )

    assert len(up(batch, session)) == 1
    found = taken(world)[WarningKind(W3, "R38", "sp1", PORT)]
    assert (found.count, found.on_trial) == (1, 1)
    assert world.plane.tally.verdicts[("shadow", "NO_SENDER_NAME")] == 1


def test_r20_attempts_without_consent_are_counted_w10() -> None:
    world = ruled(warning(rule("R20", NoConsent()), W10))
    session = world.session()
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.AGREED)

    world.submit(session, advert(sequence=1), advert(sequence=2, to=OTHER), advert(sequence=3))
    world.submit(world.session("sp2"), advert(sequence=4))

    counts = {kind: one.count for kind, one in taken(world).items()}
    assert counts == {
        WarningKind(W10, "R20", "sp1", PORT): 2,
        WarningKind(W10, "R20", "sp2", PORT): 1,
    }


def test_r21_an_attempt_after_the_refusal_is_counted_w5() -> None:
    world = ruled(warning(rule("R21", OptOut()), W5))
    world.sets.apply(int(f"86{SUBSCRIBER}"), "sp1", Answer.REFUSED)

    world.submit(world.session(), advert())

    assert list(taken(world)) == [WarningKind(W5, "R21", "sp1", PORT)]


def test_while_consent_cannot_be_read_nobody_is_warned_for_it() -> None:
    world = ruled(warning(rule("R20", NoConsent()), W10))
    world.sets.is_current = False

    batch = world.submit(world.session(), advert())

    assert [row[9] for row in decisions(batch)] == ["CONSENT_UNCHECKED"]
    assert world.plane.warnings.take() == ()


def test_what_a_rule_on_trial_finds_is_counted_as_such_and_goes_on() -> None:
    one = warning(rule("R20", NoConsent(), mode=Enforcement.SHADOW), W10)
    world = ruled(one)
    session = world.session()

    batch = world.submit(session, advert(), advert(sequence=2))

    assert len(up(batch, session)) == 2
    (found,) = world.plane.warnings.take()
    assert (found.count, found.on_trial) == (2, 2)


def test_a_rule_on_trial_warns_of_what_another_stops() -> None:
    on_trial = warning(rule("R20", NoConsent(), mode=Enforcement.SHADOW), W10)
    world = ruled(on_trial, rule("R30", NoOptoutHint()))

    batch = world.submit(world.session(), advert("会员日全场八折"))

    assert [row[9] for row in decisions(batch)] == ["NO_OPTOUT_HINT"]
    (found,) = world.plane.warnings.take()
    assert (found.kind.rule, found.on_trial) == ("R20", 1)


def test_what_has_no_warning_is_not_counted() -> None:
    world = ruled(rule("R20", NoConsent()), rule("R30", NoOptoutHint(), mode=Enforcement.SHADOW))

    world.submit(world.session(), advert(), advert("会员日全场八折", 2))

    assert world.plane.warnings.take() == ()


def test_of_a_message_to_many_each_that_is_turned_away_counts() -> None:
    world = ruled(warning(rule("R20", NoConsent()), W10))
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.AGREED)
    session = world.session()
    numbers = [SUBSCRIBER, OTHER, "13700137000"]

    world.submit(session, builders.submit_multi(PORT, numbers, builders.ucs2("您好"), sequence=9))

    (found,) = world.plane.warnings.take()
    assert found.count == 2
    assert found.samples == (f"{session.number}:9",) * 2


def test_of_a_message_to_many_that_are_all_turned_away_none_counts_twice() -> None:
    world = ruled(warning(rule("R20", NoConsent()), W10))
    numbers = [SUBSCRIBER, OTHER]

    world.submit(world.session(), builders.submit_multi(PORT, numbers, builders.ucs2("您好")))

    (found,) = world.plane.warnings.take()
    assert found.count == 2


def test_a_request_for_consent_that_is_found_against_on_trial_is_counted() -> None:
    world, text = asking(), "春晓书店想每月给您发两条新书短信，回复Y同意，回复N拒绝"

    batch = world.submit(world.session(), advert(text))

    (item,) = batch.attention
    assert isinstance(item, Ask)
    (found,) = world.plane.warnings.take()
    assert (found.kind.rule, found.on_trial) == ("R38", 1)


def test_r28_an_sp_whose_numbers_are_mostly_unknown_is_held() -> None:
    world = ruled(warning(rule("R28-unknown", MOSTLY, action=Action.QUARANTINE), W9))
    session, neighbour = world.session(window=1000), world.session("sp2")

    submit_and_answer(world, session, 49, unknown=15)
    few = world.submit(session, advert(sequence=50))
    feed(world)
    batch = world.submit(session, advert(sequence=51))
    spared = world.submit(neighbour, advert(sequence=52))

    assert world.plane.tally.unknown == {"sp1": 15}
    assert len(up(few, session)) == 1
    assert up(batch, session) == []
    (held,) = batch.attention
    assert isinstance(held, Hold)
    assert held.verdict.findings[0].reason is UnknownNumbers.reason
    assert len(up(spared, neighbour)) == 1
    assert list(taken(world)) == [WarningKind(W9, "R28-unknown", "sp1", PORT)]


def test_r28_one_that_writes_to_fewer_unknown_numbers_is_not_held() -> None:
    world = ruled(warning(rule("R28-unknown", MOSTLY, action=Action.QUARANTINE), W9))
    session = world.session(window=1000)

    submit_and_answer(world, session, 50, unknown=14)
    batch = world.submit(session, advert(sequence=51))

    assert len(up(batch, session)) == 1


def test_unknown_numbers_are_counted_for_what_the_gateway_passed_on_after_all() -> None:
    world, text = asking(), "春晓书店想每月给您发两条新书短信，回复Y同意，回复N拒绝"
    session = world.session()
    (item,) = world.submit(session, advert(text)).attention
    assert isinstance(item, Ask)
    (pdu,) = up(world.pipeline.settle_ask(item, None, (world.now, AT)), session)

    world.resp(smsc(session), answer(sequence_of(pdu), status=UNKNOWN))

    assert world.plane.tally.unknown == {"sp1": 1}


def test_what_the_smsc_refuses_for_another_reason_is_no_unknown_number() -> None:
    world = ruled()
    session = world.session()
    (pdu,) = up(world.submit(session, advert()), session)

    world.resp(smsc(session), answer(sequence_of(pdu), status=CommandStatus.ESME_RTHROTTLED))

    assert world.plane.tally.unknown == {}


def asking() -> World:
    knowledge = Knowledge()
    text = "春晓书店想每月给您发两条新书短信，回复Y同意，回复N拒绝"
    asks = Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, text)
    knowledge.filings.replace("sp1", (asks,))
    return ruled(
        rule("R20", NoConsent()),
        warning(rule("R38", NoSenderName(), mode=Enforcement.SHADOW), WarningCode.W1),
        knowledge=knowledge,
    )


def submit_and_answer(world: World, session: Link, count: int, *, unknown: int) -> None:
    """Send messages, of which the SMSC does not know the first numbers, and tell the rules."""
    pdus = [advert(sequence=n, to=f"139{n * 7:08d}") for n in range(1, count + 1)]
    passed = up(world.submit(session, *pdus), session)
    world.resp(
        smsc(session),
        *(
            answer(sequence_of(pdu), status=UNKNOWN if number < unknown else 0)
            for number, pdu in enumerate(passed)
        ),
    )
    feed(world)


def feed(world: World, at: float = AT) -> None:
    """Tell the rules what the data plane has counted, as the shell does once a second."""
    tally = world.plane.tally
    totals = {
        system_id: (tally.senders.get((system_id, "forward"), 0), tally.unknown.get(system_id, 0))
        for system_id in world.rules.accounts
    }
    world.knowledge.answers.feed(totals, at)
