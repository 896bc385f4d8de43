"""Writes the model that the gateway asks until another is installed: models/starter.npz.

python -m tools.make_starter_model --data DIR

DIR has train_*.tsv and dev_*.tsv (docs/howto/classifier.md says what they are). The same texts and
versions of numpy make the same octets. docs/reference/starter-model.md is its card.
"""

import argparse
from hashlib import sha256
from pathlib import Path

from gateway.filter.classifier.model import Model
from gateway.filter.classifier.model_file import write_model
from gateway.systems.learning.cli.model_files import evaluation_as_json
from gateway.systems.learning.cli.model_trainer import described_file
from gateway.systems.learning.evaluation import evaluate
from gateway.systems.learning.samples import SampleFile, files_in, leaked, read_file
from gateway.systems.learning.training import train

TARGET = Path(__file__).parent.parent / "models" / "starter.npz"
LEAST_WEIGHT = 0.02
SEED = 1
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
    model = train(samples, measured_on, about=about, seed=SEED, least_weight=LEAST_WEIGHT)
    about["measured"] = evaluation_as_json(evaluate(model, measured_on))
    octets = write_model(Model(model.classes, model.categories, about))
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_bytes(octets)
    print(f"{chosen.out}: {len(octets)} octets, SHA-256 {sha256(octets).hexdigest()}")  # noqa: T201
    return 0


def read_files(data: Path, prefix: str) -> list[SampleFile]:
    """Return the labelled files of `data` whose names begin with `prefix`."""
    return [read_file(path) for path in files_in([data], prefix)]


if __name__ == "__main__":
    raise SystemExit(main())
