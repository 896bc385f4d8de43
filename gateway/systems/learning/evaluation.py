"""What a model is worth by class, source, disguise and kind of notice, beside what is asked."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.domain.categories import Harm, harm_of
from gateway.filter.classifier.model import Model
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.samples import Sample, category_in

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Of `count` texts with a like probability: the mean of it, and the share that was spam."""

    count: int
    probability: float
    spam: float


def threshold_at(innocent: Floats, tolerated: float) -> float:
    """Return the score above which no more than `tolerated` of the innocent texts stand."""
    falling = np.sort(innocent)[::-1]
    return float(falling[min(int(tolerated * len(falling)), len(falling) - 1)])


def share_above(scores: Floats, threshold: float) -> float:
    """Return which share of `scores` stands above `threshold`, 0 of none."""
    return float((scores > threshold).mean()) if len(scores) else 0.0


def auc(innocent: Floats, spam: Floats) -> float:
    """Return how often a spam has a higher score than an innocent text (area under the ROC)."""
    rising = np.sort(innocent)
    below = np.searchsorted(rising, spam, side="left") + np.searchsorted(rising, spam, side="right")
    return float(below.mean() / 2 / len(rising))


def f1(found: Marks, is_spam: Marks) -> float:
    """Return the harmonic mean of precision and recall."""
    right = int((found & is_spam).sum())
    return 2 * right / max(int(found.sum()) + int(is_spam.sum()), 1)


def best_f1(innocent: Floats, spam: Floats) -> tuple[float, float]:
    """Return the best F1 that any threshold reaches, and the lowest score that it finds."""
    scores = np.concatenate((innocent, spam))
    is_spam = np.repeat([False, True], [len(innocent), len(spam)])
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(is_spam[order])
    values = 2 * right / (np.arange(1, len(order) + 1) + len(spam))
    # Equal scores are found together: only the last of them is a threshold.
    is_last = np.append(np.diff(scores[order]) != 0, True)
    best = int(np.where(is_last, values, -1).argmax())
    return float(values[best]), float(scores[order][best])


