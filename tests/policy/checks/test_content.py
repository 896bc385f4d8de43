"""What a text is found like, links to, asks for and is signed with (R61)."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import Harm, TrafficClass
from gateway.domain.filings import Signature
from gateway.domain.policy import Enforcement, ListAction
from gateway.domain.sender import Port, Purpose, Rate
from gateway.domain.verdict import Action, Finding, Reason
from gateway.filter.classifier.score import TextClass, TextScore
from gateway.filter.contacts import ContactKind
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import Hit
from gateway.policy.bundle import Bundle, Override
from gateway.policy.check import Ask, Check
from gateway.policy.checks import impostor
from gateway.policy.checks.bad_link import BadLink, DomainList
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.suspicious import Suspicious, Tolerance
from gateway.policy.engine import explain
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from tests.policy.conftest import (
    CODES,
    EVERYTHING,
    MARKETING,
    SERVICE,
    World,
    addressed,
    ask_of,
    rule,
    sender,
    why,
)
from tests.policy.scorers import OFFER as OFFER_SCORE
from tests.policy.scorers import PRIZE as PRIZE_SCORE
from tests.policy.scorers import WORDS, WordScorer

PRIZE = "【春晓书店】恭喜您成为幸运读者，点此领奖"
OFFER = "【春晓书店】全场清仓，回T退订"
NOTICE = "【春晓书店】您预订的书已到店，请于周五前来取"
ODD = "【春晓书店】昨晚店里有怪事，改日细说"
BAD = "【春晓书店】这本书坏了，可以来换"
FOREIGN = "Play at our casino tonight, friends"

HOLD_ALL = dict.fromkeys(TrafficClass, Action.QUARANTINE)


def known(scorer: WordScorer | None = None) -> Knowledge:
    return Knowledge(scorer=scorer or WordScorer())


def content_world(
    check: Check, mode: Enforcement = Enforcement.ENFORCE, *overrides: Override
) -> World:
    """Return a world with one rule that holds, about every class, and a classifier."""
    one = rule(
        "R61",
        check,
        mode=mode,
        applies_to=EVERYTHING,
        action=Action.QUARANTINE,
        on_error=HOLD_ALL,
        overrides=overrides,
    )
    return World(one, knowledge=known())


def found_in(world: World, text: str, source: bytes = SERVICE) -> Finding | None:
    """Return the one finding against a text, None where there is none."""
    findings = world.judge(text, source).findings
    assert len(findings) <= 1
    return next(iter(findings), None)


def explained(world: World, text: str) -> Finding:
    verdict = explain(world.rules, world.message(SERVICE), (text,), 0.0, 0.0)
    (found,) = [one for one in verdict.findings if one.rule == "R61"]
    return found


def test_r61_what_the_classifier_finds_like_spam_waits_for_a_person() -> None:
    held = content_world(Suspicious(0.005)).judge(PRIZE, SERVICE)

    assert held.verdict is not None
    assert held.verdict.action is Action.QUARANTINE
    assert why(held) is Reason.SUSPICIOUS
    assert held.findings[0].category == "fraud_prize"
    assert held.findings[0].evidence == "97 % likely spam: fraud_prize"


def test_r61_what_the_classifier_finds_innocent_passes() -> None:
    assert found_in(content_world(Suspicious(0.005)), NOTICE) is None


@pytest.mark.parametrize(
    ("tolerates", "is_found"), [(0.001, False), (0.004, False), (0.005, True), (0.01, True)]
)
def test_r61_who_tolerates_more_false_alarms_stops_more(
    tolerates: float, *, is_found: bool
) -> None:
    found = found_in(content_world(Suspicious(tolerates)), OFFER)

    assert (found is not None) is is_found


def test_r61_a_sender_and_one_of_its_ports_have_their_own_tolerance() -> None:
    apart = (Tolerance(0.001, sender="sp1"), Tolerance(0.01, port="10690003"))
    world = content_world(Suspicious(0.005, apart))

    assert found_in(world, OFFER, SERVICE) is None
    assert found_in(world, OFFER, CODES) is not None
    assert world.judge(OFFER, SERVICE, system_id="sp2").findings


CHAT = "恭喜你，周末去领奖吧，我陪你"
PERSON = b"13900000001"
WRITTEN = TextScore(TextClass.PERSON, 0.03, "retail", Harm.ADVERT, measured_from=0.001)
# A port and the numbers of persons, which their carrier's centre may submit as one sender.
CENTRE = sender(ports=(Port("106900", 4), Port("139", 8), Port("1", 12)), rate=Rate(1e6, 10**6))


def person_world(personal: Mapping[str, TextScore], check: Check | None = None) -> World:
    """Return a world with a rule and a classifier that knows other words of persons."""
    held = replace(
        rule("R61", check or Suspicious(0.005), applies_to=EVERYTHING, on_error=HOLD_ALL),
        action=Action.QUARANTINE,
    )
    return World(held, senders=(CENTRE,), knowledge=known(WordScorer(personal=personal)))


def scorer_of(world: World) -> WordScorer:
    scorer = world.knowledge.scorer
    assert isinstance(scorer, WordScorer)
    return scorer


@pytest.mark.parametrize("person", [b"13900000001", b"8613900000001", b"+8613900000001"])
def test_r61_what_a_personal_number_sends_is_judged_as_what_people_write(person: bytes) -> None:
    ports = (Port("106900", 4), Port(person.decode()))
    world = person_world({"领奖": WRITTEN})
    world = World(
        *world.bundle.rules,
        senders=(sender(ports=ports, rate=Rate(1e6, 10**6)),),
        knowledge=world.knowledge,
    )

    assert why(world.judge(CHAT, b"1069000001")) is Reason.SUSPICIOUS
    assert why(world.judge(CHAT, person)) is None
    assert why(world.judge(CHAT, b"1069000001")) is Reason.SUSPICIOUS


def test_r61_a_port_and_a_person_below_one_number_are_told_apart() -> None:
    world = person_world({"领奖": WRITTEN})

    judged = [world.judge(CHAT, source) for source in (b"17000000001", b"10700000001")]

    assert [why(one) for one in judged] == [None, Reason.SUSPICIOUS]


def test_r61_a_text_is_asked_about_persons_only_if_one_sends_it_and_then_once() -> None:
    world = person_world({})
    facts = world.rules.scan.judge_texts((CHAT,))

    for source in (b"1069000001", b"1069000002"):
        world.rules.judge_text(world.message(source), facts, 0.0)
    assert scorer_of(world).persons == []
    for source in (PERSON, b"13900000002", b"17000000001"):
        world.rules.judge_text(world.message(source), facts, 0.0)

    assert scorer_of(world).persons == [[CHAT]]


def test_r61_of_a_foreign_text_the_same_is_said_whoever_sends_it() -> None:
    world = person_world({})

    judged = [world.judge(FOREIGN, source) for source in (b"1069000001", PERSON)]

    assert [why(one) for one in judged] == [Reason.CONTENT_UNCHECKED] * 2
    assert scorer_of(world).persons == []


def test_r61_a_text_that_could_not_be_judged_for_a_person_is_not_innocent() -> None:
    world = person_world({})

    assert why(world.judge(BAD, PERSON)) is Reason.CONTENT_UNCHECKED
    assert world.knowledge.unscored == 1


def test_r61_without_a_model_what_persons_send_is_not_judged() -> None:
    world = World(
        rule("R61", Suspicious(0.005), applies_to=EVERYTHING, on_error=HOLD_ALL),
        senders=(CENTRE,),
    )

    assert why(world.judge(CHAT, PERSON)) is Reason.CONTENT_UNCHECKED


def test_r61_who_asks_why_about_a_person_is_told_what_was_said_of_persons() -> None:
    world = person_world({"周末": replace(PRIZE_SCORE, text_class=TextClass.PERSON)})

    verdict = explain(world.rules, world.message(PERSON), (CHAT,), 0.0, 0.0)

    assert verdict.findings[0].evidence == "97 % likely spam: fraud_prize; 周末 +1.50, 您好 -0.25"


def test_what_comes_from_no_port_is_judged_by_the_tolerance_of_its_sender() -> None:
    one = addressed(source=b"95588")
    one.facts = content_world(Suspicious(0.005)).rules.scan.judge_texts((OFFER,))
    apart = (Tolerance(0.001, sender="sp1"), Tolerance(0.01, port="95588"))

    assert ask_of(Suspicious(0.005, apart), known())(one, 0.0) is None
    assert ask_of(Suspicious(0.005), known())(one, 0.0) is not None


def test_r61_the_harm_says_what_becomes_of_a_text() -> None:
    actions = {Harm.ADVERT: Action.FORWARD, Harm.FRAUD: Action.REJECT}
    world = content_world(Suspicious(0.005, actions=actions))

    offer, prize = world.judge(OFFER, SERVICE), world.judge(PRIZE, SERVICE)

    assert (offer.verdict, offer.findings[0].shadow) == (None, True)
    assert prize.verdict is not None
    assert prize.verdict.action is Action.REJECT


FRAUD_WORD = Hit("K-1", "fraud", ListAction.QUARANTINE, "收购银行卡")


@pytest.mark.parametrize(
    ("rejects", "score", "guilty_from", "hits", "action"),
    [
        (0.0001, PRIZE_SCORE, 0.0001, (), Action.REJECT),
        (0.0001, PRIZE_SCORE, 0.001, (), None),  # not sure enough
        (None, PRIZE_SCORE, 0.0001, (FRAUD_WORD,), None),
        (0.0001, OFFER_SCORE, 0.0001, (), None),  # an advert
        (0.0001, replace(PRIZE_SCORE, text_class=TextClass.FOREIGN), 0.0001, (), None),
        (0.0001, OFFER_SCORE, 0.005, (FRAUD_WORD,), Action.REJECT),
        (0.0001, OFFER_SCORE, 0.005, (replace(FRAUD_WORD, category="loan"),), None),
        (0.0001, OFFER_SCORE, 0.005, (replace(FRAUD_WORD, action=ListAction.SHADOW),), None),
    ],
)
def test_r61_fraud_and_illegal_offers_are_rejected_where_that_is_nearly_certain(
    rejects: float | None,
    score: TextScore,
    guilty_from: float,
    hits: tuple[Hit, ...],
    action: Action | None,
) -> None:
    one = addressed(PRIZE)
    one.facts = TextFacts(hits, (PRIZE,))
    one.facts.scored = (replace(score, guilty_from=guilty_from),)

    evidence = ask_of(Suspicious(0.005, rejects=rejects), known())(one, 0.0)

    assert evidence is not None
    assert evidence.action is action


def test_r61_a_spam_of_no_known_category_is_held_whatever_adverts_may() -> None:
    world = content_world(Suspicious(0.005, actions={Harm.ADVERT: Action.FORWARD}))

    held = world.judge(ODD, SERVICE)

    assert held.verdict is not None
    assert (held.verdict.action, held.findings[0].category) == (Action.QUARANTINE, "")
    assert held.findings[0].evidence == "90 % likely spam"


def test_r61_an_advert_from_a_port_that_may_advertise_is_only_noted() -> None:
    world = content_world(Suspicious(0.005, adverts_from=frozenset({Purpose.MARKETING})))

    lawful, from_service = world.judge(OFFER, MARKETING), world.judge(OFFER, SERVICE)

    assert (lawful.verdict, lawful.findings[0].shadow) == (None, True)
    assert why(from_service) is Reason.SUSPICIOUS
    assert why(world.judge(PRIZE, MARKETING)) is Reason.SUSPICIOUS
    assert why(world.judge(ODD, MARKETING)) is Reason.SUSPICIOUS


@pytest.mark.parametrize(
    ("tolerates", "seconded", "is_found"),
    [
        (0.001, 0.005, True),
        (0.001, 0.004, False),  # the ports' model does not second it
        (0.0005, 0.005, False),  # the model of persons does not find it guilty
        (0.001, None, False),
    ],
)
def test_r61_the_models_of_ports_and_of_people_may_find_a_text_guilty_together(
    tolerates: float, seconded: float | None, *, is_found: bool
) -> None:
    person = replace(PRIZE_SCORE, text_class=TextClass.PERSON)
    check = Suspicious(tolerates, seconded=seconded)
    world = person_world({"清仓": person}, check)

    found = world.judge(OFFER, b"1069000001")

    assert (why(found) is Reason.SUSPICIOUS) is is_found
    if is_found:
        assert found.findings[0].category == "fraud_prize"


def test_r61_of_a_text_that_the_ports_model_does_not_suspect_the_other_is_not_asked() -> None:
    world = person_world({"书": PRIZE_SCORE}, Suspicious(0.001, seconded=0.01))

    assert why(world.judge(NOTICE, b"1069000001")) is None
    assert scorer_of(world).persons == []


@pytest.mark.parametrize("text", [BAD, FOREIGN])
def test_r61_what_the_classifier_could_not_judge_is_not_passed_for_innocent(text: str) -> None:
    held = content_world(Suspicious(0.005)).judge(text, SERVICE)

    assert held.verdict is not None
    assert (held.verdict.action, why(held)) == (Action.QUARANTINE, Reason.CONTENT_UNCHECKED)


@pytest.mark.parametrize("text", [BAD, FOREIGN])
def test_r61_on_trial_nothing_is_noted_of_what_could_not_be_judged(text: str) -> None:
    assert found_in(content_world(Suspicious(0.005), Enforcement.SHADOW), text) is None


def test_r61_without_a_classifier_what_is_enforced_is_held_and_what_is_on_trial_passes() -> None:
    enforced = rule("R61", Suspicious(0.005), applies_to=EVERYTHING, on_error=HOLD_ALL)

    assert World(enforced).reason(NOTICE, SERVICE) is Reason.CONTENT_UNCHECKED
    on_trial = rule("R61", Suspicious(0.005), mode=Enforcement.SHADOW, applies_to=EVERYTHING)
    assert found_in(World(on_trial), PRIZE) is None


def test_r61_a_classifier_that_is_put_in_place_judges_what_was_judged_before() -> None:
    world = World(rule("R61", Suspicious(0.005), applies_to=EVERYTHING, on_error=HOLD_ALL))
    assert world.reason(NOTICE, SERVICE) is Reason.CONTENT_UNCHECKED

    world.rules.ask_scorer(WordScorer())

    assert world.reason(NOTICE, SERVICE) is None
    assert world.reason(PRIZE, SERVICE) is Reason.SUSPICIOUS
    world.rules.ask_scorer(None)
    assert world.reason(NOTICE, SERVICE) is Reason.CONTENT_UNCHECKED


def test_a_classifier_that_is_put_in_place_stops_no_message_while_texts_are_forgotten() -> None:
    world = World(rule("R61", Suspicious(0.005)), knowledge=known(WordScorer()))
    texts = [(8, number.to_bytes(4, "big")) for number in range(1_500)]
    world.rules.scan.scan(texts, lambda _, __: (NOTICE,))
    before = world.rules.scan

    world.rules.ask_scorer(WordScorer())

    assert before.look_up(*texts[0]) is None
    assert sum(map(len, world.rules.scan.memory._leaving)) == 1_500
    kept = world.rules.scan
    world.rules.ask_scorer(world.knowledge.scorer)
    assert world.rules.scan is kept


def test_no_text_is_scored_where_no_rule_asks_for_it() -> None:
    scorer = WordScorer()
    world = World(rule("R61", BadLink(disguised=True)), knowledge=known(scorer))

    world.judge(PRIZE)

    assert scorer.batches == []


def test_of_several_readings_the_worst_that_is_stopped_counts() -> None:
    ask = ask_of(Suspicious(0.005), Knowledge())
    one = addressed(NOTICE)
    one.facts = content_world(Suspicious(0.005)).rules.scan.judge_texts((NOTICE, OFFER, PRIZE))

    evidence = ask(one, 0.0)

    assert evidence is not None
    assert evidence.category == "fraud_prize"


def test_r61_a_reading_that_is_only_noted_saves_none_that_is_stopped() -> None:
    world = content_world(Suspicious(0.005, actions={Harm.ADVERT: Action.FORWARD}))
    sure = WordScorer({**WORDS, "清仓": replace(OFFER_SCORE, probability=0.999)})
    world.rules.ask_scorer(sure)
    one = world.message(SERVICE)
    assert world.rules.judge_address(one, 0.0)

    world.rules.judge_text(one, world.rules.scan.judge_texts((OFFER, PRIZE)), 0.0)

    assert why(one) is Reason.SUSPICIOUS
    assert one.findings[0].category == "fraud_prize"


@pytest.mark.parametrize(
    "check",
    [BadLink(disguised=True), ContactInText(frozenset(ContactKind))],
    ids=["link", "contact"],
)
def test_r61_a_text_that_nobody_reads_to_its_end_is_not_passed_for_innocent(check: Check) -> None:
    endless = "上 888点com 看新书 " * 400

    held = found_in(content_world(check), endless)

    assert held is not None
    assert held.reason is Reason.CONTENT_UNCHECKED
    assert found_in(content_world(check, Enforcement.SHADOW), endless) is None


def test_what_a_classifier_says_of_many_texts_is_said_in_few_words() -> None:
    ask = ask_of(Suspicious(0.005), Knowledge())
    scan = content_world(Suspicious(0.005)).rules.scan
    one, other = addressed(), addressed()
    one.facts, other.facts = scan.judge_texts((PRIZE,)), scan.judge_texts((f"{PRIZE}！",))

    assert ask(one, 0.0) is ask(other, 0.0)


def test_r61_who_asks_why_hears_which_pieces_made_the_score() -> None:
    found = explained(content_world(Suspicious(0.005)), PRIZE)

    assert found.evidence == "97 % likely spam: fraud_prize; 领奖 +1.50, 您好 -0.25"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("http://icbc.com.cn/a", None),
        ("http://mybank.icbc.com.cn/a", None),
        ("http://good.evil-mall.top/a", None),
        ("http://unheard-of.com/a", None),
        ("http://x.evil-mall.top/a", "links to what is blocked: evil-mall.top"),
        ("evil-mall点top", "links to what is blocked: evil-mall.top"),
        ("http://1cbc.com.cn", "a link made to be taken for icbc.com.cn (spelling)"),
        ("http://icbc.top/a", "a link made to be taken for icbc.com.cn (other ending)"),
        ("http://icbc.com.cn.some.top", "a link made to be taken for icbc.com.cn (other ending)"),
    ],
)
def test_r61_a_link_must_not_lead_where_it_is_blocked_or_to_an_imitation(
    link: str, said: str | None
) -> None:
    allow = ("good.evil-mall.top",)
    check = BadLink(block=("evil-mall.top",), allow=allow, brands=("icbc.com.cn",))

    found = found_in(content_world(check), f"【春晓书店】请看 {link} 谢谢")

    if said is None:
        assert found is None
    else:
        assert found is not None
        assert (found.reason, found.category) == (BadLink.reason, "phishing")
        assert found.evidence.startswith(said.partition(" (")[0])


@pytest.mark.parametrize(
    "link",
    [
        "https://icbc.com.cn@evil.top/x",
        "https://u:p@evil.top/",
        "http://evil%2Etop/",
        "http://%65vil.top",
        "https:///evil.top/x",
        r"http:\\evil.top\x",
        "http://evil.top./x",
        "http://evil。top/x",
        "ｈｔｔｐ：／／ｅｖｉｌ．ｔｏｐ",
        "hxxp://evil.top",
        "http://ev\u200bil.t\u2060op/x",
        "http://evil.top:8443/x",
        "http://evil . top/x",
        "https://icbc.com.cn:443@evil.top:8443/x",
        "http://1.2.3.4/",
        "http://icbc.com.cn@1.2.3.4/",
        "http://16909060/",
        "http://0x1.2.0x304",
        "http://[2001:db8::1]/",
        "http://[::ffff:1.2.3.4]:80/",
    ],
)
def test_r61_no_spelling_of_a_host_hides_what_is_blocked(link: str) -> None:
    block = ("evil.top", "1.2.3.4", "2001:db8::1")
    world = content_world(BadLink(block=block, brands=("icbc.com.cn",)))

    found = found_in(world, f"【春晓书店】请看 {link} 谢谢")

    assert found is not None
    assert found.evidence.startswith("links to what is blocked")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("http://аррӏе.com/a", "a link made to be taken for apple.com (spelling)"),
        ("http://xn--80ak6aa92e.com/a", "a link made to be taken for apple.com (spelling)"),
        ("http://аррӏе%2Ecom/a", "a link made to be taken for apple.com (spelling)"),
        ("http://m.сhunxiao.com", "a link made to be taken for chunxiao.com (spelling)"),
        ("http://apple.com/a", None),
        ("ａｐｐｌｅ．ｃｏｍ", None),
        ("apple点com", None),
        ("http://m.chunxiao.com", None),
    ],
)
def test_r61_a_brand_in_letters_of_another_script_is_not_the_brand(
    link: str, said: str | None
) -> None:
    world = content_world(BadLink(allow=("chunxiao.com",), brands=("apple.com",)))

    found = found_in(world, f"【春晓书店】请看 {link} 谢谢")

    assert (found.evidence if found else None) == said


def test_r61_a_link_that_only_people_read_is_found_where_that_is_asked() -> None:
    text = "【春晓书店】上 888点com 看新书"

    found = found_in(content_world(BadLink(disguised=True)), text)

    assert found is not None
    assert found.evidence == "a link written so that only people read it"
    assert found_in(content_world(BadLink(disguised=True)), "【书店】上 888.com 看新书") is None


def test_r61_where_only_known_links_are_allowed_every_other_is_found() -> None:
    world = content_world(BadLink(allow=("chunxiao.com",), only_allowed=True))

    assert found_in(world, "【春晓书店】请看 http://chunxiao.com/1 谢谢") is None
    found = found_in(world, "【春晓书店】请看 http://chunxia.com/1 谢谢")
    assert found is not None
    assert found.evidence == "links to what is not allowed"


def test_r61_of_several_links_one_is_enough() -> None:
    world = content_world(BadLink(block=("evil-mall.top",)))

    assert found_in(world, "看 http://good.com/1 或 http://evil-mall.top/2 谢谢") is not None


def test_a_check_that_could_find_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs block, brands, disguised or only_allowed"):
        BadLink(allow=("chunxiao.com",))
    with pytest.raises(ValueError, match="needs names, or filed: true"):
        Impostor()


def test_what_is_found_in_many_texts_is_one_finding() -> None:
    world = content_world(BadLink(block=("evil-mall.top",)))

    first = found_in(world, "看 http://evil-mall.top/1 谢谢")

    assert first is not None
    assert found_in(world, "看 http://evil-mall.top/2 谢谢") is first


def test_who_asks_why_hears_where_the_link_stands() -> None:
    found = explained(content_world(BadLink(block=("evil-mall.top",))), "看 http://evil-mall.top/1")

    assert found.evidence == "links to what is blocked: evil-mall.top (3-24)"


def test_r61_a_signature_that_sounds_like_a_bank_is_found() -> None:
    world = content_world(Impostor(("工商银行",)))

    found = found_in(world, "【工伤银行】您的账户有变动")

    assert found is not None
    assert (found.reason, found.category) == (Impostor.reason, "fraud")
    assert found.evidence == "a signature made to be taken for 工商银行 (sound)"
    assert found_in(world, "【工伤银行】您的账户又有变动") is found
    assert found_in(world, "【工商银行】您的账户有变动") is None
    assert found_in(world, "【春晓书店】您的书到了") is None
    assert found_in(world, "您的书到了") is None


def test_signatures_that_were_looked_at_take_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impostor, "_MAX_SEEN", 2)
    world = content_world(Impostor(("工商银行",)))

    names = ("春晓书店", "夏荷书店", "秋月书店", "工伤银行")
    found = [found_in(world, f"【{name}】您好，您的书到了") is not None for name in names]

    assert found == [False, False, False, True]


def test_the_views_of_a_text_are_let_go_when_it_is_ruled_on() -> None:
    world = content_world(BadLink(disguised=True))
    facts = world.rules.scan.judge_texts(("上 888点com 看新书",))
    assert len(facts.views) == 1

    one = world.message(SERVICE)
    assert world.rules.judge_address(one, 0.0)
    world.rules.judge_text(one, facts, 0.0)

    assert facts.views == ()
    assert one.findings


def test_views_are_kept_only_where_a_rule_will_look_at_them() -> None:
    of_words = RuleSet(Bundle("words", "words"), [], Knowledge())

    assert content_world(Suspicious(0.01)).rules.scan.judge_texts(("您好",)).views
    assert not of_words.scan.judge_texts(("您好",)).views


def test_r61_who_has_filed_such_a_signature_is_no_impostor() -> None:
    world = content_world(Impostor(("工商银行",)))
    world.knowledge.filings.replace("sp1", [Signature("sp1", "工伤银行")])

    assert found_in(world, "【工伤银行】您的航班延误") is None


def test_r61_a_signature_like_one_that_another_sender_has_filed_is_found() -> None:
    world = content_world(Impostor(filed=True))
    text = "【春小书店】新书到店"
    assert found_in(world, text) is None

    world.knowledge.filings.replace("sp2", [Signature("sp2", "春晓书店")])

    # A text is ruled on once; another one is asked about anew.
    found = found_in(world, f"{text}，欢迎")
    assert found is not None
    assert found.evidence == "a signature made to be taken for 春晓书店 (sound)"
    assert world.judge(f"{text}，欢迎光临", SERVICE, system_id="sp2").findings == ()


def test_r61_a_text_that_was_ruled_on_is_ruled_on_anew_when_anybody_files() -> None:
    world = content_world(Impostor(filed=True))
    facts = world.rules.scan.judge_texts(("【春小书店】新书到店",))

    def found() -> int:
        one = world.message(SERVICE)
        assert world.rules.judge_address(one, 0.0)
        world.rules.judge_text(one, facts, 0.0)
        return len(one.findings)

    counts = [found()]
    for filed in ([Signature("sp2", "春晓书店")], []):
        world.knowledge.filings.replace("sp2", filed)
        counts.append(found())

    assert counts == [0, 1, 0]


def test_r61_signatures_on_file_are_compared_only_where_a_rule_asks_for_it() -> None:
    world = content_world(Impostor(("工商银行",)))
    world.knowledge.filings.replace("sp2", [Signature("sp2", "春晓书店")])

    assert found_in(world, "【春小书店】新书到店") is None


def test_r61_a_rule_about_its_own_names_leaves_the_names_on_file_to_the_rule_that_asks() -> None:
    world = content_world(Impostor(("工商银行",)))
    of_filed = Impostor(filed=True)
    world.knowledge.filings.replace("sp2", [Signature("sp2", "春晓书店")])
    ask_of(of_filed, world.knowledge)  # the names on file are compared from now on

    assert found_in(world, "【春小书店】新书到店") is None


GIVEN = ContactInText(frozenset({ContactKind.QQ, ContactKind.WECHAT}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("【春晓书店】新书八折，加微信 chunxiao88 优惠", "asks to come to: wechat"),
        ("【春晓书店】新书八折，加QQ 一二三四五六七八", None),
        ("【春晓书店】新书八折，客服QQ：1234567", "asks to come to: qq"),
        ("【春晓书店】新书八折，咨询 13800138000", None),
        ("【春晓书店】新书八折，欢迎光临", None),
    ],
)
def test_r61_advertising_that_asks_people_to_come_to_a_chat_is_found(
    text: str, said: str | None
) -> None:
    found = found_in(content_world(GIVEN), text)

    assert (found and found.evidence) == said
    assert found is None or found.reason is ContactInText.reason


def test_r61_a_contact_in_disguise_is_told_first() -> None:
    found = found_in(content_world(GIVEN), "【春晓书店】客服QQ：1234567，或加微信 Ｃhunxiao88")

    assert found is not None
    assert found.evidence == "asks to come to: wechat, in disguise"


def test_r61_an_approved_sender_may_give_its_contact() -> None:
    approved = Override(Enforcement.OFF, sender="sp1", because="客服微信已核实")
    world = content_world(GIVEN, Enforcement.ENFORCE, approved)
    text = "【春晓书店】新书八折，客服QQ：1234567"

    assert found_in(world, text) is None
    assert world.judge(text, SERVICE, system_id="sp2").findings


def test_who_asks_why_hears_where_the_contact_stands_and_not_what_it_is() -> None:
    found = explained(content_world(GIVEN), "客服QQ：1234567")

    assert found.evidence == "asks to come to: qq; ******* (6-12)"


any_text = st.text(st.characters(exclude_categories=()), max_size=200)
_LURES = "加微信 QQ ： 1 3800138000 . 点 com icbc 1cbc 【 】 工伤 银行 http:// / \u200b 领奖 https"
lure = st.lists(st.sampled_from([" ", *_LURES.split(" ")]), max_size=40).map("".join)


@given(st.one_of(any_text, lure))
def test_whatever_a_text_holds_its_evidence_tells_no_number_of_it(text: str) -> None:
    check = BadLink(block=("evil.com",), brands=("icbc.com.cn",), disguised=True, only_allowed=True)
    asks = (
        ask_of(Suspicious(0.005), Knowledge()),
        ask_of(check),
        ask_of(Impostor(("工商银行",)), Knowledge()),
        ask_of(ContactInText(frozenset(ContactKind))),
    )
    one = addressed(text)
    assert one.facts is not None
    one.facts.scored = (PRIZE_SCORE,)

    said = [evidence.text for ask in asks if (evidence := ask(one, 0.0)) is not None]

    assert not any(re.search("[0-9]{4}", each) for each in said)


@pytest.mark.parametrize(
    "ask",
    [
        ask_of(Suspicious(0.005), Knowledge()),
        ask_of(BadLink(only_allowed=True)),
        ask_of(Impostor(("工商银行",)), Knowledge()),
        ask_of(GIVEN),
    ],
)
def test_nothing_is_found_in_no_text(ask: Ask) -> None:
    empty = addressed(source=MARKETING)
    empty.facts = TextFacts((), ("",))

    assert ask(addressed(), 0.0) is None
    assert ask(empty, 0.0) is None


def test_a_list_covers_what_stands_below_its_domains() -> None:
    some = DomainList(["Evil.com", "a.top."])

    assert some.covers("evil.com")
    assert some.covers("www.evil.com")
    assert some.covers("a.top")
    assert not some.covers("notevil.com")
    assert not some.covers("b.top")
    assert not DomainList([]).covers("evil.com")
