"""What the gateway decided about a message, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import ClassVar, Self

from gateway.domain.detector import Measure
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


class Waiver(Enum):
    """How people may let a message go although a reason is against it.

    EXCEPTION: all of a campaign, or each message alone. MESSAGE: each message alone, where a
    subscriber has a right. NEVER: the sender may send nothing, the subscriber wants nothing, or
    nothing at this hour, or nothing is known of what the subscriber wants.
    """

    EXCEPTION = "exception"
    MESSAGE = "message"
    NEVER = "never"


class TextMark(Enum):
    """What a reviewer sees marked in a text: what a reason is about."""

    WORDS = "words"
    LINKS = "links"
    CONTACTS = "contacts"
    SIGNATURE = "signature"


class ReasonCode(str):
    """The stable name of a reason; records, metrics and per-SP status overrides use it.

    A check makes its own in its file, and each name is made once. A name on record that is not
    known here (a later version made it, or its check is gone) is read and shown as it is.

    `status` is the name of the command_status that an SP gets if neither it nor the rule has
    another. Common clients do not retry after RSUBMITFAIL, but do after those in `RETRIED`. A final
    rejection must not use these. A temporary one must: if the store could not be asked, the message
    may pass when it comes again.

    `cmpp` is its number in the shipped map of that name, "" for the same `status`: the Result of a
    CMPP 3.0 SUBMIT_RESP plus 0x400, where CMPP has one (1 structure, 7 service, 8 flow control,
    9 number not served, 10 Src_Id, 11 Msg_src, 13 Dest_terminal_Id). From 0x420 on are the
    gateway's own: consent, behaviour (0x428), filing (0x430), content (0x440).

    `waiver` is how people may overrule it, `mark` what a reviewer sees marked, and `measure` what
    it counts as for early warnings.
    """

    __slots__ = ("basis", "cmpp", "mark", "measure", "status", "value", "waiver")

    known: ClassVar[dict[str, "ReasonCode"]] = {}  # by name, of all modules that were imported

    basis: Basis
    status: str
    cmpp: str
    waiver: Waiver
    mark: TextMark | None
    measure: Measure | None
    value: str

    def __new__(  # noqa: PLR0913 - what tables beside it would say otherwise
        cls,
        name: str,
        basis: Basis,
        status: str = "ESME_RSUBMITFAIL",
        *,
        cmpp: str = "",
        waiver: Waiver = Waiver.EXCEPTION,
        mark: TextMark | None = None,
        measure: Measure | None = None,
    ) -> Self:
        """Make a reason. Raises ValueError for a name that another reason has."""
        if name in cls.known:
            raise ValueError(f"{name}: another reason has this name")
        one = super().__new__(cls, name)
        one.value, one.basis, one.status, one.cmpp = name, basis, status, cmpp
        one.waiver, one.mark, one.measure = waiver, mark, measure
        cls.known[name] = one
        return one

    def __reduce__(self) -> tuple[object, ...]:
        """Copy it as itself: there is one of each name."""
        return _reason_named, (self.value,)


def _reason_named(name: str) -> ReasonCode:
    return ReasonCode.known[name]


# After these common clients send a message again.
RETRIED = frozenset({"ESME_RSYSERR", "ESME_RTHROTTLED", "ESME_RMSGQFUL"})


class Reason:
    """The reasons that do not belong to one check alone: others give them, too, or ask for them.

    All others stand in the files of their checks. `all_reasons()` has both.
    """

    SENDER_STATE = ReasonCode("SENDER_STATE", Basis.ADDRESSES, cmpp="0x40B", waiver=Waiver.NEVER)
    SOURCE_NOT_OWNED = ReasonCode(
        "SOURCE_NOT_OWNED", Basis.ADDRESSES, "ESME_RINVSRCADR", cmpp="0x40A", waiver=Waiver.NEVER
    )
    SOURCE_SUSPENDED = ReasonCode(
        "SOURCE_SUSPENDED", Basis.MOMENT, cmpp="0x40A", waiver=Waiver.NEVER
    )
    DESTINATION_INVALID = ReasonCode(
        "DESTINATION_INVALID", Basis.ADDRESSES, "ESME_RINVDSTADR", cmpp="0x40D"
    )
    EXT_TOO_LONG = ReasonCode("EXT_TOO_LONG", Basis.ADDRESSES, "ESME_RINVSRCADR", cmpp="0x40A")
    RATE = ReasonCode("RATE", Basis.MOMENT, "ESME_RTHROTTLED", cmpp="0x408")
    PORT_MISUSE = ReasonCode("PORT_MISUSE", Basis.TEXT, cmpp="0x407", measure=Measure.PORT_MISUSE)
    OPTED_OUT = ReasonCode(
        "OPTED_OUT",
        Basis.RECIPIENT,
        cmpp="0x420",
        waiver=Waiver.NEVER,
        measure=Measure.AFTER_OPTOUT,
    )
    CONSENT_ASKED = ReasonCode("CONSENT_ASKED", Basis.MOMENT, cmpp="0x423", waiver=Waiver.MESSAGE)
    CONSENT_UNCHECKED = ReasonCode(
        "CONSENT_UNCHECKED", Basis.MOMENT, "ESME_RMSGQFUL", cmpp="0x408", waiver=Waiver.NEVER
    )
    PUBLIC_INTEREST = ReasonCode("PUBLIC_INTEREST", Basis.RECIPIENT, waiver=Waiver.MESSAGE)
    USER_PREF = ReasonCode("USER_PREF", Basis.TEXT, cmpp="0x425", waiver=Waiver.NEVER)
    FREQUENCY_UNCOUNTED = ReasonCode(
        "FREQUENCY_UNCOUNTED", Basis.MOMENT, "ESME_RMSGQFUL", cmpp="0x408"
    )
    CAMPAIGN = ReasonCode("CAMPAIGN", Basis.TEXT, cmpp="0x42A")
    SUSPICIOUS = ReasonCode("SUSPICIOUS", Basis.CONTENT, cmpp="0x443")
    CONTENT = ReasonCode("CONTENT", Basis.CONTENT, cmpp="0x444", mark=TextMark.WORDS)
    CONTENT_UNREADABLE = ReasonCode("CONTENT_UNREADABLE", Basis.TEXT, cmpp="0x445")
    CONTENT_UNCHECKED = ReasonCode("CONTENT_UNCHECKED", Basis.MOMENT, cmpp="0x446")
    PARTS_CONFLICT = ReasonCode("PARTS_CONFLICT", Basis.MOMENT, cmpp="0x447")
    PARTS_FORGOTTEN = ReasonCode("PARTS_FORGOTTEN", Basis.MOMENT, cmpp="0x448")
    PARTS_AWAITED = ReasonCode("PARTS_AWAITED", Basis.MOMENT, "ESME_RMSGQFUL")
    LIST_DESTINATION = ReasonCode("LIST_DESTINATION", Basis.MOMENT, "ESME_RINVDLNAME", cmpp="0x40D")
    MALFORMED = ReasonCode("MALFORMED", Basis.MOMENT)
    OVERLOADED = ReasonCode("OVERLOADED", Basis.MOMENT, "ESME_RMSGQFUL")


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
    reason: ReasonCode
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
