"""One message to one subscriber, as policy sees it."""

from dataclasses import dataclass
from typing import ClassVar

from gateway.domain.sender import Port
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Finding, Verdict
from gateway.filter.facts import TextFacts
from gateway.policy.account import Account
from gateway.policy.endings import Ending


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """When a message should arrive and how long it is valid, in epoch seconds.

    None if its sender did not say: it is sent at once, and the SMSC decides how long it is valid.
    `is_unclear` says that a schedule was given but means no moment.
    """

    scheduled_at: float | None = None
    valid_until: float | None = None
    is_unclear: bool = False


class Submission:
    """What a stage may look at; made per message, so a plain slots class.

    `units` is how many tokens it costs: the first part of a long message is charged for all
    (`units` 0 for the others). `origin` and `port` say where it comes from; `msisdn` is set by the
    stage that finds it, `facts` and `traffic` when its text is judged. `findings` collects all
    hits, also of shadow rules; `verdict` stays None while nothing stops the message. A check that
    finds it untimely notes in `due` when it could leave; `deferral` is what holds it back longest,
    and until when. `template` is the filed template of the text, and `asks_consent` says that it is
    a request for consent (R23). `until` is what was found against its text, up to the first finding
    that stops it.
    """

    __slots__ = (
        "account",
        "asks_consent",
        "deferral",
        "destination",
        "due",
        "facts",
        "findings",
        "msisdn",
        "origin",
        "port",
        "source",
        "template",
        "timing",
        "traffic",
        "units",
        "until",
        "verdict",
    )

    # The addressee did not ask for it: that is possible only once it is held; see Wanted.
    is_wanted: ClassVar[bool] = False

    due: float

    def __init__(self, account: Account, source: bytes, destination: bytes, units: int = 1) -> None:
        self.account = account
        self.source = source
        self.destination = destination
        self.units = units
        self.origin = account.origin_of(source)
        self.port: Port | None = self.origin.port
        self.msisdn: int | None = None
        self.timing: DeliveryTimes | None = None
        self.facts: TextFacts | None = None
        self.template = ""
        self.asks_consent = False
        self.traffic = TrafficClass.SERVICE
        self.findings: tuple[Finding, ...] = ()
        self.until: Ending | None = None
        self.deferral: tuple[Finding, float] | None = None
        self.verdict: Verdict | None = None

    def hold_back(self, finding: Finding) -> None:
        """Note that it has to wait; the longest wait wins."""
        due, earlier = self.due, self.deferral
        if earlier is None or due > earlier[1]:
            self.deferral = (finding, due)


class RequestedMessage(Submission):
    """A message that its addressee asked for: the addressee's preferences do not stop it (R50)."""

    __slots__ = ()

    is_wanted = True
