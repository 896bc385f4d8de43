"""How the model in shadow differs from the one in force, on the messages that arrive."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from heapq import heappush, heapreplace

from gateway.filter.model.classes import TextClass

SAMPLED = 100


class ModelAgreement(StrEnum):
    """Which of two models would stop a text."""

    NEITHER = "neither"
    BOTH = "both"
    ONLY_ACTIVE = "only_active"
    ONLY_SHADOW = "only_shadow"


# The models differ on these texts, so they are worth a look.
DISPUTED = (ModelAgreement.ONLY_ACTIVE, ModelAgreement.ONLY_SHADOW)


Name = Callable[[], str]
Counts = dict[TextClass, dict[ModelAgreement, int]]


@dataclass(slots=True)
class Comparison:
    """Counts texts and messages by what each of two models would do with them.

    `active` and `shadow` are the digests of the models. For texts that only one model would stop,
    `sampled` names are kept: each has the same chance, no matter when it came, and the same texts
    give the same sample in every process. `failed` counts what the model in shadow could not
    judge. Takes bounded memory, and keeps no text.
    """

    active: str
    shadow: str
    sampled: int = SAMPLED
    failed: int = 0
    _counts: Counts = field(init=False, repr=False)
    _messages: Counts = field(init=False, repr=False)
    _samples: dict[ModelAgreement, "_NameSample"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin with nothing counted."""
        self._counts, self._messages = _nothing(), _nothing()
        self._samples = {one: _NameSample(self.sampled) for one in DISPUTED}

    def note(self, text_class: TextClass, agreement: ModelAgreement, name: Name) -> None:
        """Count one text. `name` makes a name by which it can be found without revealing it."""
        self._counts[text_class][agreement] += 1
        sample = self._samples.get(agreement)
        if sample is not None:
            sample.offer(name())

    def note_message(self, text_class: TextClass, agreement: ModelAgreement) -> None:
        """Count one message; its text may have been counted with an earlier message."""
        self._messages[text_class][agreement] += 1

    @property
    def counts(self) -> Mapping[TextClass, Mapping[ModelAgreement, int]]:
        """Return the number of texts for every class and every agreement."""
        return self._counts

    @property
    def messages(self) -> Mapping[TextClass, Mapping[ModelAgreement, int]]:
        """Return the number of messages for every class and every agreement."""
        return self._messages

    def names(self, agreement: ModelAgreement) -> tuple[str, ...]:
        """Return the sampled names with that agreement, sorted."""
        sample = self._samples.get(agreement)
        return () if sample is None else sample.names()

    def as_json(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {
            "active": self.active,
            "shadow": self.shadow,
            "failed": self.failed,
            "counts": _as_json(self._counts),
            "messages": _as_json(self._messages),
            "sampled": {str(one): list(self.names(one)) for one in DISPUTED},
        }


class _NameSample:
    """The `maximum` names with the smallest hashes, of all that were offered."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        # A heap: the greatest hash that is kept is first.
        self._kept: list[tuple[int, str]] = []
        self._known: set[str] = set()

    def offer(self, name: str) -> None:
        if name in self._known:
            return
        one = (-_hash_of(name), name)
        if len(self._kept) < self._maximum:
            heappush(self._kept, one)
        elif self._kept and one > self._kept[0]:
            self._known.discard(heapreplace(self._kept, one)[1])
        else:
            return
        self._known.add(name)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._known))


def _nothing() -> Counts:
    return {one: dict.fromkeys(ModelAgreement, 0) for one in TextClass}


def _as_json(counts: Counts) -> dict[str, dict[str, int]]:
    return {
        str(text_class): {str(name): count for name, count in of_class.items()}
        for text_class, of_class in counts.items()
    }


def _hash_of(name: str) -> int:
    octets = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big")
