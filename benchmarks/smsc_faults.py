"""Send 200 000 messages while two SMSCs fail in turn, in transparent and in pooled mode.

    python -m benchmarks.smsc_faults --json benchmarks/results/smsc_faults.json

Two SPs with two sessions each send as fast as they are answered, a third sends some fifty a second.
One SMSC after the other is killed, stalled, throttles and flaps: each fault lasts for a tenth of
the messages, and in another run for a hundredth, so that there are ten times as many. Each message
and each receipt is counted at both ends; the figures of the light sender have what it waited for
each answer.
"""

import argparse
import asyncio
import tempfile
from dataclasses import asdict
from itertools import product
from pathlib import Path

import uvloop

from benchmarks.machine import write_results
from simulators.smsc import SimulatedSmsc
from tests.promises import smsc_faults as faults
from tests.promises.deployment import Account, Deployment

SESSIONS, WINDOW = 2, 5
_QUANTILES = {"p50_ms": 0.5, "p99_ms": 0.99}


async def measure(mode: str, messages: int, steps: int) -> dict[str, object]:
    """Return what became of `messages` and more in one mode; a fault lasts for one of `steps`."""
    load = faults.Load(SESSIONS, messages // (2 * SESSIONS), messages // steps, WINDOW)
    smscs = [SimulatedSmsc(behaviour=faults.behaviour_of(seed)) for seed in (1, 2)]
    for smsc in smscs:
        await smsc.start()
    with tempfile.TemporaryDirectory() as directory:
        deployment = Deployment(
            Path(directory),
            0,
            [Account(name) for name in ("sp1", "sp2", "sp3")],
            timers=faults.TIMERS,
            smscs=faults.smscs_yaml([smsc.port for smsc in smscs], mode),
        )
        scene = faults.Scene(deployment, smscs)
        try:
            await scene.play(load)
            faulty = len(deployment.faults())
        finally:
            await deployment.stop()
            for smsc in smscs:
                await smsc.stop()
    waited = sorted(scene.sps[0].waited_s)
    light = {name: round(waited[int(at * len(waited))] * 1e3, 1) for name, at in _QUANTILES.items()}
    return {
        "messages_per_fault": load.step,
        **asdict(scene.account()),
        "receipts_astray": scene.receipts.astray,
        "faults_logged": faulty,
        "resets": [smsc.counters.resets for smsc in smscs],
        "throttled": [smsc.counters.throttled for smsc in smscs],
        "light_sender": {"messages": len(waited), **light},
    }


def main() -> None:
    """Measure both modes; print them or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--modes", nargs="+", default=["transparent", "pooled"])
    parser.add_argument("--steps", nargs="+", type=int, default=[10, 100], help="faults last for")
    options = parser.parse_args()
    found: dict[str, object] = {}
    for mode, steps in product(options.modes, options.steps):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            name = f"{mode}, {steps} steps"
            found[name] = runner.run(measure(mode, options.messages, steps))
        print(name, found[name], flush=True)
    write_results(options.json, "python -m benchmarks.smsc_faults", found)


if __name__ == "__main__":
    main()
