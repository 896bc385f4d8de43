"""A trained model as the scorer that the rest of the gateway asks."""

from collections.abc import Mapping, Sequence
from math import inf

from gateway.filter.model.classes import TextClass
from gateway.filter.model.model import ClassModel, Judgement, Model
from gateway.filter.text_score import Piece, TextScore
from gateway.filter.views import Views


class ModelScorer:
    """Asks one model; `digest` names it as `smsward filter models` does."""

    __slots__ = ("_model", "_thresholds", "digest", "measured_from")

    def __init__(self, model: Model, digest: str = "") -> None:
        self._model = model
        self.digest = digest
        self.measured_from: Mapping[TextClass, float] = {
            text_class: _least(one) for text_class, one in model.classes.items()
        }
        # Those of the model that judges each class, which need not be one of its own.
        judges = {text_class: model.of(text_class) for text_class in TextClass}
        self._thresholds = {
            text_class: (one.thresholds, _least(one)) for text_class, one in judges.items()
        }

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        """Return what the model says of each text."""
        return [self._scored(judged) for judged in self._model.judge(texts, is_port=is_port)]

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> tuple[Piece, ...]:
        """Return the pieces that made the score of `text` what it is, the strongest first."""
        found = self._model.explain(text, maximum, is_port=is_port)
        return tuple(Piece(one.piece, one.weight) for one in found)

    def _scored(self, judged: Judgement) -> TextScore:
        thresholds, measured_from = self._thresholds[judged.text_class]
        guilty_from = inf
        for one in thresholds:
            if judged.score > one.score and one.tolerated < guilty_from:
                guilty_from = one.tolerated
        return TextScore(
            judged.text_class,
            judged.probability,
            judged.category,
            judged.harm,
            guilty_from,
            measured_from,
        )


def _least(model: ClassModel) -> float:
    return min((one.tolerated for one in model.thresholds), default=inf)
