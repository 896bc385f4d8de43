"""Training: from labelled texts to a model with its thresholds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.filter.classifier.linear import (
    CATEGORY_BUCKET_BITS,
    CATEGORY_GRAMS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.systems.learning.evaluation import Floats, Marks, threshold_at
from gateway.systems.learning.linear_model import (
    Descent,
    Matrix,
    calibrated,
    category_matrix,
    scale_of,
    scaled,
    spam_matrix,
    trust_in,
)
from gateway.systems.learning.notices import innocent_notices
from gateway.systems.learning.samples import (
    Sample,
    campaign_of,
    category_in,
    is_held_out,
    sample_of,
)

# Copies with characters replaced by chance, in innocent texts as in spam, keep a model from relying
# on single characters. They are not the disguises that people try: what is measured on those stays
# a measure.
_HAN_FIRST, _HAN_PAST = 0x4E00, 0x9FA6
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MOST_LETTERS = 5
# Of the Han to be spoilt: one other Han, some letters, two Han; what is left is dropped.
_ONE, _SPELT, _TWO = 0.5, 0.75, 0.9
TOLERATED = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05)
# Enough to refuse fraud by, where so many innocent texts are held out that one may be above it.
REFUSING = 0.0001
LEAST_OF_A_KIND = 10
# What a collection of one label alone teaches is mostly how that collection is written.
_ONE_SIDED_IMPORTANCE = 0.02
_ONE_SIDED_COPIES = 1
# Notices made up stand beside those that were collected, one for so many of these.
_MADE_UP = "made up"
_MADE_UP_IMPORTANCE = 0.2
_COLLECTED_FOR_ONE = 3


def spoilt(text: str, share: float, rng: np.random.Generator) -> str:
    """Return `text` with about `share` of its Han and half that of its letters replaced."""
    chances = rng.random(len(text))
    return "".join(
        char if chance >= share else _instead(char, chance / share, rng)
        for char, chance in zip(text, chances.tolist(), strict=True)
    )


def _instead(char: str, kind: float, rng: np.random.Generator) -> str:
    if char.isascii():
        return _letters(1, rng) if char.isalpha() and kind < _ONE else char
    if not "\u4e00" <= char <= "\u9fff":
        return char
    if kind < _ONE:
        return _han(rng)
    if kind < _SPELT:
        return _letters(int(rng.integers(2, _MOST_LETTERS + 1)), rng)
    return _han(rng) + _han(rng) if kind < _TWO else ""


def _han(rng: np.random.Generator) -> str:
    return chr(int(rng.integers(_HAN_FIRST, _HAN_PAST)))


def _letters(count: int, rng: np.random.Generator) -> str:
    return "".join(_LETTERS[place] for place in rng.integers(0, len(_LETTERS), count).tolist())


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the model of one class is trained.

    `copies` are made of each text with up to twice `noise` of its characters spoilt, fewer of
    collections of one label. So many innocent texts of other classes are shown as well, and
    all their spam, and at most so many `notices` of innocent_notices. Of origins with both labels
    `mixed_neighbours` innocent texts are shown, too, and what is lent from there counts
    `mixed_importance`. `smoothing` and `emphasis` are those of scale_of, `distrust` that of
    trust_in.
    """

    copies: int
    noise: float
    neighbours: int
    notices: int
    smoothing: float
    emphasis: float
    descent: Descent
    distrust: int = 12
    mixed_neighbours: int = 0
    mixed_importance: float = 1.0

    def fit(
        self,
        matrix: Matrix,
        is_spam: Marks,
        importance: Floats,
        told: Callable[[int], None] = lambda _: None,
    ) -> Floats:
        """Return the weights that the samples teach; `told` hears of each pass."""
        scale = scale_of(
            matrix,
            is_spam,
            importance,
            kept=len(SIGNS),
            smoothing=self.smoothing,
            emphasis=self.emphasis,
        )
        return scale * self.descent.fit(scaled(matrix, scale), is_spam, importance, told)


