"""What a check is: its parameters, its reason, its place in the order, and how it is asked.

A check is one file in `checks/`: a frozen dataclass below one of the bases here. Its fields
are its keys in `rules/*.yaml`, and their types say what a file may hold. `all_checks()` finds it;
schema, reference, `policy rules`, differences, explanations, statuses and what people may do about
its findings follow from it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Annotated, ClassVar, NamedTuple, Protocol, Self, TypeAlias

from gateway.domain.categories import TrafficClass
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.filter.facts import TextSign
from gateway.policy.filings import SenderFilings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a check found; a constant, so that findings are made once and not per message.

    `text` is in English, and goes on record. `zh` is the same in Chinese, for people only; "" where
    there is no Chinese. Neither holds a number or a text of a message. `reason` and `action`, if
    given, replace those of the rule. `category` is what the text is about, as far as the check can
    tell; `campaign` is the id of its campaign, `score` what the classifier says of it, in percent.
    `is_unread` says that the check could not read its data: the rule's `on_error` decides.
    """

    text: str
    reason: ReasonCode | None = None
    action: Action | None = None
    category: str = ""
    is_unread: bool = False
    campaign: str = ""
    score: int | None = None
    zh: str = ""

    def with_details(self, details: str) -> "Evidence":
        """Return it with `details` of one text behind its words, as people are told them."""
        return replace(self, text=self.text + details, zh=self.zh and self.zh + details)


# What checks of links and contacts find that do not look at the whole of a text.
ENDLESS = Evidence(
    "too long to look for links and contacts",
    Reason.CONTENT_UNCHECKED,
    is_unread=True,
    zh="文本过长，无法检查链接和联系方式",
)

# Asks one check about a message at an epoch second; None if there is nothing against it.
Ask: TypeAlias = Callable[[Submission, float], Evidence | None]

# Returns those of many messages that a check must be asked about, in their order. It includes every
# message that the check would find against, returns very few, and is fast.
Sieve: TypeAlias = Callable[[Sequence[Submission], float], Sequence[Submission]]

# Messages with the evidence against them.
Against: TypeAlias = Sequence[tuple[Submission, Evidence]]


