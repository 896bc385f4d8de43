"""What the classifier reaches on texts to train on alone, each fifth of the campaigns in turn.

    PYTHONPATH=. python benchmarks/filter_folds.py --data DIR --json FILE

DIR has train_*.tsv. Five models are trained, each on four fifths, and measured on the rest; the
scores are put together. Recipes are chosen by this, so that dev_*.tsv stays unseen, and it has more
texts to measure on than those: what differs by less than a point is chance all the same.
"""

import argparse
import json
import platform
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.filter_dev import JUDGED_BY, samples_of
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.evaluation import (
    NOTICES,
    Floats,
    auc,
    best_f1,
    share_above,
    threshold_at,
)
from gateway.systems.learning.samples import Sample, campaign_of
from gateway.systems.learning.training import train

FOLDS = 5
TOLERATED = (0.001, 0.005, 0.01, 0.02)


def fold_of(sample: Sample) -> int:
    return crc32(campaign_of(sample).encode(errors="replace")) % FOLDS


def scored(samples: Sequence[Sample]) -> dict[TextClass, list[tuple[Sample, float]]]:
    """Return each sample with its score by the model that has not seen its campaign."""
    found: dict[TextClass, list[tuple[Sample, float]]] = defaultdict(list)
    folds = [fold_of(one) for one in samples]
    for fold in range(FOLDS):
        held = [one for one, its in zip(samples, folds, strict=True) if its == fold]
        model = train(
            [one for one, its in zip(samples, folds, strict=True) if its != fold], held, about={}
        )
        for text_class in TextClass:
            own = [one for one in held if one.text_class is text_class and not one.is_doubtful]
            scores = model.of(text_class).linear.scores([one.text for one in own])
            found[text_class] += zip(own, scores.tolist(), strict=True)
    return found


def measured(text_class: TextClass, pairs: Sequence[tuple[Sample, float]]) -> dict[str, object]:
    """Return what the chosen source of a class reaches, as evaluation has it."""
    source = JUDGED_BY[text_class]
    is_port = text_class is TextClass.PORT
    ham = [pair for pair in pairs if not pair[0].is_spam]
    against = ham if is_port else [pair for pair in ham if pair[0].origin == source]
    innocent = values(against)
    spam = values([pair for pair in pairs if pair[0].is_spam and pair[0].origin == source])
    result: dict[str, object] = {
        "source": source,
        "ham": len(innocent),
        "spam": len(spam),
        "best_f1": round(best_f1(innocent, spam)[0], 4),
        "auc": round(auc(innocent, spam), 4),
        "recall_at_fpr": {
            f"{one:g}": round(share_above(spam, threshold_at(innocent, one)), 4)
            for one in TOLERATED
        },
    }
    if is_port:
        point = threshold_at(innocent, 0.01)
        for name, pattern in NOTICES.items():
            own = values([pair for pair in ham if pattern.search(pair[0].text.folded)])
            result[name] = {"count": len(own), "found": int((own > point).sum())}
    return result


def values(pairs: Sequence[tuple[Sample, float]]) -> Floats:
    return np.array([score for _, score in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()

    found = scored(samples_of(arguments.data, "train_"))
    result = {
        "command": "PYTHONPATH=. python benchmarks/filter_folds.py --data DIR --json FILE",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "folds": FOLDS,
        **{str(name): measured(name, pairs) for name, pairs in found.items()},
    }
    arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
