"""The rules of a bundle as data: what each asks, about which messages, and the action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from gateway.domain.policy import Enforcement
from gateway.domain.suspension import SuspensionTerms
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Reason
from gateway.domain.warning import Severity, WarningCode
from gateway.filter.contacts import ContactKind
from gateway.filter.model.harm import Harm
from gateway.policy.limits import Limit
from gateway.policy.windows import WindowSet

COMMERCIAL = frozenset({TrafficClass.COMMERCIAL})


@dataclass(frozen=True, slots=True)
class Suspended:
    """Ask whether the number behind the source is suspended (R43)."""


@dataclass(frozen=True, slots=True)
class OtherProvince:
    """Ask whether a provincial port writes to a subscriber of another province (R04)."""


@dataclass(frozen=True, slots=True)
class PurposeMissed:
    """Ask whether the text is commercial and its port is not registered for that (R05)."""


@dataclass(frozen=True, slots=True)
class PublicInterest:
    """Ask whether the message comes from an authority's port with a valid approval (R11).

    This is in favour of the message: the rules in `exempts` are not asked then.
    """

    exempts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Ask whether the subscriber refused the sender or all senders (R21)."""


@dataclass(frozen=True, slots=True)
class NotAgreed:
    """Ask whether the subscriber never agreed (R20).

    Without `accept_asserted`, an agreement that only the sender asserts does not count (R26).
    """

    accept_asserted: bool = True


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Ask whether the subscriber's own preferences are against the message (R50)."""


@dataclass(frozen=True, slots=True)
class Untimely:
    """Ask whether the message would arrive outside `windows`, in the recipient's time (R40, R41).

    With the action DEFER it waits for the next opening, spread over `jitter` after it.
    """

    windows: WindowSet
    jitter: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class TooOften:
    """Ask whether a limit is reached (R42, R43). A rejected message is not counted.

    `sources` are the prefixes of the source addresses that are counted, all if empty. With
    `suspend`, a source that reaches a limit is suspended.
    """

    limits: tuple[Limit, ...]
    sources: tuple[str, ...] = ()
    suspend: SuspensionTerms | None = None


@dataclass(frozen=True, slots=True)
class TooFast:
    """Ask whether a port sends more than `per_s` on average and `burst` at once (R44)."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class NumberWalk:
    """Ask whether the sender walks through numbers (R28).

    That is `count` destinations in `within`, each one more, or each one less, than the one before.
    """

    count: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class UnknownNumbers:
    """Ask whether the SMSC does not know most of the numbers that the sender writes to (R28).

    That is, a `share` of the messages passed on for it `within` a while, if these are `at_least` so
    many.
    """

    share: float
    within: timedelta
    at_least: int


@dataclass(frozen=True, slots=True)
class SignatureSwitched:
    """Ask whether the source is bound to another signature (R06)."""


@dataclass(frozen=True, slots=True)
class SignatureNotFiled:
    """Ask whether the text has no signature, or one that the sender has not filed (R12)."""


@dataclass(frozen=True, slots=True)
class TemplateNotFiled:
    """Ask whether the text matches none of the sender's templates (R12)."""


@dataclass(frozen=True, slots=True)
class NoWayOut:
    """Ask whether the text tells no way to refuse further messages (R30)."""


@dataclass(frozen=True, slots=True)
class Nameless:
    """Ask whether the text does not name its sender in 【】 (R38).

    With `telephone` it must also name a number that somebody answers.
    """

    telephone: bool = False


@dataclass(frozen=True, slots=True)
class BadLink:
    """Ask whether the text links to where it should not (R61).

    To a domain of `block`, or below it; to a domain that imitates one of `brands`; with
    `disguised`, in a way that only people read (点 for a dot); with `only_allowed`, to any domain
    that is neither in `allow` nor in `brands`. A link to a domain in `allow` is never found.
    `category` is what such a text is about.
    """

    block: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    disguised: bool = False
    only_allowed: bool = False
    category: str = "phishing"


@dataclass(frozen=True, slots=True)
class Impostor:
    """Ask whether the signature imitates one of `names` (R61).

    With `filed`, also one that any other sender has filed. A signature that the sender itself has
    filed is its own, and so is a similar one.
    """

    names: tuple[str, ...] = ()
    filed: bool = False
    category: str = "fraud"


