"""What a text looks like, links to, asks for and is signed with (R61).

Evidence is made once: there are many texts, but few different findings. It is made anew, with the
places in the text, only when people ask for an explanation.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.domain.verdict import Action, Reason
from gateway.filter.contacts import Contact
from gateway.filter.facts import TextFacts
from gateway.filter.lookalike import KnownDomains, KnownNames, Likeness, LookAlike
from gateway.filter.model.harm import Harm
from gateway.filter.persons import score_as_personal
from gateway.filter.text_score import PIECES, TextScore
from gateway.filter.urls import DomainList, TextLink
from gateway.policy.evidence import Ask, Evidence
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import BadLink, ContactGiven, Impostor, Suspicious
from gateway.policy.submission import Submission

_UNSCORED = Evidence("no classifier has judged the text", Reason.CONTENT_UNCHECKED, is_unread=True)
_ENDLESS = Evidence(
    "too long to look for links and contacts", Reason.CONTENT_UNCHECKED, is_unread=True
)
_UNMEASURED = Evidence(
    "nobody measured what the classifier does to so few innocent texts",
    Reason.CONTENT_UNCHECKED,
    is_unread=True,
)

_MAX_SEEN = 4096
_GRAVITY = {Harm.ADVERT: 0, Harm.ILLEGAL: 1, Harm.FRAUD: 2}


def suspicious(check: Suspicious, knowledge: Knowledge) -> Ask:
    """Ask whether the classifier finds any reading of the text like spam.

    A text from a personal number is judged as what people write. If the classifier has not judged
    the text, or the tolerated share was not measured for texts of that class, this is the finding
    instead: such a text is not taken for innocent.
    """
    tolerances, scores = _Tolerances(check), _Scores(check)

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None or not any(facts.texts):
            return None  # an empty text cannot be judged
        is_personal = submission.origin.is_personal
        scored = _as_personal(facts, knowledge) if is_personal else facts.scored
        if scored is None:
            return _UNSCORED
        tolerated = tolerances.of(submission)
        guilty = [one for one in scored if one.is_guilty(tolerated)]
        if guilty:
            return _with_pieces(scores.evidence_of(guilty), facts)
        is_measured = all(one.is_measured(tolerated) for one in scored)
        return None if is_measured else _UNMEASURED

    return ask


def bad_link(check: BadLink) -> Ask:
    """Ask whether a link in the text leads where it must not."""
    links = _Links(check)

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None:
            return None
        if facts.is_endless:
            return _ENDLESS
        found = ((one, links.against(one)) for one in facts.links())
        return next((_placed(said, one, facts) for one, said in found if said is not None), None)

    return ask


def impostor(check: Impostor, knowledge: Knowledge) -> Ask:
    """Ask whether the text is signed so that people take its sender for somebody else."""
    filings, likes = knowledge.filings, _Likes(check, knowledge)

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        name = facts.shown().signature if facts is not None else ""
        found = likes.of(name) if name else None
        if found is None:
            return None
        original, evidence = found
        own = filings.of(submission.account.system_id)
        return None if own.has_signature(name) or own.has_signature(original) else evidence

    return ask


def contact_given(check: ContactGiven) -> Ask:
    """Ask whether the text gives a contact of the kinds that are looked for."""
    plain = {kind: Evidence(f"asks to come to: {kind}") for kind in check.kinds}
    disguised = {kind: Evidence(f"asks to come to: {kind}, in disguise") for kind in check.kinds}

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None:
            return None
        if facts.is_endless:
            return _ENDLESS
        given = [one for one in facts.contacts() if one.kind in check.kinds]
        if not given:
            return None
        # A disguised contact is the strongest evidence.
        first = next((one for one in given if one.is_disguised), given[0])
        evidence = (disguised if first.is_disguised else plain)[first.kind]
        return _listed(evidence, given) if facts.is_told else evidence

    return ask


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


class _Tolerances:
    """The share of innocent texts that may be stopped, by port, by sender or in general."""

    __slots__ = ("_by_port", "_by_sender", "_usual")

    def __init__(self, check: Suspicious) -> None:
        self._usual = check.tolerates
        self._by_port = {one.port: one.tolerates for one in check.tolerances if one.port}
        self._by_sender = {one.sender: one.tolerates for one in check.tolerances if one.sender}

    def of(self, submission: Submission) -> float:
        tolerated = self._by_sender.get(submission.account.system_id, self._usual)
        port = submission.port
        return tolerated if port is None else self._by_port.get(port.number, tolerated)


class _Scores:
    """Evidence for the readings that the classifier finds like spam."""

    __slots__ = ("_actions", "_made")

    def __init__(self, check: Suspicious) -> None:
        self._actions = check.actions
        self._made: dict[tuple[str, int], Evidence] = {}

    def evidence_of(self, guilty: Iterable[TextScore]) -> Evidence:
        """Return the evidence for the worst reading; one that is only noted hides no other."""
        worst = max(guilty, key=self._weight_of)
        # 100 probabilities times the categories of the tree.
        key = (worst.category, round(100 * worst.probability))
        if key not in self._made:
            about = f": {worst.category}" if worst.category else ""
            said = f"{key[1]} % likely spam{about}"
            action = self._action_of(worst)
            self._made[key] = Evidence(said, action=action, category=worst.category)
        return self._made[key]

    def _action_of(self, one: TextScore) -> Action | None:
        # Without a category the harm is unknown, and the rule's own action holds.
        return self._actions.get(one.harm) if one.category else None

    def _weight_of(self, one: TextScore) -> tuple[bool, int, float]:
        is_stopped = self._action_of(one) is not Action.FORWARD
        return is_stopped, _GRAVITY[one.harm], one.probability


class _Links:
    """What can be said against links."""

    __slots__ = ("_allowed", "_blocked", "_brands", "_check", "_made")

    def __init__(self, check: BadLink) -> None:
        self._check = check
        self._blocked, self._brands = DomainList(check.block), KnownDomains(check.brands)
        self._allowed = DomainList((*check.allow, *check.brands))
        self._made: dict[str, Evidence] = {}

    def against(self, link: TextLink) -> Evidence | None:
        """Return the evidence against a link; None if it is allowed."""
        if self._allowed.covers(link.opened):
            return None
        entry = self._blocked.entry_of(link.opened) or self._blocked.entry_of(link.host)
        if entry is not None:
            return self._evidence(f"links to what is blocked: {entry}")
        taken = self._taken_for(link)
        if taken is not None:
            return self._evidence(f"a link made to be taken for {taken}")
        if self._check.disguised and link.is_disguised:
            return self._evidence("a link written so that only people read it")
        return self._evidence("links to what is not allowed") if self._check.only_allowed else None

    def _taken_for(self, link: TextLink) -> str | None:
        """Return the host that the host of `link` imitates; None if it imitates none."""
        shown = self._allowed.entry_of(link.host) if link.is_look_alike else None
        if shown is not None:
            return _by_what(LookAlike(shown, Likeness.SPELLING))
        like = self._brands.like(link.host)
        return None if like is None else _by_what(like)

    def _evidence(self, said: str) -> Evidence:
        if said not in self._made:
            self._made[said] = Evidence(said, category=self._check.category)
        return self._made[said]


class _Likes:
    """The names that signatures imitate; cached, because a sender signs all its texts alike."""

    __slots__ = ("_category", "_filings", "_names", "_seen", "_seen_among")

    def __init__(self, check: Impostor, knowledge: Knowledge) -> None:
        self._category = check.category
        self._names = KnownNames(check.names)
        self._filings = knowledge.filings
        if check.filed:
            self._filings.compare_names()
        self._seen: dict[str, tuple[str, Evidence] | None] = {}
        self._seen_among = self._filings.names

    def of(self, name: str) -> tuple[str, Evidence] | None:
        """Return the name that `name` imitates, and the evidence."""
        if self._seen_among is not self._filings.names:  # somebody has filed another
            self._seen_among = self._filings.names
            self._seen.clear()
        try:
            return self._seen[name]
        except KeyError:
            return self._look_at(name)

    def _look_at(self, name: str) -> tuple[str, Evidence] | None:
        like = self._names.like(name) or self._seen_among.like(name)
        found = None
        if like is not None:
            said = f"a signature made to be taken for {_by_what(like)}"
            found = like.original, Evidence(said, category=self._category)
        if len(self._seen) >= _MAX_SEEN:
            self._seen.clear()
        self._seen[name] = found
        return found


def _by_what(like: LookAlike) -> str:
    return f"{like.original} ({like.likeness.replace('_', ' ')})"


def _with_pieces(evidence: Evidence, facts: TextFacts) -> Evidence:
    if not facts.pieces:
        return evidence
    pieces = ", ".join(f"{one.text.strip()} {one.weight:+.2f}" for one in facts.pieces)
    return replace(evidence, text=f"{evidence.text}; {pieces}")


def _placed(evidence: Evidence, link: TextLink, facts: TextFacts) -> Evidence:
    if not facts.is_told:
        return evidence
    return replace(evidence, text=f"{evidence.text} ({link.start + 1}-{link.end})")


def _listed(evidence: Evidence, given: Iterable[Contact]) -> Evidence:
    told = ", ".join(f"{one.masked} ({one.start + 1}-{one.end})" for one in given)
    return replace(evidence, text=f"{evidence.text}; {told}")
