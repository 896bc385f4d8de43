"""Rules at work in the tick: every request that can carry a text, and all that a rule can do."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from gateway.dataplane.attention import Hold
from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.filings import Approval
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Action
from gateway.filter import facts
from gateway.filter.facts import VisibleFacts, shown_in
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Rule
from gateway.policy.check import Check
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import Window, WindowSet
from gateway.policy.number_set import NumberSet
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    NOTED,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    decisions,
    header,
    long_advert,
    rule,
    sender,
    sent,
    status_of,
    statuses,
    udh,
    unnumbered,
    up,
)

OTHER = "13900139000"
ABROAD = "12125550123"  # of New York; no mainland mobile number begins with 12
TEXT = "会员日全场八折"  # neither signed nor telling how to refuse
UCS2 = builders.ucs2(TEXT)
REFUSED = CommandStatus.ESME_RSUBMITFAIL
EVERYTHING = frozenset(TrafficClass)
_, SHADOW, OFF = Enforcement
NIGHT = WindowSet((Window(time(8), time(21)),))  # AT is 06:13 in Beijing
MORNING = datetime.fromisoformat("2023-11-15T08:00:00+08:00").timestamp()
TO_BE_STOPPED: dict[str, bytes] = {
    "submit_sm": advert(TEXT),
    "submit_sm, valid for a day": advert(TEXT, validity="000001000000000R"),
    "submit_sm under a header": advert(octets=udh("udh8", 1, b"\1\1") + UCS2, esm_class=UDHI),
    "submit_sm with a payload": builders.payload_submit_sm(PORT, SUBSCRIBER, UCS2),
    "submit_sm with a TLV": advert(TEXT, tlvs=[(0x1454, b"odd")]),
    "data_sm": builders.data_sm(PORT, SUBSCRIBER, UCS2),
    "submit_multi": builders.submit_multi(PORT, [SUBSCRIBER], UCS2),
    "the part of one": long_advert([TEXT])[0],
}
REPLACEMENT = builders.replace_sm("17", PORT, UCS2)


def ruled(*rules: Rule) -> World:
    return World(bundle=replace(BUNDLE, rules=rules))


def serving(*rules: Rule) -> World:
    """Return a world whose senders' port is for services: their texts say what they are."""
    ports = (Port(PORT, 0, Purpose.SERVICE),)
    both = (sender(ports=ports), sender("sp2", ports=ports))
    return World(bundle=replace(BUNDLE, rules=rules), senders=both)


def refusing(*rules: Rule) -> World:
    """Return a world in which OTHER refused sp1."""
    world = ruled(*rules)
    world.sets.apply(int(f"86{OTHER}"), "sp1", Answer.REFUSED)
    return world


R21 = rule("R21", OptOut())
R30 = rule("R30", NoOptoutHint())
R38 = rule("R38", NoSenderName())
R40 = rule("R40", OutsideWindow(NIGHT), action=Action.DEFER)
R42 = rule(
    "R42", TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.HOUR),)), action=Action.THROTTLE
)


TO_ABROAD: dict[str, bytes] = {
    "submit_sm": advert(TEXT, to=ABROAD),
    "submit_sm with a payload": builders.payload_submit_sm(PORT, ABROAD, UCS2),
    "data_sm": builders.data_sm(PORT, ABROAD, UCS2),
    "submit_multi": builders.submit_multi(PORT, [ABROAD], UCS2),
    "the part of one": long_advert([TEXT], to=ABROAD)[0],
}


def of_type(pdu: bytes, ton: int, to: str = ABROAD) -> bytes:
    """Give the destination of a request another type of number than international."""
    usual = builders.address(to)
    return pdu.replace(usual, bytes((ton,)) + usual[1:])


