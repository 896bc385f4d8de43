"""How much memory subscribers' preferences take, and what they cost a message.

Prints one JSON object: `python benchmarks/preferences.py [--subscribers N]`. Each case runs
in a process of its own. "own" gives every subscriber three preferences of which two name
numbers nobody else names; in "common" all wish from one hundred lists.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from gateway.domain.categories import CATEGORIES, TrafficClass
from gateway.domain.preferences import (
    Preference,
    PreferenceAction,
    PreferenceKind,
    packed,
    preference,
)
from gateway.policy.preferences import Preferences

LIMIT_MB = 200
_FIRST, _COUNT = 8613000000000, 7_000_000_000  # mainland mobile numbers, 13… to 19…
_ASKED = 200_000
_TEXT = "【商城】秋季上新，全场五折起，回T退订"
_LOCAL = datetime(2025, 11, 25, 12)  # noqa: DTZ001 - a subscriber's local time has no zone here
_BLOCK = PreferenceAction.BLOCK


def wishes(chance: random.Random, lie: str) -> tuple[Preference, ...]:
    """Draw three preferences: two of numbers nobody else names, or all as many have them."""
    category = chance.choice(CATEGORIES).id
    ports = range(3) if lie == "common" else range(10**8)
    return (
        preference(PreferenceKind.CATEGORY, category, _BLOCK),
        *(
            preference(PreferenceKind.NUMBER, f"1069{chance.choice(ports):08}", _BLOCK)
            for _ in range(2)
        ),
    )


def drawn(lie: str, count: int) -> Iterator[tuple[int, str]]:
    """Draw the rows of a snapshot, by number."""
    chance = random.Random(1)
    step = _COUNT // count
    for place in range(count):
        yield _FIRST + place * step, packed(wishes(chance, lie))


def resident_octets() -> int:
    """Return what this process keeps in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(lie: str, count: int) -> dict[str, object]:
    """Load the preferences as the gateway does and judge with them."""
    preferences = Preferences()
    gc.collect()
    before = resident_octets()
    preferences.load(drawn(lie, count))
    gc.collect()
    taken = resident_octets() - before
    chance = random.Random(2)
    numbers = list(preferences.packed)
    having = [chance.choice(numbers) for _ in range(_ASKED)]

    def judge(msisdn: int) -> object:
        kind = TrafficClass.COMMERCIAL
        return preferences.judge(msisdn, "1068000112", kind, ("retail",), _TEXT, lambda _: _LOCAL)

    return {
        "subscribers": count,
        "lie": lie,
        "resident_mb": round(taken / 1e6, 1),
        "without_any_us": timed([number + 1 for number in having], preferences.__contains__),
        "with_some_us": timed(having[:20_000], judge),
    }


def timed(numbers: list[int], ask: Callable[[int], object]) -> float:
    """Return the microseconds that one call takes."""
    started = time.perf_counter()
    for number in numbers:
        ask(number)
    return round((time.perf_counter() - started) / len(numbers) * 1e6, 2)


def main() -> int:
    """Measure every case and return 1 if one takes more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--case", choices=("own", "common"))
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.subscribers)))
        return 0
    cases = [
        json.loads(
            subprocess.check_output(
                [
                    sys.executable,
                    __file__,
                    f"--subscribers={arguments.subscribers}",
                    f"--case={case}",
                ]
            )
        )
        for case in ("own", "common")
    ]
    print(json.dumps({"limit_mb": LIMIT_MB, "cases": cases}, indent=2))
    return int(any(case["resident_mb"] > LIMIT_MB for case in cases))


if __name__ == "__main__":
    sys.exit(main())
