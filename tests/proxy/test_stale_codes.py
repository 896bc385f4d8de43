"""A code that waited for a person longer than it is of use is not released any more."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.app.gateway import Gateway
from gateway.domain.policy import KeywordList, ListAction, OverdueAction, ReviewLimit
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.policy.bundle import Bundle
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.exceptions import ExceptionDesk, HoldException
from gateway.systems.quarantine.model import (
    NewCampaignReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
    ReviewJob,
)
from gateway.systems.quarantine.service import STANDING, NotDone, Outcome, QuarantineDesk
from gateway.systems.quarantine.tables import hold_exceptions
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import header_of
from tests.proxy.conftest import Wall
from tests.proxy.people import SOURCE, desk, hold, receipt_of, release

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


async def test_a_code_that_is_stale_is_released_by_nothing_at_all(
    start: Start,
    holding: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    reach: Reach,
) -> None:
    """Each way in which a release may be asked for, by a person, a job or the gateway itself."""
    wall.set("2025-11-25T10:00:00+08:00")
    limits = {"fraud": ReviewLimit(301, OverdueAction.RELEASE)}
    policy = replace(holding, content=replace(holding.content, review=limits))
    gateway = await start(policy=policy)
    stores, esme = gateway.stores, await attach(gateway)
    ids = [await hold(esme, CODE.replace("482915", f"48291{one}")) for one in range(6)]
    shown = await stores.quarantine.get(int(ids[0]))
    assert shown is not None
    reviews, jobs = ReviewDesk(stores.reviews, str), CampaignDesk(stores.campaigns, str)
    released = PersonDecision.RELEASED

    # What a person decided in the last seconds, and a job that begins after them.
    wall.set("2025-11-25T10:04:50+08:00")
    in_time = await reviews.decide(NewReview(int(ids[1]), released, "user: lin"), utcnow())
    assert isinstance(in_time, ReviewDecision)
    assert in_time.not_before < shown.expires_at
    job = await jobs.decide(
        NewCampaignReview(shown.campaign, released, "user: lin", len(ids) - 1), utcnow()
    )
    assert isinstance(job, ReviewJob)

    wall.set("2025-11-25T10:05:02+08:00")
    made = await ExceptionDesk(stores.exceptions, str).add(
        shown, "lin", "its own codes", utcnow(), utcnow() + timedelta(days=1)
    )
    assert isinstance(made, HoldException)
    await stores.quarantine._database.change(sa.update(hold_exceptions).values(after_id=0))
    late = await reviews.decide(NewReview(int(ids[2]), released, "user: lin"), utcnow())
    await desk(gateway).request_release(int(ids[3]), "lin", utcnow())
    for message_id in ids:
        await reach(gateway, message_id, HoldState.EXPIRED)

    assert isinstance(late, NotDone)
    assert late.why == STANDING[HoldState.EXPIRED]
    assert smsc.journal == []
    stats = {receipt_of(await esme.next_pdu())[::2] for _ in ids}
    assert stats == {(message_id, "EXPIRED") for message_id in ids}


async def test_a_code_that_grew_stale_while_its_release_was_noted_is_not_written(
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
    begin_release = QuarantineDesk.begin_release

    async def begin_slowly(
        self: QuarantineDesk, number: int, at: datetime, *, others: tuple[int, ...] = ()
    ) -> Outcome:
        done = await begin_release(self, number, at, others=others)
        wall.set("2025-11-25T10:05:00+08:00")
        return done

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(QuarantineDesk, "begin_release", begin_slowly)
        wall.set("2025-11-25T10:04:59+08:00")
        await release(gateway, message_id)
        await reach(gateway, message_id, HoldState.EXPIRED)

    assert smsc.journal == []


@pytest.mark.parametrize(("life_s", "ends"), [(600.0, "10:12:00"), (120.0, "10:04:00")])
async def test_a_code_in_the_place_of_another_text_is_of_use_from_then_on(
    start: Start,
    holding: Bundle,
    attach: Attach,
    wall: Wall,
    life_s: float,
    ends: str,
) -> None:
    wall.set("2025-11-25T10:00:00+08:00")
    policy = replace(holding, content=replace(holding.content, code_life_s=life_s))
    gateway = await start(policy=policy)
    esme = await attach(gateway)
    message_id = await hold(esme, "【示例银行】春眠账户今日到期，详情见柜台")

    wall.set("2025-11-25T10:02:00+08:00")
    code = builders.ucs2("【示例银行】您的验证码482915，请勿告诉他人")
    octets = await esme.request(builders.replace_sm(message_id, SOURCE, code, sequence=71))

    held = await gateway.stores.quarantine.get(int(message_id))
    assert header_of(octets).command_status == 0
    assert held is not None
    assert held.state is HoldState.HELD
    assert held.expires_at == datetime.fromisoformat(f"2025-11-25T{ends}+08:00")
