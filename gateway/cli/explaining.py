"""The work of `smsward explain`: the verdict on one message, with everything found."""

from dataclasses import dataclass

from gateway.cli.deployment import Deployment
from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.options import Submit
from gateway.cli.screen import print_fields, print_json, print_table, say, warn
from gateway.cli.storage import opened_store, store_file
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import msisdn_of
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp.errors import EncodeError
from gateway.smpp.text import encode_text, readings

_MAX_ADDRESS = 20  # octets, without the NUL (SMPP 3.4, 5.2.8)
_DEFAULT_ALPHABET, _UCS2 = 0, 8
_MAX_CODING = 255


@dataclass(frozen=True, slots=True)
class Explained:
    """A verdict, and what has to be known to trust it."""

    verdict: Verdict
    data_coding: int
    readings: tuple[str, ...]
    warnings: tuple[str, ...]


async def explain_message(deployment: Deployment, message: Submit, *, as_json: bool) -> int:
    """Judge `message`, print the verdict, and return the exit code."""
    explained = await _judged(deployment, message)
    if as_json:
        print_json(_as_json(explained, deployment.bundle.name))
    else:
        _print(explained, deployment.bundle.name)
    return ExitCode.FINE


async def _judged(deployment: Deployment, message: Submit) -> Explained:
    if message.system_id not in deployment.senders:
        raise misused(
            f"there is no sender {message.system_id} in senders.yaml",
            f"there are: {known(deployment.senders)}",
        )
    source, destination = _address("--from", message.source), _address("--to", message.destination)
    data_coding, octets = _encoded(message)
    texts = readings(octets, data_coding)
    sets, warnings = await _answers(deployment, message.system_id, destination)
    rules = RuleSet(deployment.bundle, deployment.senders.values(), sets)
    submission = Submission(rules.accounts[message.system_id], source, destination)
    # Every bucket is full at the start, so the time does not matter.
    verdict = rules.explain(submission, texts, now=0.0)
    return Explained(verdict, data_coding, texts, warnings)


def _address(option: str, text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    if len(octets) > _MAX_ADDRESS:
        raise misused(f"{option}: an address has at most {_MAX_ADDRESS} octets")
    return octets


def _encoded(message: Submit) -> tuple[int, bytes]:
    """Return the data_coding and the octets of the text."""
    wanted = message.data_coding
    if wanted == "auto":
        try:
            return _DEFAULT_ALPHABET, encode_text(message.text, _DEFAULT_ALPHABET)
        except EncodeError:
            wanted = _UCS2
    if not 0 <= wanted <= _MAX_CODING:
        raise misused(f"--data-coding: 0 to {_MAX_CODING}, or auto")
    try:
        return wanted, encode_text(message.text, wanted)
    except EncodeError as error:
        raise misused(
            f"--data-coding {wanted} cannot hold this text: {error}", "auto finds one that can"
        ) from error


async def _answers(
    deployment: Deployment, system_id: str, destination: bytes
) -> tuple[ConsentSets, tuple[str, ...]]:
    """Return what the subscriber said to this SP and to all, as far as the store tells."""
    sets = ConsentSets()
    number = msisdn_of(destination)
    if deployment.bundle.consent is None or number is None:
        return sets, ()
    path = store_file(deployment.settings).absolute()
    if not path.exists():
        return sets, (f"there is no store at {path}: no subscriber's answer is known here",)
    try:
        async with opened_store(deployment.settings) as stores:
            for scope in (EVERY_SENDER, system_id):
                answer = await stores.consent.answer_of(number, scope)
                if answer is not None:
                    sets.apply(number, scope, answer.answer)
    except CommandError as error:
        # What the gateway does while it cannot read its store.
        sets.is_current = False
        return sets, (str(error),)
    return sets, ()


def _heard(verdict: Verdict) -> str | None:
    """Return the command_status that the SP would hear, None where the SMSC decides."""
    match verdict.action:
        case Action.FORWARD:
            return None
        case Action.QUARANTINE:
            return "ESME_ROK"
        case Action.REJECT | Action.THROTTLE:
            return verdict.status


def _as_json(explained: Explained, bundle: str) -> dict[str, object]:
    verdict = explained.verdict
    deciding = verdict.deciding
    return {
        "action": verdict.action,
        "reason": deciding.reason if deciding else None,
        "rule": deciding.rule if deciding else None,
        "status": _heard(verdict),
        "bundle": bundle,
        "digest": verdict.digest,
        "data_coding": explained.data_coding,
        "readings": len(explained.readings),
        "findings": [_finding(finding) for finding in verdict.findings],
        "warnings": explained.warnings,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "reason": finding.reason,
        "action": finding.action,
        "category": finding.category,
        "evidence": finding.evidence,
        "shadow": finding.shadow,
    }


def _print(explained: Explained, bundle: str) -> None:
    verdict = explained.verdict
    deciding = verdict.deciding
    print_fields(
        (
            ("verdict", verdict.action.upper()),
            ("reason", f"{deciding.reason} ({deciding.rule})" if deciding else "nothing found"),
            ("the SP hears", _heard(verdict) or "what the SMSC answers"),
            ("policy", f"{bundle} {verdict.digest}"),
            ("text", f"data_coding {explained.data_coding}, readings: {len(explained.readings)}"),
        )
    )
    if verdict.findings:
        print_table(
            ("finding", "rule", "action", "category", "evidence", "decides"),
            (_row(finding, deciding) for finding in verdict.findings),
        )
    else:
        say("no finding")
    for warning in explained.warnings:
        warn(warning)


def _row(finding: Finding, deciding: Finding | None) -> tuple[str, ...]:
    standing = "shadow" if finding.shadow else "yes" if finding is deciding else "no"
    return (
        finding.reason,
        finding.rule,
        finding.action,
        finding.category,
        finding.evidence,
        standing,
    )
