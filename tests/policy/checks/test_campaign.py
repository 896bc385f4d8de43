"""Much the same text to many people who never agreed (R61)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import Answer
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.filter.campaigns import bit_of
from gateway.filter.facts import TextFacts
from gateway.filter.fingerprints import Fingerprint, fingerprint_of
from gateway.filter.normalise.views import Views
from gateway.policy import similar_texts
from gateway.policy.check import asked_alone
from gateway.policy.checks.campaign import Campaign
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.similar_texts import CampaignCounter
from gateway.policy.submission import RequestedMessage
from tests.policy.conftest import ADVERT, NUMBER, World, addressed, rule, why

CHECK = Campaign(5, timedelta(hours=1))
R61 = rule("R61-campaign", CHECK, action=Action.QUARANTINE)
# The same offer, whatever of it changes from one to the next.
VARIANTS = [
    f"【春晓书店】{name}您好，会员日全场图书{off}折，满{sum_}元包邮，本周日截止，拒收请回复R"
    for name, off, sum_ in (
        ("张先生", "八", 99),
        ("李女士", "七", 88),
        ("王先生", "六", 59),
        ("赵小姐", "五", 49),
        ("陈先生", "九", 69),
        ("周女士", "八", 79),
        ("吴先生", "七", 39),
    )
]


def reasons(
    world: World, *texts: str, first: int = NUMBER, at: float = 0.0
) -> list[ReasonCode | None]:
    """Return what became of each text, each to another subscriber."""
    return [world.reason(text, to=first + at_, at=at) for at_, text in enumerate(texts)]


def test_r61_one_text_to_many_people_without_consent_waits_for_a_person() -> None:
    world = World(R61)

    assert reasons(world, *[ADVERT] * 7) == [None] * 4 + [Reason.CAMPAIGN] * 3
    held = world.judge(ADVERT, to=NUMBER + 9)
    assert held.verdict is not None
    assert held.verdict.action is Action.QUARANTINE


def test_a_campaign_is_remembered_as_long_as_it_is_counted() -> None:
    assert CHECK.memory_s == 3_600


def test_r61_it_is_one_campaign_whatever_changes_from_one_text_to_the_next() -> None:
    assert reasons(World(R61), *VARIANTS)[-1] is Reason.CAMPAIGN


def test_r61_the_finding_names_the_campaign() -> None:
    world = World(R61)
    reasons(world, *[ADVERT] * 4)

    first, other = world.judge(ADVERT, to=NUMBER + 8), world.judge(ADVERT, to=NUMBER + 9)

    said, _, campaign = first.findings[0].evidence.rpartition(" ")
    assert said == "one text to 5 people without consent: campaign"
    assert first.findings[0].campaign == campaign
    assert len(campaign) == 17
    assert first.findings == other.findings


def test_r61_who_agreed_counts_for_nothing() -> None:
    world = World(R61)
    for at in range(9):
        world.knowledge.consent.apply(NUMBER + at, "sp1", Answer.AGREED)

    assert reasons(world, *[ADVERT] * 9) == [None] * 9


def test_r61_who_agreed_counts_for_nothing_while_the_store_cannot_be_read() -> None:
    world = World(R61)
    for at in range(9):
        world.knowledge.consent.apply(NUMBER + at, "sp1", Answer.AGREED)
    world.knowledge.consent.is_current = False

    assert reasons(world, *[ADVERT] * 9) == [None] * 9


@pytest.mark.parametrize("accepts", [True, False])
def test_r61_r26_a_consent_that_is_only_asserted_counts_where_the_rule_says_so(
    *, accepts: bool
) -> None:
    world = World(rule("R61", Campaign(3, timedelta(hours=1), accept_asserted=accepts)))
    for at in range(5):
        world.knowledge.consent.apply(NUMBER + at, "sp1", Answer.ASSERTED)

    assert (Reason.CAMPAIGN in reasons(world, *[ADVERT] * 5)) is not accepts


def test_r61_who_asked_for_the_message_has_agreed_to_it() -> None:
    counted = Campaign(1, timedelta(hours=1)).counter(Knowledge(), RuleLocale())
    asked_for = addressed(ADVERT)
    wanted = RequestedMessage(asked_for.account, asked_for.source, asked_for.destination)
    wanted.msisdn, wanted.facts = asked_for.msisdn, asked_for.facts

    assert asked_alone(counted)(wanted, 0.0) is None
    assert asked_alone(counted)(addressed(ADVERT, destination=b"13800138001"), 0.0) is not None


def test_r61_people_are_counted_under_the_veil_of_the_process() -> None:
    chosen = [n for n in range(NUMBER, NUMBER + 20_000) if bit_of(n) == bit_of(NUMBER)]
    veiled = Knowledge(veil=0x5DEE_CE66_D1CE_4E5B)

    plain, hidden = (
        {world.reason(ADVERT, to=number) for number in chosen}
        for world in (World(R61), World(R61, knowledge=veiled))
    )

    assert plain == {None}
    assert Reason.CAMPAIGN in hidden


def test_r61_the_campaign_of_several_senders_is_one() -> None:
    world = World(R61)
    for at in range(4):
        system_id = "sp1" if at % 2 else "sp2"
        assert why(world.judge(ADVERT, to=NUMBER + at, system_id=system_id)) is None

    assert why(world.judge(ADVERT, to=NUMBER + 5, system_id="sp2")) is Reason.CAMPAIGN


def test_r61_each_sender_may_be_counted_by_itself() -> None:
    world = World(replace(R61, check=replace(CHECK, people=3, each_sender=True)))
    # Once sp2 has sent its three, the text is told of by what is kept at hand of it: of sp2 alone.
    told = {
        system_id: [
            why(world.judge(ADVERT, to=first + at, system_id=system_id)) for at in range(count)
        ]
        for system_id, first, count in (("sp1", NUMBER, 2), ("sp2", NUMBER + 50, 4))
    }

    assert told["sp1"] == [None] * 2
    assert told["sp2"] == [None] * 2 + [Reason.CAMPAIGN] * 2
    assert why(world.judge(ADVERT, system_id="sp1")) is None
    last = world.judge(ADVERT, to=NUMBER + 60, system_id="sp1")
    assert why(last) is Reason.CAMPAIGN
    assert "one text of this sender to 3 people" in str(last.verdict)


def test_r61_a_text_of_yesterday_is_no_campaign_of_today() -> None:
    world = World(R61)
    reasons(world, *[ADVERT] * 4)

    assert reasons(world, *[ADVERT] * 4, first=NUMBER + 50, at=7200.0) == [None] * 4


def test_r61_new_rules_go_on_with_the_campaigns_under_way() -> None:
    world = World(R61)
    reasons(world, *[ADVERT] * 4)

    after = World(R61, before=world)

    assert reasons(after, ADVERT, first=NUMBER + 50) == [Reason.CAMPAIGN]


def test_r61_a_rule_that_counts_otherwise_begins_anew() -> None:
    world = World(R61)
    reasons(world, *[ADVERT] * 4)

    after = World(rule("R61-campaign", Campaign(5, timedelta(minutes=30))), before=world)

    assert reasons(after, ADVERT, first=NUMBER + 50) == [None]


@given(
    st.lists(
        st.tuples(
            st.sampled_from((ADVERT, VARIANTS[0], VARIANTS[3], "您的验证码是204518")),
            st.integers(0, 8),
            st.one_of(st.floats(0, 7200), st.sampled_from([0.0, 900.0, 3600.0])),
        ),
        max_size=80,
    ),
    st.sampled_from(("sp1", "sp2")),
)
def test_r61_what_is_kept_at_hand_of_a_text_is_what_would_be_counted(
    sent: list[tuple[str, int, float]], agreed_with: str
) -> None:
    known = Knowledge()
    known.consent.apply(NUMBER, agreed_with, Answer.AGREED)
    known.consent.apply(NUMBER + 1, agreed_with, Answer.ASSERTED)
    check = replace(CHECK, accept_asserted=True)
    keeping, counting = check.counter(known, RuleLocale()), check.counter(known, RuleLocale())
    texts: dict[str, TextFacts | None] = {}

    for text, person, at in sent:
        destination = b"%d" % (13800138000 + person)
        kept, counted = (addressed(text, destination=destination) for _ in range(2))
        kept.facts = texts.setdefault(text, kept.facts)

        told, reckoned = asked_alone(keeping)(kept, at), asked_alone(counting)(counted, at)

        assert (told and told.text) == (reckoned and reckoned.text)


def test_r61_all_messages_of_one_text_are_told_of_the_campaign_until_it_is_counted_anew() -> None:
    counted, facts = CHECK.counter(Knowledge(), RuleLocale()), TextFacts((), (ADVERT,))

    def told(people: range, at: float) -> list[int | None]:
        sent = [addressed(destination=b"%d" % (13800138000 + person)) for person in people]
        for one in sent:
            one.facts = facts
        return [one.msisdn for one, _ in counted.ask_all(sent, at)]

    first = told(range(20), 0.0)
    at_hand, evidence = facts.massed, told(range(20, 25), 899.0)
    in_the_next_step = told(range(30, 32), 900.0)
    an_hour_later = told(range(40, 44), 3600.0 + 900.0)

    assert first == [NUMBER + person for person in range(4, 20)]
    assert at_hand is not None
    assert evidence == [NUMBER + person for person in range(20, 25)]
    assert in_the_next_step == [NUMBER + 30, NUMBER + 31]
    assert an_hour_later == []


def test_the_fingerprint_of_a_text_is_made_once() -> None:
    counted = CHECK.counter(Knowledge(), RuleLocale())
    one = addressed(ADVERT)
    assert one.facts is not None
    asked_alone(counted)(one, 0.0)
    made = one.facts.fingerprint

    asked_alone(counted)(one, 0.0)

    assert made is not None
    assert one.facts.fingerprint is made


def test_a_tick_s_new_texts_get_the_fingerprints_that_each_has_alone() -> None:
    texts = (ADVERT, f"{ADVERT} 详情见店内海报", "7点", ADVERT)
    scan = World(R61).rules.scan
    ones = [addressed(text) for text in texts]
    for one, text in zip(ones, texts, strict=True):
        one.facts = scan.judge_texts((text,))
    ones[3].facts = ones[0].facts
    counted = CHECK.counter(Knowledge(), RuleLocale())

    counted.ask_all(ones, 0.0)

    for one, text in zip(ones, texts, strict=True):
        assert one.facts is not None
        assert isinstance(one.facts.fingerprint, Fingerprint)
        assert one.facts.fingerprint.skeleton == fingerprint_of(Views(text).sound).skeleton


def test_the_sounds_of_new_texts_are_kept_where_a_rule_asks_for_fingerprints() -> None:
    assert World(R61).rules.scan.judge_texts((ADVERT,)).sound
    assert not World().rules.scan.judge_texts((ADVERT,)).sound


def test_a_text_that_no_campaign_counts_gets_no_fingerprint() -> None:
    knowledge = Knowledge()
    one = addressed(ADVERT)
    assert one.msisdn is not None
    knowledge.consent.load(one.account.system_id, Answer.AGREED, [one.msisdn])
    counted = CHECK.counter(knowledge, RuleLocale())

    counted.ask_all([one], 0.0)

    assert one.facts is not None
    assert one.facts.fingerprint is None


def test_what_has_no_text_or_nobody_to_get_it_is_of_no_campaign() -> None:
    counted = Campaign(1, timedelta(hours=1)).counter(Knowledge(), RuleLocale())
    textless, nobody = addressed(ADVERT), addressed(ADVERT)
    textless.facts, nobody.msisdn = TextFacts((), ()), None

    assert asked_alone(counted)(addressed(), 0.0) is None
    assert asked_alone(counted)(textless, 0.0) is None
    assert asked_alone(counted)(nobody, 0.0) is None


def test_who_is_refused_by_another_rule_is_counted_all_the_same() -> None:
    counted = Campaign(2, timedelta(hours=1)).counter(Knowledge(), RuleLocale())
    one = addressed(ADVERT)
    assert asked_alone(counted)(one, 0.0) is None
    counted.forget(one, 0.0)

    assert asked_alone(counted)(addressed(ADVERT, destination=b"13800138001"), 0.0) is not None


def test_what_is_told_of_campaigns_takes_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_texts, "_MAX_TOLD", 2)
    counted = Campaign(1, timedelta(hours=1)).counter(Knowledge(), RuleLocale())

    texts = (
        ADVERT,
        "开学季文具特价，新品已经上架，欢迎带孩子来选",
        "周五晚上有作家见面会，报名从速",
    )
    told = [asked_alone(counted)(addressed(text), 0.0) for text in texts]

    assert None not in told
    assert isinstance(counted, CampaignCounter)
    assert len(counted._told) == 1
