"""The work of `smsward explain submit`: the verdict on one message, with everything found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.app.sender_measures import SenderMeasures, measures_against
from gateway.cli.config_check import installed_scorer
from gateway.cli.explain_labels import (
    ListBehind,
    classified,
    lists_behind,
    print_views,
    said_in,
    score_shown,
    text_views,
    worded,
)
from gateway.domain.categories import TrafficClass, category_of
from gateway.domain.consent import EVERY_SENDER, parts_of
from gateway.domain.filings import not_ended
from gateway.domain.msisdn import msisdn_of, written_alike
from gateway.domain.policy import Enforcement
from gateway.domain.sender import SenderState, companions_of
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.filter.classifier.score import Piece, TextScore
from gateway.policy.bundle import Bundle, Rule, Title, citation_of
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.suspicious import unscored
from gateway.policy.engine import explain
from gateway.policy.filings import SenderFilings
from gateway.policy.findings import is_asking, modes_of, subject_of
from gateway.policy.knowledge import Knowledge
from gateway.policy.message_class import ClassedBy
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.runtime.clock import utcnow
from gateway.smpp.status import EncodeError
from gateway.smpp.text import encode_text, readings
from gateway.storage.open import is_made, place_of
from gateway.stores import Stores, stores_of
from gateway.systems.filings.service import carriers_day
from gateway.terminal.arguments import moment_asked, oddity_of
from gateway.terminal.deployment import Deployment
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import Submit
from gateway.terminal.screen import (
    print_fields,
    print_json,
    print_table,
    say,
    severity_of,
    warn,
)
from gateway.terminal.store import opened_store

_NOTHING_FILED = SenderFilings((), ZoneInfo("UTC"))
_COUNTED = Title(
    "取决于此前发送的短信，运行中的网关才知道",
    "depends on what was sent before, which only the running gateway knows",
)


@dataclass(frozen=True, slots=True)
class RelatedRule:
    """A rule that concerns a message without a finding, and in which way."""

    rule: Rule
    note: Title


def beside(rules: Iterable[Rule], submission: Submission) -> tuple[RelatedRule, ...]:
    """Return what concerns a judged message and could not find against it (R11, R42, R61)."""
    found = [(rule, _note(rule, submission)) for rule in rules]
    return tuple(RelatedRule(rule, note) for rule, note in found if note is not None)


def _note(rule: Rule, submission: Submission) -> Title | None:
    mode, traffic = modes_of(rule).of(submission), submission.traffic
    if rule.check.depends_on_traffic:
        is_asked = mode is not Enforcement.OFF and traffic in rule.applies_to
        return _COUNTED if is_asked and rule.check.concerns(submission, _NOTHING_FILED) else None
    if isinstance(rule.check, PublicInterest):
        is_exempt = mode is Enforcement.ENFORCE and traffic is TrafficClass.PUBLIC_INTEREST
        return _exempted(rule.check) if is_exempt else None
    return None


def _exempted(check: PublicInterest) -> Title:
    names = ", ".join(sorted(check.exempts))
    return Title(f"公益豁免，不适用：{names}", f"in the public interest, not asked: {names}")


_MAX_ADDRESS = 20  # octets, without the NUL (SMPP 3.4, 5.2.8)
_DEFAULT_ALPHABET, _UCS2 = 0, 8
_MAX_CODING = 255
# Two lines to a row: on a terminal of 80 columns seven would be a few characters each.
_FINDING_COLUMNS = ("rule\ntitle", "article", "finding\naction", "evidence", "decides")
_OTHER_COLUMNS = ("rule\ntitle", "article", "beside the findings")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict, and what has to be known to trust it."""

    verdict: Verdict
    traffic: TrafficClass
    classed_by: ClassedBy | None
    lists: Mapping[tuple[str, str], ListBehind]
    beside: tuple[RelatedRule, ...]
    data_coding: int
    readings: tuple[str, ...]
    scored: TextScore | None
    pieces: tuple[Piece, ...]
    warnings: tuple[Title, ...]


class StoreFacts(NamedTuple):
    """What rules would look up, warnings, and what was decided against the sender."""

    knowledge: Knowledge
    warnings: tuple[Title, ...] = ()
    measures: SenderMeasures = SenderMeasures()