def everyone(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
    """Pass every message to the check."""
    return submissions


class CheckQuestion(NamedTuple):
    """A check that can be asked; `sieve` selects from many messages those to ask about."""

    ask: Ask
    sieve: Sieve = everyone


class Counter(Protocol):
    """Counts the messages that it is asked about. Ask it last, about those that nothing stops."""

    gives_back: ClassVar[bool]  # whether `forget` changes anything

    @property
    def is_by_second(self) -> bool:
        """Tell whether it treats all moments of one second alike."""

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages one after the other, except those with something against them.

        Return these with the evidence. It may raise, because a text may be too much for the filter.
        Then nothing is counted yet that would be counted twice when the messages are asked about
        again.
        """

    def forget(self, submission: Submission, at: float) -> None:
        """Take back one message that it just counted, because another counter stops it."""

    def adopt(self, before: Self) -> None:
        """Go on from the counts of an earlier version of the rule, which is not asked any more."""


def asked_alone(counter: Counter) -> Ask:
    """Return a function that asks a counter about one message."""

    def ask(submission: Submission, at: float) -> Evidence | None:
        against = counter.ask_all((submission,), at)
        return against[0][1] if against else None

    return ask


class Fact(Enum):
    """What can be found out about a text. What no check of the bundle reads is not computed."""

    SCORE = "score"  # of the classifier
    FINGERPRINT = "fingerprint"


class Notation(Enum):
    """How a file spells a parameter, where its Python type does not say it."""

    RULE_ID = "rule id"
    PORT = "port"
    SYSTEM_ID = "system_id"
    NAME = "name"
    DOMAIN = "domain"
    REGISTERED_DOMAIN = "registered domain"
    CATEGORY = "category"
    SHARE = "share"  # "0.5 %" in a file, 0.005 here


RuleId = Annotated[str, Notation.RULE_ID]
PortPrefix = Annotated[str, Notation.PORT]
SystemId = Annotated[str, Notation.SYSTEM_ID]
Name = Annotated[str, Notation.NAME]
Domain = Annotated[str, Notation.DOMAIN]
RegisteredDomain = Annotated[str, Notation.REGISTERED_DOMAIN]
CategoryId = Annotated[str, Notation.CATEGORY]
Share = Annotated[float, Notation.SHARE]


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a duration in a file, both inclusive, and why."""

    least: timedelta
    most: timedelta
    why: str


class Check(ABC):
    """Base of all checks.

    `name` is the key in `rules/*.yaml`: the name of the class in lower case. `reason` is that of
    its findings, with all that is said of it; a new one is called as the check. Evidence may have
    another, a constant of the file. `order` is the place of the check
    among all checks, lowest first: the first finding that is not in shadow mode decides. A rule
    may take one of `allowed_actions`, the first if it does not say; `default_on_error` is for each
    class while the data cannot be read. `help` has a sentence for each field, and `formerly` is a
    name that files may still use.
    """

    __slots__ = ()

    name: ClassVar[str]
    reason: ClassVar[ReasonCode]
    order: ClassVar[int]
    formerly: ClassVar[str] = ""
    help: ClassVar[Mapping[str, str]] = {}
    reads: ClassVar[frozenset[Fact]] = frozenset()
    allowed_actions: ClassVar[tuple[Action, ...]] = (Action.REJECT, Action.QUARANTINE)
    default_on_error: ClassVar[Mapping[TrafficClass, Action]] = {
        TrafficClass.COMMERCIAL: Action.REJECT
    }
    # Whether one message and the bundle are enough to ask it: the self-test has nothing else.
    is_self_contained: ClassVar[bool] = True
    # Whether it depends on what was sent before, which only the running gateway knows.
    depends_on_traffic: ClassVar[bool] = False
    # Whether records are enough to ask it again.
    is_replayable: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        """Name the check."""
        cls.name = _CAPITAL.sub("_", cls.__name__).lower()

    def concerns(self, submission: Submission, filed: SenderFilings) -> bool:
        """Tell whether the check concerns the source of a message, as its sender has `filed` now.

        Messages of one source get the same answer until its sender's filings change.
        """
        return True


class SourceCheck(Check):
    """Asks something of a source besides its port.

    Sources of one port with the same traits share what was decided about a text.
    """

    __slots__ = ()

    @abstractmethod
    def source_trait(self, source: str, filed: SenderFilings) -> Hashable:
        """Return what the check asks of a source, as its sender has `filed` now."""


class AskedCheck(Check):
    """Looks at one message; it counts nothing."""

    __slots__ = ()

    @abstractmethod
    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""


class RecipientCheck(AskedCheck):
    """Asks about a message: its recipient, its source, its hour. The cheapest, asked first.

    `can_be_unread` says that its data may be missing while the store cannot be read.
    """

    __slots__ = ()

    can_be_unread: ClassVar[bool] = False


class TextCheck(AskedCheck):
    """Asks about a text: the answer is the same for all messages with it from one source."""

    __slots__ = ()

    def needs_text(self) -> TextSign | None:
        """Return with which signs a text must be asked about itself; None: each text.

        About a text without them the answer follows from its signs, its signature, its template
        and its class, so it is the same for all such texts from one kind of sources.
        """
        return None


class CountingCheck(Check):
    """Counts messages. Asked last, because only what is accepted counts (R42)."""

    __slots__ = ()

    is_self_contained = False
    depends_on_traffic = True

    @property
    @abstractmethod
    def memory_s(self) -> float:
        """Return how long it remembers a message, in seconds."""

    @abstractmethod
    def counter(self, knowledge: Knowledge, locale: RuleLocale) -> Counter:
        """Return a counter without counts."""


class Exemption(Check):
    """Finds nothing against messages: it exempts them from other rules."""

    __slots__ = ()

    allowed_actions = ()
