"""The shapes of a policy bundle's files."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, Strict

from gateway.domain.policy import ListAction, LongMessages
from gateway.domain.warning import Severity
from gateway.filter.contact_patterns import PatternError, compiled
from gateway.settings.filings_file import Day
from gateway.settings.names import Id
from gateway.settings.one_message import Reply
from gateway.settings.rule_shape import Fallback
from gateway.settings.schema import Shape, Text, Version
from gateway.settings.words import MAX_WORD_CHARS, word_problem

_DAY_S = 86_400
_MAX_EXCEPTIONS = 10_000
_MAX_PATTERNS = 200
_MAX_PATTERN_CHARS = 500
_MAX_WEIGHT = 100

# A key costs 4 to 450 octets (gateway.policy.frequency).
MAX_CAPACITY = 20_000_000


def _is_word(text: str) -> str:
    word = text.strip()
    problem = word_problem(word)
    if problem:
        raise ValueError(problem)
    return word


Word = Annotated[str, AfterValidator(_is_word)]


# Of a pattern, by which a hit is told.
Name = Annotated[Text, Field(max_length=MAX_WORD_CHARS)]


def _is_pattern(text: str) -> str:
    try:
        pattern = compiled(text)
    except PatternError as error:
        raise ValueError(f"is no regular expression of RE2: {error}") from error
    if pattern.search("") is not None:
        raise ValueError("matches where nothing is")
    return text


Pattern = Annotated[
    str, Field(min_length=1, max_length=_MAX_PATTERN_CHARS), AfterValidator(_is_pattern)
]


def _is_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone, as Asia/Shanghai is") from error
    return text


class BundleFile(Shape):
    """`bundle.yaml`."""

    version: Version
    name: Text
    profile: Id | None = None
    zone: Annotated[Text, AfterValidator(_is_zone)] = "Asia/Shanghai"
    calendar: Text | None = None
    frequency_capacity: Annotated[int, Field(ge=1, le=MAX_CAPACITY)] = 1_000_000


class KeywordsFile(Shape):
    """`keywords/*.yaml`."""

    version: Version
    id: Id
    category: Id
    action: Annotated[ListAction, Strict(False)]
    words: list[Word] = Field(default_factory=list)
    file: Text | None = None
    exceptions: Annotated[list[Word], Field(max_length=_MAX_EXCEPTIONS)] = Field(
        default_factory=list
    )
    patterns: Annotated[dict[Name, Pattern], Field(max_length=_MAX_PATTERNS)] = Field(
        default_factory=dict
    )
    gap: Annotated[int, Field(ge=1, le=100)] = 12
    sound: bool = False
    weight: Annotated[int, Field(ge=1, le=_MAX_WEIGHT)] | None = None
    threshold: Annotated[int, Field(ge=1, le=1_000)] = 10
    severity: Annotated[Severity, Strict(False)] | None = None
    owner: Text | None = None
    not_before: Day | None = None
    not_after: Day | None = None


class RepliesFile(Shape):
    """`replies.yaml`."""

    version: Version
    opted_out: Reply = "您已退订，我们不再向您发送商业信息。如需恢复请回复HF"
    restored: Reply = "您已恢复接收我们的信息。如需退订请回复TD"


class ContentFile(Shape):
    """`content.yaml`."""

    version: Version
    unreadable: Fallback = "quarantine"
    parts_ttl_s: Annotated[float, Field(gt=0, le=_DAY_S)] = 60
    late_parts_s: Annotated[float, Field(ge=_DAY_S, le=30 * _DAY_S)] = 7 * _DAY_S
    quarantine_ttl_s: Annotated[float, Field(ge=60, le=90 * _DAY_S)] = _DAY_S
    long_messages: Annotated[LongMessages, Strict(False)] = LongMessages.PROGRESSIVE
