"""The receiving side (R63): what another carrier brings is judged by rules of its own."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.complaint_worker import CampaignCases
from gateway.app.gateway import Gateway
from gateway.app.peer_evidence import PeerEvidence
from gateway.domain.consent import Answer
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import PEERS
from gateway.domain.suspension import Lift, NewPortSuspension
from gateway.domain.verdict import Reason
from gateway.runtime.clock import utcnow
from gateway.systems.cases.model import CaseState
from gateway.systems.complaints.complaint_matcher import ComplaintMatcher
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.linkage.model import EventType
from simulators import builders
from simulators.esme import RawEsme
from simulators.esme.raw import answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.app.case_sites import Site, Terms
from tests.app.conftest import GATEWAY, SENDERS
from tests.real_time import poll
from tests.systems.linkage.conftest import Node

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

# Of China Mobile by its number; the node is China Unicom's.
FOREIGN, SUBSCRIBER = "1065712345", "13012345678"
SPAM = "无抵押贷款，最高50万，当天放款，凭身份证即可办理，电话13911112222"
ADVERT = "【示例商城】会员日全场八折，满99减20，拒收请回复R"
CLEAN = "【顺丰速运】您的快件已到驿站，取件码2-3-4005，请及时领取"
REPLIES = 'version: 1\nopted_out: "您已退订"\nrestored: "您已恢复"\n'
RINVSRCADR = 0x0A
RECEIVING = (Path(__file__).resolve().parents[2] / "policies/rules/receiving.yaml").read_text(
    encoding="utf-8"
)


@pytest.fixture(autouse=True)
def own_bind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gateway know the password of its own binds."""
    monkeypatch.setenv("GW_PASSWORD", "secret")


def files(port: int, tmp_path: Path, free_port: int) -> dict[str, str | None]:
    yaml = GATEWAY.format(smsc=port, root=tmp_path, metrics=free_port)
    yaml = yaml.replace(
        "carrier: cmcc, province: 福建, role: origin",
        "carrier: 中国联通, province: 广东, role: terminating",
    )
    return {
        "config/gateway.yaml": yaml.replace("starter: false", "starter: true")
        + "filings: {licence_required: true}\n",
        "config/senders.yaml": SENDERS
        + '  - {system_id: cmcc, kind: peer, password: "plain:secret", rate: {per_s: 10000}}\n'
        '  - {system_id: ctcc, kind: peer, password: "plain:secret", rate: {per_s: 10000}}\n',
        "policies/rules/receiving.yaml": RECEIVING,
        "policies/keywords/fraud.yaml": None,
        "policies/keywords/loan.yaml": None,
    }


async def test_r63_obvious_spam_of_another_network_is_held_a_day_and_the_rest_passes_as_it_is(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path, free_port: int
) -> None:
    gateway = await start(files(smsc.port, tmp_path, free_port))
    peer = await attach(gateway, "cmcc")

    sp = await RawEsme.connect(*gateway.addresses["plain"])
    assert await sp.bind("sp1", "secret", "trx") != 0  # a licence on file is asked of SPs alone
    sp.close()
    clean = await peer.submit(FOREIGN, SUBSCRIBER, CLEAN)
    spam = await peer.submit(FOREIGN, SUBSCRIBER, SPAM)
    stolen = await peer.submit("10690001", SUBSCRIBER, CLEAN)

    assert (clean.is_ok, spam.is_ok, stolen.command_status) == (True, True, RINVSRCADR)
    (passed,) = smsc.journal
    assert (passed.source, passed.octets) == (FOREIGN, builders.ucs2(CLEAN))
    (held,) = await gateway.stores.quarantine.find(system_id="cmcc")
    assert (held.state, held.rule, held.source) == (HoldState.HELD, "R63", FOREIGN)
    assert held.expires_at - held.held_at == timedelta(hours=24)
    assert held.score is not None
    assert held.score >= 90


