"""What the whole policy costs: the tick with refusals and keywords alone, and with every rule on.

    python -m benchmarks.full_policy                print the figures
    python -m benchmarks.full_policy --write FILE   and keep them

200 senders, 1 000 000 consents, 10 000 keywords, signatures and templates filed; every rule of
the shipped bundle is enforced in "full", with hours and limits that let the load pass, so that
each message is asked every question. Each goes to a subscriber of its own. The variants run in
turn, round by round, in one process: trust the loss, not the microseconds. A tick is what the
gateway does of it: judged, passed on, its records formed, its answers mapped back. These texts
repeat; `us_per_new_message` is of texts of which no two are alike, as short as one part, which
"full" would stop: they are of no template. "open" is a bundle that asks nothing.
"""

import argparse
import itertools
import json
import platform
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks import in_process as bench
from benchmarks.new_texts import UCS2_UNITS, new_texts
from gateway.domain.consent import Answer
from gateway.domain.filings import Filing, Signature, Template, TemplateKind
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.sender import Port, Purpose, Sender
from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, ModelScorer, Threshold
from gateway.filter.classifier.score import TextClass
from gateway.policy.bundle import Bundle, Rule
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.records.lines import RecordLines
from gateway.settings.bundles.bundle import load_bundle

SENDERS = 200
ROUNDS = 7
NEW_MESSAGES = 5_000
CONSENTS = 1_000_000
CONSENTS_EACH = (CONSENTS - ROUNDS * bench.MESSAGES) // (SENDERS - 1)
SESSIONS, PER_READ = 10, 26
AT = datetime(2025, 11, 25, 2, 0, tzinfo=UTC).timestamp()  # 10:00 in Beijing
POLICIES = Path(__file__).resolve().parent.parent / "policies"
# What every rule asks for: signed, of a template on file, and with a way to refuse.
PHRASES = tuple(f"{phrase.removesuffix('，拒收请回复R')}，拒收请回复R" for phrase in bench.PHRASES)
ALL_DAY = WindowSet((Window(time(0), time(0)),))


def senders() -> list[Sender]:
    """Return 200 SPs with a port each; the load's own is the first."""
    first = bench.sender()
    return [
        replace(first, system_id=f"bench{n}" if n else "bench", ports=(_port(n),))
        for n in range(SENDERS)
    ]


def _port(n: int) -> Port:
    number = f"1069{n:03}" if n else "1069000"
    return Port(number, 6, Purpose.MARKETING)


def passing(rule: Rule) -> Rule:
    """Return the rule enforced, with hours and limits that the load keeps to."""
    check = rule.check
    if isinstance(check, OutsideWindow):
        check = replace(check, open=ALL_DAY)
    elif isinstance(check, TooOften):
        limits = (replace(each, maximum=1000, holiday_maximum=None) for each in check.limits)
        check = replace(check, limits=tuple(limits))
    elif isinstance(check, TooFast):
        check = replace(check, per_s=1e9, burst=1_000_000)
    elif isinstance(check, NumberWalk):
        check = replace(check, count=1_000_000)
    return replace(rule, check=check, mode=Enforcement.ENFORCE)


def knowledge(destinations: list[int]) -> Knowledge:
    """Return 1 000 000 consents, those of the load among them, and what the SPs have filed."""
    known, seed = Knowledge(), random.Random(7)
    known.consent.load("bench", Answer.AGREED, destinations)
    for n in range(1, SENDERS):
        numbers = seed.sample(range(8613000000000, 8619999999999), CONSENTS_EACH)
        known.consent.load(f"bench{n}", Answer.AGREED, numbers)
    filed: list[Filing] = [Signature("bench", shop) for shop in bench.SHOPS]
    filed += [
        Template("bench", f"t{n}", TemplateKind.COMMERCIAL, _template(phrase))
        for n, phrase in enumerate(PHRASES)
    ]
    known.filings.replace("bench", filed)
    known.scorer = ModelScorer(innocent())
    return known


def innocent() -> Model:
    """Return a model as large as one that was trained, which finds every text innocent."""
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    thresholds = (Threshold(0.001, 1.0),)
    classes = {
        one: ClassModel(LinearModel(weights, Calibration(1.0, 0.0)), thresholds)
        for one in (TextClass.PORT, TextClass.FOREIGN)
    }
    ids = ("loan", "retail", "fraud", "forged_documents", "gambling")
    rows = np.zeros((len(ids), CATEGORY_BUCKETS + 1), dtype=np.float32)
    return Model(classes, CategoryModel(ids, rows), {})


def _template(phrase: str) -> str:
    text = phrase
    for number, name in enumerate(("{code}", "{tail}", "{sum}"), 1):
        text = text.replace(name, f"{{{number}}}")
    return text


