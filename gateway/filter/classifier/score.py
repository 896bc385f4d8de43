"""What a classifier says of texts, as plain values for code that has no classifier."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from math import inf
from typing import NamedTuple, Protocol

from gateway.domain.categories import Harm
from gateway.filter.normalise.views import Views

_HAN = re.compile("[\u3400-\u9fff]")


class TextClass(StrEnum):
    """What a model was trained for.

    PORT is what SPs send from their ports, in Chinese; PERSON what people write; FOREIGN what
    has no Han in it. Innocent notices of banks look like adverts among chats, so that one
    model for all would have to let either pass.
    """

    PORT = "port"
    PERSON = "person"
    FOREIGN = "foreign"


def class_of(text: Views, *, is_port: bool = True) -> TextClass:
    """Return the class of `text`; `is_port` says that a port sends it."""
    if not _HAN.search(text.folded):
        return TextClass.FOREIGN
    return TextClass.PORT if is_port else TextClass.PERSON


class ModelAgreement(StrEnum):
    """Which of two models would stop a text."""

    NEITHER = "neither"
    BOTH = "both"
    ONLY_ACTIVE = "only_active"
    ONLY_SHADOW = "only_shadow"


@dataclass(slots=True)  # frozen takes twice the time, for every new text
class TextScore:
    """What a classifier says of one text; `category` and `harm` assume that it is spam.

    `guilty_from` is the lowest tolerance at which the text is stopped. `measured_from` is the
    lowest tolerance that was measured for texts of the class. A tolerance is a share of innocent
    texts; infinite if unknown. `agreement` tells which of two models would stop the text, None if
    no model in shadow was asked.
    """

    text_class: TextClass
    probability: float
    category: str = ""
    harm: Harm = Harm.ADVERT
    guilty_from: float = inf
    measured_from: float = inf
    agreement: ModelAgreement | None = field(default=None, compare=False)

    def is_guilty(self, tolerated: float) -> bool:
        """Tell whether the text is stopped at that tolerance."""
        return self.guilty_from <= tolerated

    def is_measured(self, tolerated: float) -> bool:
        """Tell whether the classifier was measured on innocent texts at that tolerance."""
        return self.measured_from <= tolerated


# The number of pieces of a text that are reported with its score.
PIECES = 6


class Piece(NamedTuple):
    """A piece of a text and what it adds to the score; its digits are all 0."""

    text: str
    weight: float


class Scorer(Protocol):
    """A classifier, ready to use. Immutable: share it, and swap it to change models."""

    @property
    def digest(self) -> str:
        """Return the digest of the model."""

    @property
    def measured_from(self) -> Mapping[TextClass, float]:
        """Return the lowest measured tolerance of each class that has a model."""

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> Sequence[TextScore]:
        """Return what it says of each text; cheapest for many at once.

        `is_port`: ports sent the texts, not personal numbers.
        """

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> Sequence[Piece]:
        """Return the pieces that made the score, the strongest first; slow."""


class ScoredText(Protocol):
    """What is known of one text in all its readings, with what classifiers said of them.

    - `texts`: its readings.
    - `scored`, `personal`: what is said of each reading if a port sends it, and if a person does.
    - `compared`: the classes in which two classifiers have been compared on the text.
    """

    texts: tuple[str, ...]
    scored: tuple[TextScore, ...] | None
    personal: tuple[TextScore, ...] | None
    compared: tuple[TextClass, ...]

    def seen(self) -> Sequence[Views]:
        """Return the views of the readings."""


def score_as_personal(texts: Iterable[ScoredText], scorer: Scorer) -> None:
    """Note in each text what is said of it if a person wrote it; cheapest for many at once.

    Raises what `scorer` raises; what it was asked about is not noted then.
    """
    asked = []
    for facts in dict.fromkeys(texts):
        scored = facts.scored
        if scored is not None and all(one.text_class is not TextClass.PORT for one in scored):
            facts.personal = scored  # it is foreign, whoever sends it
        else:
            asked.append(facts)
    if asked:
        views = [view for facts in asked for view in facts.seen()]
        found = iter(scorer.score(views, is_port=False))
        for facts in asked:
            facts.personal = tuple(islice(found, len(facts.texts)))


SAMPLED = 100
# The models differ on these texts, so they are worth a look.
DISPUTED = (ModelAgreement.ONLY_ACTIVE, ModelAgreement.ONLY_SHADOW)

Name = Callable[[], str]
Counts = dict[TextClass, dict[ModelAgreement, int]]


def _nothing() -> Counts:
    return {one: dict.fromkeys(ModelAgreement, 0) for one in TextClass}


@dataclass(slots=True)
class Comparison:
    """Counts texts and messages, by class and agreement, by what each of two models would do.

    `active` and `shadow` are the digests of the models. For texts that only one model would stop,
    `sampled` names are kept: each has the same chance, no matter when it came, and the same texts
    give the same sample in every process. `failed` counts what the model in shadow could not
    judge. Takes bounded memory, and keeps no text.
    """

    active: str
    shadow: str
    sampled: int = SAMPLED
    failed: int = 0
    counts: Counts = field(init=False, repr=False, default_factory=_nothing)
    messages: Counts = field(init=False, repr=False, default_factory=_nothing)
    # The names with the smallest hashes, by these.
    _samples: dict[ModelAgreement, dict[int, str]] = field(
        init=False, repr=False, default_factory=lambda: {one: {} for one in DISPUTED}
    )

    def note(self, text_class: TextClass, agreement: ModelAgreement, name: Name) -> None:
        """Count one text. `name` makes a name by which it can be found without revealing it."""
        self.counts[text_class][agreement] += 1
        sample = self._samples.get(agreement)
        if sample is not None:
            known_by = name()
            sample[_hash_of(known_by)] = known_by
            if len(sample) > self.sampled:
                del sample[max(sample)]

    def note_message(self, text_class: TextClass, agreement: ModelAgreement) -> None:
        """Count one message; its text may have been counted with an earlier message."""
        self.messages[text_class][agreement] += 1

    def names(self, agreement: ModelAgreement) -> tuple[str, ...]:
        """Return the sampled names with that agreement, sorted."""
        return tuple(sorted(self._samples.get(agreement, {}).values()))

    def as_json(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {
            "active": self.active,
            "shadow": self.shadow,
            "failed": self.failed,
            "counts": _as_json(self.counts),
            "messages": _as_json(self.messages),
            "sampled": {str(one): list(self.names(one)) for one in DISPUTED},
        }


def _as_json(counts: Counts) -> dict[str, dict[str, int]]:
    return {
        str(text_class): {str(name): count for name, count in of_class.items()}
        for text_class, of_class in counts.items()
    }


def _hash_of(name: str) -> int:
    octets = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big")