@dataclass(frozen=True, slots=True)
class ContactGiven:
    """Ask whether the text asks its reader to use a contact of one of `kinds` (R61)."""

    kinds: frozenset[ContactKind]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The share of innocent texts that may be stopped of one sender, or of one of its ports.

    The port takes precedence, as in an override.
    """

    tolerates: float
    sender: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Suspicious:
    """Ask whether the classifier finds the text like spam (R61).

    `tolerates` is the share of innocent texts that may be stopped; the model knows the matching
    score for each class of texts. `actions` gives the action by harm, if it differs from that of
    the rule; with FORWARD the text is only noted.
    """

    tolerates: float
    tolerances: tuple[Tolerance, ...] = ()
    actions: Mapping[Harm, Action] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Ask whether much the same text went to `people` without their consent, `within` a while.

    From all senders together, or with `each_sender` from each separately. The text may vary from
    one message to the next (R61). With `accept_asserted`, a consent that only the sender asserts
    counts (R26).
    """

    people: int
    within: timedelta
    accept_asserted: bool = False
    each_sender: bool = False


Check: TypeAlias = (
    Suspended
    | OtherProvince
    | PurposeMissed
    | PublicInterest
    | Refused
    | NotAgreed
    | Unwanted
    | Untimely
    | TooOften
    | TooFast
    | NumberWalk
    | UnknownNumbers
    | SignatureSwitched
    | SignatureNotFiled
    | TemplateNotFiled
    | NoWayOut
    | Nameless
    | BadLink
    | Impostor
    | ContactGiven
    | Suspicious
    | Campaign
)

# Every check with its reason, in the order in which a message meets them: the first finding that is
# not in shadow mode decides. Checks that count messages come last, because only what is accepted
# counts (R42).
REASONS: Mapping[type[Check], Reason] = {
    Suspended: Reason.SOURCE_SUSPENDED,
    OtherProvince: Reason.OUT_OF_SCOPE,
    PublicInterest: Reason.PUBLIC_INTEREST,
    Refused: Reason.OPTED_OUT,
    NotAgreed: Reason.CONSENT_NONE,
    Unwanted: Reason.USER_PREF,
    Untimely: Reason.OUTSIDE_WINDOW,
    UnknownNumbers: Reason.NUMBERS_UNKNOWN,
    SignatureNotFiled: Reason.SIG_UNKNOWN,
    SignatureSwitched: Reason.SIG_SWITCH,
    PurposeMissed: Reason.PORT_MISUSE,
    NoWayOut: Reason.NO_OPTOUT_HINT,
    Nameless: Reason.NO_SENDER_NAME,
    TemplateNotFiled: Reason.TPL_MISMATCH,
    BadLink: Reason.BAD_LINK,
    Impostor: Reason.IMPOSTOR,
    ContactGiven: Reason.CONTACT_GIVEN,
    Suspicious: Reason.SUSPICIOUS,
    NumberWalk: Reason.NUMBER_WALK,
    Campaign: Reason.CAMPAIGN,
    TooFast: Reason.RATE,
    TooOften: Reason.FREQUENCY,
}


@dataclass(frozen=True, slots=True)
class Override:
    """Another mode of a rule for one sender, or for one of its ports.

    `sender` is a system_id, `port` the number of a port as configured; the port takes precedence.
    `because` is for those who read it later.
    """

    mode: Enforcement
    sender: str = ""
    port: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Title:
    """What a rule is called."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `article` cites what asks for it; `status` "" means that of the check's reason.

    `applies_to` are the classes of messages that it is asked about. `on_error` is the action for a
    class while the rule's data cannot be read; a class that is not in it passes. Each finding
    raises the `warning`, which is a violation if it has a `severity` (R95).
    """

    id: str
    title: Title
    article: str
    check: Check
    mode: Enforcement = Enforcement.SHADOW
    applies_to: frozenset[TrafficClass] = COMMERCIAL
    action: Action = Action.REJECT
    status: str = ""
    on_error: Mapping[TrafficClass, Action] = field(
        default_factory=lambda: {TrafficClass.COMMERCIAL: Action.REJECT}
    )
    overrides: tuple[Override, ...] = ()
    warning: WarningCode | None = None
    severity: Severity | None = None

    def __post_init__(self) -> None:
        defers = self.action is Action.DEFER and not isinstance(self.check, Untimely)
        if defers or Action.DEFER in self.on_error.values():
            raise ValueError("only a message that comes at a bad time can wait for a better one")
        if self.severity is not None and self.warning is None:
            raise ValueError("a violation is a warning first")

    @property
    def reason(self) -> Reason:
        """Return the reason that its findings give."""
        return REASONS[type(self.check)]

    @property
    def can_stop(self) -> bool:
        """Tell whether any message could be stopped by this rule."""
        modes = {self.mode, *(override.mode for override in self.overrides)}
        return (
            Enforcement.ENFORCE in modes
            and bool(self.applies_to)
            and not isinstance(self.check, PublicInterest)
        )
