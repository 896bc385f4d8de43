"""Whether complaints end the same with random faults between carriers as without them.

    python -m benchmarks.linkage_faults --json benchmarks/results/linkage_faults.json

Three carriers take complaints and exchange the cases over a hub, each on a SQLite file of its own
in one process, by a clock that is simulated. The same complaints are played twice, without faults
and with them. The program ends with status 1 if a case is lost, doubled or other than without.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import write_results
from gateway.runtime.logging import LogLevel, configure_logging
from tests.app.linkage_faults import Load, World, digest_of, opened_world
from tests.promises.deployment import seeded


async def measure(load: Load, *, with_faults: bool) -> tuple[dict[str, object], World]:
    """Return what became of the complaints, and how it was found."""
    began, cpu = time.perf_counter(), time.process_time()
    chance = seeded(load.seed) if with_faults else None
    with tempfile.TemporaryDirectory() as directory:
        async with opened_world(Path(directory), chance) as world:
            await world.play(load, lambda count: print(count, end=" ", flush=True))
            end, left_over = await world.end(), await world.left_over()
    print(flush=True)
    own = [one for one in end if one.split()[0] == one.split()[-1]]
    found: dict[str, object] = {
        "cases": len(own),
        "cases_at_another_carrier": len(end) - len(own),
        "events_delivered": world.events,
        "left_over": dict(left_over),
        "digest_of_all_cases": digest_of(end),
        "seconds": round(time.perf_counter() - began),
        "cpu_seconds": round(time.process_time() - cpu),
    }
    return found, world


async def _run(load: Load) -> dict[str, object]:
    plain, _ = await measure(load, with_faults=False)
    faulty, world = await measure(load, with_faults=True)
    is_same = plain["digest_of_all_cases"] == faulty["digest_of_all_cases"]
    is_same = is_same and not plain["left_over"] and not faulty["left_over"]
    return {
        "complaints": load.complaints,
        "campaigns": load.campaigns,
        "seed": load.seed,
        "ends_the_same": is_same,
        "without_faults": plain,
        "with_faults": faulty,
        "faults": dict(sorted(world.faults.items())),
        "forgeries_refused": {str(one): count for one, count in sorted(world.refused.items())},
    }


def main() -> int:
    """Play both, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--complaints", type=int, default=100_000)
    parser.add_argument("--campaigns", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the figures go")
    given = parser.parse_args()
    configure_logging(level=LogLevel.ERROR, sink=lambda _line: None)
    found = asyncio.run(_run(Load(given.complaints, given.campaigns, given.seed)))
    print(found)
    if given.json is not None:
        command = "python -m benchmarks.linkage_faults"
        write_results(given.json, command, found)
    return 0 if found["ends_the_same"] else 1


if __name__ == "__main__":
    sys.exit(main())
