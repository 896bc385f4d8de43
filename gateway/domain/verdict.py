"""What the gateway decided about a message, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Self

from gateway.domain.warning import Severity, WarningCode


class Action(StrEnum):
    """What is done with a message, weakest first."""

    FORWARD = "forward"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    THROTTLE = "throttle"
    REJECT = "reject"


class Basis(Enum):
    """What a reason rests on.

    Records are enough to ask again about ADDRESSES and a RECIPIENT. CONTENT is what a text says,
    TEXT what else a rule asks of it: a signature, a template, a hint. MOMENT is how the gateway,
    its store or the answers of the SMSC stood then, or what no record holds: no rule can be asked
    again.
    """

    MOMENT = "moment"
    ADDRESSES = "addresses"
    RECIPIENT = "recipient"
    TEXT = "text"
    CONTENT = "content"


class Reason(StrEnum):
    """Stable names of reasons; records, metrics and per-SP status overrides use them.

    `status` is the name of the command_status that an SP gets if neither it nor the rule has
    another. Common clients do not retry after RSUBMITFAIL, but do after RSYSERR, RTHROTTLED and
    RMSGQFUL. A final rejection must not use these three. A temporary one must: if the store could
    not be asked, the message may pass when it comes again.
    """

    basis: Basis
    status: str

    def __new__(cls, name: str, basis: Basis, status: str = "ESME_RSUBMITFAIL") -> Self:
        """Make a member with its basis and its status."""
        one = str.__new__(cls, name)
        one._value_, one.basis, one.status = name, basis, status
        return one

    SENDER_STATE = "SENDER_STATE", Basis.ADDRESSES
    SOURCE_NOT_OWNED = "SOURCE_NOT_OWNED", Basis.ADDRESSES, "ESME_RINVSRCADR"
    SOURCE_SUSPENDED = "SOURCE_SUSPENDED", Basis.MOMENT
    DESTINATION_INVALID = "DESTINATION_INVALID", Basis.ADDRESSES, "ESME_RINVDSTADR"
    EXT_TOO_LONG = "EXT_TOO_LONG", Basis.ADDRESSES, "ESME_RINVSRCADR"
    OUT_OF_SCOPE = "OUT_OF_SCOPE", Basis.RECIPIENT, "ESME_RINVDSTADR"
    RATE = "RATE", Basis.MOMENT, "ESME_RTHROTTLED"
    PORT_MISUSE = "PORT_MISUSE", Basis.TEXT
    OPTED_OUT = "OPTED_OUT", Basis.RECIPIENT
    CONSENT_NONE = "CONSENT_NONE", Basis.RECIPIENT
    CONSENT_UNPROVEN = "CONSENT_UNPROVEN", Basis.RECIPIENT
    CONSENT_ASKED = "CONSENT_ASKED", Basis.MOMENT
    CONSENT_UNCHECKED = "CONSENT_UNCHECKED", Basis.MOMENT, "ESME_RMSGQFUL"
    CONSENT_UNKNOWN = "CONSENT_UNKNOWN", Basis.MOMENT
    PUBLIC_INTEREST = "PUBLIC_INTEREST", Basis.RECIPIENT
    USER_PREF = "USER_PREF", Basis.TEXT
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW", Basis.RECIPIENT, "ESME_RINVSCHED"
    FREQUENCY = "FREQUENCY", Basis.RECIPIENT, "ESME_RTHROTTLED"
    FREQUENCY_UNCOUNTED = "FREQUENCY_UNCOUNTED", Basis.MOMENT, "ESME_RMSGQFUL"
    NUMBER_WALK = "NUMBER_WALK", Basis.RECIPIENT
    NUMBERS_UNKNOWN = "NUMBERS_UNKNOWN", Basis.MOMENT
    CAMPAIGN = "CAMPAIGN", Basis.TEXT
    SIG_UNKNOWN = "SIG_UNKNOWN", Basis.TEXT
    SIG_SWITCH = "SIG_SWITCH", Basis.TEXT
    TPL_MISMATCH = "TPL_MISMATCH", Basis.TEXT
    NO_OPTOUT_HINT = "NO_OPTOUT_HINT", Basis.TEXT
    NO_SENDER_NAME = "NO_SENDER_NAME", Basis.TEXT
    NO_SENDER_PHONE = "NO_SENDER_PHONE", Basis.TEXT
    BAD_LINK = "BAD_LINK", Basis.CONTENT
    IMPOSTOR = "IMPOSTOR", Basis.CONTENT
    CONTACT_GIVEN = "CONTACT_GIVEN", Basis.CONTENT
    SUSPICIOUS = "SUSPICIOUS", Basis.CONTENT
    CONTENT = "CONTENT", Basis.CONTENT
    CONTENT_UNREADABLE = "CONTENT_UNREADABLE", Basis.TEXT
    CONTENT_UNCHECKED = "CONTENT_UNCHECKED", Basis.MOMENT
    PARTS_CONFLICT = "PARTS_CONFLICT", Basis.MOMENT
    PARTS_FORGOTTEN = "PARTS_FORGOTTEN", Basis.MOMENT
    PARTS_AWAITED = "PARTS_AWAITED", Basis.MOMENT, "ESME_RMSGQFUL"
    LIST_DESTINATION = "LIST_DESTINATION", Basis.MOMENT, "ESME_RINVDLNAME"
    MALFORMED = "MALFORMED", Basis.MOMENT
    OVERLOADED = "OVERLOADED", Basis.MOMENT, "ESME_RMSGQFUL"


# What people and models learn from, and what stops all parts of a long message.
OF_CONTENT = frozenset(one for one in Reason if one.basis is Basis.CONTENT)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's hit. A `shadow` finding is recorded and changes nothing.

    `rule` is the id in the policy. `evidence` is a short text without a whole number or message
    body (it may hold a matched keyword of the operator's own list). `status` is the command_status
    name that the rule asks for, "" for that of the reason. `warning` is the warning that the SP
    gets, and with it `severity` makes it a violation (R95); that of a list is for people.
    `category` is what the text is about, `campaign` the id of its campaign. `word` is the id of the
    entry that was found, if the rule is a list, and `owner` who answers for the list. `score` is
    how likely spam the classifier finds the text, in percent. `zh` is the evidence in Chinese for
    people, "" without a translation; it is not on record.
    """

    rule: str
    reason: Reason
    action: Action
    evidence: str
    shadow: bool = False
    category: str = ""
    status: str = ""
    warning: WarningCode | None = None
    severity: Severity | None = None
    campaign: str = ""
    word: str = ""
    owner: str = ""
    score: int | None = None
    zh: str = field(default="", compare=False)

    @property
    def mode(self) -> str:
        """Return `enforce`, or `shadow` for what changes nothing."""
        return "shadow" if self.shadow else "enforce"