def reliability(probabilities: Floats, is_spam: Marks, bins: int = 10) -> tuple[Bin, ...]:
    """Return what became of each tenth of the probabilities; empty ones are left out."""
    places = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    return tuple(
        Bin(int(mask.sum()), float(probabilities[mask].mean()), float(is_spam[mask].mean()))
        for mask in (places == place for place in range(bins))
        if mask.any()
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return by how much probabilities and shares differ, on the mean over all texts."""
    count = sum(one.count for one in bins)
    return sum(one.count * abs(one.probability - one.spam) for one in bins) / max(count, 1)


def macro_f1(named: Sequence[str], true: Sequence[str]) -> float:
    """Return the mean F1 over the categories that there are in `true`."""
    found, known = np.array(named), np.array(true)
    each = [f1(found == name, known == name) for name in sorted(set(true))]
    return sum(each) / max(len(each), 1)


TOLERATED = (0.001, 0.005, 0.01)
# At which false-positive rate attacks, categories and notices are looked at.
POINT = 0.01
UNCHANGED = "none"

# Notices that must never be lost, by words that stand in them. What a bank advertises is none.
NOTICES: Mapping[str, re.Pattern[str]] = {
    "one-time code": re.compile("验证码|校验码|动态码|动态密码|随机码"),
    "bank": re.compile("尾号|余额|入账|扣款|还款日|转入|转出|取现"),
    "express": re.compile("快递|包裹|取件|派送|运单"),
}

_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class SeparationResults:
    """How well spam is parted from innocent texts.

    `f1` is at probability one half, `best_f1` at the best threshold there is in hindsight;
    `recalls` by the share of innocent texts that is tolerated, in hindsight as well.
    """

    ham: int
    spam: int
    f1: float
    best_f1: float
    auc: float
    recalls: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class ClassFound:
    """What was found of one class.

    `sources` has, for each source of spam, that spam against all innocent texts of the class;
    `alone` against those of the same source.
    """

    whole: SeparationResults
    without_doubtful: SeparationResults | None
    sources: Mapping[str, SeparationResults]
    alone: Mapping[str, SeparationResults]
    notices: Mapping[str, tuple[int, int]]  # of how many innocent ones, how many found
    known: Mapping[float, tuple[float, float]]  # at the model's thresholds: false alarms, recall
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class DisguiseResults:
    """The share found of each disguise, and how many texts it was tried on."""

    count: int
    recall: float


@dataclass(frozen=True, slots=True)
class CategoryResults:
    """How often the category, and the harm, was the right one."""

    count: int
    accuracy: float
    macro_f1: float
    harm_f1: float  # fraud and illegal against advert
    recalls: Mapping[str, float]

    @property
    def has_harm(self) -> bool:
        """Tell whether any text was fraud or illegal: else its F1 says nothing."""
        return any(harm_of(category) is not Harm.ADVERT for category in self.recalls)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was found; what was not asked for is empty."""

    classes: Mapping[TextClass, ClassFound]
    attacks: Mapping[str, Mapping[str, DisguiseResults]]  # by language
    categories: CategoryResults | None


@dataclass(slots=True, eq=False)
class _ScoredSamples:
    samples: list[Sample]
    scores: Floats
    chances: Floats
    is_spam: Marks

    def chosen(self, wanted: Callable[[Sample], bool]) -> Marks:
        return np.array([wanted(one) for one in self.samples], dtype=np.bool_)

    def ham(self) -> Floats:
        return self.scores[~self.is_spam]


def evaluate(
    model: Model,
    samples: Sequence[Sample],
    attacked: Sequence[Sample] = (),
    told: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Return what `model` finds of `samples`, and of `attacked`, which are spam in disguise.

    The source of an attacked sample is the disguise; UNCHANGED is the text without any.
    """
    by_class: dict[TextClass, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_class[sample.text_class].append(sample)
    scored = {
        text_class: _scored(model, text_class, by_class[text_class], told)
        for text_class in TextClass
        if by_class[text_class]
    }
    classes = {
        text_class: _class_found(model, text_class, one)
        for text_class, one in scored.items()
        if 0 < one.is_spam.sum() < len(one.samples)
    }
    points = {text_class: _point(model, text_class, scored) for text_class in TextClass}
    return Evaluation(
        classes, _attacks(model, attacked, points, told), _categorised(model, samples)
    )


def is_attacked(samples: Sequence[Sample]) -> bool:
    """Tell whether the samples are spam in disguises beside the same without."""
    return all(one.is_spam for one in samples) and any(one.source == UNCHANGED for one in samples)


def _scored(
    model: Model, text_class: TextClass, samples: list[Sample], told: Callable[[int], None]
) -> _ScoredSamples:
    linear = model.of(text_class).linear
    parts = [np.zeros(0)]
    for at in range(0, len(samples), _AT_ONCE):
        batch = samples[at : at + _AT_ONCE]
        parts.append(linear.scores([one.text for one in batch]))
        told(len(batch))
    scores = np.concatenate(parts)
    is_spam = np.array([one.is_spam for one in samples], dtype=np.bool_)
    return _ScoredSamples(samples, scores, linear.calibration.probabilities(scores), is_spam)


def _class_found(model: Model, text_class: TextClass, scored: _ScoredSamples) -> ClassFound:
    ham = ~scored.is_spam
    doubtful = scored.chosen(lambda one: one.is_doubtful)
    found = scored.scores > threshold_at(scored.ham(), POINT)
    notices = {}
    for name, pattern in NOTICES.items():
        has_it = [bool(pattern.search(one.text.folded)) for one in scored.samples]
        is_one = ham & np.array(has_it, dtype=np.bool_)
        notices[name] = (int(is_one.sum()), int((is_one & found).sum()))
    spam = scored.scores[scored.is_spam]
    known = {
        one.tolerated: (share_above(scored.ham(), one.score), share_above(spam, one.score))
        for one in model.of(text_class).thresholds
    }
    return ClassFound(
        _parting(scored, np.ones_like(ham)),
        _parting(scored, ~doubtful) if doubtful.any() else None,
        dict(_sources(scored, ham, alone=False)),
        dict(_sources(scored, ham, alone=True)),
        notices,
        known,
        reliability(scored.chances, scored.is_spam),
    )


def _sources(
    scored: _ScoredSamples, ham: Marks, *, alone: bool
) -> Iterator[tuple[str, SeparationResults]]:
    origins = np.array([one.origin for one in scored.samples])
    for origin in sorted(set(origins[scored.is_spam].tolist())):
        own = origins == origin
        against = ham & own if alone else ham
        if against.any():
            yield origin, _parting(scored, against | (own & scored.is_spam))
    doubtful = scored.chosen(lambda one: one.is_doubtful)
    for origin in sorted(set(origins[doubtful].tolist())):
        sure = (origins == origin) & scored.is_spam & ~doubtful
        if not alone and sure.any():
            yield f"{origin}, sure", _parting(scored, ham | sure)


def _parting(scored: _ScoredSamples, chosen: Marks) -> SeparationResults:
    innocent = scored.scores[chosen & ~scored.is_spam]
    spam = scored.scores[chosen & scored.is_spam]
    return SeparationResults(
        len(innocent),
        len(spam),
        f1(scored.chances[chosen] > 0.5, scored.is_spam[chosen]),
        best_f1(innocent, spam)[0],
        auc(innocent, spam),
        {one: share_above(spam, threshold_at(innocent, one)) for one in TOLERATED},
    )


def _point(
    model: Model, text_class: TextClass, scored: Mapping[TextClass, _ScoredSamples]
) -> float:
    """Return the threshold at POINT: as measured here, else as the model knows it."""
    here = scored.get(text_class)
    if here is not None and not here.is_spam.all():
        return threshold_at(here.ham(), POINT)
    return model.of(text_class).threshold(POINT) or 0.0


def _attacks(
    model: Model,
    attacked: Sequence[Sample],
    points: Mapping[TextClass, float],
    told: Callable[[int], None],
) -> dict[str, dict[str, DisguiseResults]]:
    by_disguise: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in attacked:
        by_disguise[sample.lang, sample.source].append(sample)
    found: dict[str, dict[str, DisguiseResults]] = defaultdict(dict)
    for (lang, disguise), samples in by_disguise.items():
        # A disguise may leave no Han in a text; it is sent from the port all the same.
        hits = 0
        for text_class in TextClass:
            own = [one for one in samples if one.text_class is text_class]
            scores = _scored(model, text_class, own, told).scores
            hits += int((scores > points[text_class]).sum())
        found[lang][disguise] = DisguiseResults(len(samples), hits / len(samples))
    return dict(found)


def _categorised(model: Model, samples: Iterable[Sample]) -> CategoryResults | None:
    spam = ((one, category_in(one.source)) for one in samples if one.is_spam)
    named = [(one, category) for one, category in spam if category]
    if model.categories is None or not named:
        return None
    true = [category for _, category in named]
    found = list(model.categories.categories([one.text for one, _ in named]))
    right = np.array(found) == np.array(true)
    grave = [
        np.array([harm_of(one) is not Harm.ADVERT for one in names]) for names in (found, true)
    ]
    recalls = {one: float(right[np.array(true) == one].mean()) for one in sorted(set(true))}
    return CategoryResults(
        len(true), float(right.mean()), macro_f1(found, true), f1(grave[0], grave[1]), recalls
    )


def mean_kept(attacks: Mapping[str, DisguiseResults]) -> float:
    """Return the mean recall over the disguises by the recall without one, 0 if unknown."""
    kept = _recalls_kept(attacks)
    return sum(kept) / len(kept) if kept else 0.0


def _recalls_kept(attacks: Mapping[str, DisguiseResults]) -> list[float]:
    plain = attacks.get(UNCHANGED)
    if plain is None or not plain.recall:
        return []
    return [one.recall / plain.recall for name, one in attacks.items() if name != UNCHANGED]


# By class: the best F1, the area under the ROC, and recall by the false positives tolerated.
_ASKED_F1 = {TextClass.PORT: 0.95, TextClass.PERSON: 0.975, TextClass.FOREIGN: 0.95}
_ASKED_AUC = {TextClass.PORT: 0.98}
_ASKED_RECALLS = {
    TextClass.PORT: {0.005: 0.85, 0.01: 0.90},
    TextClass.PERSON: {0.001: 0.96},
}
_NOTICES_AT_MOST = 0.002
_KEPT_ON_THE_MEAN, _KEPT_AT_WORST = 0.95, 0.90
_ASKED_HARM_F1 = 0.985


@dataclass(frozen=True, slots=True)
class Goal:
    """One measure beside what was asked: at least that, or `at_most` that."""

    name: str
    asked: float
    found: float
    at_most: bool = False

    @property
    def is_reached(self) -> bool:
        """Tell whether it is as good as was asked, or better."""
        return self.found <= self.asked if self.at_most else self.found >= self.asked


def goals_of(found: Evaluation, sources: Mapping[TextClass, str] | None = None) -> tuple[Goal, ...]:
    """Return the goals for which something was measured.

    A class is judged by all of its texts, or by those of one of `sources`: that spam against
    the innocent texts of the whole class where a port sends, against its own elsewhere.
    """
    return (
        *(
            goal
            for text_class, one in found.classes.items()
            for goal in _of_class(text_class, one, (sources or {}).get(text_class, ""))
        ),
        *_of_disguises(found),
        *_of_harm(found),
    )


def _of_class(text_class: TextClass, found: ClassFound, source: str) -> Iterator[Goal]:
    is_port = text_class is TextClass.PORT
    by_source = found.sources if is_port else found.alone
    parting = by_source.get(source) if source else found.whole
    if parting is None:
        return
    name = f"{text_class} ({source})" if source else str(text_class)
    yield Goal(f"{name}: best F1", _ASKED_F1[text_class], parting.best_f1)
    if text_class in _ASKED_AUC:
        yield Goal(f"{name}: AUC", _ASKED_AUC[text_class], parting.auc)
    for tolerated, asked in _ASKED_RECALLS.get(text_class, {}).items():
        recall = parting.recalls[tolerated]
        yield Goal(f"{name}: recall at FPR {100 * tolerated:g} %", asked, recall)
    count = sum(count for count, _ in found.notices.values())
    if is_port and count:
        share = sum(hit for _, hit in found.notices.values()) / count
        yield Goal("innocent notices found at FPR 1 %", _NOTICES_AT_MOST, share, at_most=True)


def _of_disguises(found: Evaluation) -> Iterator[Goal]:
    kept = _recalls_kept(found.attacks.get("zh", {}))
    if kept:
        mean = mean_kept(found.attacks["zh"])
        yield Goal("Chinese disguises: recall kept on the mean", _KEPT_ON_THE_MEAN, mean)
        yield Goal("Chinese disguises: recall kept at worst", _KEPT_AT_WORST, min(kept))


def _of_harm(found: Evaluation) -> Iterator[Goal]:
    if found.categories is not None and found.categories.has_harm:
        yield Goal("fraud and illegal against advert: F1", _ASKED_HARM_F1, found.categories.harm_f1)
