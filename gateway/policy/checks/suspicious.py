"""What the classifier says of a text (R61).

Evidence is made once: there are many texts, but few different findings. It is made anew, with the
pieces of the text, only when people ask for an explanation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from annotated_types import Gt, Le, MaxLen

from gateway.domain.categories import Harm, TrafficClass, harm_of
from gateway.domain.policy import ListAction
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Action, Reason, likely_spam
from gateway.filter.classifier.score import (
    PIECES,
    Scorer,
    TextClass,
    TextScore,
    score_as_personal,
)
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import Hit
from gateway.policy.bundle import Rule, Title
from gateway.policy.check import (
    CheckQuestion,
    Evidence,
    Fact,
    PortPrefix,
    Share,
    SystemId,
    TextCheck,
)
from gateway.policy.findings import BySource
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.message_class import is_for
from gateway.policy.submission import Submission

_MAX_TOLERANCES = 1_000
_UNSCORED = Evidence(
    "no classifier has judged the text",
    Reason.CONTENT_UNCHECKED,
    is_unread=True,
    zh="文本未经分类模型判断",
)
_UNMEASURED = Evidence(
    "nobody measured what the classifier does to so few innocent texts",
    Reason.CONTENT_UNCHECKED,
    is_unread=True,
    zh="没有测定分类模型在如此低的误判率下的表现",
)
_GRAVITY = {Harm.ADVERT: 0, Harm.ILLEGAL: 1, Harm.FRAUD: 2}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The share of innocent texts that may be stopped of one sender, or of one of its ports.

    The port takes precedence, as in an override.
    """

    tolerates: Share
    sender: SystemId = ""
    port: PortPrefix = ""


@dataclass(frozen=True, slots=True)
class Suspicious(TextCheck):
    """The classifier finds the text like spam, at the share of innocent texts it may take (R61).

    `tolerates` is the share of innocent texts that may be stopped; the model knows the matching
    score for each class of texts. `actions` gives the action by harm, if it differs from that of
    the rule; with forward the text is only noted. An advert from a port with one of the purposes
    `adverts_from` is only noted, too: whether it was asked for is a matter of consent. A text from
    a personal number is judged as what people write. With `seconded`, a text from a port is also
    stopped if the model of what people write finds it guilty at `tolerates`, and that of ports at
    `seconded`. With `rejects`, fraud and illegal offers are rejected: what is guilty at that share,
    and a guilty text with a word of a list that stops such. With a `score`, only texts that are at
    least so likely to be spam are guilty. If the classifier has not judged the text, or the
    tolerated share was not measured for texts of that class, this is the finding: such a text is
    not taken for innocent.
    """

    reason = Reason.SUSPICIOUS
    order = 180
    reads = frozenset({Fact.SCORE})
    is_self_contained = False
    allowed_actions = (Action.QUARANTINE, Action.REJECT)
    default_on_error = {
        TrafficClass.VERIFICATION: Action.QUARANTINE,
        TrafficClass.SERVICE: Action.QUARANTINE,
        TrafficClass.COMMERCIAL: Action.QUARANTINE,
    }
    help = {
        "tolerates": "How large a share of innocent texts may be stopped, as 0.5 %.",
        "tolerances": "Other shares for single senders or ports.",
        "actions": "By harm what becomes of a text, where it is not the action of the rule.",
        "adverts_from": "Purposes of ports from which an advert is only noted, as marketing.",
        "seconded": "The larger share at which the ports' model need only second that of people.",
        "rejects": "The smaller share at which fraud and illegal offers are rejected.",
        "score": "How likely to be spam a text must be at least, as 0.9.",
    }

    tolerates: Share
    tolerances: Annotated[tuple[Tolerance, ...], MaxLen(_MAX_TOLERANCES)] = ()
    actions: Mapping[Harm, Action] = field(default_factory=dict)
    adverts_from: frozenset[Purpose] = frozenset()
    seconded: Share | None = None
    rejects: Share | None = None
    score: Annotated[float, Gt(0), Le(1)] | None = None

    def __post_init__(self) -> None:
        if self.score is not None and self.seconded is not None:
            raise ValueError("score and seconded do not go together")

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        scores, least = _Scores(self), self.score or 0.0
        tolerances = BySource(
            self.tolerates,
            {one.sender: one.tolerates for one in self.tolerances if one.sender},
            {one.port: one.tolerates for one in self.tolerances if one.port},
        )

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None or not any(facts.texts):
                return None  # an empty text cannot be judged
            is_personal = submission.origin.is_personal
            scored = _as_personal(facts, knowledge) if is_personal else facts.scored
            if scored is None:
                return _UNSCORED
            tolerated = tolerances.of(submission)
            guilty = [
                one for one in scored if one.is_guilty(tolerated) and one.probability >= least
            ]
            if not guilty and self.seconded is not None and not is_personal:
                guilty = _seconded(facts, knowledge, tolerated, self.seconded)
            if guilty:
                port = submission.port
                may_advertise = any(is_for(port, one) for one in self.adverts_from)
                is_worded = self.rejects is not None and any(map(_is_crime, facts.hits))
                return _with_pieces(scores.evidence_of(guilty, may_advertise, is_worded), facts)
            for one in scored:
                if not one.is_measured(tolerated):
                    return _UNMEASURED
            return None

        return CheckQuestion(ask)


