"""What pages say of held messages: masked, bounded, with evidence marked; words, and keys."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from gateway.domain.categories import CATEGORIES
from gateway.domain.held_findings import told_items
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import likely_spam
from gateway.systems.quarantine.model import ReviewState
from gateway.systems.quarantine.review_limits import FindLimit, review_by
from gateway.systems.quarantine.review_tools import Place, ReviewTools, RuleCitation
from gateway.systems.quarantine.text_pieces import (
    MAX_OTHER_CHARS,
    MAX_SHOWN_CHARS,
    ShownText,
    shown_text,
)
from gateway.terminal.screen import masked_source, visible
from gateway.web.pages import marked

MAX_OTHER_READINGS = 3

STATES = {
    HoldState.HELD: marked("Held"),
    HoldState.DEFERRED: marked("Deferred"),
    HoldState.RELEASE_REQUESTED: marked("Release requested"),
    HoldState.RELEASING: marked("Releasing"),
    HoldState.IN_DOUBT: marked("In doubt"),
    HoldState.RELEASED: marked("Released"),
    HoldState.REFUSED: marked("Refused"),
    HoldState.DISCARDED: marked("Discarded"),
    HoldState.EXPIRED: marked("Expired"),
    HoldState.CANCELLED: marked("Cancelled"),
}
# How a decision stands, in the strip of the last ones.
DECISION_STATES = {
    ReviewState.WAITING: marked("takes effect at"),
    ReviewState.TAKEN: marked("in effect"),
    ReviewState.UNDONE: marked("undone"),
    ReviewState.VOID: marked("without effect"),
}
# What a plain key does, in words, and the key that is usual for it; static/review.js obeys them.
KEYS = (
    ("next", marked("next message"), "j"),
    ("previous", marked("previous message"), "k"),
    ("release", marked("release"), "r"),
    ("spam", marked("confirm spam"), "s"),
    ("discard", marked("discard"), "d"),
    ("escalate", marked("escalate, with a note"), "e"),
    ("undo", marked("undo the last decision"), "z"),
    ("campaign", marked("the whole campaign"), "c"),
    ("unmask", marked("show a number"), "u"),
    ("octets", marked("show the octets"), "v"),
    ("select", marked("choose the message, or not"), "x"),
    ("chosen", marked("decide on the chosen ones"), "b"),
    ("search", marked("search"), "/"),
    ("help", marked("this help"), "?"),
)
# What keys 1 to 9 stand for, as ids of the tree of categories.
CATEGORY_KEYS = (
    *("fraud", "phishing", "gambling", "pornography", "loan"),
    *("forged_documents", "harassment", "commercial", "nuisance"),
)


def categories(language: str) -> list[tuple[int, str, str]]:
    """Return the number, the id and the name of each category that has a key."""
    names = {one.id: one.name for one in CATEGORIES}
    return [
        (number, one, names[one] if language == "zh" else one.replace("_", " "))
        for number, one in enumerate(CATEGORY_KEYS, start=1)
    ]


_FEWEST_DIGITS = 8


def short_ids(ids: Iterable[int]) -> dict[int, str]:
    """Return the last digits of each id of a page, so many that no two of them look alike."""
    whole = {one: str(one) for one in ids}
    longest = max(map(len, whole.values()), default=_FEWEST_DIGITS)
    digits = next(
        (
            count
            for count in range(_FEWEST_DIGITS, longest)
            if len({text[-count:] for text in whole.values()}) == len(whole)
        ),
        longest,
    )
    return {one: f"…{text[-digits:]}" for one, text in whole.items()}


def listed_message(held: HeldMessage, mask: Callable[[str], str]) -> dict[str, object]:
    """Return what a list shows of a message: no text of its own."""
    return {
        "number": held.message_id,
        "state": held.state,
        "system_id": visible(held.system_id),
        "source": visible(masked_source(held.source)),
        "destination": visible(masked(held.destination)),
        "reason": held.reason,
        "rule": visible(held.rule),
        "category": visible(held.category),
        "score": held.score,
        "evidence": visible(mask(_evidence_beside_score(held))),
        "campaign": held.campaign,
        "held_at": held.held_at,
        "is_back": held.is_reviewed and held.state is HoldState.HELD,
    }


def _evidence_beside_score(held: HeldMessage) -> str:
    """Return the evidence without the score, which pages say in their language."""
    if held.score is None or not held.evidence.startswith(likely_spam(held.score)[0]):
        return held.evidence
    return held.evidence.partition("; ")[2]


def shown_limit(held: HeldMessage, limit_of: FindLimit, now: datetime) -> dict[str, object]:
    """Return until when people decide on a message, minutes that are left, and what follows.

    `decide_by` is None where there is no limit, or the message is not held.
    """
    limit = limit_of(held.category)
    ends = review_by(held, limit)
    left_s = 0.0 if ends is None else (ends - now).total_seconds()
    return {
        "decide_by": ends,
        "minutes_left": max(0, int(left_s // 60)),
        "is_overdue": left_s <= 0,
        "then": "" if limit is None else limit.then.value,
    }


def shown_message(
    held: HeldMessage, parts: Sequence[HeldMessage], tools: ReviewTools, language: str
) -> dict[str, object]:
    """Return what is shown of a message that is chosen; it takes milliseconds for a long text."""
    first, *others = tools.texts_of(held, parts)
    cited = tools.cite(held.rule)
    return {
        **listed_message(held, tools.mask),
        "text": _text_shown(first, held, tools, MAX_SHOWN_CHARS),
        "others": [
            _text_shown(one, held, tools, MAX_OTHER_CHARS) for one in others[:MAX_OTHER_READINGS]
        ],
        "others_left": max(0, len(others) - MAX_OTHER_READINGS),
        "title": "" if cited is None else _title_of(cited, language),
        "article": "" if cited is None else visible(cited.article),
        "also_found": [one for one in _told(held.found, tools) if one[0] != visible(held.rule)],
        "overruled": _told(held.overruled, tools),
        "note": visible(tools.mask(held.note)),
        "decision": visible(tools.mask(held.decision)),
        "digest": held.digest,
        "severity": visible(held.severity),
        "owner": visible(held.owner),
        "due_at": held.due_at,
        "expires_at": held.expires_at,
        "receipt": held.receipt if held.receipt_asked else "",
        "smsc_message_id": visible(held.smsc_message_id),
        "has_personal_source": is_mobile(held.source.encode("latin-1", "replace")),
    }


def _told(lines: str, tools: ReviewTools) -> list[tuple[str, str]]:
    """Return rules with what they found, as they are shown."""
    return [(visible(rule), visible(tools.mask(item))) for rule, item in told_items(lines)]


def _title_of(cited: RuleCitation, language: str) -> str:
    return visible(cited.zh if language == "zh" else cited.en)


def _text_shown(text: str, held: HeldMessage, tools: ReviewTools, limit: int) -> ShownText:
    # Masking keeps each character's place.
    places: list[Place] = tools.places_of(text, held.reason, held.evidence)
    shown = shown_text(tools.mask(text[: limit + _BEHIND]), places, limit)
    return ShownText(shown.pieces, max(0, len(text) - limit))


_BEHIND = 64  # a number that ends behind what is shown is masked as a whole
