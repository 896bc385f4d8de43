"""The self-test of a bundle: its own cases, from selftest.yaml, judged by its own rules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Strict

from gateway.domain.consent import Answer
from gateway.domain.filings import Approval
from gateway.domain.msisdn import is_mobile, msisdn_of
from gateway.domain.policy import Expectation, SelfTestCase, SelfTestMessage
from gateway.domain.sender import BindLimits, Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.policy.bundle import ALWAYS, Bundle
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.settings.schema import MAX_PORT_DIGITS, Id, Shape, Text, Version, validate, without
from gateway.settings.yaml import Document, Fault, Mark, Value
from gateway.smpp.status import EncodeError
from gateway.smpp.text import encode_text, readings

_MAX_CASES = 5_000
_MAX_CHARS = 1_000
_SENDS = ", ".join(Purpose)
# Days around a moment are looked at, too, by more than one clock: the calendar must have them.
_YEARS = range(1990, 2200)


def _unless_auto(value: object) -> object:
    return None if value == "auto" else value


def _source_problem(text: str) -> str | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_PORT_DIGITS
    is_known = is_number or text in set(Purpose)
    return None if is_known else f"must be what a port is for, {_SENDS}, or a number in quotes"


def _subscriber_problem(text: str) -> str | None:
    is_number = msisdn_of(text.encode()) is not None
    return None if is_number else "must be the number of a subscriber, in quotes"


def _to_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise ValueError("must be a time with its zone, as 2026-03-04T09:30+08:00")
    return moment


# Not a union with "auto": each of its branches would report the same fault once more.
Coding = Annotated[Annotated[int, Field(ge=0, le=255)] | None, BeforeValidator(_unless_auto)]
Moment = Annotated[datetime, BeforeValidator(_to_moment, json_schema_input_type=str)]


class CaseShape(Shape):
    """One of `cases` of `selftest.yaml`. A text may hold any character, as those of SPs do."""

    text: Annotated[str, Field(min_length=1, max_length=_MAX_CHARS)]
    data_coding: Coding = None
    from_: Annotated[str, without(_source_problem)] | None = Field(None, alias="from")
    to: Annotated[str, without(_subscriber_problem)] | None = None
    time: Moment | None = None
    consent: Literal["agreed", "refused"] | None = None
    suspended: bool = False
    expect: Annotated[Expectation, Strict(False)]
    rule: Id | None = None
    list: Id | None = None
    why: Text | None = None

    @property
    def is_message(self) -> bool:
        """Tell whether more is said than a text, so that all rules are asked."""
        said = (self.from_, self.to, self.time, self.consent, self.rule)
        return self.suspended or any(one is not None for one in said)


class SelfTestFile(Shape):
    """`selftest.yaml`."""

    version: Version
    cases: Annotated[list[CaseShape], Field(min_length=1, max_length=_MAX_CASES)]


# What is not said: advertising, from a port that is for it, to somebody.
_PORT, _SOMEBODY = "10690000", "13800000000"


def load_selftest(document: Document, directory: Path) -> tuple[SelfTestCase, ...]:
    """Return the cases with their places in the bundle of `directory`.

    Raises SettingsError with all faults.
    """
    file = validate(document, SelfTestFile, _contradictions)
    marks = (document.mark(("cases", number)) for number in range(len(file.cases)))
    return tuple(
        _case(shape, mark, directory) for shape, mark in zip(file.cases, marks, strict=True)
    )


def _case(shape: CaseShape, mark: Mark, directory: Path) -> SelfTestCase:
    return SelfTestCase(
        text=shape.text,
        expect=shape.expect,
        list_id=shape.list or shape.rule or "",
        data_coding=shape.data_coding,
        message=_message(shape) if shape.is_message else None,
        file=mark.path.relative_to(directory).as_posix(),
        line=mark.line,
        column=mark.column,
    )


def _message(shape: CaseShape) -> SelfTestMessage:
    source = shape.from_ or Purpose.MARKETING
    is_port = source in set(Purpose)
    return SelfTestMessage(
        source=_PORT if is_port else source,
        purpose=Purpose(source) if is_port else Purpose.SERVICE,
        destination=shape.to or _SOMEBODY,
        at=shape.time,
        answer=Answer(shape.consent) if shape.consent is not None else None,
        is_suspended=shape.suspended,
    )


def _contradictions(document: Document) -> Iterable[Fault]:
    for where, case in document.find("cases", "*"):
        for key, problem in _of_one(case) if isinstance(case, dict) else ():
            yield document.fault((*where, key), problem)


def _of_one(case: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for key in ("list", "rule"):
        if key in case and case.get("expect") == Expectation.FORWARD:
            yield key, f"no {key} finds a text that is forwarded"
    if "list" in case and "rule" in case:
        yield "rule", "names another than list does, and one alone decides"
    if case.get("suspended") is True and not is_mobile(str(case.get("from")).encode()):
        yield "suspended", "from must be the number of a person, in quotes"


_FAST = Rate(1e6, 1_000_000)
_WORKDAY_NOON = datetime.fromisoformat("2026-03-04T12:00+08:00")
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(9999, 12, 30)


class MessageTrials:
    """Judges test messages of test senders, independently of each other.

    By `rules`, those of a bundle that can be asked about one message and nothing beside it.
    """

    def __init__(self, bundle: Bundle, compiled: RuleSet | None = None) -> None:
        """Take the words from `compiled`, the rules of the bundle, where there are any."""
        asked = tuple(one for one in bundle.rules if one.check.is_self_contained)
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
        asking = replace(bundle, rules=asked)
        self.rules = RuleSet(asking, senders, self._known, compiled, is_for_traffic=False)

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


_DEFAULT_ALPHABET, _UCS2 = 0, 8
_EXPECTATIONS = {
    Action.QUARANTINE: Expectation.QUARANTINE,
    Action.REJECT: Expectation.REJECT,
}


def selftest_faults(
    bundle: Bundle, directory: Path, rules: RuleSet | None = None
) -> tuple[Fault, ...]:
    """Return a fault for each case of `bundle`, read from `directory`, that its rules fail.

    A case is judged as a message is: encoded, read in every plausible way, and searched. One
    that says no more than a text is judged by what looks at texts alone, on every day. `rules`
    are those of the bundle where its words are compiled already. Call it off the loop.
    """
    trials = MessageTrials(bundle, rules)
    # Messages are judged by the lists of their day, and so last.
    cases = sorted(bundle.selftest, key=lambda case: case.message is not None)
    faults = (
        Fault(directory / case.file, case.line, case.column, problem)
        for case in cases
        if (problem := _problem(trials, case)) is not None
    )
    return tuple(sorted(faults))


def _problem(trials: MessageTrials, case: SelfTestCase) -> str | None:
    if not trials.is_asked(case.list_id):
        return f"self-test: {case.list_id} asks for counts, filings or a model, and here are none"
    try:
        message = _encoded(case)
    except EncodeError as error:
        coding = "auto" if case.data_coding is None else case.data_coding
        return f"data_coding {coding} cannot hold the text: {error}"
    if case.message is None:
        (facts,) = trials.rules.scan.scan([message], readings)
        outcome, deciding = _outcome(trials.rules.of_words(facts))
    else:
        outcome, deciding = _outcome_of(*trials.judge(case.message, message))
    is_met = outcome is case.expect and case.list_id in ("", *(one.rule for one in deciding))
    if is_met:
        return None
    if not _is_there(trials.rules.bundle, case.list_id):
        return f"self-test: there is no rule or list {case.list_id}"
    expected = f"{case.expect} by {case.list_id}" if case.list_id else f"{case.expect}"
    by = f" by {_told(deciding)}" if deciding else ""
    return f"self-test: expected {expected}, the rules say {outcome}{by}"


def _told(deciding: Sequence[Finding]) -> str:
    """Return the rules and lists, each with what it found first, as the word."""
    found: dict[str, str] = {}
    for one in deciding:
        found.setdefault(one.rule, one.evidence)
    return ", ".join(
        f"{rule} ({evidence})" if evidence else rule for rule, evidence in sorted(found.items())
    )


def _is_there(bundle: Bundle, named: str) -> bool:
    rules, lists = (one.id for one in bundle.rules), (one.id for one in bundle.keyword_lists)
    return named in {"", *rules, *lists, *ALWAYS}


def _encoded(case: SelfTestCase) -> tuple[int, bytes]:
    """Return data_coding and octets. Raises EncodeError for a coding that cannot hold the text."""
    if case.data_coding is not None:
        return case.data_coding, encode_text(case.text, case.data_coding)
    try:
        return _DEFAULT_ALPHABET, encode_text(case.text, _DEFAULT_ALPHABET)
    except EncodeError:
        return _UCS2, encode_text(case.text, _UCS2)


def _outcome_of(
    verdict: Verdict | None, found: Sequence[Finding]
) -> tuple[Expectation, tuple[Finding, ...]]:
    """Return what becomes of a message, and the findings that make it so."""
    deciding = verdict.deciding if verdict is not None else None
    if verdict is None or deciding is None:
        return _outcome(found)
    return Expectation(verdict.action.value), (deciding,)


def _outcome(found: Sequence[Finding]) -> tuple[Expectation, tuple[Finding, ...]]:
    """Return what becomes of a text, and the findings that make it so."""
    decisive = next((one for one in found if not one.shadow), None)
    if decisive is not None:
        same = tuple(one for one in found if one.action is decisive.action and not one.shadow)
        return _EXPECTATIONS[decisive.action], same
    return (Expectation.SHADOW if found else Expectation.FORWARD), tuple(found)
