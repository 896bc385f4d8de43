"""Signatures that imitate others (R61)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MaxLen

from gateway.domain.verdict import Action, Basis, ReasonCode, TextMark
from gateway.filter.facts import TextSign
from gateway.filter.lookalike import KnownNames
from gateway.policy.check import CategoryId, CheckQuestion, Evidence, Name, TextCheck
from gateway.policy.checks.bad_link import LIKENESSES
from gateway.policy.filings import Filings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_MAX_NAMES = 5_000
_MAX_SEEN = 4096


@dataclass(frozen=True, slots=True)
class Impostor(TextCheck):
    """The signature is made to be taken for one of `names`, or one that is `filed` (R61).

    A signature that the sender itself has filed is its own, and so is a similar one.
    """

    reason = ReasonCode("IMPOSTOR", Basis.CONTENT, cmpp="0x441", mark=TextMark.SIGNATURE)
    order = 160
    allowed_actions = (Action.QUARANTINE, Action.REJECT)
    help = {
        "names": "Signatures that others are made to look like.",
        "filed": "Whether signatures that others have filed count, too.",
        "category": "What the words are about; stands beside each hit.",
    }

    names: Annotated[tuple[Name, ...], MaxLen(_MAX_NAMES)] = ()
    filed: bool = False
    category: CategoryId = "fraud"

    def __post_init__(self) -> None:
        if not (self.names or self.filed):
            raise ValueError("finds nothing: needs names, or filed: true")

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        filings, likes = knowledge.filings, _Likes(self, knowledge)

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            name = facts.shown().signature if facts is not None else ""
            found = likes.of(name) if name else None
            if found is None:
                return None
            original, evidence = found
            own = filings.of(submission.account.system_id)
            return None if own.has_signature(name) or own.has_signature(original) else evidence

        return CheckQuestion(ask)


class _Likes:
    """The names that signatures imitate; cached, because a sender signs all its texts alike."""

    __slots__ = ("_category", "_filings", "_names", "_seen", "_seen_among")

    def __init__(self, check: Impostor, knowledge: Knowledge) -> None:
        self._category = check.category
        self._names = KnownNames(check.names)
        self._filings = knowledge.filings if check.filed else Filings()
        if check.filed:
            self._filings.compare_names()
        self._seen: dict[str, tuple[str, Evidence] | None] = {}
        self._seen_among = self._filings.names

    def of(self, name: str) -> tuple[str, Evidence] | None:
        """Return the name that `name` imitates, and the evidence."""
        if self._seen_among is not self._filings.names:  # somebody has filed another
            self._seen_among = self._filings.names
            self._seen.clear()
        if name in self._seen:
            return self._seen[name]
        like = self._names.like(name) or self._seen_among.like(name)
        found = None
        if like is not None:
            said = f"a signature made to be taken for {like.said}"
            zh = f"签名仿冒 {like.original} {LIKENESSES[like.likeness]}"
            found = like.original, Evidence(said, category=self._category, zh=zh)
        if len(self._seen) >= _MAX_SEEN:
            self._seen.clear()
        self._seen[name] = found
        return found
