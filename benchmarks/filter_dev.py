"""What the classifier reaches on held-out labelled texts, and what it costs.

    PYTHONPATH=. python benchmarks/filter_dev.py --data DIR --json FILE

DIR has train_*.tsv, dev_*.tsv and adv_dev.tsv (docs/howto/classifier.md says what they are). The
model is thrown away, and so are the texts: the result has only numbers.
"""

import argparse
import json
import platform
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.notices import notices
from gateway.filter.classifier.model import Model
from gateway.filter.classifier.model_file import read_model, write_model
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.systems.learning.cli.model_files import evaluation_as_json, goal_as_json
from gateway.systems.learning.evaluation import evaluate, goals_of
from gateway.systems.learning.samples import FileClass, Sample, files_in, leaked, read_file
from gateway.systems.learning.training import train

REPEATS = 5
MADE_UP = 3000

# Who sends the texts of the collections: *_bulk.tsv and adv_*.tsv are of ports.
CLASSES = tuple(map(FileClass.read, ("*_bulk.tsv=port", "adv_*.tsv=port", "person")))

# Of each class the collection that has innocent texts and spam of one kind and time.
JUDGED_BY = {TextClass.PORT: "mudou", TextClass.PERSON: "ccf", TextClass.FOREIGN: "uci"}


def samples_of(data: Path, prefix: str) -> list[Sample]:
    return [one for path in files_in([data], prefix) for one in read_file(path, CLASSES).samples]


def microseconds(model: Model, texts: list[str], at_once: int) -> float:
    """Return the CPU time of one text, views and score, the best of REPEATS."""
    linear = model.of(TextClass.PORT).linear
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        for at in range(0, len(texts), at_once):
            batch: list[Views] = [Views(text) for text in texts[at : at + at_once]]
            linear.scores(batch)
        best = min(best, (time.process_time() - begun) / len(texts))
    return round(best * 1e6, 1)


def notices_found(model: Model) -> dict[str, object]:
    """Return how many innocent notices of our own the ports' model stops, by what it tolerates."""
    port = model.of(TextClass.PORT)
    made = notices(MADE_UP)
    scores = port.linear.scores([Views(text) for _, text in made])
    found: dict[str, object] = {"count": len(made)}
    for tolerated in (0.005, 0.01):
        threshold = port.threshold(tolerated)
        stopped = [kind for (kind, _), one in zip(made, scores, strict=True) if one > threshold]
        found[f"found at {tolerated:g}"] = dict(Counter(stopped))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()

    begun = time.process_time()
    trained_on, held_out = (samples_of(arguments.data, one) for one in ("train_", "dev_"))
    attacked = samples_of(arguments.data, "adv_")
    read = time.process_time()
    model = train(trained_on, held_out, about={})
    trained = time.process_time()
    octets = write_model(model)
    model = read_model(octets)
    opened = time.process_time()
    found = evaluate(model, held_out, attacked)
    texts = [one.text.raw for one in held_out if one.text_class is TextClass.PORT][:2048]
    result = {
        "command": "PYTHONPATH=. python benchmarks/filter_dev.py --data DIR --json FILE",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "trained_on": len(trained_on),
        "held_out": len(held_out),
        "leaked": leaked(trained_on, held_out),
        "cost": {
            "read_s": round(read - begun, 1),
            "train_s": round(trained - read, 1),
            "write_and_read_s": round(opened - trained, 2),
            "file_octets": len(octets),
            "characters": round(sum(map(len, texts)) / len(texts)),
            "score_us_in_256": microseconds(model, texts, 256),
            "score_us_in_32": microseconds(model, texts, 32),
            "score_us_alone": microseconds(model, texts[:400], 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        **evaluation_as_json(found),
        "goals": [goal_as_json(one) for one in goals_of(found, JUDGED_BY)],
        "notices_made_up": notices_found(model),
    }
    arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result["cost"], indent=2))


if __name__ == "__main__":
    main()
