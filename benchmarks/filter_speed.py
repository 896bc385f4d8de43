"""What the filter costs for one message, stage by stage and as a whole, as one JSON object.

    python -m benchmarks.filter_speed [--model FILE] > benchmarks/results/filter_speed.json

The stages are the views of a text, the keywords, the classifier with its categories, the
fingerprint by which campaigns are found, and what rules ask of a text: its links, its contacts,
and what it shows (class, signature, opt-out hint). `whole` is the first four in a row, and `scan`
they as the gateway asks for them, with what it notes beside and what it forgets in return; both
also with what rules ask. Texts and words are made up, the same ones each time, and no two texts
are alike. Without --model the weights are made up too: they cost the same.

Times are microseconds of processor time, each tick at the best of several rounds; for single
messages also how they are spread, and for ticks of a long stream of new texts, with the cache of
texts full and the garbage collector at work. `calibration_us` is a fixed loop on the same machine
to compare them with, and `start_s` what a process spends before it can judge: the first time, when
the loops are compiled, and every time after that.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np

from benchmarks.in_process import PHRASES, SHOPS
from benchmarks.keywords import UCS2, best_us, calibrate, generated_words, read_ucs2
from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.batch_views import views_of
from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, ModelScorer
from gateway.filter.classifier.model_file import read_model
from gateway.filter.classifier.score import TextClass
from gateway.filter.contacts import contacts_of
from gateway.filter.facts import TextFacts, shown_in
from gateway.filter.fingerprints import fingerprints_of
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.links import links_of
from gateway.filter.normalise.views import Views
from gateway.filter.scan import CodedText, ContentScan, Learnt
from gateway.runtime.tasks import set_aside

TEXTS = 4_096
AT_ONCE = (256, 32, 1)
WORDS = (10_000, 100_000)
ROUNDS = 9
# So many texts the gateway remembers at most, and so many stream by.
MAX_TEXTS, STREAM = 65_536, 200_000

LATIN = (
    "{shop}: your parcel {code} is at locker {tail}. Please collect it before 21:00 today.",
    "Your verification code is {code}. It expires in 5 minutes, please do not share it.",
    "Dear customer, an amount of {sum}.00 was paid with your card {tail}. Questions? Call us.",
)
FILLINGS = (
    "本次活动截止到{tail}号晚上八点，数量有限，先到先得。",
    "详情请登录官网或致电{code}咨询，感谢您一直以来的支持！",
    "如非本人操作，请立即联系客服修改密码。",
    "回T退订",
)
# Shops for the Latin texts; what is spelt beside Han costs more, and one text in ten has that.
LATIN_SHOPS = ("Parcel Express", "North Ridge Bank", "Blue Sky Travel")
BRANDS = ("VIP", "iHome", "QQ音乐", "Wanda影城")

CATEGORIES = (
    "commercial",
    "retail",
    "real_estate",
    "telecom",
    "loan",
    "fraud",
    "fraud_finance",
    "phishing",
    "forged_documents",
    "gambling",
    "pornography",
    "rumour",
)
# Figures that have in them what rules ask of each text.
ASKED = ", with links, contacts and class"
STARTED = (
    "import gateway.kernel.gram_loops, gateway.filter.batch_views, gateway.filter.fingerprints"
)

Texts = Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    path = parser.parse_args().model
    model = read_model(path.read_bytes()) if path else made_up_model(np.random.default_rng(5))
    texts = made_up_texts(random.Random(7))
    indices = {count: index_of(count) for count in WORDS}
    set_aside()  # as the gateway does when it has loaded
    report = {
        "command": "python -m benchmarks.filter_speed",
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "calibration_us": round(best_us(calibrate, 1), 1),
        "model": "read" if path else "made up",
        "texts": len(set(texts)),
        "mean_characters": round(sum(map(len, texts)) / len(texts), 1),
        "latin_share": round(sum(map(str.isascii, texts)) / len(texts), 2),
        "us_per_message": {
            f"{count} at once": measured(texts, count, model, indices) for count in AT_ONCE
        },
        "us_alone": {
            f"{count} words{named}": spread(texts, whole(model, index, ask))
            for named, ask in (("", nothing), (ASKED, all_asked))
            for count, index in indices.items()
        },
        "us_of_a_tick": stream(texts, scanning(model, indices[WORDS[0]], MAX_TEXTS)),
        "start_s": start(),
    }
    print(json.dumps(report, indent=2))


def made_up_model(choice: np.random.Generator) -> Model:
    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return choice.normal(size=shape).astype(np.float32)

    classes = {
        one: ClassModel(LinearModel(weights(BUCKETS + len(SIGNS)), Calibration(1.0, 0.0)), ())
        for one in (TextClass.PORT, TextClass.FOREIGN)
    }
    rows = weights(len(CATEGORIES), CATEGORY_BUCKETS + 1)
    return Model(classes, CategoryModel(CATEGORIES, rows), {})


def index_of(words: int) -> KeywordIndex:
    return KeywordIndex([KeywordList("K", "fraud", ListAction.REJECT, generated_words(words))])


def made_up_texts(choice: random.Random) -> list[str]:
    texts: dict[str, None] = {}
    while len(texts) < TEXTS:
        latin = choice.random() < 0.2
        phrase = choice.choice(LATIN if latin else PHRASES)
        phrase += "" if latin else choice.choice(FILLINGS)
        shop = choice.choice(LATIN_SHOPS if latin else SHOPS)
        if not latin and choice.random() < 0.1:
            shop += choice.choice(BRANDS)
        said = phrase.format(
            shop=shop,
            code=choice.randrange(100_000, 1_000_000),
            tail=choice.randrange(1_000, 10_000),
            sum=choice.randrange(50, 1_000),
        )
        texts[said if latin else f"【{shop}】{said}"] = None
    return list(texts)


def measured(
    texts: Texts, count: int, model: Model, indices: dict[int, KeywordIndex]
) -> dict[str, float]:
    ticks = [texts[at : at + count] for at in range(0, len(texts), count)]
    read = [views_of(tick) for tick in ticks]
    sounds = [[text.sound for text in tick] for tick in read]
    return {
        "views": each(views_of, ticks),
        **{
            f"keywords of {words}": each(partial(searched, index), read)
            for words, index in indices.items()
        },
        "classifier": each(model.judge, read),
        "fingerprint": each(fingerprints_of, sounds),
        "links": each(lambda tick: list(map(links_of, tick)), read),
        "contacts": each(lambda tick: list(map(contacts_of, tick)), read),
        "shown": each(lambda tick: list(map(shown_in, tick)), read),
        **{
            f"whole, {words} words{named}": each(whole(model, index, ask), ticks)
            for named, ask in (("", nothing), (ASKED, all_asked))
            for words, index in indices.items()
        },
        **{
            f"scan, {words} words{named}": each(
                scanning(model, index, len(texts) // 4, ask), list(map(coded, ticks))
            )
            for named, ask in (("", nothing), (ASKED, ask_all))
            for words, index in indices.items()
        },
    }


def nothing(_asked: object) -> None:
    """Ask nothing of a text, or of those of a tick."""


def all_asked(tick: Sequence[Views]) -> object:
    return [(shown_in(text), links_of(text), contacts_of(text)) for text in tick]


def ask_all(facts: TextFacts) -> object:
    return facts.shown(), facts.links(), facts.contacts()


def coded(tick: Texts) -> list[CodedText]:
    return [(UCS2, text.encode("utf-16-be")) for text in tick]


def scanning(
    model: Model,
    index: KeywordIndex,
    remembered: int,
    ask: Callable[[TextFacts], object] = nothing,
) -> Callable[[Sequence[CodedText]], object]:
    learnt = Learnt(ModelScorer(model), keeps_sounds=True, keeps_views=True, reading=views_of)
    scan = ContentScan(index, remembered, learnt=learnt)

    def judge(tick: Sequence[CodedText]) -> None:
        found = scan.scan(tick, read_ucs2)
        new = [facts for facts in found if facts.sound]
        prints = fingerprints_of([facts.sound for facts in new]) if new else ()
        for facts, fingerprint in zip(new, prints, strict=True):
            facts.fingerprint, facts.sound = fingerprint, ""  # as a counter of campaigns does
        for facts in found:
            ask(facts)
            facts.let_go()  # as the rules do when they are done with a text

    return judge


def stream(texts: Texts, judge: Callable[[Sequence[CodedText]], object]) -> dict[str, float]:
    """Return how the times of ticks are spread over a long stream of new texts."""
    took: list[float] = []
    for number in range(STREAM // len(texts)):
        new = [f"{text}{number}" for text in texts]
        took += times(judge, [coded(new[at : at + 32]) for at in range(0, len(new), 32)])
    shares = {"p50": 50, "p99": 99, "p99.9": 99.9, "worst": 100}
    return {name: round(float(np.percentile(took, share)), 1) for name, share in shares.items()}


def whole(
    model: Model, index: KeywordIndex, ask: Callable[[Sequence[Views]], object]
) -> Callable[[Texts], object]:
    def judge(tick: Texts) -> object:
        read = views_of(tick)
        hits = searched(index, read)
        prints = fingerprints_of([text.sound for text in read])
        return hits, model.judge(read), prints, ask(read)

    return judge


def searched(index: KeywordIndex, tick: Sequence[Views]) -> list[object]:
    return [index.search_views((text,)) for text in tick]


def each(work: Callable[[Any], object], ticks: Sequence[Sequence[object]]) -> float:
    """Return the microseconds for one message, each tick at the best of its rounds."""
    best = np.min([times(work, ticks) for _ in range(ROUNDS)], axis=0)
    return round(float(best.sum()) / sum(map(len, ticks)), 2)


def times(work: Callable[[Any], object], ticks: Sequence[Sequence[object]]) -> list[float]:
    took = []
    for tick in ticks:
        before = time.process_time_ns()
        work(tick)
        took.append((time.process_time_ns() - before) / 1e3)
    return took


def spread(texts: Texts, work: Callable[[Texts], object]) -> dict[str, dict[str, float]]:
    """Return how the times of single messages are spread: of all, and of the best of each text.

    Among all of them are those that waited for the caches to fill again after another process.
    """
    rounds = [times(work, [(text,) for text in texts]) for _ in range(ROUNDS)]
    shares = {"p50": 50, "p99": 99, "p99.9": 99.9}
    return {
        told: {name: round(float(np.percentile(took, share)), 1) for name, share in shares.items()}
        for told, took in (("all", rounds), ("best", np.min(rounds, axis=0)))
    }


def start() -> dict[str, float]:
    """Return the processor time of importing the loops, with nothing compiled yet and after."""
    with tempfile.TemporaryDirectory() as kept:
        took = [
            float(
                subprocess.run(
                    [sys.executable, "-c", f"import time; {STARTED}; print(time.process_time())"],
                    env={**os.environ, "NUMBA_CACHE_DIR": kept},
                    capture_output=True,
                    check=True,
                    text=True,
                ).stdout
            )
            for _ in range(3)
        ]
    return {"first": round(took[0], 2), "again": round(min(took[1:]), 2)}


if __name__ == "__main__":
    main()
