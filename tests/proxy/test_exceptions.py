"""What an exception lets go reaches the SMSC by itself, and nothing else does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from gateway.app.gateway import Gateway
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.policy.bundle import Bundle
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.exceptions import ExceptionDesk, HoldException
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
