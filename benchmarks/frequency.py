"""What counting a message costs, and how much memory a key takes.

Prints one JSON object. Each case runs in a process of its own, so that none profits from what
another left behind: `python benchmarks/frequency.py [--messages N]`.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from gateway.domain.policy import ROLLING_DAY, Clock, CountDimension, Limit
from gateway.policy.checks.too_often import Frequencies
from gateway.policy.counters import CounterTerms, Parts

LIMIT_US = 1.5  # for two limits
_START = 1_400_000_000
_PER_S = 2_000
_FIRST, _COUNT = 8613000000000, 7_000_000_000  # mainland mobile numbers, 13… to 19…
_OFTEN = 20_000
_NAMES = [f"【商家{n}】" for n in range(200)]

_SIGNED = (CountDimension.SIGNATURE, CountDimension.DESTINATION)
_MINUTE = Limit(_SIGNED, 1, Clock.MINUTE)
_HOUR = Limit(_SIGNED, 5, Clock.HOUR)
_DAY = Limit(_SIGNED, 10, ROLLING_DAY)
_ANYONE = Limit((CountDimension.DESTINATION,), 40, ROLLING_DAY)

# Name -> limits, and whether every message has a signature of its own, as an attacker's would.
_CASES = {
    "minute and rolling day": ((_MINUTE, _ANYONE), False),
    "two rolling days": ((_DAY, _ANYONE), False),
    "the four of R42": ((_MINUTE, _HOUR, _DAY, _ANYONE), False),
    "a signature for each message": ((_DAY,), True),
}


def messages(chance: random.Random, count: int, *, own_signatures: bool) -> list[Parts]:
    """Draw messages to numbers all over the country, a fifth of them to the same few."""
    return [
        (
            _FIRST + chance.randrange(_COUNT if chance.random() < 0.8 else _OFTEN),
            f"【{chance.randrange(1 << 60)}】" if own_signatures else chance.choice(_NAMES),
            "",
            "sp1",
            "10690001",
        )
        for _ in range(count)
    ]


def resident_octets() -> int:
    """Return what this process keeps in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(name: str, count: int) -> dict[str, object]:
    """Count `count` messages as they would come at 2000 a second; by processor time."""
    limits, own_signatures = _CASES[name]
    chance = random.Random(1)
    frequencies = Frequencies(
        limits, CounterTerms(capacity=2 * count)
    )  # one SP holds half of it at most
    gc.collect()
    before = resident_octets()
    refused, spent_s, slowest_s = 0, 0.0, 0.0
    for now in range(_START, _START + count // _PER_S):
        drawn = messages(chance, _PER_S, own_signatures=own_signatures)
        started = time.process_time()
        for parts in drawn:
            if frequencies.admit(parts, now) is not None:
                refused += 1
        took_s = time.process_time() - started
        spent_s += took_s
        slowest_s = max(slowest_s, took_s)
    taken = resident_octets() - before
    return {
        "limits": name,
        "messages": count,
        "admit_us": round(spent_s * 1e6 / count, 2),
        "slowest_2000_ms": round(slowest_s * 1e3, 1),
        "refused": refused,
        "keys": frequencies.keys,
        "octets_per_key": round(taken / frequencies.keys),
    }


def main() -> int:
    """Measure every case and return 1 if two limits cost more than they may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=600_000)
    parser.add_argument("--case", choices=_CASES)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.messages)))
        return 0
    count = str(arguments.messages)
    cases = [
        json.loads(
            subprocess.check_output([sys.executable, __file__, "--messages", count, "--case", name])
        )
        for name in _CASES
    ]
    print(json.dumps({"limit_us": LIMIT_US, "cases": cases}, indent=2))
    return int(
        any(case["admit_us"] > LIMIT_US for case in cases if len(_CASES[case["limits"]][0]) == 2)
    )


if __name__ == "__main__":
    sys.exit(main())
