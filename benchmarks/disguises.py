"""Every word in every disguise, coding and carrier through the pipeline, as one JSON object.

python -m benchmarks.disguises [--all] [--share S] [--processes N] > results/disguises.json

The words, disguises, codings and carriers are those of tests/promises/disguises. A combination is
tried where the disguise can be displayed in the word's script and the coding has its characters:
with --all in every coding and carrier there is, else in ten codings and twelve carriers of
different kinds, some 660 000. Counted is what becomes of each by class of disguise, coding and
carrier; "forwarded" is what a phone would show. It ends with status 1 if there is any. --share 0.1
tries one in ten, drawn with a seed.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context

from tests.promises.disguises.carriers import CARRIERS
from tests.promises.disguises.catalogue import DISGUISES
from tests.promises.disguises.codings import CODINGS
from tests.promises.disguises.trial import Combination, Outcome, is_writable, outcomes
from tests.promises.disguises.words import WORDS

USUAL_CODINGS = (
    "UCS-2",
    "UCS-2, little-endian",
    "UCS-2 of the flash class",
    "UCS-2 called binary",
    "UCS-2 under 10",
    "UTF-8 called binary",
    "GBK",
    "GSM 03.38, packed",
    "KS C 5601 under 84h",
    "Hindi locking shift",
)
USUAL_CARRIERS = (
    "submit_sm",
    "message_payload",
    "data_sm",
    "submit_multi",
    "replace_sm",
    "scheduled submit_sm",
    "callback_num_atag",
    "8 bit parts",
    "8 bit parts, the second first",
    "16 bit parts",
    "SAR parts",
    "8 bit parts, a length that lies",
)
# Of what each is counted by, and the outcome.
Count = Counter[tuple[str, str, Outcome]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Try the catalogue of disguises.")
    parser.add_argument("--all", action="store_true", help="in every coding and carrier")
    parser.add_argument("--share", type=float, default=1.0, metavar="S", help="of 1: so many")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    options = parser.parse_args()
    began = time.perf_counter()
    found: Count = Counter()
    tries = partial(tried, is_whole=options.all, share=options.share)
    with get_context("spawn").Pool(options.processes) as pool:
        for counted in pool.imap_unordered(tries, range(len(DISGUISES))):
            found += counted
    report = {
        "command": f"python -m benchmarks.disguises {' '.join(sys.argv[1:])}".strip(),
        "disguises": len(DISGUISES),
        "words": len(WORDS),
        "codings": len(CODINGS if options.all else USUAL_CODINGS),
        "carriers": len(CARRIERS if options.all else USUAL_CARRIERS),
        "seconds": round(time.perf_counter() - began, 1),
        "combinations": table(found, "all")["all"],
        "by_class": table(found, "class"),
        "by_coding": table(found, "coding"),
        "by_carrier": table(found, "carrier"),
        "disguises_forwarded": passed(found),
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 1 if report["disguises_forwarded"] else 0


def tried(place: int, *, is_whole: bool, share: float) -> Count:
    """Return what becomes of one disguise of all words."""
    found: Count = Counter()
    draws = random.Random(place)
    every = combinations(place, is_whole=is_whole)
    chosen = (one for one in every if share >= 1 or draws.random() < share)
    for one, outcome in outcomes(chosen):
        disguise = DISGUISES[place]
        for kind, name in (
            ("all", "all"),
            ("class", disguise.kind.value),
            ("disguise", disguise.name),
            ("coding", one.coding.name),
            ("carrier", one.carrier.name),
        ):
            found[kind, name, outcome] += 1
    return found


def combinations(place: int, *, is_whole: bool) -> Iterator[Combination]:
    codings = [one for one in CODINGS if is_whole or one.name in USUAL_CODINGS]
    carriers = [one for one in CARRIERS if is_whole or one.name in USUAL_CARRIERS]
    disguise = DISGUISES[place]
    for word in WORDS:
        text = disguise.of(word)
        if text is None:
            continue
        for coding in codings:
            if is_writable(text, coding):
                for carrier in carriers:
                    yield Combination(text, coding, carrier, word, disguise)


def table(found: Count, kind: str) -> dict[str, dict[str, int]]:
    """Return the outcomes by the names of one kind, in order of the names."""
    made: dict[str, dict[str, int]] = {}
    for (what, name, outcome), count in sorted(found.items()):
        if what == kind:
            row = made.setdefault(name, {"tried": 0, **{str(one): 0 for one in Outcome}})
            row["tried"] += count
            row[str(outcome)] = count
    return made


def passed(found: Count) -> dict[str, int]:
    """Return how often each disguise was forwarded, the most often first."""
    of_disguises = Counter(
        {
            name: count
            for (kind, name, outcome), count in found.items()
            if kind == "disguise" and outcome is Outcome.FORWARDED
        }
    )
    return dict(of_disguises.most_common())


if __name__ == "__main__":
    sys.exit(main())
