"""How much memory ten million answers take, and how long a look-up does.

Looked up are numbers that nothing else has touched: as the tick does, for 256 messages of up to
ten senders together, and one alone. Prints one JSON object. Each case runs in a process of its
own, so that none profits from what another left behind:
`python -m benchmarks.consent_memory [--numbers N]`.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import gateway.policy.number_set  # noqa: F401 - the gateway has it compiled and in memory before
from benchmarks import in_process as bench
from gateway.domain.consent import Answer
from gateway.domain.sender import Sender
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import ConsentSets, Knowledge
from gateway.policy.submission import Account, Submission

LIMIT_MB = 100
_PER_BATCH = 10_000
_LOOK_UPS = 200_000
_PER_TICK, _SENDERS = 256, 10
_FIRST, _COUNT = 8613000000000, 7_000_000_000  # mainland mobile numbers, 13… to 19…
_BLOCKS = 8_000  # number blocks of ten thousand that one province has


def drawn(lie: str, count: int, seed: int) -> Iterator[int]:
    """Draw numbers in order: all over the country, or from one province's blocks."""
    chance = random.Random(seed)
    if lie == "country":
        return (_FIRST + place for place in _places(chance, count, _COUNT))
    blocks = sorted(_FIRST + chance.randrange(700_000) * 10_000 for _ in range(_BLOCKS))
    return (
        blocks[place // 10_000] + place % 10_000
        for place in _places(chance, count, _BLOCKS * 10_000)
    )


def _places(chance: random.Random, count: int, room: int) -> Iterator[int]:
    step = 1.9 * room / count - 2  # on average 0.95 of the room is walked through
    place = 0
    for _ in range(count):
        place += 1 + int(chance.random() * step)
        yield place


def batches(numbers: Iterator[int]) -> Iterator[list[int]]:
    """Cut as the store's snapshot does."""
    while batch := list(islice(numbers, _PER_BATCH)):
        yield batch


def resident_octets() -> int:
    """Return what this process keeps in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(lie: str, scopes: int, numbers: int) -> dict[str, object]:
    """Load the sets as the gateway does and look numbers up."""
    sets = ConsentSets()
    before = resident_octets()
    for scope in range(scopes):
        for batch in batches(drawn(lie, numbers // scopes, seed=scope)):
            sets.load(f"sp{scope}", Answer.REFUSED, batch)
    taken = resident_octets() - before
    wanted = list(drawn(lie, _LOOK_UPS, seed=-1))
    random.Random(1).shuffle(wanted)
    asked = array("Q", wanted)  # the ints of a tick are new, and lie together
    return {
        "numbers": sum(map(len, sets.refused.values())),
        "lie": lie,
        "scopes": scopes,
        "resident_mb": round(taken / 1e6, 1),
        "look_up_us_in_tick": in_tick_us(sets, scopes, asked),
        "look_up_us_alone": alone_us(sets, asked),
    }


def in_tick_us(sets: ConsentSets, scopes: int, asked: "array[int]") -> float:
    """Return what the question whether the subscriber refused costs a message of a tick."""
    sieve = OptOut().question(Knowledge(consent=sets), RuleLocale()).sieve
    senders = [Account(_sender(f"sp{scope}")) for scope in range(min(scopes, _SENDERS))]
    spent = 0.0
    for start in range(0, len(asked), _PER_TICK):
        tick = [
            _submission(senders[place * len(senders) // _PER_TICK], number)
            for place, number in enumerate(asked[start : start + _PER_TICK])
        ]
        started = time.perf_counter()
        sieve(tick, 0.0)
        spent += time.perf_counter() - started
    return round(spent / len(asked) * 1e6, 2)


def _sender(system_id: str) -> Sender:
    return replace(bench.sender(), system_id=system_id)


def _submission(account: Account, number: int) -> Submission:
    made = Submission(account, b"10690001", b"")
    made.msisdn = number
    return made


def alone_us(sets: ConsentSets, asked: "array[int]") -> float:
    """Return what a single look-up costs."""
    started = time.perf_counter()
    for number in asked:
        sets.is_refused("sp0", number)
    return round((time.perf_counter() - started) / len(asked) * 1e6, 2)


def main() -> int:
    """Measure every case and return 1 if one takes more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=10_000_000)
    parser.add_argument("--case", nargs=2, metavar=("LIE", "SCOPES"))
    arguments = parser.parse_args()
    if arguments.case:
        lie, scopes = arguments.case
        print(json.dumps(measure(lie, int(scopes), arguments.numbers)))
        return 0
    cases = [
        json.loads(
            subprocess.check_output(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.consent_memory",
                    "--numbers",
                    str(arguments.numbers),
                    "--case",
                    *case,
                ]
            )
        )
        for case in (("country", "1"), ("country", "100"), ("province", "1"), ("province", "1000"))
    ]
    print(json.dumps({"limit_mb": LIMIT_MB, "cases": cases}, indent=2, ensure_ascii=False))
    return int(any(case["resident_mb"] > LIMIT_MB for case in cases))


if __name__ == "__main__":
    sys.exit(main())