def deciding_of(findings: Iterable[Finding]) -> Finding | None:
    """Return what decides of the findings against a text: what refuses it, else the first.

    None if all are in shadow mode.
    """
    against = [one for one in findings if not one.shadow]
    return next((one for one in against if one.action is Action.REJECT), next(iter(against), None))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: the first finding with its action decides, all findings are kept.

    `status` is the command_status name that the SP hears when the message is refused.
    `digest` names the policy that decided. `due` is when a deferred message is judged again,
    in epoch seconds.
    """

    action: Action
    findings: tuple[Finding, ...]
    digest: str
    status: str = ""
    due: float = 0.0

    @property
    def deciding(self) -> Finding | None:
        """Return the finding that caused `action`, or None for a plain forward.

        What would be held is rejected where it cannot be: then no finding has that action.
        """
        against = [f for f in self.findings if not f.shadow]
        return next((f for f in against if f.action is self.action), next(iter(against), None))


_MOST_TOLD = 99


def likely_spam(percent: int) -> tuple[str, str]:
    """Return in English and in Chinese how likely a classifier finds a text to be spam.

    A probability that rounds to 100 % is not told as certain.
    """
    en, zh = ("over ", "超过 ") if percent > _MOST_TOLD else ("", "")
    told = min(percent, _MOST_TOLD)
    return f"{en}{told} % likely spam", f"{zh}{told} % 可能是垃圾短信"