# Chosen by fivefold cross-validation over the campaigns of the project's training data.
RECIPES: Mapping[TextClass, Recipe] = {
    TextClass.PORT: Recipe(12, 0.2, 6000, 800, 1.0, 1.5, Descent(cost=2.0)),
    TextClass.PERSON: Recipe(0, 0.0, 0, 0, 0.3, 1.0, Descent(cost=4.0)),
    TextClass.FOREIGN: Recipe(2, 0.1, 0, 0, 0.3, 1.0, Descent(cost=1.0)),
}


class TrainingError(Exception):
    """There are too few samples to train on, or none of one of the two kinds."""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """What hears how far the work has come: what is being done, steps in all, steps more."""

    begin: Callable[[str, int], None]
    advance: Callable[[int], None]


SILENT = TrainingProgress(lambda _what, _steps: None, lambda _steps: None)


def train(  # noqa: PLR0913 - what is trained on, and how
    samples: Sequence[Sample],
    held_out: Sequence[Sample] = (),
    *,
    about: Mapping[str, object],
    seed: int = 1,
    least_weight: float = 0.0,
    recipes: Mapping[TextClass, Recipe] = RECIPES,
    told: TrainingProgress = SILENT,
) -> Model:
    """Return a model of `samples`: the same one for the same samples, recipes and seed.

    Weights below `least_weight` are left out before anything is measured: with 0.02 the file is
    less than half as large and finds as much.

    Probabilities and thresholds are measured on `held_out`; without any, every tenth campaign
    is held out. Doubtful samples are left out of the training. Raises TrainingError.
    """
    if not held_out:
        samples, held_out = parted(samples)
    by_class: dict[TextClass, list[Sample]] = defaultdict(list)
    for sample in samples:
        if not sample.is_doubtful:
            by_class[sample.text_class].append(sample)
    classes = {
        text_class: _class_model(
            text_class, by_class, held_out, (recipes[text_class], seed, least_weight), told
        )
        for text_class in TextClass
        if _is_enough(by_class[text_class])
    }
    if not classes:
        raise TrainingError(f"there are not {LEAST_OF_A_KIND} of spam and of ham in any class")
    return Model(classes, _category_model(samples, least_weight), about)


