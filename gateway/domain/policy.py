"""A policy bundle as data: what the YAML of one directory says, before it is compiled."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.sender import Purpose
from gateway.domain.verdict import Action

_HOUR_S = 3600


class ListAction(StrEnum):
    """What a hit on a keyword list does; `SHADOW` records it and forwards all the same."""

    REJECT = "reject"
    QUARANTINE = "quarantine"
    SHADOW = "shadow"


class Enforcement(StrEnum):
    """How far a rule goes: it stops messages, only records that it would, or is not asked."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class KeywordList:
    """Words of one category, as written: normalising them is the filter's business."""

    id: str
    category: str
    action: ListAction
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepliesRule:
    """How subscribers' replies (MO) are heard: each change is confirmed once, without advertising.

    The texts go out from the port that the subscriber wrote to; `opted_out` tells how to
    come back (O31 art. 18; R31 to R37).
    """

    opted_out: str
    restored: str


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """What subscribers' answers mean for messages from ports of the purposes in `applies_to`.

    `opt_out` stops what was refused, `consent` what was never asked for (DEC2012 art. 7).
    `on_store_error` is FORWARD, QUARANTINE or REJECT. Without `replies` what subscribers
    write is the SP's business alone.
    """

    opt_out: Enforcement = Enforcement.ENFORCE
    consent: Enforcement = Enforcement.OFF
    applies_to: frozenset[Purpose] = frozenset({Purpose.MARKETING})
    on_store_error: Action = Action.REJECT
    replies: RepliesRule | None = None

    @property
    def can_stop(self) -> bool:
        """Tell whether any message could be stopped by this rule."""
        return bool(self.applies_to) and Enforcement.ENFORCE in (self.opt_out, self.consent)


@dataclass(frozen=True, slots=True)
class ContentRule:
    """How texts are judged. `unreadable` is FORWARD, QUARANTINE or REJECT.

    `parts_ttl_s` bounds how long parts of a long message are remembered, `quarantine_ttl_s`
    how long a held message waits for a person.
    """

    unreadable: Action = Action.QUARANTINE
    parts_ttl_s: float = 60
    quarantine_ttl_s: float = 24 * _HOUR_S


class Expectation(StrEnum):
    """What a text of the self-test must come to; `SHADOW` is forwarded with a hit recorded."""

    FORWARD = "forward"
    SHADOW = "shadow"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class SelfTestCase:
    """A text, and what the bundle's own author says must become of it.

    `data_coding` None stands for the default alphabet where that holds the text, else UCS-2.
    `list_id` is the rule that must have found it, "" any. `line` and `column` are its place.
    """

    text: str
    expect: Expectation
    list_id: str = ""
    data_coding: int | None = None
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of the policy. `digest` names its exact files in every verdict."""

    name: str
    digest: str
    keyword_lists: tuple[KeywordList, ...] = ()
    consent: ConsentRule | None = None
    content: ContentRule = ContentRule(unreadable=Action.FORWARD)
    selftest: tuple[SelfTestCase, ...] = ()

    @property
    def is_open(self) -> bool:
        """Tell whether nothing in the bundle can stop a message."""
        return (
            self.content.unreadable is Action.FORWARD
            and (self.consent is None or not self.consent.can_stop)
            and all(words.action is ListAction.SHADOW for words in self.keyword_lists)
        )