@pytest.mark.parametrize("mode", ["transparent", "pooled"])
async def test_r63_parts_and_receipts_of_another_network_go_as_those_of_sps(
    start: Start,
    attach: Attach,
    tmp_path: Path,
    free_port: int,
    mode: str,
) -> None:
    async with SimulatedSmsc(behaviour=Behaviour(seed=7, receipts=True)) as smsc:
        given = files(smsc.port, tmp_path, free_port)
        gateway = await start(pooled(given) if mode == "pooled" else given)
        peer = await attach(gateway, "cmcc")

        parts = builders.udh_parts(builders.ucs2(CLEAN * 4), 7)
        answers = [
            await peer.request(
                builders.submit_sm(
                    *(FOREIGN, SUBSCRIBER, part),
                    esm_class=builders.UDH_INDICATOR,
                    registered_delivery=1,
                    sequence=peer.next_sequence(),
                )
            )
            for part in parts
        ]
        receipts = [await peer.next_pdu() for _ in parts]

        assert [answer_of(one).is_ok for one in answers] == [True] * len(parts)
        assert [one.octets for one in smsc.journal] == parts
        assert all(answer_of(one).message_id.encode() in b"".join(receipts) for one in answers)

        link = "gw" if mode == "pooled" else "cmcc"
        assert await smsc.deliver(link, SUBSCRIBER, FOREIGN, "好的") == 0
        assert FOREIGN.encode() in await peer.next_pdu()
        if mode == "pooled":  # to a number that never wrote: it may be nobody's business there
            assert await smsc.deliver(link, SUBSCRIBER, "1065700000", "好的") != 0


_AT_REST = {HoldState.HELD, HoldState.RELEASED}
CONTENT = """\
version: 1
unreadable: quarantine
parts_ttl_s: 60
late_parts_s: 604800
long_messages: {}
quarantine_ttl_s: 86400
"""


@pytest.mark.parametrize("how", [("transparent", "assemble"), ("pooled", "progressive")])
async def test_r63_a_text_in_sar_parts_of_another_network_is_judged_whole(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    tmp_path: Path,
    free_port: int,
    how: tuple[str, str],
) -> None:
    (mode, long_messages), given = how, files(smsc.port, tmp_path, free_port)
    given["policies/content.yaml"] = CONTENT.format(long_messages)
    gateway = await start(pooled(given) if mode == "pooled" else given)
    peer = await attach(gateway, "cmcc")

    def submits(text: str, reference: int, room: int) -> list[bytes]:
        parts = builders.sar_parts(builders.ucs2(text), reference, room=room)
        return [
            builders.submit_sm(
                *(FOREIGN, SUBSCRIBER, octets), tlvs=tlvs, sequence=peer.next_sequence()
            )
            for octets, tlvs in parts
        ]

    async def held() -> list[HeldMessage]:
        async def look() -> list[HeldMessage] | None:
            all_held = await gateway.stores.quarantine.find(system_id="cmcc")
            return all_held if all(one.state in _AT_REST for one in all_held) else None

        return await poll(look)  # the verdict on what was assembled comes a moment later

    # The last part first; no part of the spam is obvious alone.
    spam, clean = submits(SPAM, 7, 24)[::-1], submits(CLEAN * 4, 8, 134)
    for one in (*spam, *clean):
        assert answer_of(await peer.request(one)).is_ok
    stopped = [one for one in await held() if one.state is HoldState.HELD]

    whole = {octets[16:] for octets in spam}
    passed = [one.pdu[16:] for one in smsc.journal]
    assert [one for one in passed if one not in whole] == [octets[16:] for octets in clean]
    # What went on before the text was whole makes no message at the phone without the last part.
    assert len(stopped) == (len(spam) if long_messages == "assemble" else 1)
    assert len(whole.intersection(passed)) == len(spam) - len(stopped)
    assert {(one.rule, one.reason) for one in stopped} == {("R63", Reason.SUSPICIOUS)}
    assert SPAM in [one.joined for one in stopped]
    await PeerEvidence(gateway.stores, {"cmcc"}, 0).work(utcnow() + timedelta(minutes=1))
    (complaint,) = await gateway.stores.complaints.find()
    assert (complaint.sender, complaint.text) == (FOREIGN, SPAM)


