"""What the views of a text cost, as one JSON object.

    python -m benchmarks.normalise [FILE.tsv] > benchmarks/results/normalise.json

The texts are generated, or those in the last column of a file. Times are microseconds for one
text, the best of several rounds; `calibration_us` is a fixed loop to compare machines with.
"""

import argparse
import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.keywords import best_us, calibrate, generated_texts
from gateway.filter.normalise.folding import FULL_FOLDING, compact
from gateway.filter.normalise.views import Views


def main() -> None:
    arguments = argparse.ArgumentParser(description="Measure the views of texts.")
    arguments.add_argument("file", nargs="?", type=Path, help="a TSV, its texts in the last column")
    path = arguments.parse_args().file
    texts = generated_texts(random.Random(7)) if path is None else read(path)
    report = {
        "command": "python -m benchmarks.normalise",
        "calibration_us": round(best_us(calibrate, 1), 1),
        "han": measured([text for text in texts if not text.isascii()]),
        "ascii": measured([text for text in texts if text.isascii()]),
    }
    print(json.dumps(report, indent=2))


def measured(texts: Sequence[str]) -> dict[str, float]:
    if not texts:
        return {"texts": 0}
    count, seen = len(texts), [Views(text) for text in texts]
    return {
        "texts": count,
        "mean_characters": round(statistics.mean(map(len, texts)), 1),
        "fold_us": round(best_us(lambda: [FULL_FOLDING.fold(text) for text in texts], count), 2),
        "folded_us": round(best_us(lambda: [Views(text).folded for text in texts], count), 2),
        "and_sound_us": round(best_us(lambda: [Views(text).sound for text in texts], count), 2),
        "compact_us": round(best_us(lambda: [compact(one.folded) for one in seen], count), 2),
        "trace_us": round(best_us(lambda: [one.trace_sound() for one in seen], count), 2),
    }


def read(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.rsplit("\t", 1)[-1] for line in lines]


if __name__ == "__main__":
    main()
