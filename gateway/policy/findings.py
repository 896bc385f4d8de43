"""The findings of rules, made once, and the early warnings that they raise, counted in the tick.

Only the store knows whether a subscriber was asked for consent before, and the tick cannot wait for
the store. A request that may otherwise pass gets the finding ASKING, and code that can wait decides
(D14, R23).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Generic, TypeAlias, TypeVar

from gateway.domain.categories import Harm, TrafficClass, category_of, harm_of, lineage_of
from gateway.domain.policy import ContentRule, Enforcement, ListAction
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.domain.warning import MAX_SAMPLES, Severity, WarningCount, WarningKind
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import Hit, KeywordIndex, word_id
from gateway.filter.normalise.folding import compact, folded
from gateway.filter.traffic_class import beyond_warning
from gateway.policy.bundle import Rule
from gateway.policy.check import Ask, Evidence
from gateway.policy.submission import Ending, Home, Submission

_UNREAD_PASSES = Action.FORWARD
# Evidence that names a campaign, or the place of a word, makes a finding of its own.
_MAX_MADE = 4096


Value = TypeVar("Value")


class BySource(Generic[Value]):
    """A value for each sender and port; the port takes precedence."""

    __slots__ = ("_ports", "_senders", "_usual", "for_all")

    def __init__(
        self, usual: Value, senders: Mapping[str, Value], ports: Mapping[str, Value]
    ) -> None:
        self._usual, self._senders, self._ports = usual, senders, ports
        # None if it is not the same for all.
        self.for_all = None if senders or ports else usual

    def of(self, submission: Submission) -> Value:
        """Return the value that holds for a message."""
        if self.for_all is not None:
            return self.for_all
        value = self._senders.get(submission.account.system_id, self._usual)
        port = submission.port
        return value if port is None else self._ports.get(port.number, value)


Modes: TypeAlias = BySource[Enforcement]


def modes_of(rule: Rule) -> Modes:
    """Return the mode of a rule for each sender and port."""
    return Modes(
        rule.mode,
        {one.sender: one.mode for one in rule.overrides if one.sender},
        {one.port: one.mode for one in rule.overrides if one.port},
    )


class RuleFindings:
    """The findings that one rule has made, each once: evidence is constant."""

    __slots__ = ("_made", "_rule", "modes")

    def __init__(self, rule: Rule, modes: Modes) -> None:
        self._rule = rule
        self.modes = modes
        self._made: dict[tuple[Evidence, Enforcement, TrafficClass], Ending] = {}

    def of(self, submission: Submission, evidence: Evidence) -> Finding:
        """Return the finding against a message for which the rule is on."""
        return self._made_of(submission, evidence).found[0]

    def add(self, submission: Submission, evidence: Evidence) -> Finding:
        """Add the finding to a message for which the rule is on; return the finding."""
        # `_made_of` inlined. For most messages this is the first finding.
        mode = self.modes.for_all or self.modes.of(submission)
        made = self._made.get((evidence, mode, submission.traffic))
        if made is None:
            made = self._made_of(submission, evidence)
        before = submission.findings
        submission.findings = made.after(before) if before else made.found
        return made.found[0]

    def _made_of(self, submission: Submission, evidence: Evidence) -> Ending:
        key = (evidence, self.modes.of(submission), submission.traffic)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MAX_MADE:
                self._made.clear()
            made = self._made[key] = Ending((self._make(*key),))
        return made

    def _make(self, evidence: Evidence, mode: Enforcement, traffic: TrafficClass) -> Finding:
        rule = self._rule
        action = evidence.action or rule.action
        if evidence.is_unread:
            action = rule.on_error.get(traffic, _UNREAD_PASSES)
        shadow = mode is Enforcement.SHADOW or action is Action.FORWARD
        reason = evidence.reason or rule.reason
        # Data that cannot be read or counted is not the sender's fault.
        warns = not evidence.is_unread and reason is not Reason.FREQUENCY_UNCOUNTED
        return Finding(
            rule.id,
            reason,
            action,
            evidence.text,
            shadow,
            category=evidence.category,
            campaign=evidence.campaign,
            # Unreadable data is a temporary rejection: the status of the rule does not apply.
            status="" if evidence.is_unread else rule.status,
            warning=rule.warning if warns else None,
            severity=rule.severity if warns else None,
            score=evidence.score,
            zh=evidence.zh,
        )


def if_unread(ask: Ask) -> Ask:
    """Return a function that asks only whether the rule's data cannot be read."""

    def ask_whether_unread(submission: Submission, at: float) -> Evidence | None:
        evidence = ask(submission, at)
        return evidence if evidence is not None and evidence.is_unread else None

    return ask_whether_unread


_ACTIONS = {
    ListAction.REJECT: Action.REJECT,
    ListAction.QUARANTINE: Action.QUARANTINE,
    ListAction.SHADOW: Action.FORWARD,
}