async def test_r63_the_evidence_goes_to_the_carrier_of_origin_and_a_local_block_ends_in_30_days(
    start: Start,
    attach: Attach,
    until: Until,
    smsc: SimulatedSmsc,
    tmp_path: Path,
    free_port: int,
) -> None:
    gateway = await start(files(smsc.port, tmp_path, free_port))
    account = gateway.plane.rules.accounts["cmcc"]
    peer = await attach(gateway, "cmcc")
    assert (await peer.submit(FOREIGN, SUBSCRIBER, SPAM)).is_ok
    later = utcnow() + timedelta(minutes=1)

    # What the process of `smsward complaints match` does, then that of `smsward linkage run`.
    await PeerEvidence(gateway.stores, gateway.plane.rules.port_owners.peers, 1).work(later)
    nodes = [Node(name) for name in ("cmcc", "unicom")]
    site = Site(nodes[1], tuple(one.member for one in nodes), gateway.stores, Terms())
    cases = CampaignCases(site.desk, gateway.stores.cases, site.ownership.own)
    await ComplaintMatcher(gateway.stores.complaints, cases).work(later)
    await site.exchange.work(later)

    case = await site.case()
    assert (case.owner, case.state) == ("cmcc/广东", CaseState.DISPATCHED)
    (event,) = await gateway.stores.linkage_outbox.listed()
    assert (event.recipient, event.type) == ("cmcc", EventType.DISPATCHED)
    assert SUBSCRIBER not in repr(event)

    await until(lambda: FOREIGN in account.suspended)
    assert not (await peer.submit(FOREIGN, SUBSCRIBER, CLEAN)).is_ok
    assert (await peer.submit("1065700000", SUBSCRIBER, CLEAN)).is_ok
    assert FOREIGN not in gateway.plane.rules.accounts["ctcc"].suspended  # who brought none of it
    by_hand = NewPortSuspension(PEERS, "1065799999", utcnow(), "wu", "case 12")
    await gateway.stores.suspended_ports.suspend(by_hand)
    accounts = gateway.plane.rules.accounts
    await until(lambda: all("1065799999" in accounts[one].suspended for one in ("cmcc", "ctcc")))
    assert await gateway.stores.suspended_ports.lift(PEERS, "1065799999", Lift(utcnow(), "wu", ""))
    assert await gateway.stores.suspended_ports.end_due(later + timedelta(days=30)) == 1
    await until(lambda: not account.suspended)
    assert (await peer.submit(FOREIGN, SUBSCRIBER, CLEAN)).is_ok


async def test_r86_who_complains_of_a_port_of_another_network_gets_no_more_adverts_of_it(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, tmp_path: Path, free_port: int
) -> None:
    gateway = await start(files(smsc.port, tmp_path, free_port))
    peer, consent = await attach(gateway, "cmcc"), gateway.plane.rules.knowledge.consent
    desk = ComplaintDesk(gateway.stores.complaints, lambda: gateway.plane.rules.port_owners)
    complaint = NewComplaint(
        source=ComplaintSource.CLIENT,
        source_id="1",
        reported_at=utcnow(),
        sender=FOREIGN,
        text=ADVERT,
        reporter=int("86" + SUBSCRIBER),
    )
    assert (await peer.submit(FOREIGN, SUBSCRIBER, ADVERT)).is_ok
    assert len(smsc.journal) == 1

    (result,) = await desk.receive([complaint])
    await until(lambda: consent.has_parts)
    for destination in (SUBSCRIBER, "13012345679"):
        assert (await peer.submit("86" + FOREIGN, destination, ADVERT)).is_ok

    assert result.is_shielded
    assert [one.destinations for one in smsc.journal[1:]] == [("13012345679",)]
    (held,) = await gateway.stores.quarantine.find(system_id="cmcc")
    assert held.reason == Reason.OPTED_OUT


def pooled(given: dict[str, str | None]) -> dict[str, str | None]:
    """Return the files of a deployment, with binds of the gateway's own at the SMSC."""
    own = 'mode: pooled, binds: 2, system_id: gw, password: "env:GW_PASSWORD"'
    yaml = (given["config/gateway.yaml"] or "").replace("mode: transparent", own)
    return given | {"config/gateway.yaml": yaml}