@pytest.mark.parametrize("pdu", TO_ABROAD.values(), ids=TO_ABROAD)
@pytest.mark.parametrize(("ton", "is_passed"), [(1, True), (0, False), (2, False)])
def test_r20_an_agreement_from_abroad_counts_for_the_same_number_by_its_type(
    pdu: bytes,
    ton: int,
    is_passed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    world = ruled(rule("R20", NoConsent()))
    world.sets.apply(int(ABROAD), "sp1", Answer.AGREED)
    session, request = world.session(), of_type(pdu, ton)

    batch = world.submit(session, request)

    assert [unnumbered(one) for one in up(batch, session)] == [unnumbered(request)] * is_passed
    spelled = f"+{ABROAD}" if ton == 1 else ABROAD
    assert [row[7] for row in decisions(batch)] == [spelled.encode()]


@pytest.mark.parametrize("pdu", TO_ABROAD.values(), ids=TO_ABROAD)
@pytest.mark.parametrize("ton", [0, 1, 2])
def test_r21_a_refusal_typed_bare_holds_for_every_type_of_number(pdu: bytes, ton: int) -> None:
    world = ruled(R21)
    world.sets.apply(int(f"86{ABROAD}"), "sp1", Answer.REFUSED)
    session = world.session()

    assert up(world.submit(session, of_type(pdu, ton)), session) == []


def test_r42_a_mainland_number_is_one_whatever_its_type() -> None:
    world = ruled(R42)
    session = world.session()
    spellings = (SUBSCRIBER, f"86{SUBSCRIBER}", f"+86{SUBSCRIBER}", f"0{SUBSCRIBER}")
    requests = [of_type(advert(TEXT, to=to), ton, to) for to in spellings for ton in (0, 1, 2)]

    batch = world.submit(session, *requests)

    assert len(up(batch, session)) == 1


@pytest.mark.parametrize("pdu", TO_BE_STOPPED.values(), ids=TO_BE_STOPPED)
@pytest.mark.parametrize("seen_before", [False, True])
def test_what_a_rule_rejects_is_answered_and_goes_nowhere(pdu: bytes, *, seen_before: bool) -> None:
    world = ruled(R38)
    session = world.session()
    if seen_before:
        world.submit(session, pdu)

    batch = world.submit(session, pdu)

    assert not up(batch, session)
    assert not batch.attention
    assert [status_of(p) for p in sent(batch, session)] == [REFUSED]
    assert [row[8:12] for row in decisions(batch)] == [
        ("reject", "NO_SENDER_NAME", "R38", "ESME_RSUBMITFAIL")
    ]


@pytest.mark.parametrize("pdu", TO_BE_STOPPED.values(), ids=TO_BE_STOPPED)
def test_what_a_rule_finds_on_trial_passes_and_is_noted(pdu: bytes) -> None:
    world = ruled(replace(R38, mode=SHADOW))
    session = world.session()

    batch = world.submit(session, pdu)

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(pdu)]
    assert [row[8:12] for row in decisions(batch)] == [("shadow", "NO_SENDER_NAME", "R38", "")]
    assert world.plane.tally.verdicts == {("shadow", "NO_SENDER_NAME"): 1}


@pytest.mark.parametrize("name", [name for name in TO_BE_STOPPED if name != "submit_multi"])
@pytest.mark.parametrize(
    ("held", "action", "due"),
    [
        (replace(R38, action=Action.QUARANTINE), Action.QUARANTINE, 0.0),
        (R40, Action.DEFER, MORNING),
    ],
)
def test_what_a_rule_holds_or_defers_is_kept_and_answered_later(
    name: str, held: Rule, action: Action, due: float
) -> None:
    world = ruled(held)
    session = world.session()

    batch = world.submit(session, TO_BE_STOPPED[name])

    assert not batch.writes
    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert hold.pdu == TO_BE_STOPPED[name]
    assert (hold.verdict.action, hold.verdict.due) == (action, due)
    assert [(row[8], row[10], row[13]) for row in decisions(batch)] == [
        (action.value, held.id, hold.message_id)
    ]
    assert session.held == 1


@pytest.mark.parametrize(
    ("held", "status"),
    [
        (replace(R38, action=Action.QUARANTINE), REFUSED),
        (R40, CommandStatus.ESME_RINVSCHED),
    ],
)
def test_what_would_be_kept_of_many_is_refused(held: Rule, status: CommandStatus) -> None:
    world = ruled(held)
    session = world.session()
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, OTHER], UCS2)

    batch = world.submit(session, pdu)

    assert not batch.attention
    assert [status_of(p) for p in sent(batch, session)] == [status]
    assert [row[8] for row in decisions(batch)] == ["reject", "reject"]


