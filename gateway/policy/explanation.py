"""Every rule asked about a message, even after one stops it: for explanations and releases."""

from collections.abc import Iterable

from gateway.domain.verdict import Action, Finding, Verdict
from gateway.filter.facts import TextFacts
from gateway.policy.consent_findings import ASKING
from gateway.policy.content_findings import finding_of
from gateway.policy.courses import RuleQuestion
from gateway.policy.ruleset import ADDRESS_STAGES, RuleSet
from gateway.policy.submission import Submission


def explain(
    rules: RuleSet, submission: Submission, texts: tuple[str, ...], now: float, at: float
) -> Verdict:
    """Ask every rule, and return all findings with the verdict."""
    rules.keep_day(at)
    facts = rules.scan.explain_texts(texts)
    found = [f for stage in ADDRESS_STAGES if (f := stage(submission, now)) is not None]
    found += ask_all(rules, submission, facts, at)
    counting = [RuleQuestion(one.ask, one.findings) for one in rules.counting_of(submission, at)]
    found += _asked_all(counting, submission, at)
    found += [finding_of(hit, rules.bundle.content) for hit in facts.hits]
    submission.findings += tuple(found)
    deciding = next((f for f in found if not f.shadow and f.action is not Action.DEFER), None)
    if deciding is not None:
        return rules.verdict(submission, deciding)
    if submission.deferral is not None:
        return rules.verdict(submission, *submission.deferral)
    if submission.asks_consent:
        submission.findings += (ASKING,)
        return rules.verdict(submission, ASKING)
    return Verdict(Action.FORWARD, submission.findings, rules.digest)


def ask_all(rules: RuleSet, submission: Submission, facts: TextFacts, at: float) -> list[Finding]:
    """Return the findings of all rules that do not count, also after one that stops."""
    submission.facts = facts
    ruling = rules.rules.rule_text(submission, facts, at)
    submission.traffic, submission.template = ruling.traffic, ruling.template
    submission.asks_consent = ruling.asks_consent
    found = _asked_all(ruling.course.asking, submission, at)
    return [*found, *ruling.found]


def _asked_all(asked: Iterable[RuleQuestion], submission: Submission, at: float) -> list[Finding]:
    found: list[Finding] = []
    for one in asked:
        evidence = one.ask(submission, at)
        if evidence is not None:
            finding = one.findings.of(submission, evidence)
            found.append(finding)
            if finding.action is Action.DEFER and not finding.shadow:
                submission.hold_back(finding)
    return found
