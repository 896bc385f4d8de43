"""What subscribers answered, asked of one message (R20, R21, R26)."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.policy.check import Evidence
from gateway.policy.checks.no_consent import CONSENT_UNPROVEN, NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Account, Submission
from tests.policy.conftest import (
    ADVERT,
    BUNDLE,
    CODE,
    COMMERCIAL,
    MARKETING,
    NEWS,
    NUMBER,
    SERVICE,
    World,
    addressed,
    ask_of,
    rule,
    sender,
    sieve_of,
    submission,
    why,
)

FIRST, SECOND = (Account(sender(system_id)) for system_id in ("sp1", "sp2"))
PROMOTION = f"{CODE}。办卡享免息额度5万元，回T退订"


def knowing(answer: Answer | None, scope: str = "sp1") -> Knowledge:
    known = Knowledge()
    if answer is not None:
        known.consent.apply(NUMBER, scope, answer)
    return known


def said(evidence: Evidence | None) -> str:
    return "" if evidence is None else evidence.text


@given(
    st.lists(st.tuples(st.sampled_from((FIRST, SECOND)), st.none() | st.integers(0, 6)))
    | st.lists(st.tuples(st.just(FIRST), st.none() | st.integers(0, 6)), min_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(
                ("sp1", "sp2", EVERY_SENDER, "sp1 10690001", "sp1 10690002", "sp2 #loan")
            ),
            st.sampled_from((Answer.REFUSED, Answer.AGREED)),
            st.integers(0, 6),
        )
    ),
    st.sampled_from(({}, {"sp1": ("sp2",), "sp2": ("sp1",)})),
)
def test_of_a_tick_nobody_is_passed_over_whom_a_rule_stops_alone(
    asked: list[tuple[Account, int | None]],
    answers: list[tuple[str, Answer, int]],
    companions: dict[str, tuple[str, ...]],
) -> None:
    known = Knowledge()
    known.consent.companions = companions
    for scope, answer, number in answers:
        known.consent.apply(NUMBER + number, scope, answer)
    tick = [writing(account, number) for account, number in asked]

    for ask, sieve in (
        (ask_of(OptOut(), known), sieve_of(OptOut(), known)),
        (ask_of(NoConsent(), known), sieve_of(NoConsent(), known)),
    ):
        worth = sieve(tick, 0.0)
        against = [one for one in tick if ask(one, 0.0) is not None]
        assert [one for one in worth if ask(one, 0.0) is not None] == against
        assert len({*map(id, worth)}) == len(worth)


def writing(account: Account, number: int | None) -> Submission:
    one = submission(account)
    one.msisdn = None if number is None else NUMBER + number
    return one


@pytest.mark.parametrize(
    ("answer", "scope", "is_refused"),
    [
        (None, "sp1", False),
        (Answer.AGREED, "sp1", False),
        (Answer.ASSERTED, "sp1", False),
        (Answer.REFUSED, "sp1", True),
        (Answer.REFUSED, EVERY_SENDER, True),
        (Answer.REFUSED, "sp2", False),
    ],
)
def test_a_refusal_holds_for_the_sender_it_was_given_to_or_for_all(
    answer: Answer | None, scope: str, *, is_refused: bool
) -> None:
    ask = ask_of(OptOut(), knowing(answer, scope))

    assert said(ask(addressed(), 0.0)) == ("the subscriber refused" if is_refused else "")


def test_r37_who_refused_one_account_of_a_company_gets_no_advert_from_another() -> None:
    known = knowing(Answer.REFUSED, "sp1")
    known.consent.apply(NUMBER, "sp2", Answer.AGREED)
    company = [sender(one, owner="B2-20130117") for one in ("sp1", "sp2")]
    world = World(
        rule("R21", OptOut(), applies_to=COMMERCIAL),
        senders=(*company, sender("sp3")),
        knowledge=known,
    )
    world.rules.share_refusals()

    own, companion, other = (
        world.judge(ADVERT, system_id=system_id) for system_id in ("sp1", "sp2", "sp3")
    )
    code = world.judge(
        system_id="sp2", text="【示例商城】验证码482913，5分钟内有效", source=SERVICE
    )

    assert why(own) is why(companion) is Reason.OPTED_OUT
    assert [one.findings[0].evidence for one in (own, companion)] == [
        "the subscriber refused",
        "the subscriber refused another account of the same owner: sp1",
    ]
    assert (why(other), why(code)) == (None, None)


def test_r21_a_refusal_typed_without_its_plus_is_asked_about_in_north_america() -> None:
    known = Knowledge()
    known.consent.apply(8614165550123, "sp1", Answer.REFUSED)
    abroad, neighbour = addressed(), addressed()
    abroad.msisdn, neighbour.msisdn = 14165550123, 8614165550124

    worth = sieve_of(OptOut(), known)([abroad, neighbour], 0.0)

    assert list(worth) == [abroad]
    assert said(ask_of(OptOut(), known)(abroad, 0.0)) == "the subscriber refused"


@pytest.mark.parametrize(
    ("answer", "accepts", "against"),
    [
        (None, True, NoConsent.reason),
        (None, False, NoConsent.reason),
        (Answer.REFUSED, True, NoConsent.reason),
        (Answer.AGREED, True, None),
        (Answer.AGREED, False, None),
        (Answer.ASSERTED, True, None),
        (Answer.ASSERTED, False, CONSENT_UNPROVEN),
    ],
)
def test_r26_what_a_sender_asserts_counts_only_where_the_policy_accepts_it(
    answer: Answer | None,
    accepts: bool,  # noqa: FBT001 - a column of the table
    against: ReasonCode | None,
) -> None:
    world = World(rule("R20", NoConsent(accept_asserted=accepts)), knowledge=knowing(answer))

    assert world.reason(ADVERT) is against


def test_an_agreement_with_everybody_is_nobodys_consent() -> None:
    ask = ask_of(NoConsent(), knowing(Answer.AGREED, EVERY_SENDER))

    assert said(ask(addressed(), 0.0)) == "no consent on record"


@pytest.mark.parametrize(
    ("check", "source", "is_unread"),
    [
        (OptOut(), SERVICE, True),
        (OptOut(), MARKETING, None),
        (NoConsent(), SERVICE, True),
        (NoConsent(), MARKETING, True),
    ],
)
def test_r62_what_a_subscriber_said_whom_nobody_knows_is_unread(
    check: OptOut | NoConsent, source: bytes, *, is_unread: bool | None
) -> None:
    """A new text (replace_sm) may sell where the old one, which was asked about, did not."""
    one = addressed(source=source)
    one.msisdn = None
    known = knowing(Answer.AGREED)

    if isinstance(check, OptOut):
        found = ask_of(check, known)(one, 0.0)
    else:
        found = ask_of(check, known)(one, 0.0)

    assert (found and found.is_unread) == is_unread


def test_while_answers_cannot_be_read_nothing_is_taken_for_one() -> None:
    known = knowing(Answer.AGREED)
    known.consent.is_current = False

    found = [
        ask_of(OptOut(), known)(addressed(), 0.0),
        ask_of(NoConsent(), known)(addressed(), 0.0),
    ]

    assert [(one and one.reason, one and one.is_unread) for one in found] == [
        (Reason.CONSENT_UNCHECKED, True),
        (Reason.CONSENT_UNCHECKED, True),
    ]


def test_r20_no_consent_no_commercial_message() -> None:
    world = World(rule("R20", NoConsent()))

    advert = world.judge(ADVERT)

    assert advert.verdict is not None
    assert (advert.verdict.action, advert.verdict.status) == (Action.REJECT, "ESME_RSUBMITFAIL")
    assert why(advert) is NoConsent.reason


def test_r20_while_the_store_is_down_adverts_stop_and_codes_pass_with_a_note() -> None:
    outcomes = {
        TrafficClass.COMMERCIAL: Action.REJECT,
        TrafficClass.VERIFICATION: Action.FORWARD,
        TrafficClass.SERVICE: Action.FORWARD,
    }
    world = World(rule("R20", NoConsent(), on_error=outcomes))
    world.knowledge.consent.is_current = False

    advert, code, news = (
        world.judge(text, source)
        for text, source in ((ADVERT, b"10690001"), (CODE, SERVICE), (NEWS, SERVICE))
    )

    assert why(advert) is Reason.CONSENT_UNCHECKED
    assert advert.verdict is not None
    assert advert.verdict.status == "ESME_RMSGQFUL"  # it may come again
    assert code.verdict is None
    assert news.verdict is None
    assert [(f.rule, f.reason, f.shadow) for f in (*code.findings, *news.findings)] == [
        ("R20", Reason.CONSENT_UNCHECKED, True),
        ("R20", Reason.CONSENT_UNCHECKED, True),
    ]


def test_r20_the_classes_it_is_not_about_need_no_consent() -> None:
    outcomes = {TrafficClass.VERIFICATION: Action.FORWARD}
    world = World(rule("R20", NoConsent(), on_error=outcomes))

    code = world.judge(CODE, SERVICE)

    assert (code.verdict, code.findings) == (None, ())


def test_r21_a_refusal_stops_what_was_agreed_to_before() -> None:
    world = World(rule("R21", OptOut()), rule("R20", NoConsent()))
    world.knowledge.consent.apply(NUMBER, "sp1", Answer.AGREED)

    before = world.reason(ADVERT)
    world.knowledge.consent.apply(NUMBER, "sp1", Answer.REFUSED)
    after = world.reason(ADVERT)

    assert (before, after) == (None, Reason.OPTED_OUT)


def test_r21_a_refusal_of_one_sender_does_not_stop_another() -> None:
    world = World(rule("R21", OptOut()), knowledge=knowing(Answer.REFUSED, "sp2"))

    assert world.reason(ADVERT) is None
    assert why(world.judge(ADVERT, system_id="sp2")) is Reason.OPTED_OUT


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
@pytest.mark.parametrize("text", [CODE, NEWS])
def test_r22_a_refusal_does_not_stop_codes_and_services(scope: str, text: str) -> None:
    rules = (rule("R21", OptOut()), rule("R20", NoConsent()))
    world = World(*rules, knowledge=knowing(Answer.REFUSED, scope))

    assert world.reason(text, SERVICE) is None


def test_r22_promotion_behind_a_code_is_promotion() -> None:
    world = World(rule("R21", OptOut()), knowledge=knowing(Answer.REFUSED))

    assert world.reason(CODE, SERVICE) is None
    assert world.reason(PROMOTION, SERVICE) is Reason.OPTED_OUT


@pytest.mark.parametrize(
    ("opt_out", "consent", "answer"),
    list(itertools.product(Enforcement, Enforcement, [None, *Answer])),
)
def test_an_enforced_rule_decides_whatever_is_on_trial(
    opt_out: Enforcement, consent: Enforcement, answer: Answer | None
) -> None:
    world = World(
        rule("R21", OptOut(), mode=opt_out, applies_to=COMMERCIAL),
        rule("R20", NoConsent(accept_asserted=False), mode=consent, applies_to=COMMERCIAL),
        knowledge=knowing(answer),
    )

    one = world.judge(ADVERT)

    is_refused, has_agreed = answer is Answer.REFUSED, answer is Answer.AGREED
    is_stopped = (is_refused and opt_out is Enforcement.ENFORCE) or (
        not has_agreed and consent is Enforcement.ENFORCE
    )
    is_noted = (is_refused and opt_out is not Enforcement.OFF) or (
        not has_agreed and consent is not Enforcement.OFF
    )
    assert (one.verdict is not None) == is_stopped
    assert bool(one.findings) == is_noted


@pytest.mark.parametrize(
    ("refused", "source", "is_refused"),
    [
        ("sp1 10690001", MARKETING, True),
        ("sp1 10690001", MARKETING + b"12", True),  # an extension of the port
        ("sp1 10690001", SERVICE, False),
        ("sp2 10690001", MARKETING, False),
    ],
)
def test_r22_a_refusal_of_a_port_holds_for_what_comes_from_there(
    refused: str, source: bytes, *, is_refused: bool
) -> None:
    against = ask_of(OptOut(), knowing(Answer.REFUSED, refused))(addressed(source=source), 0.0)

    assert said(against) == ("the subscriber refused this port" if is_refused else "")


LOANS, GAMES = "低息贷款，当天到账", "新游戏开服"


@pytest.mark.parametrize(
    ("text", "refused", "is_refused"),
    [
        (LOANS, "loan", True),
        (LOANS, "games", False),
        (f"{LOANS}，{GAMES}", "games", True),
        # What no list finds anything in, or only that it is fraud, may be of any category.
        (ADVERT, "loan", True),
        ("代开发票", "loan", True),
    ],
)
def test_r22_a_refusal_of_a_category_spares_only_what_is_seen_to_be_another(
    text: str, refused: str, *, is_refused: bool
) -> None:
    known = knowing(Answer.REFUSED, f"sp1 #{refused}")
    lists = tuple(
        KeywordList(name, name, ListAction.SHADOW, (word,))
        for name, word in (("loan", "贷款"), ("games", "游戏"), ("illegal", "代开发票"))
    )
    rules = replace(BUNDLE, keyword_lists=lists, rules=(rule("R21", OptOut()),))
    judged = submission()
    judged.msisdn, judged.facts = (
        NUMBER,
        RuleSet(rules, [sender()], known).scan.judge_texts((text,)),
    )

    against = ask_of(OptOut(), known)(judged, 0.0)

    assert (against is not None) is is_refused


def test_r22_who_refused_a_port_agrees_to_another_and_back_again() -> None:
    known = knowing(Answer.REFUSED, "sp1 10690001")
    known.consent.apply(NUMBER, "sp1", Answer.AGREED)
    ask = ask_of(OptOut(), known)

    before = said(ask(addressed(), 0.0))
    known.consent.apply(NUMBER, "sp1 10690001", Answer.AGREED)

    assert before == "the subscriber refused this port"
    assert ask(addressed(), 0.0) is None


def test_r22_a_category_that_was_refused_and_taken_back_stops_nothing() -> None:
    known = knowing(Answer.REFUSED, "sp1 #loan")

    known.consent.apply(NUMBER, "sp1 #loan", Answer.AGREED)

    assert ask_of(OptOut(), known)(addressed(), 0.0) is None


@pytest.mark.parametrize("refused", ["sp1 10690001", "sp1 #loan"])
def test_r22_a_part_that_one_account_was_refused_is_refused_of_its_companions(
    refused: str,
) -> None:
    known = knowing(Answer.REFUSED, refused)
    known.consent.companions = {"sp1": ("sp2",), "sp2": ("sp1",)}
    ask, sieve = ask_of(OptOut(), known), sieve_of(OptOut(), known)

    own, companion, stranger = (writing(Account(sender(name)), 0) for name in ("sp1", "sp2", "sp3"))
    other_port = submission(SECOND, source=SERVICE)
    other_port.msisdn = NUMBER

    assert said(ask(companion, 0.0)) == (
        "the subscriber refused another account of the same owner: sp1"
    )
    assert ask(own, 0.0) is not None
    assert ask(stranger, 0.0) is None
    assert (ask(other_port, 0.0) is None) is (refused == "sp1 10690001")
    assert list(sieve([companion, stranger], 0.0)) == [companion]