@pytest.mark.parametrize(
    ("stopping", "status"),
    [
        (R38, REFUSED),
        (replace(R38, action=Action.QUARANTINE), CommandStatus.ESME_RREPLACEFAIL),
        (replace(R38, mode=SHADOW), None),
        (replace(R38, mode=OFF), None),
    ],
)
def test_a_replacement_is_held_to_the_rules(stopping: Rule, status: CommandStatus | None) -> None:
    assert statuses(ruled(stopping), REPLACEMENT) == [status]


@pytest.mark.parametrize("check", [NumberWalk(1, timedelta(1)), TooFast(1, 1), R42.check])
def test_a_replacement_is_not_asked_what_only_the_first_message_shows(check: Check) -> None:
    assert statuses(ruled(rule("X", check)), *[REPLACEMENT] * 3) == [None, None, None]


@pytest.mark.parametrize("check", [OptOut(), NoConsent()])
def test_r62_no_advert_is_put_into_a_message_whose_subscriber_is_not_known(check: Check) -> None:
    world = serving(rule("X", check))
    notice = builders.replace_sm("17", PORT, builders.ucs2("您的包裹已到"))
    advert = builders.replace_sm("17", PORT, builders.ucs2("全场八折大促"))

    assert statuses(world, notice, advert) == [None, REFUSED]


def test_r41_a_forbidden_word_is_not_put_into_an_accepted_message() -> None:
    pdu = builders.replace_sm("17", PORT, builders.ucs2(SPAM))

    assert statuses(ruled(R21), pdu) == [REFUSED]


@pytest.mark.parametrize(
    ("schedule", "status"),
    [
        ("231115020000032+", CommandStatus.ESME_RINVSCHED),
        ("231115090000032+", None),
        ("", CommandStatus.ESME_RREPLACEFAIL),
    ],
)
def test_r41_an_accepted_message_is_not_moved_to_the_night(
    schedule: str, status: CommandStatus | None
) -> None:
    pdu = builders.replace_sm("17", PORT, UCS2, schedule=schedule)

    assert statuses(ruled(R40), pdu) == [status if schedule else None]


@pytest.mark.parametrize(
    ("schedule", "status"),
    [
        ("231116020000032+", CommandStatus.ESME_RINVSCHED),
        ("231115090000032+", None),
        ("231116020000000", CommandStatus.ESME_RINVSCHED),  # read by no rule of the protocol
    ],
)
def test_r41_what_is_scheduled_is_judged_for_then(
    schedule: str, status: CommandStatus | None
) -> None:
    assert statuses(ruled(R40), advert(TEXT, schedule=schedule)) == [status]


@pytest.mark.parametrize(("hours", "status"), [("01", CommandStatus.ESME_RINVSCHED), ("12", None)])
def test_r40_a_message_that_is_not_valid_for_long_enough_is_refused(
    hours: str, status: CommandStatus | None
) -> None:
    """A relative time of one hour, and of twelve: it is 06:13, and eight opens the window."""
    pdu = advert(TEXT, validity=f"000000{hours}0000000R")

    assert statuses(ruled(R40), pdu) == [status]


# Many destinations


def multi(*to: str, text: str = TEXT, sequence: int = 1) -> bytes:
    return builders.submit_multi(PORT, list(to), builders.ucs2(text), sequence=sequence)


def test_r62_of_three_destinations_the_one_that_refused_is_left_out() -> None:
    world = refusing(R21)
    session = world.session()
    third = "13700137000"

    batch = world.submit(session, multi(SUBSCRIBER, OTHER, third))

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(multi(SUBSCRIBER, third))]
    assert [(row[7], row[9]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), ""),
        (third.encode(), ""),
        (OTHER.encode(), "OPTED_OUT"),
    ]


def test_each_destination_is_counted_once_and_only_if_it_gets_the_message() -> None:
    world = refusing(R21, R42)
    session = world.session()

    first = world.submit(session, multi(SUBSCRIBER, OTHER))
    stopped = world.submit(session, multi("13700137000", text=f"{TEXT}{SPAM}"))
    second = world.submit(session, multi(SUBSCRIBER, "13700137000"))

    assert [row[9] for row in decisions(first)] == ["", "OPTED_OUT"]
    assert [row[9] for row in decisions(stopped)] == ["CONTENT"]
    assert [(row[7], row[9]) for row in decisions(second)] == [
        (b"13700137000", ""),
        (SUBSCRIBER.encode(), "FREQUENCY"),
    ]