def finding_of(hit: Hit, content: ContentRule) -> Finding:
    """Return the finding for a hit; `content` decides about a text that cannot be read."""
    if hit.is_unreadable:
        action = content.unreadable
        return Finding(
            "UNREADABLE",
            Reason.CONTENT_UNREADABLE,
            action,
            "no text could be read from the octets",
            shadow=action is Action.FORWARD,
            zh="内容无法解读",
        )
    action = _ACTIONS[hit.action]
    return Finding(
        hit.list_id,
        Reason.CONTENT,
        action,
        hit.told,
        shadow=action is Action.FORWARD,
        category=hit.category,
        severity=hit.severity,
        word=word_id(hit.word),
        owner=hit.owner,
    )


# The lines that reports go to: the police, banks, authorities. Anybody can rent other numbers.
_OFFICIAL = "(?:96110|110|955[0-9]{2}|12[0-9]{3})"
_REPORTED = re.compile(
    "(?:[请可或:( ]|拨打?|致电|详询|咨询|联系|举报|报警|反诈|客服|热线|专线|电话){0,6}"
    rf"(?<![0-9])(?<![0-9][ .·-]){_OFFICIAL}(?![ .·-]?[0-9])"
)
# What a reader is asked to do: a half clause may warn (谨防假冒要的回1), the others never do.
_ASKED = re.compile(
    "搜|私信|回复|[回扣按打发][0-9a-z一二]|[回来]电|请回|(?<![主重])要的|认准|本机|[0-9]{5}"
)
_ASKED_BEYOND = re.compile(
    "[回拨找询加扫]|致电|电话|联系|需要|咨询|办理|欢迎|关注|下载"
    r"|\b(?:call|text|reply|contact|visit|click|order|apply|join|buy|dm)\b"
)
# What does its harm though nobody is told where to go.
_BY_NAME = frozenset({"gambling", "pornography", "rumour"})


def excused(
    found: tuple[Finding, ...], facts: TextFacts, index: KeywordIndex, day: date | None
) -> tuple[Finding, ...]:
    """Return the findings for the words of a text, eased if it only warns of fraud or a crime.

    What would be refused is held for a person; what would be held is noted.
    """
    stops = [one.category for one in found if not one.shadow]
    crimes = (harm_of(one) is not Harm.ADVERT or "loan" in lineage_of(one) for one in stops)
    is_warning = bool(stops) and all(crimes) and _only_warns(facts, index, day)
    return tuple(map(_eased, found)) if is_warning else found


def _eased(one: Finding) -> Finding:
    if one.action is Action.REJECT:
        return replace(one, action=Action.QUARANTINE)
    return replace(one, shadow=one.shadow or _BY_NAME.isdisjoint(lineage_of(one.category)))


def _only_warns(facts: TextFacts, index: KeywordIndex, day: date | None) -> bool:
    """Tell whether the words that stop a text stand in its warnings of fraud alone.

    Who warns disguises no word, and asks his reader for nothing but to report.
    """
    said = () if facts.is_endless else tuple(map(beyond_warning, facts.texts))
    besides = [one for one in said if one is not None]
    if not besides or len(besides) < len(said) or facts.links():
        return False
    if any(hit.action is not ListAction.SHADOW for hit in index.search(besides, day)):
        return False
    plain = folded(facts.texts[0])
    is_plain = all(part in plain for hit in facts.hits for part in hit.word.split("…"))
    is_official = all(re.fullmatch(_OFFICIAL, one.value) for one in facts.contacts())
    return is_plain and is_official and not any(map(_asks, facts.texts, besides))


def _asks(text: str, beyond: str) -> bool:
    whole, rest = _REPORTED.sub("", folded(text)), _REPORTED.sub("", beyond)
    return bool(_ASKED.search(compact(whole)) or _ASKED_BEYOND.search(f"{rest}\n{compact(rest)}"))


ASKING = Finding(
    "R23",
    Reason.CONSENT_ASKED,
    Action.DEFER,
    "a request for consent: the store tells if it may go",
    zh="征求同意的短信：能否发出以记录为准",
)
ASKED = Finding(
    "R23",
    Reason.CONSENT_ASKED,
    Action.REJECT,
    "the subscriber was asked much the same before",
    zh="已就相近内容征求过该用户同意",
)
UNKNOWN = Finding(
    "R23",
    Reason.CONSENT_UNCHECKED,
    Action.REJECT,
    "the consent store cannot be asked",
    status="ESME_RMSGQFUL",
    zh="无法查询同意记录",
)
AWAY = Finding(
    "R23",
    Reason.OVERLOADED,
    Action.REJECT,
    "the way to the SMSC was lost",
    zh="与短信中心的连接已断开",
)
REFUSED = Finding(
    "R21",
    Reason.OPTED_OUT,
    Action.REJECT,
    "the subscriber refused meanwhile",
    zh="用户已在此期间拒收",
)
TO_MANY = Finding(
    "R23",
    Reason.CONSENT_ASKED,
    Action.REJECT,
    "consent is asked of one at a time",
    zh="征求同意须逐个用户发送",
)


def is_asking(verdict: Verdict) -> bool:
    """Tell whether a verdict only says that the store must be asked first."""
    return verdict.action is Action.DEFER and verdict.deciding == ASKING


# Fraud, which readers may believe, comes before what is illegal to offer, and that before unwanted
# advertising.
_GRAVEST_FIRST = (Harm.FRAUD, Harm.ILLEGAL, Harm.ADVERT)


