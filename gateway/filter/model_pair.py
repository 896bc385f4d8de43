"""The model in force, and beside it one in shadow that only shows what it would do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from gateway.filter.model.classes import TextClass
from gateway.filter.model_comparison import Agreement, Comparison
from gateway.filter.scoring import Piece, Scored, Scorer
from gateway.filter.views import Views

# Both are compared where one innocent text in a hundred may be stopped, as `filter compare` does.
COMPARED_AT = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ModelPair:
    """Two models, or one, or none.

    Frozen: a change of models is another pair, which is put in the place of this one whole.
    """

    active: Scorer | None = None
    shadow: Scorer | None = None

    @property
    def digests(self) -> tuple[str, str]:
        """Return what names the two, "" where there is none."""
        active, shadow = self.active, self.shadow
        return (active.digest if active else "", shadow.digest if shadow else "")

    def scorer(self, comparison: Comparison) -> Scorer | None:
        """Return what texts are to be scored with: the model in force decides, None without one.

        Where there is a model in shadow, it is asked of the same texts, and `comparison` is told.
        """
        if self.active is None or self.shadow is None:
            return self.active
        return PairedScorer(self.active, self.shadow, comparison)


class PairedScorer:
    """Scores as `active` does, and notes of each text whether `shadow` agrees.

    A text that the caller remembers is asked of once: texts are compared, not messages. A model
    in shadow that fails harms nobody; the comparison counts what it failed on.
    """

    __slots__ = ("_active", "_comparison", "_shadow", "digest", "measured_from")

    def __init__(self, active: Scorer, shadow: Scorer, comparison: Comparison) -> None:
        self._active = active
        self._shadow = shadow
        self._comparison = comparison
        self.digest = active.digest
        self.measured_from: Mapping[TextClass, float] = active.measured_from

    def score(self, texts: Sequence[Views]) -> Sequence[Scored]:
        """Return what the model in force says of each text."""
        decided = self._active.score(texts)
        try:
            tried = self._shadow.score(texts)
            for text, active, shadow in zip(texts, decided, tried, strict=True):
                agreement = agreement_of(active, shadow)
                self._comparison.note(active.text_class, agreement, partial(name_of, text.raw))
        except Exception:  # noqa: BLE001 - what only looks on must not stop what decides
            self._comparison.failed += len(texts)
        return decided

    def pieces(self, text: Views, maximum: int) -> Sequence[Piece]:
        """Return what made the score of the model in force."""
        return self._active.pieces(text, maximum)


def agreement_of(active: Scored, shadow: Scored, tolerated: float = COMPARED_AT) -> Agreement:
    """Return which of the two stop a text, each at its own threshold for `tolerated`.

    A model that was measured on nothing of that class stops none.
    """
    match active.is_guilty(tolerated), shadow.is_guilty(tolerated):
        case True, True:
            return Agreement.BOTH
        case True, False:
            return Agreement.ONLY_ACTIVE
        case False, True:
            return Agreement.ONLY_SHADOW
        case _:
            return Agreement.NEITHER


def name_of(text: str) -> str:
    """Return what finds a text again without telling it: `b2sum -l 64` of it says the same."""
    octets = text.encode("utf-8", "surrogatepass")
    return blake2b(octets, digest_size=8).hexdigest()


NO_MODELS = ModelPair()
