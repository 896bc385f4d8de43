"""What a reload of many keywords takes, and how long it holds messages up, as one JSON object.

    chrt -f 10 python -m benchmarks.reload > benchmarks/results/reload.json

The shipped policies with one more list of 10 000 and of 100 000 words, of which one is another
at each reload; all of them might be, nothing is kept of a list that changed. `in_force_ms` is
from the call to the swap, `whole_ms` to its answer, when the old policy is thrown away and the
new one is in the history. `rules_ms` is in_force_ms of a reload that changes a rule and no word,
`refused_ms` is whole_ms of one that changes a word and fails a case of its self-test.

Meanwhile the loop has a timer that rings each millisecond; `late_ms` is how much later it rang
at worst, as long as a message might have waited, with `rules_late_ms` and `refused_late_ms` of
the other two, and `idle_late_ms` the same with nothing to do for as long, which is what other
processes did. The text cache is full, as it is in traffic.
"""

import asyncio
import itertools
import json
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from benchmarks.keywords import UCS2, best_us, calibrate, generated_words, read_ucs2
from gateway.app.policies import Policies
from gateway.app.run import loop_factory
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Plane
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.runtime.tasks import set_aside
from gateway.settings.bundles.bundle import load_proven
from gateway.stores import open_store
from gateway.systems.policy_history import PolicyStore

WORDS = (10_000, 100_000)
RELOADS = 25
BEAT_S = 0.001
CACHED = 40_000
REFUSED = '  - {text: "明天上午十点开会", expect: reject, list: K-FRAUD}\n'
LIST = "version: 1\nid: K-MANY\ncategory: fraud\naction: reject\nfile: many.txt\n"


class Beat:
    """A timer that rings each millisecond, and how late it was at worst."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def during(self, work: Callable[[], Awaitable[object]]) -> float:
        """Return the longest delay while `work` is done, in milliseconds."""
        await asyncio.sleep(0.05)
        self._worst = 0.0
        self._begin()
        await work()
        self._timer.cancel()
        return max(self._worst, time.perf_counter() - self._due) * 1e3

    def _begin(self) -> None:
        self._due = time.perf_counter() + BEAT_S
        self._timer = self._loop.call_later(BEAT_S, self._ring)

    def _ring(self) -> None:
        self._worst = max(self._worst, time.perf_counter() - self._due)
        self._begin()


class Swapped(Pipeline):
    """Notes when it was given other rules."""

    swapped_at = 0.0

    def load(self, rules: RuleSet) -> None:
        super().load(rules)
        self.swapped_at = time.perf_counter()


class Reloading:
    """A gateway's policies, of `count` words, and what a reload of them takes."""

    def __init__(self, directory: Path, count: int) -> None:
        self._directory = directory
        self.words = list(generated_words(count))
        self.write()
        ids, knowledge = itertools.count(1), Knowledge()
        rules = RuleSet(load_proven(directory), (), knowledge)
        plane = Plane(rules, 70_000, 1_000, 30, lambda _at: next(ids))
        self._pipeline = Swapped(plane)
        self._policies = Policies(self._pipeline, knowledge, (None, directory))
        self.in_force: list[float] = []
        self.whole: list[float] = []
        self.rules: list[float] = []
        self.refused: list[float] = []

    def another(self, number: int) -> None:
        """Put another word in the place of one."""
        self.words[number] = f"本次换掉的词{number}"
        self.write()

    def write(self) -> None:
        keywords = self._directory / "keywords"
        (keywords / "many.yaml").write_text(LIST)
        (keywords / "many.txt").write_text("\n".join(self.words) + "\n", encoding="utf-8")

    def rule(self, number: int) -> None:
        path = self._directory / "rules/time.yaml"
        path.write_text(f"{path.read_text(encoding='utf-8')}# {number}\n", encoding="utf-8")

    def fill(self) -> None:
        scan = self._pipeline.plane.rules.scan
        for first in range(0, CACHED, 256):
            texts = (f"您尾号{number}的账户有新消息" for number in range(first, first + 256))
            scan.scan([(UCS2, text.encode("utf-16-be")) for text in texts], read_ucs2)

    async def begin(self, store: PolicyStore) -> None:
        await self._policies.begin(store)

    async def reload(self) -> None:
        began = time.perf_counter()
        faults = await self._policies.reload()
        if faults:
            raise SystemExit("\n".join(faults))
        self.in_force.append((self._pipeline.swapped_at - began) * 1e3)
        self.whole.append((time.perf_counter() - began) * 1e3)

    async def reload_rule(self) -> None:
        await self.reload()
        self.rules.append((self.in_force.pop(), self.whole.pop())[0])

    def expect(self, cases: str) -> None:
        """Write the self-test as it is shipped, and these cases."""
        path = self._directory / "selftest.yaml"
        path.write_text(Path("policies/selftest.yaml").read_text(encoding="utf-8") + cases)

    async def be_refused(self) -> None:
        began = time.perf_counter()
        (fault,) = await self._policies.reload()
        self.refused.append((time.perf_counter() - began) * 1e3)
        if "self-test" not in fault:
            raise SystemExit(fault)


async def measured(directory: Path, count: int) -> dict[str, object]:
    one = Reloading(directory, count)
    stores = await open_store("memory://")
    await one.begin(stores.policies)
    set_aside()
    beat = Beat()
    late, rules, refused, idle = [], [], [], []
    for number in range(RELOADS):
        one.fill()
        one.another(number)
        late.append(await beat.during(one.reload))
        idle.append(await beat.during(partial(asyncio.sleep, one.whole[-1] / 1e3)))
        one.rule(number)
        rules.append(await beat.during(one.reload_rule))
        one.another(RELOADS + number)
        one.expect(REFUSED)
        refused.append(await beat.during(one.be_refused))
        one.expect("")
    await stores.close()
    return {
        "words": count,
        "in_force_ms": spread(one.in_force),
        "whole_ms": spread(one.whole),
        "rules_ms": spread(one.rules),
        "refused_ms": spread(one.refused),
        "late_ms": spread(late),
        "rules_late_ms": spread(rules),
        "refused_late_ms": spread(refused),
        "idle_late_ms": spread(idle),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "best": round(min(values), 1),
        "median": round(statistics.median(values), 1),
        "worst": round(max(values), 1),
    }


def main() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # says nothing
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "policies"
        shutil.copytree("policies", directory)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            found = [runner.run(measured(directory, count)) for count in WORDS]
    report = {
        "command": "chrt -f 10 python -m benchmarks.reload",
        "python": platform.python_version(),
        "calibration_us": round(best_us(calibrate, 1), 1),
        "reloads": RELOADS,
        "texts_cached": CACHED,
        "lists": found,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
