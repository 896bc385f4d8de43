"""The gateway is killed and handed over while SPs send: nothing is lost, doubled or astray."""

from pathlib import Path

import pytest

from simulators.smsc import SimulatedSmsc
from tests.promises import kills, smsc_faults
from tests.promises.deployment import seeded, tell

pytestmark = pytest.mark.slow

LOAD = kills.Load(messages=6_000, kills=2, hand_over_s=2.0)


@pytest.mark.parametrize("mode", ["transparent", "pooled"])
async def test_kills_and_hand_overs_lose_and_double_nothing_and_no_receipt_goes_astray(
    mode: str, tmp_path: Path
) -> None:
    smscs = [SimulatedSmsc(behaviour=smsc_faults.behaviour_of(seed)) for seed in (1, 2)]
    for smsc in smscs:
        await smsc.start()
    scene = kills.Scene(kills.deployment_of(tmp_path, smscs, mode), smscs, seeded(mode))
    try:
        await scene.play(LOAD)
        balance = await scene.balance()
    finally:
        await scene.deployment.stop()
        for smsc in smscs:
            await smsc.stop()

    tell(f"{mode}: {balance}; {scene.kills} kills, {scene.hand_overs} hand-overs")
    assert balance.answered >= LOAD.messages
    assert balance.at_smsc > LOAD.messages // 2
    assert scene.kills == LOAD.kills
    assert scene.without_receipt() == 0
    assert scene.receipts_of_others() == 0
    assert scene.deployment.faults() == []