def test_many_messages_to_many_are_no_messages_to_nobody() -> None:
    """The message as a whole has no destination: nothing may be counted for it."""
    anybody = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.HOUR),))
    world = ruled(rule("R42", anybody, applies_to=EVERYTHING))
    session = world.session()

    found = [
        [row[9] for row in decisions(world.submit(session, multi(str(13800000000 + n))))]
        for n in range(5)
    ]

    assert found == [[""]] * 5


def test_when_every_destination_has_had_enough_the_whole_is_throttled() -> None:
    world = ruled(R42)
    session = world.session()
    world.submit(session, multi(SUBSCRIBER, OTHER))

    batch = world.submit(session, multi(OTHER, SUBSCRIBER))

    assert [status_of(p) for p in sent(batch, session)] == [CommandStatus.ESME_RTHROTTLED]
    assert not up(batch, session)


def test_what_is_found_on_trial_against_some_is_noted_for_all_that_pass() -> None:
    world = refusing(replace(R21, mode=SHADOW), replace(R42, mode=SHADOW))
    session = world.session()
    world.submit(session, advert(TEXT))

    one = world.submit(session, multi(SUBSCRIBER, text="您好"))
    two = world.submit(session, multi(OTHER, "13700137000"))

    assert [row[8:11] for row in decisions(one)] == [("shadow", "FREQUENCY", "R42")]
    assert [row[8:11] for row in decisions(two)] == [("shadow", "OPTED_OUT", "R21")] * 2


# Parts


def test_r30_the_way_to_refuse_may_stand_in_the_last_part() -> None:
    parts = long_advert(["【春晓书店】会员日全场八折，", "欢迎光临。", "拒收请回复R"])

    assert statuses(ruled(R30, R38), *parts) == [None, None, None]


@pytest.mark.parametrize("at_once", [False, True])
def test_r30_when_no_part_tells_a_way_to_refuse_the_last_one_to_come_is_stopped(
    *, at_once: bool
) -> None:
    parts = long_advert(["【春晓书店】会员日全场八折，", "欢迎光临。"])
    world = ruled(R30)
    session = world.session()

    chunks = [b"".join(parts)] if at_once else parts
    batches = [world.submit(session, chunk) for chunk in chunks]

    assert [row[9] for batch in batches for row in decisions(batch)] == ["", "NO_OPTOUT_HINT"]


def test_r30_a_last_part_that_was_refused_may_be_sent_again_with_a_way_to_refuse() -> None:
    first, second = long_advert(["【春晓书店】会员日全场八折，", "欢迎光临。"])
    _, better = long_advert(["【春晓书店】会员日全场八折，", "拒收请回复R"])

    assert statuses(ruled(R30), first, second, better) == [None, REFUSED, None]


def test_r38_the_name_may_come_with_whichever_part() -> None:
    first, second = long_advert(["【春晓书店】会员日", "全场八折"])

    assert statuses(ruled(R38), second, first) == [None, None]


@pytest.mark.parametrize("at_once", [False, True])
def test_r42_no_part_of_a_message_passes_that_was_not_paid_for(*, at_once: bool) -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, advert(TEXT))
    parts = long_advert(["会员日", "全场", "八折"])

    chunks = [b"".join(parts)] if at_once else parts
    batches = [world.submit(session, chunk) for chunk in chunks]

    assert [row[9] for batch in batches for row in decisions(batch)] == ["FREQUENCY"] * 3


def test_r42_parts_that_were_throttled_pass_when_their_time_has_come() -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, advert(TEXT))
    parts = b"".join(long_advert(["会员日", "全场八折"]))
    world.submit(session, parts)

    later = world.pipeline.submit([(session, parts)], world.now + 10, AT + 3600)
    again = world.pipeline.submit([(session, advert(TEXT))], world.now + 10, AT + 3600)

    assert [row[9] for row in decisions(later)] == ["", ""]
    assert [row[9] for row in decisions(again)] == ["FREQUENCY"]


def test_r42_a_part_that_is_sent_twice_is_counted_and_unpays_nothing() -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    first, second = long_advert(["会员日", "全场八折"])

    assert statuses(world, first, first, second) == [None, CommandStatus.ESME_RTHROTTLED, None]