def _as_personal(facts: TextFacts, knowledge: Knowledge) -> tuple[TextScore, ...] | None:
    """Return the classifier's result for each reading as a person's text; once for each text."""
    if facts.personal is None and knowledge.scorer is not None:
        try:
            score_as_personal((facts,), knowledge.scorer)
        except Exception:  # noqa: BLE001 - as in the scan: what cannot be judged is known for that
            knowledge.unscored += 1
            return None
        if facts.is_told:
            told = knowledge.scorer.pieces(facts.seen()[0], PIECES, is_port=False)
            facts.pieces = tuple(told)
    return facts.personal


def _is_crime(hit: Hit) -> bool:
    return hit.action is not ListAction.SHADOW and harm_of(hit.category) is not Harm.ADVERT


def _is_of_crime(one: TextScore) -> bool:
    # No categories were learnt of texts without Han.
    return one.harm is not Harm.ADVERT and one.text_class is not TextClass.FOREIGN


def _with_pieces(evidence: Evidence, facts: TextFacts) -> Evidence:
    if not facts.pieces:
        return evidence
    pieces = ", ".join(f"{one.text.strip()} {one.weight:+.2f}" for one in facts.pieces)
    return evidence.with_details(f"; {pieces}")


def _seconded(
    facts: TextFacts, knowledge: Knowledge, tolerated: float, seconded: float
) -> list[TextScore]:
    """Return what is guilty to the model of what people write, and less so to that of ports."""
    if not any(one.is_guilty(seconded) for one in facts.scored or ()):
        return []  # nearly all
    personal = _as_personal(facts, knowledge) or ()
    return [one for one in personal if one.is_guilty(tolerated)]


class _Scores:
    """Evidence for the readings that the classifier finds like spam."""

    __slots__ = ("_actions", "_made", "_rejects")

    def __init__(self, check: Suspicious) -> None:
        self._actions = check.actions
        self._rejects = check.rejects
        self._made: dict[tuple[str, int, Action | None], Evidence] = {}

    def evidence_of(
        self,
        guilty: Iterable[TextScore],
        may_advertise: bool,  # noqa: FBT001 - of a port
        is_worded: bool,  # noqa: FBT001 - of the text
    ) -> Evidence:
        """Return the evidence for the worst reading; one that is only noted hides no other."""
        worst = max(guilty, key=partial(self._weight_of, may_advertise))
        # 100 probabilities times the categories of the tree.
        action = Action.REJECT if is_worded else self._action_of(worst, may_advertise)
        key = (worst.category, round(100 * worst.probability), action)
        if key not in self._made:
            about = f": {worst.category}" if worst.category else ""
            en, zh = likely_spam(key[1])
            self._made[key] = Evidence(
                f"{en}{about}",
                action=action,
                category=worst.category,
                score=key[1],
                zh=f"{zh}{about}",
            )
        return self._made[key]

    def _action_of(self, one: TextScore, may_advertise: bool) -> Action | None:  # noqa: FBT001
        if not one.category:
            return None  # the harm is unknown, and the rule's own action holds
        if may_advertise and one.harm is Harm.ADVERT:
            return Action.FORWARD
        if self._rejects is not None and one.is_guilty(self._rejects) and _is_of_crime(one):
            return Action.REJECT
        return self._actions.get(one.harm)

    def _weight_of(self, may_advertise: bool, one: TextScore) -> tuple[bool, bool, int, float]:  # noqa: FBT001
        action = self._action_of(one, may_advertise)
        is_stopped, is_rejected = action is not Action.FORWARD, action is Action.REJECT
        return is_stopped, is_rejected, _GRAVITY[one.harm], one.probability


def unscored(rules: Iterable[Rule], scorer: Scorer | None) -> Iterator[Title]:
    """Yield the rules that do not judge because a model, or a measurement of it, is missing."""
    asking = [rule for rule in rules if isinstance(rule.check, Suspicious) and not rule.is_off]
    if scorer is not None:
        for rule in asking:
            yield from _unmeasured(rule, scorer)
        return
    passing = [rule.id for rule in asking if not _stops_unjudged(rule)]
    if passing:
        ids = ", ".join(passing)
        yield Title(
            f"没有分类模型：{ids}：没有文本经过判断",
            f"NO CLASSIFIER: {ids}: no text is judged, for there is no model",
        )
    stopping = [rule.id for rule in asking if _stops_unjudged(rule)]
    if stopping:
        ids = ", ".join(stopping)
        yield Title(
            f"没有分类模型：{ids}：应由模型判断的短信按 on_error 一律拦截；"
            "用 `smsward filter install` 安装模型",
            f"NO CLASSIFIER: {ids}: there is no model, and what is asked is stopped unjudged, as"
            " on_error says; `smsward filter install` puts a model in place",
        )


def _stops_unjudged(rule: Rule) -> bool:
    """Tell whether the rule stops what no classifier has judged."""
    actions = (rule.on_error.get(each, Action.FORWARD) for each in rule.applies_to)
    return rule.can_stop and any(one is not Action.FORWARD for one in actions)


def _unmeasured(rule: Rule, scorer: Scorer) -> Iterator[Title]:
    assert isinstance(rule.check, Suspicious)  # noqa: S101 - the caller has looked
    least = min((rule.check.tolerates, *(one.tolerates for one in rule.check.tolerances)))
    for text_class, measured_from in scorer.measured_from.items():
        if measured_from > least:
            share = f"{100 * least:g} %"
            yield Title(
                f"未经测定：{rule.id} 容许误判 {share} 的正常短信，而模型对类别 {text_class}"
                " 没有如此低的阈值，这类文本未经判断",
                f"NOT MEASURED: {rule.id} tolerates {share} of innocent texts, and the model knows"
                f" no threshold for so few of class {text_class}: those texts are not judged",
            )
