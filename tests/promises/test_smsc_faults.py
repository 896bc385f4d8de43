"""Two SMSCs fail in turn: nothing is lost or doubled, and order and receipts are kept."""

from pathlib import Path

import pytest

from simulators.smsc import SimulatedSmsc
from tests.promises import smsc_faults as faults
from tests.promises.deployment import Account, Deployment, tell

pytestmark = pytest.mark.slow

LOAD = faults.Load(sessions=2, messages=2_000, step=150)


@pytest.mark.parametrize("mode", ["transparent", "pooled"])
async def test_two_smscs_fail_in_turn_and_nothing_is_lost_or_doubled(
    mode: str, tmp_path: Path
) -> None:
    smscs = [SimulatedSmsc(behaviour=faults.behaviour_of(seed)) for seed in (1, 2)]
    for smsc in smscs:
        await smsc.start()
    deployment = Deployment(
        tmp_path,
        0,
        [Account(name) for name in ("sp1", "sp2", "sp3")],
        timers=faults.TIMERS,
        smscs=faults.smscs_yaml([smsc.port for smsc in smscs], mode),
    )
    scene = faults.Scene(deployment, smscs)
    try:
        await scene.play(LOAD)
    finally:
        await deployment.stop()
        for smsc in smscs:
            await smsc.stop()

    account = scene.account()
    tell(f"two SMSCs that fail, {mode}: {account}")
    assert account.sent > 2 * LOAD.sessions * LOAD.messages
    assert account.accepted > account.sent // 2
    assert account.accepted + account.refused == account.sent
    assert (account.lost, account.doubled, account.misordered) == (0, 0, 0)
    assert (account.without_receipt, scene.receipts.astray) == (0, 0)
    assert deployment.faults() == []