async def facts_in_store(
    deployment: Deployment, system_id: str, route: tuple[bytes, bytes] = (b"", b"")
) -> StoreFacts:
    """Return what the store says of a sender, and of the source and destination of a message."""
    source, msisdn = msisdn_of(route[0]), msisdn_of(route[1])
    knowledge = Knowledge(provinces=deployment.provinces)
    companions = companions_of(deployment.senders.values())
    url = deployment.settings.store.url
    if not is_made(url):
        nothing = Title(
            f"{place_of(url)} 处没有数据库：用户的答复和报备一概不知",
            f"there is no store at {place_of(url)}: no answer and no filing is known here",
        )
        return StoreFacts(knowledge, (nothing,))
    try:
        async with opened_store(deployment.settings, stores_of) as stores:
            scope = deployment.senders[system_id].scope
            scopes = (EVERY_SENDER, scope, *companions.get(system_id, ()))
            filed = await stores.filings.of(system_id)
            knowledge.filings.replace(system_id, not_ended(filed, carriers_day()))
            if msisdn is not None:
                await _learn(knowledge, stores, scopes, msisdn)
            if source is not None:
                rows = await stores.suspensions.rows_of([source])
                knowledge.suspended.load(rows.values())
            sender, address = deployment.senders[system_id], route[0].decode("latin-1")
            measures = await measures_against(stores, sender, address)
    except CommandError as error:
        # What the gateway does while it cannot read its store.
        knowledge.consent.is_current = False
        return StoreFacts(knowledge, (Title(f"无法使用数据库：{error}", str(error)),))
    return StoreFacts(knowledge, (), measures)


async def _learn(knowledge: Knowledge, stores: Stores, scopes: Sequence[str], msisdn: int) -> None:
    alike = written_alike(msisdn)  # rules look up as whom its digits are read, too
    for answer in await stores.consent.answers_of(alike):
        if parts_of(answer.scope).system_id in scopes:
            knowledge.consent.apply(answer.msisdn, answer.scope, answer.standing(utcnow()))
    packed = await stores.preferences.packed_of(alike)
    knowledge.preferences.load(packed.items())


async def explain_message(
    deployment: Deployment, message: Submit, *, lang: str, as_json: bool, with_views: bool = False
) -> int:
    """Judge `message`, print the verdict, and return the exit code.

    `with_views` shows as well what was read of its text.
    """
    explained = await _judged(deployment, message)
    views = text_views(explained.readings) if with_views else None
    if as_json:
        print_json(_as_json(explained, deployment.bundle) | {"views": views})
        return ExitCode.FINE
    _print(explained, deployment.bundle, lang)
    if views is not None:
        print_views(views, lang)
    for warning in explained.warnings:
        warn(said_in(warning, lang), lang)
    return ExitCode.FINE


async def _judged(deployment: Deployment, message: Submit) -> Explanation:
    deployment.require_sender(message.system_id)
    source, destination = _address("--from", message.source), _address("--to", message.destination)
    data_coding, octets = _encoded(message)
    texts = readings(octets, data_coding)
    stored = await facts_in_store(deployment, message.system_id, (source, destination))
    knowledge = stored.knowledge
    knowledge.scorer, problems = installed_scorer(deployment.settings.learning)
    rules = RuleSet(deployment.bundle, deployment.senders.values(), knowledge)
    rules.share_refusals()
    account = rules.accounts[message.system_id]
    measures, moment = stored.measures, moment_asked(message.at)
    account.suspend_ports(measures.suspended)
    account.limit_ports(measures.caps_at(moment))
    if measures.is_suspended:
        account.stand(SenderState.SUSPENDED)
    submission = Submission(account, source, destination)
    at = moment.timestamp()
    # Every bucket is full at the start, so the monotonic time does not matter.
    verdict = explain(rules, submission, texts, now=0.0, at=at)
    of_event = [one for one in deployment.bundle.rules if one.event is account.event]
    others = beside(of_event, submission)
    asked = [rule for rule in of_event if submission.traffic in rule.applies_to]
    facts = submission.facts
    ruling = None if facts is None else rules.rules.rule_text(submission, facts, at)
    scored = facts.personal or facts.scored if facts is not None else None
    odd = [said for said in (oddity_of(message.destination),) if said is not None]
    against = *measures.of_sender(), *measures.of_port(submission.origin.home.number, moment)
    return Explanation(
        verdict=verdict,
        traffic=submission.traffic,
        classed_by=None if ruling is None else ruling.classed.by,
        lists=lists_behind(deployment.bundle, facts.hits if facts is not None else ()),
        beside=others,
        data_coding=data_coding,
        readings=texts,
        scored=max(scored, key=lambda one: one.probability) if scored else None,
        pieces=facts.pieces if facts is not None else (),
        warnings=(*odd, *stored.warnings, *against, *problems, *unscored(asked, knowledge.scorer)),
    )


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


def _heard(verdict: Verdict) -> str | None:
    """Return the command_status that the SP would hear, None where the SMSC decides."""
    if is_asking(verdict):  # the store may know better: once for each content (R23)
        return None
    match verdict.action:
        case Action.FORWARD:
            return None
        case Action.QUARANTINE | Action.DEFER:
            return "ESME_ROK"
        case Action.REJECT | Action.THROTTLE:
            return verdict.status


