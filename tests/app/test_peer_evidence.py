"""What is held of other networks becomes cases for the carriers of origin, and blocks (R63)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.app import peer_evidence
from gateway.app.complaint_worker import CampaignCases
from gateway.app.peer_evidence import PeerEvidence
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.suspension import EXPIRY, Lift
from gateway.domain.verdict import Reason, ReasonCode
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import CaseState
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.complaint_matcher import ComplaintMatcher
from gateway.systems.complaints.model import ComplaintSource
from gateway.systems.quarantine.model import lowest_id_at
from simulators import builders
from tests.app.case_sites import Net, calendar
from tests.app.test_case_exchange import build, net
from tests.systems.linkage.conftest import NOW

__all__ = ["build", "net"]

PORT = "1065712345"
SPAM = "无抵押贷款，最高50万，当天放款，电话{}"
LATER = NOW + timedelta(minutes=1)


def held(
    number: int = 0,
    *,
    source: str = PORT,
    reason: ReasonCode = Reason.SUSPICIOUS,
    campaign: str = "loan",
    state: HoldState = HoldState.HELD,
) -> HeldMessage:
    said, at = SPAM.format(13911112222 + number), NOW
    return HeldMessage(
        message_id=lowest_id_at(int(at.timestamp() * 1000)) + number,
        system_id="cmcc",
        source=source,
        destination="13012345678",
        pdu=builders.submit_sm(source, "13012345678", builders.ucs2(said)),
        reason=reason,
        rule="R63",
        category="loan",
        evidence="99 % likely spam",
        digest="0",
        receipt_asked=False,
        held_at=at,
        expires_at=at + timedelta(hours=24),
        state=state,
        campaign=campaign,
    )


def evidence_of(stores: Stores, block_after: int = 0) -> PeerEvidence:
    return PeerEvidence(stores, ["cmcc"], block_after)


async def reported(stores: Stores) -> Sequence[str]:
    return [one.sender for one in await stores.complaints.find(limit=2_000)]


async def test_r63_what_is_held_is_handed_in_once_also_after_a_kill(stores: Stores) -> None:
    await stores.quarantine.hold([held(number) for number in range(3)])
    evidence = evidence_of(stores)

    for _ in range(2):
        assert not await evidence.work(LATER)
    await evidence_of(stores).work(LATER)

    (one,) = await stores.complaints.find()
    assert (one.source, one.by, one.sender) == (ComplaintSource.MONITOR, "cmcc", PORT)
    assert (one.text, one.category, one.reporter) == (SPAM.format(13911112222), "loan", None)
    assert not one.is_proved


@pytest.mark.parametrize("source", [PORT, "13912345678"])
async def test_r63_a_campaign_of_a_day_is_handed_in_once_whenever_the_process_starts_again(
    stores: Stores, source: str
) -> None:
    midnight = datetime(2026, 11, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    hour = timedelta(hours=1)
    sent = [midnight + number * hour for number in (1, 5, 9)]
    for at in sent:
        number = lowest_id_at(int(at.timestamp() * 1000))
        await stores.quarantine.hold([replace(held(source=source), message_id=number, held_at=at)])

    for hours in (10, 27, 31):
        await evidence_of(stores).work(midnight + hours * hour)

    (one,) = await stores.complaints.find()
    assert source not in one.source_id or source == PORT


async def test_r63_what_a_person_released_or_a_subscriber_wished_away_is_no_evidence(
    stores: Stores,
) -> None:
    await stores.quarantine.hold(
        [
            held(1, state=HoldState.RELEASED),
            held(2, reason=Reason.USER_PREF),
            held(3, reason=Reason.CONTENT_UNCHECKED),
            held(4, source="1065799999", reason=Reason.OPTED_OUT),
        ]
    )

    await evidence_of(stores).work(LATER)

    assert await reported(stores) == ["1065799999"]


async def test_r63_a_flood_of_one_peer_hands_in_a_bounded_number_of_complaints(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_evidence, "MOST_OF_NUMBER", 5)
    monkeypatch.setattr(peer_evidence, "MOST_OF_PEER", 8)
    flood = [held(one, campaign=f"c{one}", source=f"106571234{one % 2}") for one in range(450)]
    await stores.quarantine.hold(flood)
    evidence = evidence_of(stores)

    while await evidence.work(LATER):
        pass

    assert sorted(await reported(stores)) == ["1065712340"] * 4 + ["1065712341"] * 4


async def test_r63_while_the_store_fails_nothing_of_it_is_lost(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.quarantine.hold([held()])
    evidence, receive = evidence_of(stores), stores.complaints.receive

    async def failing(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(stores.complaints, "receive", failing)
    with pytest.raises(StoreUnavailable):
        await evidence.work(LATER)
    monkeypatch.setattr(stores.complaints, "receive", receive)
    await evidence.work(LATER)

    assert await reported(stores) == [PORT]


async def test_r63_a_number_with_much_spam_is_blocked_here_for_30_days_and_no_longer(
    stores: Stores,
) -> None:
    await stores.quarantine.hold([held(number) for number in range(3)])
    end = NOW + timedelta(days=30)

    await evidence_of(stores, block_after=3).work(LATER)
    await evidence_of(stores, block_after=3).work(LATER)
    in_force = await stores.suspended_ports.in_force()
    early = await stores.suspended_ports.end_due(end - timedelta(seconds=1))
    ended = await stores.suspended_ports.end_due(end)

    assert in_force == {"cmcc": frozenset({PORT})}
    assert (early, ended) == (0, 1)
    assert await stores.suspended_ports.in_force() == {}
    last = await stores.suspended_ports.latest_of("cmcc", PORT)
    assert last is not None
    assert (last.until, last.lifted_at, last.lifted_by) == (end, end, EXPIRY)


async def test_r63_fewer_than_that_or_a_lifted_block_block_nothing(stores: Stores) -> None:
    await stores.quarantine.hold([held(number) for number in range(3)])

    await evidence_of(stores, block_after=4).work(LATER)
    assert await stores.suspended_ports.in_force() == {}
    await evidence_of(stores, block_after=3).work(LATER)
    assert await stores.suspended_ports.lift("cmcc", PORT, Lift(LATER, "lin", "a bank"))
    await evidence_of(stores, block_after=3).work(LATER)

    assert await stores.suspended_ports.in_force() == {}


@pytest.mark.parametrize("source", ["95588", "+8695588", "12345", "1008611", "110", "13012345678"])
async def test_r63_no_flood_of_a_peer_silences_codes_warnings_or_a_person(
    stores: Stores, source: str
) -> None:
    await stores.quarantine.hold([held(number, source=source) for number in range(3)])

    await evidence_of(stores, block_after=2).work(LATER)

    assert await stores.suspended_ports.in_force() == {}
    assert await stores.suspensions.listed() == []
    (one,) = await stores.complaints.find()
    assert "13012345678" not in one.source_id


async def test_r63_one_campaign_is_one_case_that_goes_to_the_carrier_of_origin(net: Net) -> None:
    unicom = net["unicom"]
    await unicom.stores.quarantine.hold(
        [held(number, source=f"106571234{number}") for number in range(4)]
    )
    desk = CaseDesk(unicom.stores.cases, calendar)
    cases = CampaignCases(desk, unicom.stores.cases, unicom.ownership.own)
    matcher = ComplaintMatcher(unicom.stores.complaints, cases)

    for _ in range(2):
        await evidence_of(unicom.stores).work(LATER)
        await matcher.work(LATER)
    await net.run(LATER)

    case = await unicom.case()
    assert (case.owner, case.complaints, case.state) == ("cmcc/广东", 4, CaseState.DISPATCHED)
    (theirs,) = await net["cmcc"].stores.cases.find()
    assert theirs.origin == "unicom"
    assert len(await unicom.stores.cases.find()) == 1
