"""Send a million messages while the gateway is killed a hundred times, and handed over each minute.

    python -m benchmarks.kills --json benchmarks/results/kills.json

Three SPs send on two sessions each to two SMSCs, in transparent and in pooled mode. Each message
and each receipt is counted at both ends; any that is lost, doubled or astray ends the run.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import uvloop

from benchmarks.machine import write_results
from simulators.smsc import SimulatedSmsc
from tests.promises import kills, smsc_faults
from tests.promises.deployment import seeded

_JOURNAL = 4_000_000
_LAST_LINES = 60  # of the gateway's log, printed if a run breaks off


async def measure(mode: str, load: kills.Load) -> dict[str, object]:
    """Return what became of the messages of one mode; raises AssertionError if one was lost."""
    began = time.perf_counter()
    smscs = [
        SimulatedSmsc(behaviour=replace(smsc_faults.behaviour_of(seed), journal_limit=_JOURNAL))
        for seed in (1, 2)
    ]
    for smsc in smscs:
        await smsc.start()
    with tempfile.TemporaryDirectory() as directory:
        deployment = kills.deployment_of(Path(directory), smscs, mode)
        scene = kills.Scene(deployment, smscs, seeded(f"kills-{mode}"))
        try:
            await scene.play(load)
            balance = await scene.balance()
            faulty = len(deployment.faults())
        except BaseException:
            for line in deployment.running.log[-_LAST_LINES:]:
                print(line, flush=True)
            raise
        finally:
            await deployment.stop()
            for smsc in smscs:
                await smsc.stop()
    return {
        **asdict(balance),
        "kills": scene.kills,
        "hand_overs": scene.hand_overs,
        "binds": scene.binds,
        "receipts": scene.receipts.of.total(),
        "without_receipt": scene.without_receipt(),
        "receipts_of_others": scene.receipts_of_others(),
        "faults_logged": faulty,
        "seconds": round(time.perf_counter() - began),
    }


def main() -> None:
    """Measure both modes, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--modes", nargs="+", default=["transparent", "pooled"])
    options = parser.parse_args()
    found: dict[str, object] = {}
    for mode in options.modes:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            load = kills.Load(options.messages, options.kills)
            found[mode] = runner.run(measure(mode, load))
        print(mode, found[mode], flush=True)
        # After each mode: a run takes a quarter of an hour at least.
        write_results(options.json, "python -m benchmarks.kills", found)


if __name__ == "__main__":
    main()
