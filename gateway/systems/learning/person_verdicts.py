"""Verdicts of people on texts, as what is kept of them and as what is trained on."""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.categories import category_of
from gateway.domain.sample import KeptSample, NewSample, SampleLabel, SampleSource
from gateway.filter.model.classes import TextClass, class_of
from gateway.filter.views import views
from gateway.systems.learning.anonymous import anonymous, digest_of
from gateway.systems.learning.samples import Sample

# One name for all: training trusts a collection less that has one label alone, as all
# complaints have.
ORIGIN = "verdicts"

_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class PersonVerdict:
    """What a person said of a text as it was sent. `is_port` says that a port had sent it.

    `category` may be any word that gateway.domain.categories knows, or that a policy uses.
    """

    text: str = field(repr=False)
    label: SampleLabel
    category: str
    source: SampleSource
    system_id: str
    at: datetime
    by: str
    is_port: bool = True


def learnt_from(verdict: PersonVerdict) -> NewSample | None:
    """Return what is kept of a verdict, None where the text says nothing to learn from."""
    text = anonymous(verdict.text)
    if sum(map(str.isalpha, text)) < _LEAST_LETTERS:
        return None
    known = category_of(verdict.category) if verdict.label is SampleLabel.SPAM else None
    return NewSample(
        text=text,
        digest=digest_of(text),
        label=verdict.label,
        category=known.id if known is not None else "",
        source=verdict.source,
        text_class=class_of(views(text), is_port=verdict.is_port),
        system_id=verdict.system_id,
        at=verdict.at,
        by=verdict.by,
    )


def to_train_on(kept: KeptSample) -> Sample:
    """Return a sample on record as one of the files would be.

    Its class is found anew: classes may have changed since the verdict.
    """
    text = views(kept.text)
    text_class = class_of(text, is_port=kept.text_class != TextClass.PERSON)
    lang = "und" if text_class is TextClass.FOREIGN else "zh"
    source = f"{ORIGIN}/{kept.category}" if kept.category else ORIGIN
    return Sample(kept.label is SampleLabel.SPAM, lang, source, text, text_class)
