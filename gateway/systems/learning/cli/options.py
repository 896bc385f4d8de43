"""What `smsward filter` can be asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.terminal.options import FLAG, By

# All that follows the option, up to the next: a shell puts many names in the place of a pattern.
_SEVERAL = Parameter(negative="", consume_multiple=1)

Places = Annotated[
    list[Path], _SEVERAL, Parameter(help="Files of labelled texts, or directories of them.")
]
OfTraining = Annotated[
    list[Path] | None,
    _SEVERAL,
    Parameter(help="What it was trained on: count the texts that stand in both."),
]

JudgedBy = Annotated[
    list[str] | None,
    _SEVERAL,
    Parameter(
        name="--judge-by",
        help="Judge the goals of a class by this source of its texts, not by all of them.",
    ),
]


OfClass = Annotated[
    list[str] | None,
    Parameter(
        name="--class",
        negative="",
        help="Who sends the texts: port or person, of some files as '*_bulk.tsv=port'. The first"
        " that fits counts. A fifth column of a line says it for that line.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class TrainingTarget:
    """What becomes of the training."""

    out: Annotated[Path, Parameter(alias="-o", help="Write the model into this file.")]
    dev: Annotated[
        list[Path] | None,
        _SEVERAL,
        Parameter(help="Measure probabilities and thresholds on these."),
    ] = None
    key: Annotated[
        Path | None, Parameter(help="Sign with this private Ed25519 key, a PEM file.")
    ] = None
    classes: OfClass = None
    seed: Annotated[int, Parameter(help="The same seed makes the same weights.")] = 1
    add_samples: Annotated[
        bool,
        FLAG,
        Parameter(help="Train on the samples in the store as well: smsward filter samples --help."),
    ] = False
    weight: Annotated[
        int, Parameter(help="How many collected texts a sample counts for, with --add-samples.")
    ] = 3


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model is meant."""

    model: Annotated[
        Path | None,
        Parameter(help="The model; by default /etc/smsward/model.npz, then ./model.npz."),
    ] = None
    trust: Annotated[
        list[Path] | None,
        _SEVERAL,
        Parameter(help="Refuse it unless one of these public Ed25519 keys has signed it."),
    ] = None


THIS_MODEL = ModelChoice()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What is known of the texts that a model is measured on."""

    classes: OfClass = None
    train: OfTraining = None
    judge_by: JudgedBy = None


BY_ALL_SOURCES = EvaluationOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ModelChangeOptions:
    """Who changes which model is in force, and why."""

    note: Annotated[str, Parameter(show_default=False, help="Why, for the history.")] = ""
    by: By = None


UNREASONED = ModelChangeOptions()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """On what models are compared."""

    data: Annotated[
        list[Path] | None,
        _SEVERAL,
        Parameter(help="Measure both on these; else their cards are compared."),
    ] = None
    classes: OfClass = None
    live: Annotated[
        bool,
        FLAG,
        Parameter(help="The models in force and in shadow, on the texts that a gateway gets."),
    ] = False
    texts: Annotated[
        bool, FLAG, Parameter(help="With --live: find the texts that they dispute in the records.")
    ] = False


BY_THEIR_CARDS = ComparisonOptions()
