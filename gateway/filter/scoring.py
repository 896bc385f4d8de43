"""What a classifier says of texts, as those see it who have none: a few plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, Protocol

from gateway.filter.model.classes import TextClass
from gateway.filter.model.harm import Harm
from gateway.filter.model_comparison import Agreement
from gateway.filter.views import Views


@dataclass(slots=True)  # frozen it would take twice the time, for every new text
class Scored:
    """What a classifier says of one text; `category` and `harm` are as if it were spam.

    `guilty_from` is the smallest share of innocent texts to be tolerated at which the text is
    stopped, and `measured_from` the smallest that can be tolerated at all: that much was
    measured for texts of the class. Infinite where there is none. `agreement` is what a model
    in shadow makes of the same text, None where none was asked.
    """

    text_class: TextClass
    probability: float
    category: str = ""
    harm: Harm = Harm.ADVERT
    guilty_from: float = inf
    measured_from: float = inf
    agreement: Agreement | None = field(default=None, compare=False)

    def is_guilty(self, tolerated: float) -> bool:
        """Tell whether the text is stopped where that share of innocent ones may be."""
        return self.guilty_from <= tolerated

    def is_measured(self, tolerated: float) -> bool:
        """Tell whether the classifier knows what it does to innocent texts at that share."""
        return self.measured_from <= tolerated


# So many pieces of a text are told with its score.
PIECES = 6


class Piece(NamedTuple):
    """A piece of a text and what it adds to the score; its digits are all 0."""

    text: str
    weight: float


class Scorer(Protocol):
    """A classifier, ready. Immutable: share it, and swap it to change models."""

    @property
    def digest(self) -> str:
        """Return what names the model."""

    @property
    def measured_from(self) -> Mapping[TextClass, float]:
        """Return for each class that has a model the smallest share that can be tolerated."""

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> Sequence[Scored]:
        """Return what it says of each text; cheapest for many at once.

        `is_port` tells that ports have sent them, and no personal numbers.
        """

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> Sequence[Piece]:
        """Return the pieces that made the score what it is, the strongest first; dear."""
