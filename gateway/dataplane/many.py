"""A message to many (submit_multi): the rules are asked about each of its destinations."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.dataplane.submit_request import Addressee, Care, SubmitRequest
from gateway.domain.verdict import Action
from gateway.filter.facts import TextFacts
from gateway.policy.consent_findings import is_asking
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp.addresses import DistributionList, UnsuccessSme
from gateway.smpp.pdu import encode
from gateway.smpp.status import status_named

_KEPT = frozenset({Action.QUARANTINE, Action.DEFER})


def judge_each(
    rules: RuleSet, message: SubmitRequest, care: Care, texts: Sequence[TextFacts], at: float
) -> None:
    """Judge a text for every destination that passed: rules, words, counts.

    Rules are asked about each of `texts`; the last one holds all readings. The words are the
    same for all destinations, so a finding about words is a finding about the whole message.
    """
    left = [
        one
        for one in (each.message for each in care.addressees)
        if one.verdict is None and all(rules.judge_rules(one, facts, at) for facts in texts)
    ]
    if not left:
        return
    _gather(message, left)
    rules.judge_content(message, texts[-1])
    if message.verdict is None:
        for one in left:
            rules.settle(one, at)
            if one.verdict is not None and is_asking(one.verdict):
                # Consent is asked of one subscriber at a time (R23). Rejected copies do not count.
                rules.uncount(one, at)
        _gather(message, (one for one in left if one.verdict is None))


def narrow(message: SubmitRequest, care: Care) -> None:
    """Keep only the destinations that may get the message; if there are none, reject it.

    A destination that would be held or deferred is rejected: the answer has one message id for
    all destinations.
    """
    assert care.request is not None  # noqa: S101 - it has addressees, so it is a submit_multi
    for each in care.addressees:
        verdict = each.message.verdict
        if verdict is not None and verdict.action in _KEPT:
            each.message.verdict = replace(verdict, action=Action.REJECT)
    passed = [each for each in care.addressees if each.message.verdict is None]
    care.turned_away = tuple(each for each in care.addressees if each.message.verdict is not None)
    care.refused = tuple(_refusal(each) for each in care.turned_away)
    care.reached = tuple(each.message.destination for each in passed)
    care.places = tuple(place for each in passed for place in each.places)
    if not passed:
        message.verdict = care.turned_away[0].message.verdict
    elif care.turned_away:
        listed = tuple(each.destination for each in passed)
        fields = {**care.request.fields, "dest_address": listed}
        care.rebuilt = encode(replace(care.request, fields=fields))


def _gather(message: SubmitRequest, those: Iterable[Submission]) -> None:
    """Copy the findings of some copies to the message, each finding once."""
    found = (finding for one in those for finding in one.findings)
    message.findings = tuple(dict.fromkeys((*message.findings, *found)))


def _refusal(each: Addressee) -> UnsuccessSme:
    verdict, destination = each.message.verdict, each.destination
    status = status_named(verdict.status) if verdict is not None else 0
    if isinstance(destination, DistributionList):
        return UnsuccessSme(0, 0, destination.name, status)
    return UnsuccessSme(destination.ton, destination.npi, destination.address, status)
