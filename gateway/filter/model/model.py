"""A model as a whole: what it says of a text, and from which score on that is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.filter.model.classes import TextClass, class_of
from gateway.filter.model.features import read
from gateway.filter.model.harm import Harm, harm_of
from gateway.filter.model.linear import CategoryModel, Contribution, LinearModel
from gateway.filter.views import Views


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `score` on, `tolerated` is the share of innocent texts that were found guilty."""

    tolerated: float
    score: float


@dataclass(frozen=True, slots=True)
class ClassModel:
    """The model of one class of texts, and its thresholds by what they tolerate."""

    linear: LinearModel
    thresholds: tuple[Threshold, ...]

    def threshold(self, tolerated: float) -> float | None:
        """Return the score that tolerates no more than `tolerated`; None if none was measured."""
        fitting = [one for one in self.thresholds if one.tolerated <= tolerated]
        return max(fitting, key=lambda one: one.tolerated).score if fitting else None


class Judgement(NamedTuple):
    """What the model says of one text. `category` and `harm` are as if it were spam."""

    text_class: TextClass
    score: float
    probability: float
    category: str
    harm: Harm


@dataclass(frozen=True, slots=True)
class Model:
    """One linear model for each class, the categories of spam, and the card as JSON values."""

    classes: Mapping[TextClass, ClassModel]
    categories: CategoryModel | None
    about: Mapping[str, object]

    def of(self, text_class: TextClass) -> ClassModel:
        """Return the model for `text_class`, that of the ports where it has none of its own."""
        return self.classes.get(text_class) or next(iter(self.classes.values()))

    def judge(self, batch: Sequence[Views], *, is_port: bool = True) -> list[Judgement]:
        """Return a judgement of each text; `is_port` says that ports have sent them."""
        classes = [class_of(text, is_port=is_port) for text in batch]
        found: list[Judgement | None] = [None] * len(batch)
        for text_class in TextClass:
            places = [place for place, one in enumerate(classes) if one is text_class]
            if places:
                texts = [batch[place] for place in places]
                for place, judged in zip(places, self._judged(text_class, texts), strict=True):
                    found[place] = judged
        return [one for one in found if one is not None]

    def explain(
        self, text: Views, maximum: int = 8, *, is_port: bool = True
    ) -> tuple[Contribution, ...]:
        """Return what made the score of `text` what it is, the strongest first."""
        return self.of(class_of(text, is_port=is_port)).linear.explain(text, maximum)

    def _judged(self, text_class: TextClass, texts: Sequence[Views]) -> list[Judgement]:
        linear = self.of(text_class).linear
        batch = read(texts)
        scores = linear.scores_of(batch)
        chances = linear.calibration.probabilities(scores)
        named = self.categories.categories_of(batch) if self.categories else [""] * len(texts)
        harms = {name: harm_of(name) for name in set(named)}
        return [
            Judgement(text_class, score, chance, name, harms[name])
            for score, chance, name in zip(scores.tolist(), chances.tolist(), named, strict=True)
        ]
