"""Where a text links to (R61).

Evidence is made once: there are many texts, but few different findings. It is made anew, with the
places in the text, only when people ask for an explanation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from annotated_types import MaxLen

from gateway.domain.verdict import Action, Basis, ReasonCode, TextMark
from gateway.filter.facts import TextSign
from gateway.filter.links import TextLink
from gateway.filter.lookalike import KnownDomains, Likeness, LookAlike
from gateway.policy.check import (
    ENDLESS,
    CategoryId,
    CheckQuestion,
    Domain,
    Evidence,
    RegisteredDomain,
    TextCheck,
)
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_MAX_DOMAINS = 20_000

# How a name is like another, in Chinese: as it stands after the name.
LIKENESSES = {
    Likeness.SPELLING: "（拼写相同）",
    Likeness.SOUND: "（读音相近）",
    Likeness.SHAPE: "（字形相近）",
    Likeness.ONE_LETTER: "（一字之差）",
    Likeness.INSIDE: "（名称夹在其中）",
    Likeness.OTHER_ENDING: "（后缀不同）",
}


@dataclass(frozen=True, slots=True)
class BadLink(TextCheck):
    """The text links to what is blocked, or made to look like a brand's (R61).

    To a domain of `block`, or below it; to a domain that imitates one of `brands`; with
    `disguised`, in a way that only people read (点 for a dot); with `only_allowed`, to any domain
    that is neither in `allow` nor in `brands`. A link to a domain in `allow` is never found.
    `category` is what such a text is about.
    """

    reason = ReasonCode("BAD_LINK", Basis.CONTENT, cmpp="0x440", mark=TextMark.LINKS)
    order = 150
    allowed_actions = (Action.QUARANTINE, Action.REJECT)
    help = {
        "block": "Domains and hosts that no text may link to, with all below them.",
        "allow": "Domains and hosts that every text may link to, whatever else is said.",
        "brands": "Registered domains that others are made to look like; they may be linked to.",
        "disguised": "Whether a link counts that is written so that only people read it.",
        "only_allowed": "Whether every link counts that is neither in allow nor in brands.",
        "category": "What the words are about; stands beside each hit.",
    }

    block: Annotated[tuple[Domain, ...], MaxLen(_MAX_DOMAINS)] = ()
    allow: Annotated[tuple[Domain, ...], MaxLen(_MAX_DOMAINS)] = ()
    brands: Annotated[tuple[RegisteredDomain, ...], MaxLen(_MAX_DOMAINS)] = ()
    disguised: bool = False
    only_allowed: bool = False
    category: CategoryId = "phishing"

    def __post_init__(self) -> None:
        if not (self.block or self.brands or self.disguised or self.only_allowed):
            raise ValueError("finds nothing: needs block, brands, disguised or only_allowed")

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign.LINK | TextSign.ENDLESS

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        links = _Links(self)

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None:
                return None
            if facts.is_endless:
                return ENDLESS
            for one in facts.links():
                said = links.against(one)
                if said is not None and facts.is_told:
                    return said.with_details(f" ({one.start + 1}-{one.end})")
                if said is not None:
                    return said
            return None

        return CheckQuestion(ask)


class DomainList:
    """Registrable domains and hosts; each includes everything below it."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().strip(".") for name in names)

    def covers(self, host: str) -> bool:
        """Tell whether `host` or a domain above it is on the list."""
        return self.entry_of(host) is not None

    def entry_of(self, host: str) -> str | None:
        """Return the longest entry that covers `host`, or None."""
        if not self._names:
            return None
        labels = host.split(".")
        above = (".".join(labels[at:]) for at in range(len(labels)))
        return next((name for name in above if name in self._names), None)


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
            return self._evidence(
                f"links to what is blocked: {entry}", f"链接指向已封禁的网站: {entry}"
            )
        taken = self._taken_for(link)
        if taken is not None:
            zh = f"链接仿冒 {taken.original} {LIKENESSES[taken.likeness]}"
            return self._evidence(f"a link made to be taken for {taken.said}", zh)
        if self._check.disguised and link.is_disguised:
            return self._evidence(
                "a link written so that only people read it", "链接经变形，只有人能读懂"
            )
        if self._check.only_allowed:
            return self._evidence("links to what is not allowed", "链接指向未获允许的网站")
        return None

    def _taken_for(self, link: TextLink) -> LookAlike | None:
        """Return the host that the host of `link` imitates; None if it imitates none."""
        shown = self._allowed.entry_of(link.host) if link.is_look_alike else None
        if shown is not None:
            return LookAlike(shown, Likeness.SPELLING)
        return self._brands.like(link.host)

    def _evidence(self, said: str, zh: str) -> Evidence:
        if said not in self._made:
            self._made[said] = Evidence(said, category=self._check.category, zh=zh)
        return self._made[said]
