"""What a policy bundle says of words, texts, replies and its own tests."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.consent import Answer
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity

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

    # That of enum is Python code: 0.1 us for each finding that is looked up by mode.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class KeywordList:
    """Words of one category, as written: normalising them is the filter's business.

    A word with `…` in it is a combination: its parts in that order, at most `gap` letters
    between them. `exceptions` are longer words in which a word does not count. `patterns` are
    pairs of a name and a regular expression of RE2, over the folded view. With `sound`, what is
    read like a word counts as the word.

    Without a `weight` every hit decides by itself. With one it is evidence: the action is taken
    where the weights of all evidence in a text come to `threshold`. `severity` and `owner` (who
    answers for the list) are for people. The list holds from `not_before` to `not_after`, both
    included.
    """

    id: str
    category: str
    action: ListAction
    words: tuple[str, ...]
    exceptions: tuple[str, ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()
    gap: int = 12
    sound: bool = False
    weight: int = 0
    threshold: int = 10
    severity: Severity | None = None
    owner: str = ""
    not_before: date | None = None
    not_after: date | None = None

    def holds_on(self, day: date) -> bool:
        """Tell whether the list is in force that day."""
        return (self.not_before is None or self.not_before <= day) and (
            self.not_after is None or day <= self.not_after
        )


@dataclass(frozen=True, slots=True)
class RepliesRule:
    """How subscribers' replies (MO) are heard: each change is confirmed once, without advertising.

    The texts go out from the port that the subscriber wrote to; `opted_out` tells how to
    come back (O31 art. 18; R31 to R37).
    """

    opted_out: str
    restored: str


class LongMessages(StrEnum):
    """How a message of several parts is judged (R62).

    PROGRESSIVE judges each part as it comes, with those before it; one that went on is not
    called back. ASSEMBLE keeps them until all have come: one verdict, all go on or none.
    """

    PROGRESSIVE = "progressive"
    ASSEMBLE = "assemble"


@dataclass(frozen=True, slots=True)
class ContentRule:
    """How texts are judged. `unreadable` is FORWARD, QUARANTINE or REJECT.

    `parts_ttl_s` bounds how long parts of a long message are remembered, and how long they
    wait for the others, `late_parts_s` how long after that a part that comes late is judged
    with them, `quarantine_ttl_s` how long a held message waits for a person.
    """

    unreadable: Action = Action.QUARANTINE
    parts_ttl_s: float = 60
    quarantine_ttl_s: float = 24 * _HOUR_S
    long_messages: LongMessages = LongMessages.PROGRESSIVE
    late_parts_s: float = 7 * 24 * _HOUR_S


class Expectation(StrEnum):
    """What a case of the self-test must come to; `SHADOW` is forwarded with a hit recorded."""

    FORWARD = "forward"
    SHADOW = "shadow"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DEFER = "defer"
    THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class SelfTestMessage:
    """Who sends the text of a case from which port, to whom, and when; None for some workday.

    `answer` is the addressee's last word to the sender, None for none. `is_suspended` tells
    that the source is a personal number that may send nothing (R43).
    """

    source: str
    purpose: Purpose
    destination: str
    at: datetime | None = None
    answer: Answer | None = None
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class SelfTestCase:
    """A text, and what the bundle's own author says must become of it.

    With a `message` all rules judge it, without one only what looks at the text alone.
    `data_coding` None stands for the default alphabet where that holds the text, else UCS-2.
    `list_id` is the rule that must have found it, "" any. `file`, of the bundle, `line` and
    `column` are its place.
    """

    text: str
    expect: Expectation
    list_id: str = ""
    data_coding: int | None = None
    message: SelfTestMessage | None = None
    file: str = "selftest.yaml"
    line: int = 1
    column: int = 1
