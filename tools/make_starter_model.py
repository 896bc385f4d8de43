"""Writes the model that the gateway asks until another is installed: models/starter.npz.

python -m tools.make_starter_model --data DIR

DIR has train_*.tsv and dev_*.tsv (docs/howto/classifier.md says what they are). The same texts and
versions of numpy make the same octets. docs/reference/starter-model.md is its card.
"""

import argparse
from dataclasses import replace
from hashlib import sha256
from math import inf
from pathlib import Path
from zlib import crc32

import numpy as np

from gateway.domain.categories import Harm
from gateway.filter.classifier.model import Model, Threshold
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.cli.model_files import evaluation_as_json
from gateway.systems.learning.cli.model_trainer import described_file
from gateway.systems.learning.evaluation import evaluate, threshold_at
from gateway.systems.learning.linear_model import Descent
from gateway.systems.learning.samples import (
    FileClass,
    Sample,
    SampleFile,
    campaign_of,
    files_in,
    leaked,
    read_file,
)
from gateway.systems.learning.training import RECIPES, REFUSING, train

TARGET = Path(__file__).parent.parent / "models" / "starter.npz"
# Who sends the texts of the collections: *_bulk.tsv are of ports.
CLASSES = tuple(map(FileClass.read, ("*_bulk.tsv=port", "person")))
LEAST_WEIGHT = 0.02
SEED = 1
FOLDS = 5
# Until there are texts of one's own, any spam may come from a port, and labels of many hands are
# better than none. docs/reference/starter-model.md says on which texts these were chosen.
STARTER_RECIPES = {
    **RECIPES,
    TextClass.PORT: replace(RECIPES[TextClass.PORT], mixed_neighbours=3000, mixed_importance=0.3),
    TextClass.FOREIGN: replace(RECIPES[TextClass.FOREIGN], descent=Descent(cost=2.0), distrust=6),
}
LIMITS = (
    "Trained on public collections alone, most of them years old. Measure it on your own traffic,"
    " train on your own texts, and install what is better: docs/howto/learning.md."
)


def main() -> int:
    """Train, measure, and write the file."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--data", type=Path, required=True, metavar="DIR")
    options.add_argument("--out", type=Path, default=TARGET, metavar="FILE")
    chosen = options.parse_args()
    files, held_out = (read_files(chosen.data, prefix) for prefix in ("train_", "dev_"))
    samples = [one for file in files for one in file.samples]
    measured_on = [one for file in held_out for one in file.samples]
    about: dict[str, object] = {
        "data": [described_file(one) for one in files],
        "held_out": [described_file(one) for one in held_out],
        "leaked": leaked(samples, measured_on),
        "seed": SEED,
        "least_weight": LEAST_WEIGHT,
        "limits": LIMITS,
    }
    model = train(
        samples,
        measured_on,
        about=about,
        seed=SEED,
        least_weight=LEAST_WEIGHT,
        recipes=STARTER_RECIPES,
    )
    model = with_refusing(model, samples)
    about["measured"] = evaluation_as_json(evaluate(model, measured_on))
    octets = write_model(Model(model.classes, model.categories, about))
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_bytes(octets)
    print(f"{chosen.out}: {len(octets)} octets, SHA-256 {sha256(octets).hexdigest()}")  # noqa: T201
    return 0


def with_refusing(model: Model, samples: list[Sample]) -> Model:
    """Return `model` with a score of ports from which fraud and illegal offers may be refused.

    The innocent texts held out are too few to tell one in ten thousand. So those trained on are
    judged, each by a model of the other campaigns; of adverts no score counts. As much again is
    left for what is unlike them: half as many stand above the score as are tolerated.
    """
    known = [one for one in samples if one.text_class is not TextClass.FOREIGN]
    fold_of = [crc32(campaign_of(one).encode()) % FOLDS for one in known]
    scores = []
    for number in range(FOLDS):
        kept = [one for one, fold in zip(known, fold_of, strict=True) if fold != number]
        parted = train(
            kept, about={}, seed=SEED, least_weight=LEAST_WEIGHT, recipes=STARTER_RECIPES
        )
        judged = [
            one.text
            for one, fold in zip(known, fold_of, strict=True)
            if fold == number and not one.is_spam
        ]
        scores += [-inf if one.harm is Harm.ADVERT else one.score for one in parted.judge(judged)]
    score = threshold_at(np.array(scores), REFUSING / 2)
    port = model.classes[TextClass.PORT]
    refusing = replace(port, thresholds=(Threshold(REFUSING, score), *port.thresholds))
    return replace(model, classes={**model.classes, TextClass.PORT: refusing})


def read_files(data: Path, prefix: str) -> list[SampleFile]:
    """Return the labelled files of `data` whose names begin with `prefix`."""
    return [read_file(path, CLASSES) for path in files_in([data], prefix)]


if __name__ == "__main__":
    raise SystemExit(main())
