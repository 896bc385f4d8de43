"""What a classifier says of texts, as plain values for code that has no classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, Protocol

from gateway.filter.model.classes import TextClass
from gateway.filter.model.harm import Harm
from gateway.filter.model_comparison import ModelAgreement
from gateway.filter.views import Views


@dataclass(slots=True)  # frozen takes twice the time, for every new text
class TextScore:
    """What a classifier says of one text; `category` and `harm` assume that it is spam.

    `guilty_from` is the lowest tolerance at which the text is stopped. `measured_from` is the
    lowest tolerance that was measured for texts of the class. A tolerance is a share of innocent
    texts; infinite if unknown. `agreement` tells which of two models would stop the text, None if
    no model in shadow was asked.
    """

    text_class: TextClass
    probability: float
    category: str = ""
    harm: Harm = Harm.ADVERT
    guilty_from: float = inf
    measured_from: float = inf
    agreement: ModelAgreement | None = field(default=None, compare=False)

    def is_guilty(self, tolerated: float) -> bool:
        """Tell whether the text is stopped at that tolerance."""
        return self.guilty_from <= tolerated

    def is_measured(self, tolerated: float) -> bool:
        """Tell whether the classifier was measured on innocent texts at that tolerance."""
        return self.measured_from <= tolerated


# The number of pieces of a text that are reported with its score.
PIECES = 6


class Piece(NamedTuple):
    """A piece of a text and what it adds to the score; its digits are all 0."""

    text: str
    weight: float


class Scorer(Protocol):
    """A classifier, ready to use. Immutable: share it, and swap it to change models."""

    @property
    def digest(self) -> str:
        """Return the digest of the model."""

    @property
    def measured_from(self) -> Mapping[TextClass, float]:
        """Return the lowest measured tolerance of each class that has a model."""

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> Sequence[TextScore]:
        """Return what it says of each text; cheapest for many at once.

        `is_port`: ports sent the texts, not personal numbers.
        """

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> Sequence[Piece]:
        """Return the pieces that made the score, the strongest first; slow."""
