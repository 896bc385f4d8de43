"""A gateway's own records, from real sockets to files, replayed with its own policy."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer
from gateway.policy.knowledge import Knowledge
from gateway.records.archive import RecordArchive
from gateway.records.record_replay import DecisionQuery, RecordReplay, Replayer, ReplayTally
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import BlockReader
from gateway.settings.bundles.bundle import load_bundle
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.app.conftest import FRAUD, GATEWAY

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

TEXTS = ("会员日八折", "代开发票", "低息贷款", "您的验证码是1234")


def replayed(gateway: Gateway, policies: Path) -> ReplayTally:
    knowledge = Knowledge()
    knowledge.consent.apply(8613900139000, "sp1", Answer.REFUSED)
    judge = Judge(load_bundle(policies), gateway.policies.senders.values(), knowledge)
    archive = RecordArchive(gateway.settings.records.directory)
    replay = RecordReplay(archive, DecisionQuery())
    return replay.run(Replayer(judge), BlockReader(archive, None).read, lambda _octets: None)


async def test_a_gateways_records_replayed_with_its_policy_do_not_change(
    start: Start, attach: Attach, smsc: SimulatedSmsc, free_port: int, tmp_path: Path
) -> None:
    settings = GATEWAY.format(smsc=smsc.port, root=tmp_path, metrics=free_port)
    texts = settings.replace("/var/cdr}", "/var/cdr, texts: true}")
    gateway = await start({"config/gateway.yaml": texts})
    gateway.plane.rules.knowledge.consent.apply(8613900139000, "sp1", Answer.REFUSED)
    esme = await attach(gateway)
    for destination in ("13800138000", "13900139000"):
        await esme.submit_many(TEXTS * 5, 10, destination=destination)
    await esme.submit_many(TEXTS, 10, source="10690009")
    await gateway.stop()

    same = replayed(gateway, tmp_path / "policies")
    fraud = FRAUD.replace("代开发票", "会员日")
    (tmp_path / "policies/keywords/fraud.yaml").write_text(fraud, encoding="utf-8")
    other = replayed(gateway, tmp_path / "policies")

    assert (same.decisions, same.judged, same.changed, same.unseen) == (44, 44, 0, 0)
    assert other.by_action == {("reject", "forward"): 5, ("forward", "reject"): 5}
