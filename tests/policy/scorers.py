"""Classifiers that know some words and say of a text what stands beside the first they find."""

from collections.abc import Mapping, Sequence

from gateway.domain.categories import Harm
from gateway.filter.classifier.score import Piece, TextClass, TextScore
from gateway.filter.normalise.views import Views

INNOCENT = TextScore(TextClass.PORT, 0.02, "retail", Harm.ADVERT, measured_from=0.001)
PRIZE = TextScore(
    TextClass.PORT, 0.97, "fraud_prize", Harm.FRAUD, guilty_from=0.001, measured_from=0.001
)
OFFER = TextScore(
    TextClass.PORT, 0.8, "retail", Harm.ADVERT, guilty_from=0.005, measured_from=0.001
)
UNKNOWN = TextScore(TextClass.PORT, 0.9, guilty_from=0.001, measured_from=0.001)
UNMEASURED = TextScore(TextClass.FOREIGN, 0.99, "gambling", Harm.ILLEGAL)

WORDS = {"领奖": PRIZE, "清仓": OFFER, "怪事": UNKNOWN, "casino": UNMEASURED}


class WordScorer:
    """Knows `words`, fails on texts with "坏" in them, and notes how many it was given at once.

    `personal` is what it says of words in what people write, and in `persons` it notes those,
    those that it was given at once together.
    """

    digest = "0123"
    measured_from: Mapping[TextClass, float] = {TextClass.PORT: 0.001}

    def __init__(
        self,
        words: Mapping[str, TextScore] = WORDS,
        personal: Mapping[str, TextScore] | None = None,
    ) -> None:
        self._words = words
        self._personal = words if personal is None else personal
        self.batches: list[int] = []
        self.persons: list[list[str]] = []

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        words = self._words if is_port else self._personal
        if is_port:
            self.batches.append(len(texts))
        else:
            self.persons.append([text.raw for text in texts])
        if any("坏" in text.raw for text in texts):
            raise RuntimeError
        return [
            next((said for word, said in words.items() if word in text.folded), INNOCENT)
            for text in texts
        ]

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> list[Piece]:
        words = self._words if is_port else self._personal
        found = [Piece(word, 1.5) for word in words if word in text.raw]
        return [*found, Piece(" 您好", -0.25)][:maximum]