@pytest.mark.parametrize("mode", ["transparent", "pooled"])
async def test_r63_a_td_to_a_port_of_another_network_goes_there_and_holds_here_until_hf(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    tmp_path: Path,
    free_port: int,
    mode: str,
) -> None:
    given = files(smsc.port, tmp_path, free_port) | {"policies/replies.yaml": REPLIES}
    gateway = await start(pooled(given) if mode == "pooled" else given)
    link = "gw" if mode == "pooled" else "cmcc"
    cmcc, ctcc = await attach(gateway, "cmcc"), await attach(gateway, "ctcc")
    assert (await cmcc.submit(FOREIGN, SUBSCRIBER, ADVERT)).is_ok

    assert await smsc.deliver(link, SUBSCRIBER, "86" + FOREIGN, "TD") == 0
    assert builders.ucs2("TD") in await cmcc.next_pdu()
    for peer, source, destination in (
        (cmcc, FOREIGN, SUBSCRIBER),  # held
        (ctcc, "86" + FOREIGN, SUBSCRIBER),  # held, whoever brings it
        (cmcc, FOREIGN, "13012345679"),
        (cmcc, "1065700000", SUBSCRIBER),
    ):
        assert (await peer.submit(source, destination, ADVERT)).is_ok
    assert (await cmcc.submit(FOREIGN, SUBSCRIBER, CLEAN)).is_ok

    held = await gateway.stores.quarantine.find()
    assert {(one.system_id, one.reason, one.rule) for one in held} == {
        ("cmcc", Reason.OPTED_OUT, "R63-refused"),
        ("ctcc", Reason.OPTED_OUT, "R63-refused"),
    }
    (_, *others) = [(one.source, one.destination) for one in smsc.journal]
    # No word of ours to the subscriber: whom it refuses confirms.
    assert others == [
        *((FOREIGN, "13012345679"), ("1065700000", SUBSCRIBER), (FOREIGN, SUBSCRIBER)),
    ]
    answer = await gateway.stores.consent.answer_of(int("86" + SUBSCRIBER), f"{PEERS} {FOREIGN}")
    assert answer is not None
    assert (answer.answer, answer.channel) == (Answer.REFUSED, "mo")

    assert await smsc.deliver(link, SUBSCRIBER, FOREIGN, "HF") == 0
    assert builders.ucs2("HF") in await cmcc.next_pdu()
    assert (await cmcc.submit(FOREIGN, SUBSCRIBER, ADVERT)).is_ok
    assert len(smsc.journal) == 5


@pytest.mark.parametrize("text", ["0000", "怎么退订", "HELP", "好的，谢谢", "YES", "R"])
async def test_r63_what_else_is_written_to_a_port_of_another_network_is_not_ours(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path, free_port: int, text: str
) -> None:
    given = files(smsc.port, tmp_path, free_port) | {"policies/replies.yaml": REPLIES}
    gateway = await start(given)
    peer = await attach(gateway, "cmcc")

    assert await smsc.deliver("cmcc", SUBSCRIBER, FOREIGN, text) == 0
    assert await smsc.deliver("cmcc", SUBSCRIBER, "13912345678", "TD") == 0  # to a person

    assert builders.ucs2(text) in await peer.next_pdu()
    assert builders.ucs2("TD") in await peer.next_pdu()
    assert (await peer.submit(FOREIGN, SUBSCRIBER, ADVERT)).is_ok
    assert len(smsc.journal) == 1
    assert not gateway.plane.rules.knowledge.consent.refused


async def test_r63_a_td_holds_though_no_peer_is_known_to_have_written_from_that_port(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    tmp_path: Path,
    free_port: int,
) -> None:
    given = files(smsc.port, tmp_path, free_port) | {"policies/replies.yaml": REPLIES}
    gateway = await start(pooled(given))
    peer = await attach(gateway, "cmcc")

    assert await smsc.deliver("gw", SUBSCRIBER, FOREIGN, "TD") != 0  # as after a restart

    assert (await peer.submit(FOREIGN, SUBSCRIBER, ADVERT)).is_ok
    assert smsc.journal == []
    (held,) = await gateway.stores.quarantine.find()
    assert held.reason == Reason.OPTED_OUT


@pytest.mark.parametrize("mode", ["transparent", "pooled"])
async def test_r63_a_hub_code_is_ours_also_on_the_bind_of_another_network(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path, free_port: int, mode: str
) -> None:
    given = files(smsc.port, tmp_path, free_port) | {"policies/replies.yaml": REPLIES}
    if mode == "pooled":
        given = pooled(given)
    hub = 'hub: {codes: ["10010"]}\n'
    given["config/gateway.yaml"] = (given["config/gateway.yaml"] or "") + hub
    gateway = await start(given)
    peer = await attach(gateway, "cmcc")

    forged = await peer.submit("8610010", SUBSCRIBER, CLEAN)
    link = "gw" if mode == "pooled" else "cmcc"
    assert await smsc.deliver(link, SUBSCRIBER, "10010", "TD") == 0
    advert = await peer.submit(FOREIGN, SUBSCRIBER, ADVERT)

    assert (forged.command_status, advert.is_ok) == (RINVSRCADR, True)
    (held,) = await gateway.stores.quarantine.find()
    assert (held.source, held.reason) == (FOREIGN, Reason.OPTED_OUT)
    answer = await gateway.stores.consent.answer_of(int("86" + SUBSCRIBER), "")
    assert answer is not None
    assert answer.answer is Answer.REFUSED