def subject_of(verdict: Verdict, known: Iterable[Finding] = ()) -> str:
    """Return the category of a message; "" if no finding of the verdict or `known` has one.

    It is the category of the gravest harm among keywords, classifier and links, also in shadow. If
    several have that harm, it is the one that decided, or one below it in the tree: a keyword of
    fraud and a classifier that says fraud_prize give fraud_prize. A word outside the tree (an
    operator's own word for a list) counts only if there is nothing else.
    """
    deciding = verdict.deciding
    first = deciding.category if deciding is not None else ""
    named = (first, *(one.category for one in (*verdict.findings, *known)))
    said = [one for one in named if one]
    ids = [one.id for one in map(category_of, said) if one is not None]
    if not ids:
        return next(iter(said), "")
    harms = {one: harm_of(one) for one in ids}
    worst = next(harm for harm in _GRAVEST_FIRST if harm in harms.values())
    return _most_exact(one for one in ids if harms[one] is worst)


def campaign_of(verdict: Verdict) -> str:
    """Return the id of the campaign of a message; "" if no rule found one."""
    return next((one.campaign for one in verdict.findings if one.campaign), "")


def _most_exact(categories: Iterable[str]) -> str:
    """Return the first of `categories`, or one of the others that lies below it."""

    def narrowing() -> Iterator[str]:
        chosen = ""
        for one in categories:
            if not chosen or chosen in lineage_of(one):
                chosen = one
                yield chosen

    *_, last = narrowing()
    return last


def status_of(finding: Finding, overrides: Mapping[str, str]) -> str:
    """Return the status name for a finding: the SP's own, else its rule's, else its reason's."""
    reason = finding.reason
    return overrides.get(reason.value) or finding.status or reason.status


# Kinds are rules times ports, both of the configuration: 600 octets each, 6 MB at most.
MAX_KINDS = 10_000

# Where a message stands in the records: its session's number, its sequence_number, and the
# gateway's message id if it has one.
Trace: TypeAlias = tuple[int, int, int]


@dataclass(slots=True)
class _Count:
    """What is known of one kind so far; it is changed per message."""

    severity: Severity | None
    first_at: float
    last_at: float
    count: int = 0
    on_trial: int = 0
    traces: list[Trace] = field(default_factory=list)
    category: str = ""
    campaign: str = ""


class WarningTally:
    """Counts by kind the messages that rules warn of; only those with findings cost anything.

    Between two calls of `take` at most `MAX_KINDS` are counted separately; messages of more kinds
    are counted in `others`, which only grows.
    """

    __slots__ = ("_at_hand", "_counts", "others")

    def __init__(self) -> None:
        self._counts: dict[WarningKind, _Count] = {}
        # A finding is kept with its count, so that its id is not reused meanwhile.
        self._at_hand: dict[tuple[int, Home], tuple[Finding, _Count]] = {}
        self.others = 0

    def note(self, submission: Submission, at: float, trace: Trace) -> None:
        """Count a judged message for each of its findings that warns, `at` in epoch seconds."""
        home = submission.origin.home
        for finding in submission.findings:
            if finding.warning is not None:
                known = self._at_hand.get((id(finding), home))
                count = known[1] if known is not None else self._count_of(submission, finding, at)
                if count is not None:
                    count.count += 1
                    count.on_trial += finding.shadow
                    count.last_at = at
                    if len(count.traces) < MAX_SAMPLES:
                        count.traces.append(trace)

    def _count_of(self, submission: Submission, finding: Finding, at: float) -> _Count | None:
        """Return the count of a kind; None if there is no room for one more."""
        assert finding.warning is not None  # noqa: S101 - the caller has looked
        port = submission.port.number if submission.port is not None else ""
        kind = WarningKind(finding.warning, finding.rule, submission.account.system_id, port)
        count = self._counts.get(kind)
        if count is None:
            if len(self._counts) >= MAX_KINDS:
                self.others += 1
                return None
            count = self._counts[kind] = _Count(finding.severity, at, at)
        count.category = count.category or finding.category
        count.campaign = count.campaign or finding.campaign
        if len(self._at_hand) < MAX_KINDS:
            self._at_hand[id(finding), submission.origin.home] = finding, count
        return count

    def take(self) -> tuple[WarningCount, ...]:
        """Return what was counted since the last call, and begin anew."""
        counts, self._counts = self._counts, {}
        self._at_hand.clear()
        return tuple(_gathered(kind, count) for kind, count in counts.items())


def _gathered(kind: WarningKind, count: _Count) -> WarningCount:
    first, last = sorted((count.first_at, count.last_at))  # clocks are set back
    return WarningCount(
        kind,
        count.severity,
        count.count,
        count.on_trial,
        datetime.fromtimestamp(first, UTC),
        datetime.fromtimestamp(last, UTC),
        tuple(map(_sample, count.traces)),
        count.category,
        count.campaign,
    )


def _sample(trace: Trace) -> str:
    session, sequence, message_id = trace
    return str(message_id) if message_id else f"{session}:{sequence}"
