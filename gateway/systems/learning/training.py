"""Training: from labelled texts to a model with its thresholds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from gateway.filter.model.classes import TextClass
from gateway.filter.model.features import CATEGORY_GRAMS
from gateway.filter.model.linear import (
    CATEGORY_BUCKET_BITS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.model.model import ClassModel, Model, Threshold
from gateway.filter.views import Views, views
from gateway.systems.learning.calibrating import calibrated
from gateway.systems.learning.descent import Descent
from gateway.systems.learning.labels import category_in
from gateway.systems.learning.measures import threshold_at
from gateway.systems.learning.noise import spoilt
from gateway.systems.learning.occurrences import category_matrix, spam_matrix
from gateway.systems.learning.samples import Sample, skeleton

TOLERATED = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
LEAST_OF_A_KIND = 10
_HELD_OUT_OF = 10

# What a collection of one label alone teaches is mostly how that collection is written.
_ONE_SIDED_IMPORTANCE = 0.2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the model of one class is trained.

    `copies` are made of each text with up to twice `noise` of its characters spoilt. So many
    innocent texts of other classes are shown as well, and all their spam.
    """

    copies: int
    noise: float
    neighbours: int
    descent: Descent


# Chosen on the dev part of the project's data.
RECIPES: Mapping[TextClass, Recipe] = {
    TextClass.PORT: Recipe(3, 0.3, 6000, Descent()),
    TextClass.PERSON: Recipe(0, 0.0, 0, Descent()),
    TextClass.FOREIGN: Recipe(0, 0.0, 0, Descent()),
}


class TrainingError(Exception):
    """There are too few samples to train on, or none of one of the two kinds."""


@dataclass(frozen=True, slots=True)
class Told:
    """What hears how far the work has come: what is being done, steps in all, steps more."""

    begin: Callable[[str, int], None]
    advance: Callable[[int], None]


SILENT = Told(lambda _what, _steps: None, lambda _steps: None)


def train(
    samples: Sequence[Sample],
    held_out: Sequence[Sample] = (),
    *,
    about: Mapping[str, object],
    seed: int = 1,
    told: Told = SILENT,
) -> Model:
    """Return a model of `samples`: the same one for the same samples and seed.

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
        text_class: _class_model(text_class, by_class, held_out, seed, told)
        for text_class in TextClass
        if _is_enough(by_class[text_class])
    }
    if not classes:
        raise TrainingError(f"there are not {LEAST_OF_A_KIND} of spam and of ham in any class")
    return Model(classes, _category_model(samples), about)


def parted(samples: Iterable[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return `samples` without every tenth campaign, and those."""
    kept: list[Sample] = []
    held_out: list[Sample] = []
    for sample in samples:
        campaign = sample.group or skeleton(sample.text)
        is_held_out = crc32(campaign.encode(errors="replace")) % _HELD_OUT_OF == 0
        (held_out if is_held_out else kept).append(sample)
    return kept, held_out


def _is_enough(samples: Sequence[Sample]) -> bool:
    spam = sum(sample.is_spam for sample in samples)
    return min(spam, len(samples) - spam) >= LEAST_OF_A_KIND


def _class_model(
    text_class: TextClass,
    by_class: Mapping[TextClass, Sequence[Sample]],
    held_out: Sequence[Sample],
    seed: int,
    told: Told,
) -> ClassModel:
    recipe = RECIPES[text_class]
    rng = np.random.default_rng(seed)
    own = by_class[text_class]
    samples = [*own, *_neighbours(text_class, by_class, recipe.neighbours, rng)]
    one_sided = _one_sided(samples)
    texts: list[Views] = [sample.text for sample in samples]
    for _ in range(recipe.copies):
        shares = rng.uniform(0, 2 * recipe.noise, len(own)).tolist()
        texts += [
            views(spoilt(one.text.raw, share, rng)) for one, share in zip(own, shares, strict=True)
        ]
    samples += [*own] * recipe.copies
    told.begin(f"reading {text_class}", len(texts))
    matrix = spam_matrix(texts, told.advance)
    told.begin(f"training {text_class}", recipe.descent.passes)
    weights = recipe.descent.fit(
        matrix,
        np.array([sample.is_spam for sample in samples]),
        np.array([_ONE_SIDED_IMPORTANCE if one.origin in one_sided else 1.0 for one in samples]),
        told.advance,
    )
    linear = LinearModel(weights.astype(np.float32), Calibration(1, 0))
    return _measured(linear, [one for one in held_out if one.text_class is text_class])


def _neighbours(
    text_class: TextClass,
    by_class: Mapping[TextClass, Sequence[Sample]],
    maximum: int,
    rng: np.random.Generator,
) -> list[Sample]:
    if text_class is TextClass.FOREIGN or not maximum:
        return []
    others = by_class.get(TextClass.PERSON, ())
    trusted = _innocent(others)
    innocent = [one for one in others if not one.is_spam and one.origin in trusted]
    chosen = rng.permutation(len(innocent))[:maximum].tolist()
    return [one for one in others if one.is_spam] + [innocent[place] for place in sorted(chosen)]


def _innocent(samples: Iterable[Sample]) -> set[str]:
    """Return the origins without any spam; where all have some, all of them."""
    spoken = {one.origin for one in samples}
    return spoken - {one.origin for one in samples if one.is_spam} or spoken


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
    thresholds = tuple(Threshold(one, threshold_at(innocent, one)) for one in TOLERATED)
    return ClassModel(LinearModel(linear.weights, calibrated(innocent, spam)), thresholds)


def _category_model(samples: Sequence[Sample]) -> CategoryModel | None:
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
    return CategoryModel(ids, np.stack(rows).astype(np.float32))
