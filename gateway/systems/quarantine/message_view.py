"""What a page shows of a held message: masked, bounded, and with its evidence marked."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.domain.held_findings import told_items
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.systems.quarantine.review_limits import FindLimit, review_by
from gateway.systems.quarantine.review_tools import Place, ReviewTools, RuleCitation
from gateway.systems.quarantine.text_pieces import (
    MAX_OTHER_CHARS,
    MAX_SHOWN_CHARS,
    ShownText,
    shown_text,
)
from gateway.terminal.screen import masked_source, told_category, visible

MAX_OTHER_READINGS = 3


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
        "category": visible(told_category(held.category)),
        "evidence": visible(mask(held.evidence)),
        "campaign": held.campaign,
        "held_at": held.held_at,
        "is_back": held.is_reviewed and held.state is HoldState.HELD,
    }


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
        "score": held.score,
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
