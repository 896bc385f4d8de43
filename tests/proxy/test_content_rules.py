"""R61 from end to end: what the classifier, campaigns and links say, and what people see of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Action
from gateway.filter.classifier.model import ModelPair
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.suspicious import Suspicious
from gateway.systems.learning.model_directory import ModelDirectory
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.policy.scorers import WordScorer

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, SUBSCRIBER = "10690001", 13800138000
PRIZE = "【春晓书店】恭喜您被抽中，请速来领奖"
NOTICE = "【春晓书店】您预订的书已到店"
ADVERT = "【春晓书店】会员日全场八折，图书满99元包邮，拒收请回复R"


@pytest.fixture(autouse=True)
def scorer(monkeypatch: pytest.MonkeyPatch) -> WordScorer:
    """Return the classifier that is installed."""
    installed = WordScorer()
    monkeypatch.setattr(ModelDirectory, "stamp", lambda _: (1,))
    monkeypatch.setattr(ModelDirectory, "pair", lambda _: (ModelPair(installed), ""))
    return installed


def with_rule(bundle: Bundle, check: Check, mode: Enforcement = Enforcement.ENFORCE) -> Bundle:
    rule = Rule(
        "R61",
        Title("内容", "content"),
        "[D]",
        check,
        mode,
        applies_to=frozenset(TrafficClass),
        action=Action.QUARANTINE,
    )
    return replace(bundle, rules=(*bundle.rules, rule))


async def held_as(gateway: Gateway, message_id: str) -> HeldMessage:
    held = await gateway.stores.quarantine.get(int(message_id))
    assert held is not None
    return held


async def test_r61_a_text_like_spam_is_held_with_what_it_is_about(
    start: Start, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle
) -> None:
    gateway = await start(policy=with_rule(bundle, Suspicious(0.005)))
    esme = await attach(gateway)

    prize = await esme.submit(SOURCE, str(SUBSCRIBER), PRIZE)
    notice = await esme.submit(SOURCE, str(SUBSCRIBER), NOTICE)

    assert (prize.is_ok, notice.is_ok) == (True, True)
    held = await held_as(gateway, prize.message_id)
    assert (held.reason, held.rule, held.category) == ("SUSPICIOUS", "R61", "fraud_prize")
    assert (held.evidence, held.score) == ("97 % likely spam: fraud_prize", 97)
    assert len(smsc.journal) == 1


async def test_r61_keywords_and_the_classifier_say_together_what_a_message_is_about(
    start: Start, attach: Attach, bundle: Bundle
) -> None:
    gateway = await start(policy=with_rule(bundle, Suspicious(0.005), Enforcement.SHADOW))
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, str(SUBSCRIBER), f"{PRIZE}，低息贷款")

    held = await held_as(gateway, answer.message_id)
    assert (held.reason, held.rule, held.category) == ("CONTENT", "K-LOAN", "fraud_prize")


async def test_r61_a_text_that_is_sent_again_is_not_scored_again(
    start: Start, attach: Attach, bundle: Bundle, scorer: WordScorer
) -> None:
    esme = await attach(await start(policy=with_rule(bundle, Suspicious(0.005))))
    scorer.batches.clear()  # it was tried once before it is asked

    for at in range(5):
        await esme.submit(SOURCE, str(SUBSCRIBER + at), NOTICE)

    assert scorer.batches == [1]


async def test_r61_one_text_to_many_without_consent_is_held_by_the_id_of_its_campaign(
    start: Start, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle
) -> None:
    gateway = await start(policy=with_rule(bundle, Campaign(3, timedelta(hours=1))))
    esme = await attach(gateway)

    answers = [await esme.submit(SOURCE, str(SUBSCRIBER + at), ADVERT) for at in range(4)]

    assert len(smsc.journal) == 2
    held = [await held_as(gateway, answer.message_id) for answer in answers[2:]]
    assert {one.reason for one in held} == {"CAMPAIGN"}
    (evidence,) = {one.evidence for one in held}
    assert evidence.startswith("one text to 3 people without consent: campaign c")
    assert {one.campaign for one in held} == {evidence.rpartition(" ")[2]}


async def test_r61_readiness_says_that_a_rule_has_no_classifier(
    start: Start, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelDirectory, "pair", lambda _: (ModelPair(), ""))
    gateway = await start(policy=with_rule(bundle, Suspicious(0.005)))

    standing = gateway._standing
    assert standing is not None
    warnings = standing.readiness().warnings
    gateway.plane.rules.ask_scorer(WordScorer())

    assert any(one.startswith("NO CLASSIFIER: R61") for one in warnings)
    assert standing.readiness().warnings == ()
