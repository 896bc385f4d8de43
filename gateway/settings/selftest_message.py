"""Cases of the self-test as messages: who sends them, to whom, and when. Judged by all rules."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from math import inf

from gateway.domain.filings import Approval
from gateway.domain.msisdn import msisdn_of
from gateway.domain.policy import SelfTestMessage
from gateway.domain.sender import BindLimits, Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Finding, Verdict
from gateway.policy.bundle import Bundle
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import (
    Campaign,
    NumberWalk,
    OtherProvince,
    SignatureNotFiled,
    SignatureSwitched,
    Suspicious,
    TemplateNotFiled,
    TooFast,
    TooOften,
    UnknownNumbers,
)
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp.text import readings

_FAST = Rate(1e6, 1_000_000)
_WORKDAY_NOON = datetime.fromisoformat("2026-03-04T12:00+08:00")
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(9999, 12, 30)

# What asks for more than one message and the bundle: what came before, what SPs have filed, and
# which model is installed.
_NOT_ASKED = (
    Campaign,
    NumberWalk,
    OtherProvince,
    SignatureNotFiled,
    SignatureSwitched,
    Suspicious,
    TemplateNotFiled,
    TooFast,
    TooOften,
    UnknownNumbers,
)


class MessageTrials:
    """Judges test messages of test senders, independently of each other.

    By `rules`, those of a bundle that can be asked about one message and nothing beside it.
    """

    def __init__(self, bundle: Bundle, compiled: RuleSet | None = None) -> None:
        """Take the words from `compiled`, the rules of the bundle, where there are any."""
        asked = tuple(one for one in bundle.rules if not isinstance(one.check, _NOT_ASKED))
        self._unasked = {one.id for one in bundle.rules} - {one.id for one in asked}
        messages = [case.message for case in bundle.selftest if case.message is not None]
        ports = dict.fromkeys(Port(one.source, purpose=one.purpose) for one in messages)
        # No SP is called so: a system_id has no space.
        self._senders = {port: f"self test {number}" for number, port in enumerate(ports)}
        self._known = Knowledge()
        for port, name in self._senders.items():
            if port.purpose is Purpose.PUBLIC_INTEREST:
                approval = Approval(name, port.number, name, _FIRST_DAY, _LAST_DAY)
                self._known.filings.replace(name, (approval,))
        senders = [_sender(name, port) for port, name in self._senders.items()]
        self.rules = RuleSet(replace(bundle, rules=asked), senders, self._known, compiled)

    def is_asked(self, rule_id: str) -> bool:
        """Tell whether the self-test can ask a rule; one that is not there could be, too."""
        return rule_id not in self._unasked

    def judge(
        self, message: SelfTestMessage, coded: tuple[int, bytes]
    ) -> tuple[Verdict | None, tuple[Finding, ...]]:
        """Return the verdict, None for a message that passes, and all that was found."""
        name = self._senders[Port(message.source, purpose=message.purpose)]
        self._learn(name, message)
        at = (message.at or _WORKDAY_NOON).timestamp()
        source, destination = message.source.encode(), message.destination.encode()
        one = Submission(self.rules.accounts[name], source, destination)
        self.rules.keep_day(at)
        if self.rules.judge_address(one, 0.0):
            (facts,) = self.rules.scan.scan([coded], readings)
            self.rules.judge_text(one, facts, at)
        return one.verdict, one.findings

    def _learn(self, sender: str, message: SelfTestMessage) -> None:
        """Know what the case says of its addressee and its source, and nothing of others."""
        self._known.consent.load(sender, message.answer, _numbers(message.destination))
        until = inf if message.is_suspended else 0.0
        self._known.suspended.load((one, until, 0.0) for one in _numbers(message.source))


def _sender(name: str, port: Port) -> Sender:
    return Sender(
        system_id=name,
        password="",
        name=name,
        state=SenderState.ACTIVE,
        binds=BindLimits(1, frozenset(), ()),
        ports=(port,),
        rate=_FAST,
        window=1,
    )


def _numbers(address: str) -> Iterable[int]:
    number = msisdn_of(address.encode())
    return () if number is None else (number,)