def test_r21_every_part_is_stopped_of_what_was_refused() -> None:
    world = refusing(R21)

    assert statuses(world, *long_advert(["会员日八折", "全场六折"], to=OTHER)) == [REFUSED] * 2


def multi_parts(*texts: str) -> list[bytes]:
    """Build the parts of a long message to SUBSCRIBER and OTHER."""
    return [
        builders.submit_multi(
            PORT,
            [SUBSCRIBER, OTHER],
            udh("udh8", 7, bytes((len(texts), number))) + builders.ucs2(text),
            esm_class=UDHI,
        )
        for number, text in enumerate(texts, start=1)
    ]


def test_r42_a_message_to_many_is_counted_with_its_first_part_for_each() -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, advert(TEXT, to=OTHER))

    batches = [world.submit(session, part) for part in multi_parts("会员日", "全场八折")]

    assert [(row[7], row[9]) for batch in batches for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), ""),
        (OTHER.encode(), "FREQUENCY"),
    ] * 2


def test_r42_in_one_tick_as_well_each_destination_is_judged_by_itself() -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, advert(TEXT, to=OTHER))

    batch = world.submit(session, *multi_parts("会员日", "全场八折"))

    assert [(row[7], row[9]) for row in decisions(batch)] == [
        (SUBSCRIBER.encode(), ""),
        (OTHER.encode(), "FREQUENCY"),
    ] * 2


