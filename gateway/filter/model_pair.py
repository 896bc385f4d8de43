"""The model in force, and a model in shadow that only shows what it would do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b

from gateway.filter.facts import TextFacts
from gateway.filter.model.classes import TextClass
from gateway.filter.model_comparison import DISPUTED, Comparison, ModelAgreement
from gateway.filter.text_score import Piece, Scorer, TextScore
from gateway.filter.views import Views

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

    def note(self, facts: TextFacts, *, is_personal: bool) -> None:
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