def _as_json(explained: Explanation, bundle: Bundle) -> dict[str, object]:
    verdict = explained.verdict
    deciding = verdict.deciding
    return {
        "action": verdict.action,
        "reason": deciding.reason if deciding else None,
        "rule": deciding.rule if deciding else None,
        "article": citation_of(bundle, deciding.rule).article if deciding else None,
        "status": _heard(verdict),
        "due": _due(verdict),
        "class": explained.traffic,
        "classed_by": explained.classed_by,
        "category": subject_of(verdict),
        "severity": severity_of(subject_of(verdict)),
        "bundle": bundle.name,
        "digest": verdict.digest,
        "data_coding": explained.data_coding,
        "readings": len(explained.readings),
        "classifier": explained.scored and score_shown(explained.scored, explained.pieces),
        "findings": [_finding(one, bundle, explained.lists) for one in verdict.findings],
        "beside": [_other(one) for one in explained.beside],
        "warnings": [one.en for one in explained.warnings],
    }


def _due(verdict: Verdict) -> str | None:
    if verdict.action is not Action.DEFER or is_asking(verdict):
        return None
    return datetime.fromtimestamp(verdict.due, UTC).isoformat(timespec="seconds")


def _finding(
    finding: Finding, bundle: Bundle, lists: Mapping[tuple[str, str], ListBehind]
) -> dict[str, object]:
    citation = citation_of(bundle, finding.rule)
    behind = lists.get((finding.rule, finding.evidence))
    return {
        "rule": finding.rule,
        "title": citation.title,
        "article": citation.article,
        "reason": finding.reason,
        "action": finding.action,
        "category": finding.category,
        "severity": severity_of(finding.category),
        "evidence": finding.evidence,
        "list": behind and behind.as_json(),
        "shadow": finding.shadow,
    }


def _other(one: RelatedRule) -> dict[str, object]:
    rule, note = one.rule, one.note
    return {
        "rule": rule.id,
        "title": rule.title,
        "article": rule.article,
        "note": note,
    }


def _undecided(verdict: Verdict) -> str:
    return "nothing that is enforced, see below" if verdict.findings else "nothing found"


def _print(explained: Explanation, bundle: Bundle, lang: str) -> None:
    verdict = explained.verdict
    deciding = verdict.deciding
    due, subject = _due(verdict), subject_of(verdict)
    action = worded(verdict.action.upper(), lang)
    readings_of = f"{worded('readings', lang)}: {len(explained.readings)}"
    told = (
        ("verdict", f"{action} {worded('until', lang)} {due}" if due else action),
        ("reason", f"{deciding.reason} ({deciding.rule})" if deciding else _undecided(verdict)),
        *((("article", citation_of(bundle, deciding.rule).article),) if deciding else ()),
        ("the SP hears", _heard(verdict) or "what the SMSC answers"),
        ("class", explained.traffic),
        *((("class by", explained.classed_by),) if explained.classed_by else ()),
        *((("about", _about(subject, lang)),) if subject else ()),
        ("policy", f"{bundle.name} {verdict.digest}"),
        ("text", f"data_coding {explained.data_coding}, {readings_of}"),
        *(
            (("classifier", said_in(classified(explained.scored), lang)),)
            if explained.scored
            else ()
        ),
    )
    print_fields((worded(name, lang), worded(value, lang)) for name, value in told)
    if verdict.findings:
        print_table(
            _headed(_FINDING_COLUMNS, lang),
            (_row(one, explained, bundle, lang) for one in verdict.findings),
        )
    else:
        say(worded("no finding", lang))
    if explained.beside:
        print_table(
            _headed(_OTHER_COLUMNS, lang), (_other_row(one, lang) for one in explained.beside)
        )


def _headed(columns: Iterable[str], lang: str) -> list[str]:
    return ["\n".join(worded(line, lang) for line in column.split("\n")) for column in columns]


def _row(
    finding: Finding, explained: Explanation, bundle: Bundle, lang: str
) -> tuple[str | tuple[str, ...], ...]:
    decides = finding is explained.verdict.deciding
    standing = "shadow" if finding.shadow else "yes" if decides else "no"
    citation = citation_of(bundle, finding.rule)
    about = f"; {_about(finding.category, lang)}" if finding.category else ""
    behind = explained.lists.get((finding.rule, finding.evidence))
    of_list = ", ".join(said_in(one, lang) for one in behind.said()) if behind else ""
    return (
        (finding.rule, said_in(citation.title, lang)),
        citation.article,
        (finding.reason, worded(finding.action, lang)),
        tuple(filter(None, (f"{_evidence(finding, lang)}{about}", of_list))),
        worded(standing, lang),
    )


def _about(category: str, lang: str) -> str:
    """Return what a text is about, and how bad that is; of an operator's own word that alone."""
    known_as = category_of(category)
    if known_as is None:
        return category
    name = f"{known_as.name} {category}" if lang == "zh" else category
    severity = worded(severity_of(category), lang)
    return f"{worded('category', lang)} {name}, {worded('severity', lang)} {severity}"


def _evidence(finding: Finding, lang: str) -> str:
    return finding.zh if lang == "zh" and finding.zh else finding.evidence


def _other_row(one: RelatedRule, lang: str) -> tuple[tuple[str, str], str, str]:
    return (one.rule.id, said_in(one.rule.title, lang)), one.rule.article, said_in(one.note, lang)
