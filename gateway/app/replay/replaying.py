"""Recorded decisions judged again: which verdicts other rules would change. Pure.

What a record does not hold is not made up: how fast messages came to the millisecond (rates
are not asked), when they were scheduled for, which of them were parts of one.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from gateway.app.replay.decisions import Decision, Kept
from gateway.dataplane.judging import UNCHECKED
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Purpose, Sender
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Reason
from gateway.filter.facts import TextFacts
from gateway.policy.asking import ASKING, is_asking
from gateway.policy.bundle import Bundle
from gateway.policy.knowledge import Knowledge
from gateway.policy.limits import Rolling
from gateway.policy.rules import Campaign, NumberWalk, Rule, Suspended, TooFast, TooOften
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp.commands import CommandId
from gateway.smpp.text import readings

_REPLACE_SM, _SUBMIT_MULTI = int(CommandId.REPLACE_SM), int(CommandId.SUBMIT_MULTI)
_FORWARD, _SHADOW, _REJECT = Action.FORWARD.value, "shadow", Action.REJECT.value
PASSING = frozenset({_FORWARD, _SHADOW})
_HELD = frozenset({Action.QUARANTINE, Action.DEFER})

# Why a message was stopped (or noted) that no rule can be asked about again: it was how the
# gateway or its store stood at that moment, or what no record holds.
OF_THE_MOMENT = frozenset(
    {
        Reason.MALFORMED,
        Reason.OVERLOADED,
        Reason.RATE,
        Reason.LIST_DESTINATION,
        Reason.PARTS_AWAITED,
        Reason.PARTS_CONFLICT,
        Reason.CONTENT_UNCHECKED,
        Reason.CONSENT_ASKED,
        Reason.CONSENT_UNCHECKED,
        Reason.CONSENT_UNKNOWN,
        Reason.FREQUENCY_UNCOUNTED,
        Reason.SOURCE_SUSPENDED,
        Reason.NUMBERS_UNKNOWN,  # by what the SMSC had answered until then
    }
)
OF_THE_TEXT = frozenset(
    {
        Reason.BAD_LINK,
        Reason.CAMPAIGN,
        Reason.CONTACT_GIVEN,
        Reason.CONTENT,
        Reason.CONTENT_UNREADABLE,
        Reason.IMPOSTOR,
        Reason.NO_OPTOUT_HINT,
        Reason.NO_SENDER_NAME,
        Reason.NO_SENDER_PHONE,
        Reason.PORT_MISUSE,
        Reason.SIG_SWITCH,
        Reason.SIG_UNKNOWN,
        Reason.SUSPICIOUS,
        Reason.TPL_MISMATCH,
        Reason.USER_PREF,  # a word of it, or what it is about
    }
)
OF_ADDRESSES = frozenset(
    {
        Reason.SENDER_STATE,
        Reason.SOURCE_NOT_OWNED,
        Reason.EXT_TOO_LONG,
        Reason.DESTINATION_INVALID,
    }
)

# Not yet said, rather than said not to be: what a text lacks is found against nobody.
_UNSEEN = TextFacts((), (), is_whole=False)
# A replace_sm does not say in which alphabet its text is; each that it may be in is read, under
# a data_coding that no message can have.
_REPLACED, _REPLACED_CODINGS = -1, (8, 15, 0)
_DAY_S = 86_400


class Outcome(NamedTuple):
    """What became, or would become, of a message, and the rule that decided; "" for none."""

    action: str
    rule: str

    @property
    def passes(self) -> bool:
        """Tell whether the subscriber gets the message."""
        return self.action in PASSING


class Change(NamedTuple):
    """A verdict that would be another."""

    old: Outcome
    new: Outcome


class Judge:
    """One bundle, asked about recorded messages in their order, with counters of its own."""

    def __init__(self, bundle: Bundle, senders: Iterable[Sender], knowledge: Knowledge) -> None:
        # Who was restored meanwhile, and when, no record holds.
        not_asked = TooFast | Suspended
        rules = tuple(rule for rule in bundle.rules if not isinstance(rule.check, not_asked))
        self._rules = RuleSet(replace(bundle, rules=rules), senders, knowledge)
        self.digest = bundle.digest
        self.memory_s = max(map(_memory_s, rules), default=0.0)

    def judge(self, decision: Decision) -> Outcome | Kept:
        """Return what becomes of the message; it is counted if it passes.

        Without its text, rules that look at none are asked, and what was found in it stays.
        """
        rules = self._rules
        account = rules.accounts.get(decision.system_id)
        if account is None:
            return Kept.SENDER_GONE
        command_id = decision.command_id
        # Without units nothing is taken from the sender's bucket, and nothing counted.
        one = Submission(account, decision.source, decision.destination, 0)
        if command_id == _REPLACE_SM:
            if not rules.judge_replacement(one, 0.0):
                return _outcome(one)
        elif rules.judge_address(one, 0.0):
            one.units = 1
        else:
            return _outcome(one)
        if decision.text is None:
            return self._judge_unseen(one, decision)
        try:
            facts = self._facts(decision, decision.text)
            if command_id == _SUBMIT_MULTI:
                return self._judge_one_of_many(one, facts, decision.at)
            rules.judge_text(one, facts, decision.at)
        except Exception:  # noqa: BLE001 - a text the filter fails on is held, as in the tick
            rules.hold_against(one, (UNCHECKED,))
        return _outcome(one, _REJECT if command_id == _REPLACE_SM else "")

    def _facts(self, decision: Decision, text: tuple[int, bytes]) -> TextFacts:
        if decision.command_id == _REPLACE_SM:
            text = (_REPLACED, text[1])
        scan = self._rules.scan
        facts = scan.look_up(*text)
        if facts is None:
            (facts,) = scan.scan((text,), _readings)
        return facts

    def _judge_one_of_many(self, one: Submission, facts: TextFacts, at: float) -> Outcome:
        """Judge one destination: a rule that would hold the message refuses this one."""
        rules = self._rules
        if rules.judge_rules(one, facts, at):
            rules.judge_content(one, facts)
            if one.verdict is not None:
                return _outcome(one)  # the words are said of the whole message
            rules.settle(one, at)
        return _outcome(one, _REJECT)

    def _judge_unseen(self, one: Submission, decision: Decision) -> Outcome | Kept:
        rules = self._rules
        rules.judge_rules(one, _UNSEEN, decision.at)
        # Of preferences only those that look at no text were met, and others go before them.
        one.findings = tuple(f for f in one.findings if f.reason not in OF_THE_TEXT)
        is_kept = _rests_on_text(one, decision)
        deciding = one.verdict.deciding if one.verdict is not None else None
        if deciding is not None and deciding.reason in OF_THE_TEXT:
            one.verdict, is_kept = None, True
        if one.verdict is None and (decision.action in PASSING or not is_kept):
            rules.settle(one, decision.at)
        if one.verdict is None and is_kept:
            return Kept.TEXT_NOT_KEPT
        return _outcome(one, _REJECT if decision.command_id in (_REPLACE_SM, _SUBMIT_MULTI) else "")


class Replayer:
    """Compares what `new` makes of recorded messages with their records, or with `old`.

    Give it every record in the order of time: some rules count, and go on counting a message
    for `memory_s` at most.
    """

    def __init__(self, new: Judge, old: Judge | None = None) -> None:
        self._new = new
        self._old = old
        self.memory_s = max(judge.memory_s for judge in (new, old) if judge is not None)

    def replay(self, decision: Decision) -> Change | Kept | None:
        """Return how the verdict would change, why it cannot be told, or None when it stays.

        Under the policy that made the record no other verdict comes of the policy: it comes of
        answers since, or of what the record does not hold.
        """
        if decision.reason in OF_THE_MOMENT:
            return Kept.OF_THE_MOMENT
        recorded = Outcome(decision.action, decision.rule)
        before: Outcome | Kept = recorded
        if self._old is not None:
            before = self._old.judge(decision)
        after = self._new.judge(decision)
        if isinstance(after, Kept):
            return after
        if isinstance(before, Kept):
            before = recorded
        if before == after or _is_of_others(decision, before, after):
            return None
        if self._old is None and decision.digest == self._new.digest:
            return Kept.SAME_POLICY
        return Change(before, after)


def _outcome(one: Submission, when_held: str = "") -> Outcome:
    verdict = one.verdict
    if verdict is None or is_asking(verdict):
        # Whether a request for consent was the first of its kind, its record says (R23).
        noted = [finding for finding in one.findings if finding is not ASKING]
        return Outcome(_SHADOW, noted[0].rule) if noted else _PASSED
    deciding = verdict.deciding
    action = verdict.action.value
    if when_held and verdict.action in _HELD:
        action = when_held
    return Outcome(action, deciding.rule if deciding is not None else "")


_PASSED = Outcome(_FORWARD, "")


def _is_of_others(decision: Decision, before: Outcome, after: Outcome) -> bool:
    """Tell whether the difference may lie in the other destinations of a submit_multi.

    The record of each destination that it reached bears what is noted of any of them.
    """
    return decision.command_id == _SUBMIT_MULTI and before.passes and after.passes


def _rests_on_text(one: Submission, decision: Decision) -> bool:
    """Tell whether what was found may have hung on the text, if only on its class."""
    reason = decision.reason
    if not reason or reason in OF_ADDRESSES:
        return False
    if reason in OF_THE_TEXT:
        return True
    is_known = one.traffic is TrafficClass.PUBLIC_INTEREST or (
        one.port is not None and one.port.purpose is Purpose.MARKETING
    )
    return not is_known


def _readings(octets: bytes, data_coding: int) -> tuple[str, ...]:
    if data_coding != _REPLACED:
        return readings(octets, data_coding)
    found = (text for coding in _REPLACED_CODINGS for text in readings(octets, coding))
    return tuple(dict.fromkeys(found))


def _memory_s(rule: Rule) -> float:
    """Return how long a rule remembers a message, 0 for one that does not count."""
    modes = {rule.mode, *(override.mode for override in rule.overrides)}
    if modes == {Enforcement.OFF}:
        return 0.0
    match rule.check:
        case NumberWalk(within=within) | Campaign(within=within):
            return within.total_seconds()
        case TooOften(limits=limits):
            return max(
                limit.every.seconds if isinstance(limit.every, Rolling) else limit.every.length_s
                for limit in limits
            )
        case _:
            return 0.0
