"""What a model is asked to reach, and whether it does."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.evaluation import (
    UNCHANGED,
    ClassFound,
    Evaluation,
    SeparationResults,
    mean_kept,
)
from gateway.systems.learning.samples import Sample

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
_ANY = ""


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


def judging(samples: Iterable[Sample]) -> dict[str, TextClass]:
    """Return the sources that may stand for a class, each with the class of most of its spam.

    They have spam, and there are innocent texts to tell it from: of the same source, or where
    a port sends of any.
    """
    spam = Counter[tuple[str, TextClass]]()
    innocent = set[tuple[str, TextClass]]()
    for one in samples:
        if one.is_spam:
            spam[one.origin, one.text_class] += 1
        else:
            innocent |= {(one.origin, one.text_class), (_ANY, one.text_class)}
    return {
        origin: text_class
        for (origin, text_class), _ in reversed(spam.most_common())
        if (_ANY if text_class is TextClass.PORT else origin, text_class) in innocent
    }


def _of_class(text_class: TextClass, found: ClassFound, source: str) -> Iterator[Goal]:
    is_port = text_class is TextClass.PORT
    by_source = found.sources if is_port else found.alone
    parting: SeparationResults | None = by_source.get(source) if source else found.whole
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
    attacks = found.attacks.get("zh", {})
    plain = attacks.get(UNCHANGED)
    others = [one.recall for name, one in attacks.items() if name != UNCHANGED]
    if plain is None or not plain.recall or not others:
        return
    yield Goal("Chinese disguises: recall kept on the mean", _KEPT_ON_THE_MEAN, mean_kept(attacks))
    worst = min(others) / plain.recall
    yield Goal("Chinese disguises: recall kept at worst", _KEPT_AT_WORST, worst)


def _of_harm(found: Evaluation) -> Iterator[Goal]:
    if found.categories is not None and found.categories.has_harm:
        yield Goal("fraud and illegal against advert: F1", _ASKED_HARM_F1, found.categories.harm_f1)
