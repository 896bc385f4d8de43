"""What a policy bundle says of words, limits, texts, replies and its own tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.categories import lineage_of
from gateway.domain.consent import Answer
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity

_HOUR_S = 3600


class ListAction(StrEnum):
    """What a hit on a keyword list does; `SHADOW` records it and forwards the message."""

    REJECT = "reject"
    QUARANTINE = "quarantine"
    SHADOW = "shadow"


class RuleEvent(StrEnum):
    """Which messages a rule is asked about: those of SPs here, or those of other networks (R63)."""

    SUBMIT = "submit"
    MT_IN = "mt_in"


class Enforcement(StrEnum):
    """How far a rule goes: it stops messages, only records that it would, or is not asked."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"

    # The hash of enum is Python code: 0.1 us for each finding that is looked up by mode.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class KeywordList:
    """Words of one category, as written; the filter normalises them.

    A word with `…` in it is a combination: its parts in that order, at most `gap` letters between
    them. `exceptions` are longer words in which a word does not count. `patterns` are pairs of a
    name and a regular expression of RE2, over the folded view. With `sound`, text that sounds like
    a word counts as the word.

    Without a `weight` every hit decides by itself. With one it is evidence: the action is taken if
    the weights of all evidence in a text reach `threshold`. `severity` and `owner` (who answers for
    the list) are for people. The list holds from `not_before` to `not_after`, both included.
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


DAY_S = 86_400

# A rolling limit keeps the second of every message it counts, four octets each, so that it is
# exact. Larger ones are quotas: a clock day counts them in one number.
MAX_ROLLING = 1_000
_MAX_ROLLING_S = 31 * DAY_S


class CountDimension(StrEnum):
    """What messages can be counted by."""

    DESTINATION = "destination"
    SIGNATURE = "signature"
    TEMPLATE = "template"
    SENDER = "sender"
    SOURCE = "source"


class Clock(StrEnum):
    """A window by the clock of the limits' zone: the minute 14:03, the day 2 May."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length_s(self) -> int:
        """Return how long such a window is."""
        return _LENGTHS[self]


_LENGTHS = {Clock.MINUTE: 60, Clock.HOUR: 3600, Clock.DAY: DAY_S}


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """The last `seconds` before each message. Exact to the second."""

    seconds: int

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= _MAX_ROLLING_S:
            raise ValueError(f"seconds: must be 1 to {_MAX_ROLLING_S}")


ROLLING_DAY = RollingWindow(DAY_S)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` messages that agree in all of `per`, in the time `every`.

    `holiday_maximum` takes its place in clock windows that begin on a public holiday.
    """

    per: tuple[CountDimension, ...]
    maximum: int
    every: Clock | RollingWindow
    holiday_maximum: int | None = None

    def __post_init__(self) -> None:
        if not self.per or len(set(self.per)) < len(self.per):
            raise ValueError("per: must name one part at least, and each once")
        if self.maximum < 1 or (self.holiday_maximum is not None and self.holiday_maximum < 1):
            raise ValueError("maximum: must be at least 1")
        if isinstance(self.every, Clock):
            return
        if self.maximum > MAX_ROLLING:
            raise ValueError(f"maximum: a rolling limit counts to {MAX_ROLLING} at most")
        if self.holiday_maximum is not None:
            raise ValueError("holiday_maximum: a rolling limit lies in more days than one")


class RefusalScope(StrEnum):
    """What a refusal is of that names nothing: all adverts of the SP, or those of the port."""

    SENDER = "sender"
    PORT = "port"


@dataclass(frozen=True, slots=True)
class RepliesRule:
    """How replies (MO) are handled: each change is confirmed once, without advertising.

    The texts are sent from the port that the subscriber wrote to; `opted_out` tells how to
    subscribe again (O31 art. 18; R31 to R37). In each, {sender} stands for the SP, or for
    `all_senders` at a hub code. `opted_out_orders` is said instead while paid orders go on, which
    {orders} names. `how_to` answers who asks how to refuse, and `help` who asks for help; ""
    leaves both to the SP. `scope` is what TD to a port refuses.
    """

    opted_out: str
    restored: str
    opted_out_orders: str = ""
    how_to: str = ""
    help: str = ""
    all_senders: str = ""
    scope: RefusalScope = RefusalScope.SENDER


class LongMessages(StrEnum):
    """How a message of several parts is judged (R62).

    PROGRESSIVE judges each part on arrival, together with those before it; a forwarded part is not
    recalled. ASSEMBLE keeps the parts until all have arrived: one verdict, all are forwarded or
    none.
    """

    PROGRESSIVE = "progressive"
    ASSEMBLE = "assemble"


class OverdueAction(StrEnum):
    """What becomes of a held message that no person decided on in time."""

    RELEASE = "release"
    DISCARD = "discard"
    KEEP = "keep"  # it waits on, till it expires


@dataclass(frozen=True, slots=True)
class ReviewLimit:
    """Within how many seconds people decide on held messages of a category, and what follows."""

    within_s: float
    then: OverdueAction = OverdueAction.KEEP

    def __str__(self) -> str:
        """Return it as a difference of two policies shows it."""
        return f"within {self.within_s:g} s, then {self.then}"


@dataclass(frozen=True, slots=True)
class ContentRule:
    """How texts are judged. `unreadable` is FORWARD, QUARANTINE or REJECT.

    `parts_ttl_s` limits how long the parts of a long message are remembered and wait for the
    others. `late_parts_s` is how long after that a late part is judged with them.
    `quarantine_ttl_s` is how long a held message waits for a person, and `code_life_s` how long a
    one-time code does if its text does not say how long it is of use. `review` has the limits of
    categories; a category without one has that of the next category above it.
    """

    unreadable: Action = Action.QUARANTINE
    parts_ttl_s: float = 60
    quarantine_ttl_s: float = 24 * _HOUR_S
    long_messages: LongMessages = LongMessages.PROGRESSIVE
    late_parts_s: float = 7 * 24 * _HOUR_S
    code_life_s: float = 600
    review: Mapping[str, ReviewLimit] = field(default_factory=dict)

    def limit_of(self, category: str) -> ReviewLimit | None:
        """Return the limit for messages of a category, None without one."""
        own = (category, *lineage_of(category))
        return next((self.review[one] for one in own if one in self.review), None)


class Expectation(StrEnum):
    """The expected result of a self-test case; `SHADOW` is forwarded with a hit recorded."""

    FORWARD = "forward"
    SHADOW = "shadow"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DEFER = "defer"
    THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class SelfTestMessage:
    """Who sends the text of a case, from which port, to whom and when (None: some workday).

    `answer` is the addressee's last answer to the sender, None for none. `is_suspended` says that
    the source is a personal number that may send nothing (R43).
    """

    source: str
    purpose: Purpose
    destination: str
    at: datetime | None = None
    answer: Answer | None = None
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class SelfTestCase:
    """A text, and the result that the author of the bundle expects.

    With a `message` all rules judge it; without one, only the checks of the text. `data_coding`
    None means the default alphabet if it can encode the text, else UCS-2. `list_id` is the rule
    that must have found it, "" for any. `file` (in the bundle), `line` and `column` are its place.
    """

    text: str
    expect: Expectation
    list_id: str = ""
    data_coding: int | None = None
    message: SelfTestMessage | None = None
    file: str = "selftest.yaml"
    line: int = 1
    column: int = 1
