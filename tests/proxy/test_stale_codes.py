"""A code that waited for a person longer than it is of use is not released any more."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.policy.bundle import Bundle
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.proxy.conftest import Wall
from tests.proxy.people import hold, receipt_of, release

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

CODE = "【示例银行】春眠账户验证码482915，5分钟内有效"


@pytest.fixture
def holding(bundle: Bundle) -> Bundle:
    """A policy that has people look at a word in a code."""
    words = KeywordList("K-SPRING", "fraud", ListAction.QUARANTINE, ("春眠账户",))
    return replace(bundle, keyword_lists=(words,))


async def test_a_code_is_released_while_it_is_of_use(
    start: Start,
    holding: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    reach: Reach,
) -> None:
    wall.set("2025-11-25T10:00:00+08:00")
    gateway = await start(policy=holding)
    message_id = await hold(await attach(gateway), CODE)

    wall.set("2025-11-25T10:04:00+08:00")
    await release(gateway, message_id)

    await reach(gateway, message_id, HoldState.RELEASED)
    assert len(smsc.journal) == 1


async def test_a_code_that_is_stale_when_it_is_released_expires_and_its_sp_hears_of_it(
    start: Start,
    holding: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    reach: Reach,
) -> None:
    wall.set("2025-11-25T10:00:00+08:00")
    gateway = await start(policy=holding)
    esme = await attach(gateway)
    message_id = await hold(esme, CODE)

    wall.set("2025-11-25T10:05:01+08:00")
    await release(gateway, message_id)
    receipt = await esme.next_pdu()

    await reach(gateway, message_id, HoldState.EXPIRED)
    assert receipt_of(receipt) == (message_id, message_id, "EXPIRED")
    assert smsc.journal == []
