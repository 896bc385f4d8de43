"""What the review pages ask of other parts: texts, evidence, octets, rules, journals, samples."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.model import PersonDecision
from gateway.systems.quarantine.review_limits import FindLimit

Place = tuple[int, int]
"""The start and the end of a span of a text."""


class RuleCitation(NamedTuple):
    """What a rule is called in Chinese and English, and the article that asks for it."""

    zh: str
    en: str
    article: str


class OctetRow(NamedTuple):
    """Sixteen octets of a PDU: the offset of the first, two hexadecimal digits each, ASCII.

    `digits` has ``**`` and `ascii` has ``*`` for an octet of a number.
    """

    offset: int
    digits: str
    ascii: str


class OctetDump(NamedTuple):
    """The first octets of a PDU as rows; `left` octets behind them are not shown.

    `fields` are pairs of the name of a mandatory field and its span in the PDU.
    """

    rows: list[OctetRow]
    left: int
    fields: list[tuple[str, Place]]


@dataclass(frozen=True, slots=True)
class ReviewTools:
    """What a review asks of other parts.

    `texts_of` returns every reading of a message, or of all its parts in order, the best first;
    `mask` hides the numbers in a text, character for character. `places_of` returns the spans of a
    text that the reason and the evidence of a message are about. `octets_of` returns the octets of
    a request without the numbers in it. `cite` returns what a rule of the policy in force is, None
    for an id that it does not have. `learn` keeps what a decision teaches, and never fails.
    `journal` notes a look, and raises StoreUnavailable: then nothing may be shown. `limit_of`
    returns until when people decide on messages of a category, by the policy in force.
    """

    texts_of: Callable[[HeldMessage, Sequence[HeldMessage]], tuple[str, ...]]
    mask: Callable[[str], str]
    places_of: Callable[[str, str, str], list[Place]]
    octets_of: Callable[[bytes], OctetDump]
    cite: Callable[[str], RuleCitation | None]
    learn: Callable[[Sequence[HeldMessage], PersonDecision, str], Awaitable[None]]
    journal: Callable[[NewAccess], Awaitable[object]]
    limit_of: FindLimit


class UnmaskingLimit(Protocol):
    """Lets one person see so many whole numbers, and asks a second person for more."""

    async def note(self, look: NewAccess, numbers: int = 1) -> bool:
        """Keep the entry of a look in the audit; False, and nothing may be shown, for too many."""

    async def ask(self, look: NewAccess) -> str:
        """Ask for an approval; return the address of the page on which it waits."""
