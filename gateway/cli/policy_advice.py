"""`smsward policy advise` and `filter feedback`: rules as records and people judge them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from gateway.cli.policy_hits import ShownSample, count_findings, shown_samples
from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Bundle
from gateway.records.finding_counts import FindingCounter, RuleHits
from gateway.runtime.masking import masked_text
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.feedback import (
    DecisionCount,
    Feedback,
    FeedbackKey,
    FeedbackKind,
    FeedbackStore,
)
from gateway.systems.quarantine.model import PersonDecision, decision_on
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.deployment import bundle_in
from gateway.terminal.failure import ExitCode, run_async
from gateway.terminal.options import AdviceOptions, HitOptions
from gateway.terminal.screen import counted, print_json, print_listed, print_table, say
from gateway.terminal.store import opened_store, sealer_of

# The criterion; docs/howto/policies.md has it in words.
LEAST_MESSAGES = 100
LEAST_DECIDED, MOST_RELEASED = 5, 0.2
MOST_OF_TRAFFIC = 0.05
MOST_OF_ONE_SENDER = 0.8
ENOUGH_AGREED = 0.5
FEW = 0.001
_READ_TOGETHER = 1000


class Proposal(StrEnum):
    """What to do with a rule: let it stop, look at what it found first, or wait for more."""

    ENFORCE = "enforce"
    LOOK = "look"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class RuleAdvice:
    """What is proposed for one rule in shadow mode, why, and by which commands it is done.

    Of `messages` that it would stop, passed or not, `would_stop` passed: a share of all
    `traffic`. `agreed` is in how many another rule in force found something, too; people have
    `released` and `rejected` some that another had held. `senders` counts `would_stop` by sender.
    """

    rule: str
    proposal: Proposal
    because: str
    messages: int
    would_stop: int
    traffic: int
    agreed: int
    released: int
    rejected: int
    senders: dict[str, int]
    commands: tuple[str, ...] = ()
    samples: list[ShownSample] = field(default_factory=list)


def advise(
    settings: GatewaySettings, policies: Path, asked: AdviceOptions, *, as_json: bool
) -> int:
    """Print what is proposed for every rule in shadow mode; return the exit code."""
    bundle = bundle_in(policies)
    counter = count_findings(settings, HitOptions(asked.since, records=asked.records))
    decisions = run_async(_decisions(settings, counter))
    sealer = sealer_of(settings)
    advice = list(advice_on(bundle, counter, decisions))
    for one in advice:
        hits = counter.rules.get(one.rule)
        one.samples.extend(shown_samples(hits.samples if hits is not None else (), sealer))
    if as_json:
        print_json({"messages": counter.decisions, "stopped": counter.stopped, "rules": advice})
        return ExitCode.FINE
    columns = ("rule", "proposed", "found", "would stop", "SPs", "why", "message ids")
    print_table(columns, map(_row, advice))
    say(f"{counted(counter.decisions, 'message')} since {asked.since}, {counter.stopped} stopped")
    for command in (command for one in advice for command in one.commands):
        say(command)
    return ExitCode.FINE


async def _decisions(
    settings: GatewaySettings, counter: FindingCounter
) -> dict[int, PersonDecision]:
    """Return what people decided on held messages in which rules on trial found something."""
    ids = sorted({one for hits in counter.rules.values() for one in hits.held})
    if not ids:  # then there need not be a store
        return {}
    found: dict[int, PersonDecision] = {}
    async with opened_store(settings, QuarantineStore) as store:
        for at in range(0, len(ids), _READ_TOGETHER):
            for held in await store.get_many(ids[at : at + _READ_TOGETHER]):
                decision = decision_on(held)
                if decision is not None:
                    found[held.message_id] = decision
    return found


def advice_on(
    bundle: Bundle, counter: FindingCounter, decisions: dict[int, PersonDecision]
) -> Iterator[RuleAdvice]:
    """Yield what is proposed for each rule of `bundle` that is in shadow mode."""
    for rule in bundle.rules:
        if rule.mode is Enforcement.SHADOW:
            hits = counter.rules.get(rule.id, RuleHits())
            decided = [decisions[one] for one in hits.held if one in decisions]
            yield _advice(rule.id, hits, counter.decisions, decided)


def _advice(rule: str, hits: RuleHits, traffic: int, decided: list[PersonDecision]) -> RuleAdvice:
    released = decided.count(PersonDecision.RELEASED)
    counts = {sender: one.would_stop for sender, one in hits.of_senders().items()}
    senders = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    proposal, because = next(_grounds(hits, traffic, decided, senders))
    commands: tuple[str, ...] = ()
    if proposal is Proposal.ENFORCE:
        commands = (f"smsward policy enforce {rule}",)
    return RuleAdvice(
        rule=rule,
        proposal=proposal,
        because=because,
        messages=hits.on_trial,
        would_stop=hits.would_stop,
        traffic=traffic,
        agreed=hits.agreed,
        released=released,
        rejected=len(decided) - released,
        senders={sender: count for sender, count in senders.items() if count},
        commands=commands,
    )


def _grounds(
    hits: RuleHits, traffic: int, decided: list[PersonDecision], senders: dict[str, int]
) -> Iterator[tuple[Proposal, str]]:
    """Yield what speaks for a proposal, and which; the first one counts."""
    if hits.on_trial < LEAST_MESSAGES:
        yield Proposal.WAIT, f"it found {hits.on_trial} of {LEAST_MESSAGES} messages asked for"
    released = decided.count(PersonDecision.RELEASED)
    if len(decided) >= LEAST_DECIDED and released >= MOST_RELEASED * len(decided):
        yield Proposal.LOOK, f"people released {released} of {len(decided)} that were held"
    share, agreed = hits.would_stop / traffic, hits.agreed / hits.on_trial
    if share > MOST_OF_TRAFFIC:
        yield Proposal.LOOK, f"it would stop {share:.1%} of all messages"
    if agreed >= ENOUGH_AGREED:
        yield Proposal.ENFORCE, f"rules in force are against {agreed:.0%} of what it found"
    sender, most = next(iter(senders.items()))
    if len(senders) > 1 and most > MOST_OF_ONE_SENDER * hits.would_stop:
        yield Proposal.LOOK, f"{most} of {hits.would_stop} that it would stop are of {sender}"
    few = f"it would stop {share:.2%} of all messages"
    if share <= FEW:
        yield Proposal.ENFORCE, few
    yield Proposal.LOOK, f"{few}, and rules in force are against {agreed:.0%} of what it found"


def _row(one: RuleAdvice) -> tuple[str | tuple[str, ...], ...]:
    senders: Iterable[str] = (f"{sender}: {count}" for sender, count in one.senders.items())
    ids = tuple(sample.message_id for sample in one.samples if sample.message_id)
    counts = (str(one.messages), str(one.would_stop))
    return (one.rule, one.proposal, *counts, tuple(senders)[:3], one.because, ids[:2])


_ERRS, _IS_DOUBTFUL = 0.5, 0.2


async def show_feedback(settings: GatewaySettings, since: datetime, *, as_json: bool) -> int:
    """Print what people made of messages that were held since then; return the exit code."""
    async with opened_store(settings, FeedbackStore) as store:
        decided = await store.decided_since(since)
    feedback = Feedback()
    feedback.add(decided)
    of_rules = feedback.by_rule()
    listed = sorted(
        feedback.counts.items(), key=lambda item: (-of_rules[item[0].rule], item[0].rule, item[0])
    )
    shown = [
        {
            "by": key.kind,
            "rule": key.rule,
            "what": masked_text(key.detail),
            "released": count.released,
            "rejected": count.rejected,
            "share_released": round(count.share_released, 3),
            "to_do": _to_do(key, count),
        }
        for key, count in listed
    ]
    names = ("rule", "what", "released", "rejected", "share_released", "to_do")
    rows = [[str(one[name]) for name in names] for one in shown]
    columns = [name.replace("_", " ") for name in names]
    print_listed(shown, columns, rows, "nobody has decided yet", as_json=as_json)
    return ExitCode.FINE


def _to_do(key: FeedbackKey, count: DecisionCount) -> str:
    is_enough = count.released + count.rejected >= LEAST_DECIDED
    if not is_enough or count.share_released < _IS_DOUBTFUL:
        return ""
    match key.kind:
        case FeedbackKind.WORD:
            return "take the word out of the list, or give the list an exception"
        case FeedbackKind.SCORE:
            return "train with the decisions: smsward filter train --add-samples"
        case FeedbackKind.RULE:
            if count.share_released < _ERRS:
                return "look at its words or scores below"
            return f"it errs more than it helps: smsward policy shadow {key.rule}"
