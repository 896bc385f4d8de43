"""The shape of `services.yaml`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.short_texts import chars_of
from gateway.domain.subscription import Cycle
from gateway.filter.normalise import normalise
from gateway.policy.intents import Intent, MoContext, meaning_of
from gateway.policy.mo_words import SHIPPED_WORDS, key_of
from gateway.settings.schema import Shape, Text, Version

# What still leaves room for the rest in a request for the yes of 70 characters.
MAX_NAME_CHARS = 10

_MAX_PRICE_FEN = 999_999
_MAX_TRIAL_DAYS = 180
_MAX_SERVICES = 10_000
_MAX_WORDS = 20
_MAX_WORD_CHARS = 20
_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_PORT = re.compile("[0-9]{1,20}")


def _is_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit")
    return text


def _is_name(text: str) -> str:
    if chars_of(text) > MAX_NAME_CHARS:
        raise ValueError(f"is longer than {MAX_NAME_CHARS} characters")
    return text


def _is_port(text: str) -> str:
    if not _PORT.fullmatch(text):
        raise ValueError("must be 1 to 20 digits")
    return text


def _is_order_word(text: str) -> str:
    """Return a word that always means the order, independently of earlier messages."""
    if not 1 < len(key_of(text)) <= _MAX_WORD_CHARS:
        raise ValueError(f"must hold 2 to {_MAX_WORD_CHARS} letters or digits")
    context = MoContext(is_pending=True, listed=9_999)
    if key_of(text) in SHIPPED_WORDS.confirm or meaning_of(text, context).intent is not Intent.NONE:
        raise ValueError("means something else to a subscriber: an answer, a refusal, an item")
    if normalise(text).isdigit():
        raise ValueError("is a number: subscribers write those for many reasons")
    return text


class ServiceShape(Shape):
    """`services[]`."""

    system_id: Text
    id: Annotated[str, AfterValidator(_is_id)]
    name: Annotated[Text, AfterValidator(_is_name)]
    port: Annotated[str, AfterValidator(_is_port)]
    order_words: Annotated[
        list[Annotated[Text, AfterValidator(_is_order_word)]],
        Field(min_length=1, max_length=_MAX_WORDS),
    ]
    price_fen: Annotated[int, Field(ge=0, le=_MAX_PRICE_FEN)]
    cycle: Annotated[Cycle, Strict(False)] = Cycle.MONTH
    trial_days: Annotated[int, Field(ge=0, le=_MAX_TRIAL_DAYS)] = 0


class ServicesFile(Shape):
    """The whole file."""

    version: Version
    services: Annotated[list[ServiceShape], Field(max_length=_MAX_SERVICES)]
