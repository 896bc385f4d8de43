"""A model as a whole, the scorer that asks it, and one that also asks a model in shadow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import repeat, starmap
from math import inf
from typing import NamedTuple, TypeVar

from gateway.domain.categories import Harm, harm_of
from gateway.filter.classifier.linear import CategoryModel, Contribution, LinearModel, read
from gateway.filter.classifier.score import (
    DISPUTED,
    Comparison,
    ModelAgreement,
    Piece,
    ScoredText,
    Scorer,
    TextClass,
    TextScore,
    class_of,
)
from gateway.filter.normalise.views import Views


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


# The fields of a Judgement.
_Judged = tuple[TextClass, float, float, str, Harm]
Item = TypeVar("Item")


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
        return self.judge_as(Judgement, batch, is_port=is_port)

    def judge_as(
        self, made: Callable[[*_Judged], Item], batch: Sequence[Views], *, is_port: bool
    ) -> list[Item]:
        """Return `made(*fields)` of each judgement; a scorer so makes one object for each text."""
        classes = [class_of(text, is_port=is_port) for text in batch]
        found: dict[int, Item] = {}
        for text_class in set(classes):
            places = [place for place, one in enumerate(classes) if one is text_class]
            judged = self._judged(text_class, [batch[place] for place in places])
            found.update(zip(places, starmap(made, judged), strict=True))
        return [found[place] for place in range(len(batch))]

    def explain(
        self, text: Views, maximum: int = 8, *, is_port: bool = True
    ) -> tuple[Contribution, ...]:
        """Return what made the score of `text` what it is, the strongest first."""
        return self.of(class_of(text, is_port=is_port)).linear.explain(text, maximum)

    def _judged(self, text_class: TextClass, texts: Sequence[Views]) -> Iterator[_Judged]:
        linear = self.of(text_class).linear
        batch = read(texts)
        scores = linear.scores_of(batch)
        chances = linear.calibration.probabilities(scores)
        named = self.categories.categories_of(batch) if self.categories else [""] * len(texts)
        harms = {name: harm_of(name) for name in set(named)}
        of_names = map(harms.__getitem__, named)
        return zip(repeat(text_class), scores.tolist(), chances.tolist(), named, of_names)


class ModelScorer:
    """Asks one model; `digest` names it as `smsward filter models` does."""

    __slots__ = ("_model", "_thresholds", "digest", "measured_from")

    def __init__(self, model: Model, digest: str = "") -> None:
        self._model = model
        self.digest = digest
        self.measured_from: Mapping[TextClass, float] = {
            text_class: _least(one) for text_class, one in model.classes.items()
        }
        # Those of the model that judges each class, which need not be one of its own; the
        # strictest first.
        judges = {text_class: model.of(text_class) for text_class in TextClass}
        self._thresholds = {
            text_class: (
                sorted((each.tolerated, each.score) for each in one.thresholds),
                _least(one),
            )
            for text_class, one in judges.items()
        }

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        """Return what the model says of each text."""
        return self._model.judge_as(self._scored, texts, is_port=is_port)

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> tuple[Piece, ...]:
        """Return the pieces that made the score of `text` what it is, the strongest first."""
        found = self._model.explain(text, maximum, is_port=is_port)
        return tuple(Piece(one.piece, one.weight) for one in found)

    def _scored(
        self, text_class: TextClass, score: float, probability: float, category: str, harm: Harm
    ) -> TextScore:
        thresholds, measured_from = self._thresholds[text_class]
        guilty_from = inf
        for tolerated, innocent_to in thresholds:
            if score > innocent_to:
                guilty_from = tolerated
                break
        return TextScore(text_class, probability, category, harm, guilty_from, measured_from)


def _least(model: ClassModel) -> float:
    return min((one.tolerated for one in model.thresholds), default=inf)


# Both are compared at a tolerance of one innocent text in a hundred, as in `filter compare`.
COMPARED_AT = 0.01

# Key: whether the model in force would stop a text, and whether the model in shadow would.
_AGREEMENTS = {
    (True, True): ModelAgreement.BOTH,
    (True, False): ModelAgreement.ONLY_ACTIVE,
    (False, True): ModelAgreement.ONLY_SHADOW,
    (False, False): ModelAgreement.NEITHER,
}


@dataclass(frozen=True, slots=True, eq=False)
class ModelPair:
    """Two models, or one, or none.

    Frozen: to change models, replace the whole pair.
    """

    active: Scorer | None = None
    shadow: Scorer | None = None

    @property
    def digests(self) -> tuple[str, str]:
        """Return the digests of the two models, "" for a missing one."""
        active, shadow = self.active, self.shadow
        return (active.digest if active else "", shadow.digest if shadow else "")

    def scorer(self, comparison: Comparison) -> Scorer | None:
        """Return the scorer to use: the model in force decides; None without one.

        If there is a model in shadow, it scores the same texts, and `comparison` counts the result.
        """
        if self.active is None or self.shadow is None:
            return self.active
        return PairedScorer(self.active, self.shadow, comparison)


class PairedScorer:
    """Scores as `active` does, and notes for each text which of the two models would stop it.

    If the model in shadow fails, only the comparison is affected: it counts the failures.
    """

    __slots__ = ("_active", "_comparison", "_shadow", "digest", "measured_from")

    def __init__(self, active: Scorer, shadow: Scorer, comparison: Comparison) -> None:
        self._active = active
        self._shadow = shadow
        self._comparison = comparison
        self.digest = active.digest
        self.measured_from: Mapping[TextClass, float] = active.measured_from

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> Sequence[TextScore]:
        """Return what the model in force says of each text."""
        decided = self._active.score(texts, is_port=is_port)
        try:
            tried = self._shadow.score(texts, is_port=is_port)
            return [
                replace(active, agreement=agreement_of(active, shadow))
                for active, shadow in zip(decided, tried, strict=True)
            ]
        except Exception:  # noqa: BLE001 - what only looks on must not stop what decides
            self._comparison.failed += len(texts)
            return decided

    def note(self, facts: ScoredText, *, is_personal: bool) -> None:
        """Count a message with this text; with the first message count the text, too.

        `is_personal`: a personal number sends it. A text that ports send as well counts in both
        classes. Texts on which `shadow` failed are not counted.
        """
        scored = facts.personal if is_personal else facts.scored
        agreement = _agreement_over(scored) if scored else None
        if not scored or agreement is None:
            return
        text_class = scored[0].text_class
        self._comparison.note_message(text_class, agreement)
        if text_class not in facts.compared:
            facts.compared += (text_class,)
            self._comparison.note(text_class, agreement, partial(name_of, facts.texts[0]))

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> Sequence[Piece]:
        """Return what made the score of the model in force."""
        return self._active.pieces(text, maximum, is_port=is_port)


def agreement_of(
    active: TextScore, shadow: TextScore, tolerated: float = COMPARED_AT
) -> ModelAgreement:
    """Return which of the two stop a text, each at its own threshold for `tolerated`.

    A model without measurements for the class of the text stops none.
    """
    return _AGREEMENTS[active.is_guilty(tolerated), shadow.is_guilty(tolerated)]


def _agreement_over(readings: Sequence[TextScore]) -> ModelAgreement | None:
    """Return which of the two stop any reading; None if some reading was not compared."""
    found = {one.agreement for one in readings}
    if None in found:
        return None
    active, shadow = (not found.isdisjoint((ModelAgreement.BOTH, alone)) for alone in DISPUTED)
    return _AGREEMENTS[active, shadow]


def name_of(text: str) -> str:
    """Return a name to find a text without revealing it, the same as `b2sum -l 64` of the text."""
    octets = text.encode("utf-8", "surrogatepass")
    return blake2b(octets, digest_size=8).hexdigest()


NO_MODELS = ModelPair()
