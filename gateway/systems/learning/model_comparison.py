"""What a running gateway says of the model in force and the one in shadow, on the same texts."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from gateway.filter.classifier.score import DISPUTED, ModelAgreement

_MAX_CLASSES = 20
_Counts = Annotated[dict[ModelAgreement, int], Field(min_length=len(ModelAgreement))]


class ModelComparison(BaseModel):
    """How often each model, both or none would stop a text, by class of text.

    `counts` are texts that were new to the gateway, `messages` all that had them; `sampled` are
    names of texts that only one of them stops. `failed` counts those that the shadow failed on.
    """

    active: str
    shadow: str
    since: AwareDatetime
    at: AwareDatetime
    failed: int
    counts: Annotated[dict[str, _Counts], Field(max_length=_MAX_CLASSES)]
    messages: Annotated[dict[str, _Counts], Field(max_length=_MAX_CLASSES)]
    sampled: Annotated[dict[ModelAgreement, list[str]], Field(min_length=len(DISPUTED))]

    def rows(self) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Yield class of text, texts or messages, and the counts in the order of agreements."""
        for name in self.counts:
            for counted, counts in (("texts", self.counts), ("messages", self.messages)):
                yield name, counted, tuple(counts[name][one] for one in ModelAgreement)


def read_comparison(octets: bytes) -> ModelComparison | None:
    """Return what a gateway wrote, which is not trusted; None for what cannot be read."""
    try:
        return ModelComparison.model_validate_json(octets)
    except ValidationError:
        return None
