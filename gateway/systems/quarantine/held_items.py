"""Held messages as programs see them: numbers masked, and no text in a list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from gateway.domain.held_findings import told_items
from gateway.domain.msisdn import masked
from gateway.domain.policy import OverdueAction
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.systems.quarantine.decisions import seen_digest
from gateway.systems.quarantine.review_limits import review_by
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.terminal.screen import masked_source
from gateway.web.fields import RequestBody
from gateway.web.resources import CursorPage


class HeldMessageItem(RequestBody):
    """A message in quarantine: numbers masked, and no text."""

    id: Annotated[str, Field(examples=["8176407200000001000"])]
    state: HoldState
    system_id: Annotated[str, Field(examples=["shop"])]
    source: Annotated[str, Field(examples=["10690001"])]
    destination: Annotated[str, Field(examples=["138****8000"])]
    reason: Annotated[str, Field(examples=["CONTENT"])]
    rule: Annotated[str, Field(examples=["K-FRAUD"])]
    category: Annotated[str, Field(examples=["fraud_prize"])]
    severity: str
    score: Annotated[int | None, Field(description="How likely spam, in percent.")]
    evidence: Annotated[str, Field(description="Numbers in it are masked.")]
    campaign: Annotated[str, Field(examples=["c3f1d9a07b2e4c55f"])]
    held_at: datetime
    expires_at: datetime
    due_at: datetime | None
    decide_by: Annotated[
        datetime | None, Field(description="The time limit of its category ends then.")
    ]
    then: Annotated[
        OverdueAction | None, Field(description="What becomes of it if nobody decides by then.")
    ]
    decision: Annotated[str, Field(description="What a person decided last, who and why.")]


class HeldList(CursorPage):
    """Messages, the newest first."""

    messages: list[HeldMessageItem]


class HeldDetail(HeldMessageItem):
    """A message in whole, its numbers masked."""

    texts: Annotated[list[str], Field(description="Every reading of its octets, the best first.")]
    parts: Annotated[list[str], Field(description="Ids of all parts of a long message.")]
    found: Annotated[
        list[str], Field(description="All that it is held for: a release overrules just this.")
    ]
    overruled: Annotated[list[str], Field(description="What people overruled of it.")]
    note: str
    owner: str
    receipt: ReceiptState
    smsc_message_id: str
    seen: Annotated[
        str,
        Field(
            description="Tells this text, and what holds it, from later ones.",
            examples=["5f0c1d9a37be2e44"],
        ),
    ]


def held_item(held: HeldMessage, tools: ReviewTools) -> HeldMessageItem:
    """Return a message as a list has it."""
    return HeldMessageItem(**_fields(held, tools))


def _fields(held: HeldMessage, tools: ReviewTools) -> dict[str, Any]:
    limit = tools.limit_of(held.category)
    ends = review_by(held, limit)
    return {
        "decide_by": ends,
        "then": limit.then if limit is not None and ends is not None else None,
        "id": str(held.message_id),
        "state": held.state,
        "system_id": held.system_id,
        "source": masked_source(held.source),
        "destination": masked(held.destination),
        "reason": held.reason,
        "rule": held.rule,
        "category": held.category,
        "severity": held.severity,
        "score": held.score,
        "evidence": tools.mask(held.evidence),
        "campaign": held.campaign,
        "held_at": held.held_at,
        "expires_at": held.expires_at,
        "due_at": held.due_at,
        "decision": tools.mask(held.decision),
    }


def _told(lines: str, tools: ReviewTools) -> list[str]:
    return [tools.mask(": ".join(filter(None, one))) for one in told_items(lines)]


def held_detail(held: HeldMessage, parts: Sequence[HeldMessage], tools: ReviewTools) -> HeldDetail:
    """Return a message with its texts; it takes milliseconds for a long one."""
    return HeldDetail(
        **_fields(held, tools),
        texts=[tools.mask(text) for text in tools.texts_of(held, parts)],
        parts=[str(one.message_id) for one in parts],
        found=_told(held.found, tools),
        overruled=_told(held.overruled, tools),
        note=tools.mask(held.note),
        owner=held.owner,
        receipt=held.receipt,
        smsc_message_id=held.smsc_message_id,
        seen=seen_digest(held),
    )
