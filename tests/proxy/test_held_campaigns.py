"""Held messages have a campaign, and what is known of the words found in them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from gateway.app.gateway import Gateway
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.warning import Severity
from gateway.filter.campaigns import Campaigns, campaign_id
from gateway.filter.fingerprints import fingerprint_of
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Bundle
from gateway.proxy.held_campaigns import with_campaigns
from gateway.runtime.clock import utcnow
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.esme import RawEsme
from simulators.wire import header_of

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, SUBSCRIBER = "10690001", 13800138000
LOAN = "尊敬的王先生，低息贷款当天到账，额度50000元，回T退订"
TO_ANOTHER = "尊敬的李女士，低息贷款当天到账，额度80000元，回T退订"


async def held_as(gateway: Gateway, message_id: str) -> HeldMessage:
    held = await gateway.stores.quarantine.get(int(message_id))
    assert held is not None
    return held


async def sent(gateway: Gateway, esme: RawEsme, text: str, number: int = SUBSCRIBER) -> HeldMessage:
    answer = await esme.submit(SOURCE, str(number), text)
    return await held_as(gateway, answer.message_id)


def own_campaign(text: str) -> str:
    return campaign_id(fingerprint_of(Views(text).sound))


async def test_a_held_message_that_no_rule_counted_has_the_campaign_of_its_text(
    start: Start, attach: Attach
) -> None:
    gateway = await start()
    esme = await attach(gateway)

    one = await sent(gateway, esme, LOAN)
    to_another = await sent(gateway, esme, TO_ANOTHER, SUBSCRIBER + 1)
    other = await sent(gateway, esme, "低息贷款，无需抵押，加微信了解")

    assert one.campaign == to_another.campaign == own_campaign(LOAN)
    assert other.campaign not in ("", one.campaign)


def test_it_is_the_id_that_a_rule_gives_to_a_campaign_that_begins_with_the_text() -> None:
    text = fingerprint_of(Views(LOAN).sound)

    assert Campaigns().reaches(text, "sp1", 1, SUBSCRIBER, 0.0) == campaign_id(text)


async def test_a_new_text_has_a_campaign_of_its_own(start: Start, attach: Attach) -> None:
    gateway = await start()
    esme = await attach(gateway)
    held = await sent(gateway, esme, LOAN)
    other = builders.ucs2("您的快递已到驿站")
    octets = builders.replace_sm(str(held.message_id), SOURCE, other, sequence=902)

    answer = await esme.request(octets)

    assert header_of(answer).command_status == CommandStatus.ESME_ROK
    after = await held_as(gateway, str(held.message_id))
    assert after.campaign == own_campaign("您的快递已到驿站")


async def test_only_what_is_for_a_person_and_has_none_gets_one() -> None:
    now = utcnow()
    usual = HeldMessage(
        message_id=8_1764072000000_01_000,
        system_id="sp1",
        source=SOURCE,
        destination=str(SUBSCRIBER),
        pdu=builders.submit_sm(SOURCE, str(SUBSCRIBER), builders.ucs2(LOAN)),
        reason="CONTENT",
        rule="K-LOAN",
        category="loan",
        evidence="低息贷款",
        digest="0123456789ab",
        receipt_asked=False,
        held_at=now,
        expires_at=now + timedelta(days=1),
    )
    waits = replace(usual, message_id=1, state=HoldState.DEFERRED)
    named = replace(usual, message_id=2, campaign="c0123456789abcdef")
    part = replace(usual, message_id=3, joined="低息贷款")
    unread = replace(usual, message_id=4, pdu=b"\0")

    found = await with_campaigns([usual, waits, named, part, unread])

    campaigns = [one.campaign for one in found]
    assert campaigns[:3] == [own_campaign(LOAN), "", "c0123456789abcdef"]
    assert campaigns[3:] == [own_campaign("低息贷款"), own_campaign("")]
    assert [replace(one, campaign="") for one in found] == [
        replace(one, campaign="") for one in (usual, waits, named, part, unread)
    ]
    assert await with_campaigns([waits]) == [waits]


async def test_a_held_message_tells_all_words_of_the_list_its_severity_and_who_answers_for_it(
    start: Start, attach: Attach, bundle: Bundle
) -> None:
    loan = KeywordList(
        "K-LOAN",
        "loan",
        ListAction.QUARANTINE,
        ("低息贷款", "当天到账"),
        severity=Severity.SERIOUS,
        owner="信贷组",
    )
    gateway = await start(policy=replace(bundle, keyword_lists=(loan,)))
    esme = await attach(gateway)

    held = await sent(gateway, esme, LOAN)

    assert held.evidence == "低息贷款; 当天到账"
    assert (held.severity, held.owner, held.score) == ("serious", "信贷组", None)