def variants(destinations: list[int]) -> dict[str, RuleSet]:
    """Return the rule sets to compare."""
    seed = random.Random(2013)
    han = [chr(c) for c in range(0x4E00, 0x9000)]
    words = {"".join(seed.choices(han, k=seed.randint(3, 6))) for _ in range(10_000)}
    lists = (KeywordList("K", "fraud", ListAction.REJECT, tuple(sorted(words))),)
    shipped = load_bundle(POLICIES)
    before = Bundle("before", "before", lists, (bench.REFUSALS,))
    full = replace(
        before,
        name="full",
        digest="full",
        rules=tuple(map(passing, shipped.rules)),
        surroundings=shipped.surroundings,
    )
    known, everybody = knowledge(destinations), senders()
    return {
        "open": RuleSet(Bundle("open", "open"), everybody, known),
        "before": RuleSet(before, everybody, known),
        "shipped": RuleSet(replace(shipped, keyword_lists=lists), everybody, known),
        "full": RuleSet(full, everybody, known),
    }


def run(ruleset: RuleSet, pdus: list[bytes]) -> float:
    """Return CPU microseconds per message of whole ticks."""
    pipeline, links = bench.world(ruleset, SESSIONS)
    lines = RecordLines()
    size = SESSIONS * PER_READ
    spent = 0.0
    for first in range(0, len(pdus), size):
        tick = pdus[first : first + size]
        chunks = [
            (session, b"".join(tick[n * PER_READ : (n + 1) * PER_READ]))
            for n, session in enumerate(links)
        ]
        began = process_time()
        batch = pipeline.submit([c for c in chunks if c[1]], 1.0, AT)
        joined = [(link, b"".join(octets)) for link, octets in batch.writes.items()]
        list(lines.by_hour(batch.rows))
        spent += process_time() - began
        assert not batch.attention
        back = [(link, bench.answers_to(octets)) for link, octets in joined]
        began = process_time()
        answered = pipeline.resp(back, 1.0, AT)
        for octets in answered.writes.values():
            b"".join(octets)
        list(lines.by_hour(answered.rows))
        spent += process_time() - began
    tally = pipeline.plane.tally
    assert tally.forwarded == len(pdus), tally.verdicts
    return spent / len(pdus) * 1e6


def figures() -> dict[str, object]:
    """Run all variants in turn; the best round of each counts."""
    seed = random.Random(2013)
    texts = _texts(seed)
    numbers = range(8613900000000, 8613900000000 + 10**8)
    destinations = seed.sample(numbers, ROUNDS * len(texts))
    rulesets = variants(destinations)
    cost = dict.fromkeys(rulesets, float("inf"))
    cost_new = dict.fromkeys(("open", "before", "shipped"), float("inf"))
    fresh = _new_pdus(destinations)
    for first in range(0, len(destinations), len(texts)):
        to = destinations[first : first + len(texts)]
        pdus = [
            bench.submit_sm(n + 1, number, octets, 8)
            for n, (number, octets) in enumerate(zip(to, texts, strict=True))
        ]
        for name, ruleset in rulesets.items():
            cost[name] = min(cost[name], run(ruleset, pdus))
        pdus = list(itertools.islice(fresh, NEW_MESSAGES))
        for name in cost_new:
            cost_new[name] = min(cost_new[name], run(rulesets[name], pdus))
    return {
        "command": "python -m benchmarks.full_policy",
        "python": platform.python_version(),
        "senders": SENDERS,
        "consents": len(destinations) + (SENDERS - 1) * CONSENTS_EACH,
        "rules_enforced": sum(
            rule.mode is Enforcement.ENFORCE for rule in rulesets["full"].bundle.rules
        ),
        "messages": len(texts),
        "best_of": ROUNDS,
        "calibration_us": round(min(bench.calibration() for _ in range(bench.ROUNDS)), 3),
        "us_per_message": {name: round(us, 2) for name, us in cost.items()},
        "us_per_new_message": {name: round(us, 2) for name, us in cost_new.items()},
        "throughput_lost": {
            name: round(1 - cost["before"] / us, 3)
            for name, us in cost.items()
            if name not in ("open", "before")
        },
    }


def _new_pdus(destinations: list[int]) -> Iterator[bytes]:
    for n, text in enumerate(new_texts(bench.MESSAGES * ROUNDS)):
        is_ascii = text.isascii()
        octets = text.encode("ascii" if is_ascii else "utf-16-be")
        if len(octets) <= 2 * UCS2_UNITS:
            yield bench.submit_sm(n + 1, destinations[n], octets, 0 if is_ascii else 8)


def _texts(seed: random.Random) -> list[bytes]:
    texts = [_text(seed).encode("utf-16-be") for _ in range(2000)]
    return [texts[n % len(texts)] for n in range(bench.MESSAGES)]


def _text(seed: random.Random) -> str:
    phrase = seed.choice(PHRASES).format(
        code=seed.randint(100_000, 999_999),
        tail=seed.randint(1000, 9999),
        sum=seed.randint(50, 999),
    )
    return f"【{seed.choice(bench.SHOPS)}】{phrase}"


def main() -> int:
    """Print the figures, and keep them if asked to."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--write", type=Path, metavar="FILE")
    chosen = options.parse_args()
    found = figures()
    print(json.dumps(found, ensure_ascii=False, indent=2))
    if chosen.write:
        chosen.write.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
