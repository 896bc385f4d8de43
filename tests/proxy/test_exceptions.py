"""What an exception lets go reaches the SMSC by itself, and nothing else does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.campaign import Campaign
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.exceptions import ExceptionDesk, HoldException
from gateway.systems.quarantine.model import NewCampaignReview, PersonDecision, ReviewJob
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.proxy.people import DESTINATION, SOURCE, hold

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

NOTICE = "【示例银行】您尾号{}的账户春眠计划今日到期，详情见柜台"


async def test_later_messages_of_the_template_are_released_unless_another_rule_holds_them(
    start: Start, bundle: Bundle, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    policy = replace(
        bundle,
        keyword_lists=(
            KeywordList("K-SPRING", "fraud", ListAction.QUARANTINE, ("春眠计划",)),
            KeywordList("K-COUNTER", "fraud", ListAction.QUARANTINE, ("窗口",)),
        ),
    )
    gateway = await start(policy=policy)
    esme = await attach(gateway)
    first = await hold(esme, NOTICE.format(1001))
    stores = gateway.stores
    shown = await stores.quarantine.get(int(first))
    assert shown is not None
    now = utcnow()
    made = await ExceptionDesk(stores.exceptions, str).add(
        shown, "lin", "its own notice", now, now + timedelta(days=1)
    )
    assert isinstance(made, HoldException)

    both = (await esme.submit(SOURCE, DESTINATION, NOTICE.format(1001) + "窗口")).message_id
    second = await hold(esme, NOTICE.format(2002))
    released = await reach(gateway, second, HoldState.RELEASED)

    assert released.decision == f"release asked by exception {made.number} of lin: its own notice"
    assert len(smsc.journal) == 1
    states = {one.message_id: one.state for one in await stores.quarantine.find()}
    assert (states[int(first)], states[int(both)]) == (HoldState.HELD, HoldState.HELD)


BULK = Rule(
    "R61-BULK",
    Title("群发", "bulk"),
    "R61",
    Campaign(people=2, within=timedelta(hours=1)),
    Enforcement.ENFORCE,
    action=Action.QUARANTINE,
)
PEOPLE = 6


@pytest.mark.parametrize("word", ["春眠计划", "别的词"])
async def test_a_campaign_of_any_size_goes_on_whichever_rule_held_its_first_message(
    start: Start,
    bundle: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    reach: Reach,
    word: str,
) -> None:
    policy = replace(
        bundle,
        keyword_lists=(KeywordList("K-SPRING", "fraud", ListAction.QUARANTINE, (word,)),),
        rules=(BULK,),
    )
    gateway = await start(policy=policy)
    esme, stores = await attach(gateway), gateway.stores
    to = [f"1380013{8000 + one}" for one in range(PEOPLE)]
    before = [(await esme.submit(SOURCE, one, NOTICE.format(7))).message_id for one in to[:3]]
    shown = await stores.quarantine.find(state=HoldState.HELD)
    now = utcnow()
    made = await ExceptionDesk(stores.exceptions, str).add(
        shown[0], "lin", "its own notice", now, now + timedelta(days=1)
    )
    assert isinstance(made, HoldException)
    counts = await stores.campaigns.held_of_each(made.campaign, made.rule)

    later = [(await esme.submit(SOURCE, one, NOTICE.format(8))).message_id for one in to[3:]]
    for message_id in later:
        await reach(gateway, message_id, HoldState.RELEASED)
    passed = len(smsc.journal)
    job = await CampaignDesk(stores.campaigns, str).decide(
        NewCampaignReview(
            *(made.campaign, PersonDecision.RELEASED, "lin", counts["sp1"], "sp1"), rule=made.rule
        ),
        now,
        timedelta(),
    )
    assert isinstance(job, ReviewJob)
    for held in shown:
        await reach(gateway, str(held.message_id), HoldState.RELEASED)

    assert counts == {"sp1": len(shown)}
    assert passed == len(before) - len(shown) + len(later)
    assert len(smsc.journal) == PEOPLE
    assert {one.reason for one in shown} == {"CONTENT" if word in NOTICE else "CAMPAIGN"}
