"""The self-test of a bundle: its own cases, judged by its own rules."""

from collections.abc import Sequence
from pathlib import Path

from gateway.domain.policy import Expectation, SelfTestCase
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.policy.bundle import Bundle
from gateway.policy.content_findings import finding_of
from gateway.policy.ruleset import RuleSet
from gateway.policy.stages import ALWAYS
from gateway.settings.bundle import load_bundle
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.selftest_message import MessageTrials
from gateway.smpp.errors import EncodeError
from gateway.smpp.text import encode_text, readings

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


def load_proven(directory: Path) -> Bundle:
    """Read a bundle and run its self-test. Raises SettingsError with the faults of either."""
    bundle = load_bundle(directory)
    faults = selftest_faults(bundle, directory) if bundle.selftest else ()
    if faults:
        raise SettingsError(faults)
    return bundle


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
        outcome, deciding = _outcome(
            [finding_of(hit, trials.rules.bundle.content) for hit in facts.hits]
        )
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