def parted(samples: Iterable[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return `samples` without every tenth campaign, and those."""
    kept: list[Sample] = []
    held_out: list[Sample] = []
    for sample in samples:
        (held_out if is_held_out(campaign_of(sample)) else kept).append(sample)
    return kept, held_out


def _is_enough(samples: Sequence[Sample]) -> bool:
    spam = sum(sample.is_spam for sample in samples)
    return min(spam, len(samples) - spam) >= LEAST_OF_A_KIND


def _class_model(
    text_class: TextClass,
    by_class: Mapping[TextClass, Sequence[Sample]],
    held_out: Sequence[Sample],
    settings: tuple[Recipe, int, float],
    told: TrainingProgress,
) -> ClassModel:
    recipe, seed, least_weight = settings
    rng = np.random.default_rng(seed)
    collected = by_class[text_class]
    neighbours = _neighbours(by_class, recipe, rng)
    one_sided = _one_sided([*collected, *neighbours])
    mixed = {one.origin for one in neighbours} - {one.origin for one in collected}
    counts = (
        dict.fromkeys(mixed, recipe.mixed_importance)
        | dict.fromkeys(one_sided, _ONE_SIDED_IMPORTANCE)
        | {_MADE_UP: _MADE_UP_IMPORTANCE}
    )
    own = [*collected, *_made_up(collected, recipe.notices, rng)]
    samples = [*own, *neighbours]
    texts: list[Views] = [sample.text for sample in samples]
    for number in range(recipe.copies):
        copied = [one for one in own if number < _ONE_SIDED_COPIES or one.origin not in one_sided]
        shares = rng.uniform(0, 2 * recipe.noise, len(copied)).tolist()
        texts += [
            Views(spoilt(one.text.raw, share, rng))
            for one, share in zip(copied, shares, strict=True)
        ]
        samples += copied
    told.begin(f"reading {text_class}", len(texts))
    matrix = spam_matrix(texts, told.advance)
    told.begin(f"training {text_class}", recipe.descent.passes)
    is_spam = np.array([sample.is_spam for sample in samples])
    known = np.array([counts.get(one.origin, 1.0) for one in samples])
    trust = trust_in(
        own,
        matrix,
        lambda part, rows: recipe.fit(part, is_spam[rows], known[rows]),
        recipe.distrust,
    )
    importance = known * np.array([trust.get(one.origin, 1.0) for one in samples])
    weights = recipe.fit(matrix, is_spam, importance, told.advance)
    linear = LinearModel(_without_small(weights, least_weight), Calibration(1, 0))
    return _measured(linear, [one for one in held_out if one.text_class is text_class])


def _neighbours(
    by_class: Mapping[TextClass, Sequence[Sample]], recipe: Recipe, rng: np.random.Generator
) -> list[Sample]:
    """Return all spam of people, and some innocent texts, most of origins without spam if any."""
    if not recipe.neighbours:
        return []
    others = by_class.get(TextClass.PERSON, ())
    spam = [one for one in others if one.is_spam]
    origins = frozenset(one.origin for one in others)
    mixed = frozenset(one.origin for one in spam)
    trusted = origins - mixed or origins
    shares = [(trusted, recipe.neighbours), (mixed - trusted, recipe.mixed_neighbours)]
    return spam + [
        one for kind, most in shares if most for one in _some_ham(others, kind, most, rng)
    ]


def _some_ham(
    samples: Sequence[Sample], origins: frozenset[str], maximum: int, rng: np.random.Generator
) -> list[Sample]:
    innocent = [one for one in samples if not one.is_spam and one.origin in origins]
    chosen = rng.permutation(len(innocent))[:maximum].tolist()
    return [innocent[place] for place in sorted(chosen)]


def _made_up(collected: Sequence[Sample], maximum: int, rng: np.random.Generator) -> list[Sample]:
    innocent = sum(not one.is_spam for one in collected)
    texts = innocent_notices(min(maximum, innocent // _COLLECTED_FOR_ONE), rng)
    return [sample_of(f"ham\tzh\t{_MADE_UP}\t{text}") for text in texts]


def _one_sided(samples: Sequence[Sample]) -> set[str]:
    """Return the origins with one label alone, or none where no origin has both."""
    spam = {one.origin for one in samples if one.is_spam}
    ham = {one.origin for one in samples if not one.is_spam}
    return spam ^ ham if spam & ham else set()


def _measured(linear: LinearModel, held_out: Sequence[Sample]) -> ClassModel:
    scores = linear.scores([one.text for one in held_out])
    is_spam = np.array([one.is_spam for one in held_out], dtype=np.bool_)
    innocent, spam = scores[~is_spam], scores[is_spam]
    if not len(innocent) or not len(spam):
        return ClassModel(linear, ())
    shares = (REFUSING, *TOLERATED) if len(innocent) * REFUSING >= 1 else TOLERATED
    thresholds = tuple(Threshold(one, threshold_at(innocent, one)) for one in shares)
    return ClassModel(LinearModel(linear.weights, calibrated(innocent, spam)), thresholds)


def _without_small(weights: Floats, least: float) -> NDArray[np.float32]:
    return np.where(np.abs(weights) < least, 0, weights).astype(np.float32)


def _category_model(samples: Sequence[Sample], least_weight: float) -> CategoryModel | None:
    by_category: dict[str, list[Views]] = defaultdict(list)
    for sample in samples:
        category = category_in(sample.source) if sample.is_spam else ""
        if category and sample.text_class is not TextClass.FOREIGN:
            by_category[category].append(sample.text)
    ids = tuple(sorted(one for one, texts in by_category.items() if texts))
    if len(ids) < 2:
        return None
    texts = [text for one in ids for text in by_category[one]]
    true = np.repeat(np.arange(len(ids)), [len(by_category[one]) for one in ids])
    matrix = category_matrix(texts, CATEGORY_GRAMS, CATEGORY_BUCKET_BITS)
    descent = Descent(cost=4.0, passes=6)
    even = np.ones(len(texts))
    rows = [descent.fit(matrix, true == number, even) for number in range(len(ids))]
    # Its weights are a quarter as large.
    return CategoryModel(ids, _without_small(np.stack(rows), least_weight / 4))