def test_a_destination_that_was_refused_a_message_may_get_all_of_it_later() -> None:
    world = ruled(replace(R42, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, advert(TEXT, to=OTHER))
    parts = b"".join(multi_parts("会员日", "全场八折"))
    world.submit(session, parts)

    later = world.pipeline.submit([(session, parts)], world.now + 10, AT + 3600)

    assert {row[9] for row in decisions(later)} == {""}


def test_r40_the_parts_of_a_message_wait_together() -> None:
    world = ruled(
        replace(R40, check=OutsideWindow(NIGHT, timedelta(minutes=30)), applies_to=EVERYTHING)
    )
    session = world.session()

    batch = world.submit(session, *long_advert(["会员日", "全场八折"]))

    holds = [item for item in batch.attention if isinstance(item, Hold)]
    assert len(holds) == 2
    assert len({hold.verdict.due for hold in holds}) == 1
    assert holds[1].joined == TEXT


def test_parts_that_are_kept_end_their_round() -> None:
    """The next message with the same reference is another one, and no contradiction."""
    world = ruled(replace(R40, applies_to=EVERYTHING))
    session = world.session()
    world.submit(session, *long_advert(["会员日", "全场八折"]))

    batch = world.submit(session, *long_advert(["生日", "全场六折"]))

    assert [row[9] for row in decisions(batch)] == ["OUTSIDE_WINDOW"] * 2


# What fails


def fail_on(poison: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the classifier raise for texts with `poison` in them."""

    def failing(text: Views) -> VisibleFacts:
        if poison in text.raw:
            raise RuntimeError
        return shown_in(text)

    monkeypatch.setattr(facts, "shown_in", failing)


def poisoned(text: str) -> list[bytes]:
    """Return `text` in every request that can be held."""
    octets = builders.ucs2(text)
    return [
        advert(text),
        advert(text, tlvs=[(Tag.MESSAGE_PAYLOAD, b"x")]),
        builders.payload_submit_sm(PORT, SUBSCRIBER, octets),
        builders.data_sm(PORT, SUBSCRIBER, octets),
        builders.submit_multi(PORT, [SUBSCRIBER], octets),
        *long_advert([text]),
    ]


@pytest.mark.parametrize("pdu", poisoned("有毒"))
@pytest.mark.parametrize("seen_before", [False, True])
def test_a_text_the_classifier_fails_on_is_held_alone(
    monkeypatch: pytest.MonkeyPatch, pdu: bytes, *, seen_before: bool
) -> None:
    fail_on("毒", monkeypatch)
    world = serving(R21)
    bad, good = world.session("sp1"), world.session("sp2")
    if seen_before:
        world.submit(bad, pdu)

    batch = world.submit_all((bad, pdu + advert("您好")), (good, advert("再见")))

    assert [(row[3], row[8], row[9]) for row in decisions(batch)] == [
        ("sp1", "quarantine", "CONTENT_UNCHECKED"),
        ("sp1", "forward", ""),
        ("sp2", "forward", ""),
    ]
    assert world.plane.tally.filter_failures


@pytest.mark.parametrize("pdu", poisoned(TEXT))
def test_a_message_that_a_check_fails_on_is_held_alone(
    monkeypatch: pytest.MonkeyPatch, pdu: bytes
) -> None:
    world = ruled(R21)
    session = world.session()

    class Failing(NumberSet):
        def has(self, msisdn: int) -> bool:
            if msisdn == int(f"86{SUBSCRIBER}"):
                raise RuntimeError
            return False

    monkeypatch.setitem(world.sets.refused, "sp1", Failing())
    world.reload(replace(BUNDLE, rules=(R21,)))

    batch = world.submit(session, pdu, advert(TEXT, to=OTHER))

    assert [(row[8], row[9]) for row in decisions(batch)] == [
        ("quarantine", "CONTENT_UNCHECKED"),
        ("forward", ""),
    ]


def test_of_many_those_are_held_who_were_not_found_against_before_a_check_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_on("毒", monkeypatch)
    world = serving(R21)
    session = world.session()

    batch = world.submit(session, multi(SUBSCRIBER, "me", OTHER, text="有毒"))

    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert hold.pdu == multi(SUBSCRIBER, OTHER, text="有毒")
    assert [getattr(sme, "address", b"") for sme in hold.refused] == [b"me"]


def test_a_replacement_that_a_check_fails_on_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_on("八折", monkeypatch)

    assert statuses(ruled(R21, R30), REPLACEMENT) == [CommandStatus.ESME_RREPLACEFAIL]


# Words and rules


def test_a_rule_comes_before_the_words_and_what_is_on_trial_stays_noted() -> None:
    world = ruled(replace(R38, mode=SHADOW), R30)
    session = world.session()

    batch = world.submit(session, advert(f"{TEXT}，{SPAM}"), advert(f"{NOTED}，回T退订", 2))

    assert [row[8:11] for row in decisions(batch)] == [
        ("reject", "NO_OPTOUT_HINT", "R30"),
        ("shadow", "NO_SENDER_NAME", "R38"),
    ]


def test_words_hold_what_would_have_waited() -> None:
    world = ruled(R40)
    session = world.session()

    batch = world.submit(session, advert(f"{TEXT}，{SPAM}"))

    assert [row[8:11] for row in decisions(batch)] == [("reject", "CONTENT", "K-FRAUD")]


# Classes


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("【某行】您的验证码是482915", None),
        ("【某行】验证码1234。办卡享免息额度5万元,回T退订", REFUSED),
    ],
)
def test_r22_codes_pass_a_refusal_and_promotion_behind_a_code_does_not(
    text: str, status: CommandStatus | None
) -> None:
    world = serving(R21)
    world.sets.apply(int(f"86{SUBSCRIBER}"), "sp1", Answer.REFUSED)

    assert statuses(world, advert(text)) == [status]


def test_r11_a_warning_of_an_authority_passes_at_any_hour_whoever_refused() -> None:
    exempt = rule("R11", PublicInterest(frozenset({"R21", "R40"})))
    everywhere = tuple(replace(one, applies_to=EVERYTHING) for one in (R21, R40))
    world = World(
        bundle=replace(BUNDLE, rules=(exempt, *everywhere)),
        senders=(sender(ports=(Port(PORT, 0, Purpose.PUBLIC_INTEREST),)),),
    )
    world.sets.apply(int(f"86{SUBSCRIBER}"), "sp1", Answer.REFUSED)
    approval = Approval("sp1", PORT, "应急〔2023〕1号", date(2023, 1, 1), date(2023, 12, 31))
    warning = advert("台风红色预警，请避险")

    before = statuses(world, warning)
    world.knowledge.filings.replace("sp1", [approval])
    after = statuses(world, warning)

    assert (before, after) == ([REFUSED], [None])


def test_an_sp_hears_the_status_that_the_rule_names() -> None:
    world = refusing(replace(R21, status="ESME_RINVDSTADR"))
    session = world.session()

    batch = world.submit(session, advert(TEXT, 9, to=OTHER))

    (answer,) = sent(batch, session)
    assert header(answer) == (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RINVDSTADR, 9)
