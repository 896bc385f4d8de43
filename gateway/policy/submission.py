"""One message to one subscriber, as policy sees it."""

from gateway.domain.sender import Port
from gateway.domain.verdict import Finding, Verdict
from gateway.policy.account import Account


class Submission:
    """What a stage may look at; made per message, so a plain slots class.

    `units` is how many tokens it costs: the parts of a long message are charged by the
    first (`units` 0 for the others). `port` and `msisdn` are filled in by the stages that
    find them. `findings` gathers the hits of shadow rules; `verdict` stays None while
    nothing stops the message.
    """

    __slots__ = (
        "account",
        "destination",
        "findings",
        "msisdn",
        "port",
        "source",
        "units",
        "verdict",
    )

    def __init__(self, account: Account, source: bytes, destination: bytes, units: int = 1) -> None:
        self.account = account
        self.source = source
        self.destination = destination
        self.units = units
        self.port: Port | None = None
        self.msisdn: int | None = None
        self.findings: tuple[Finding, ...] = ()
        self.verdict: Verdict | None = None
