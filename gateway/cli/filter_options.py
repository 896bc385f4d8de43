"""What `smsward filter` can be asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Places = Annotated[
    list[Path], Parameter(negative="", help="Files of labelled texts, or directories of them.")
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Made:
    """What becomes of the training."""

    out: Annotated[Path, Parameter(alias="-o", help="Write the model into this file.")]
    dev: Annotated[
        list[Path] | None,
        Parameter(negative="", help="Measure probabilities and thresholds on these."),
    ] = None
    key: Annotated[
        Path | None, Parameter(help="Sign with this private Ed25519 key, a PEM file.")
    ] = None
    seed: Annotated[int, Parameter(help="The same seed makes the same weights.")] = 1


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Chosen:
    """Which model is meant."""

    model: Annotated[
        Path | None,
        Parameter(help="The model; by default /etc/smsward/model.npz, then ./model.npz."),
    ] = None
    trust: Annotated[
        list[Path] | None,
        Parameter(
            negative="", help="Refuse it unless one of these public Ed25519 keys has signed it."
        ),
    ] = None


THIS_MODEL = Chosen()
