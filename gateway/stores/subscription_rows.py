"""Subscriptions and what belongs to them as rows of columns, and back."""

import json
from dataclasses import fields
from datetime import datetime

from sqlalchemy import RowMapping

from gateway.domain.consent_request import ConsentRequest, ConsentRequestState
from gateway.domain.subscription import (
    Cycle,
    MessageEvidence,
    OrderEvidence,
    Subscription,
    SubscriptionState,
    Terms,
)
from gateway.ports.subscriptions import OfferSession, SessionKind, SubscriptionStep

_TERMS = tuple(field.name for field in fields(Terms))
_PROOFS = tuple(field.name for field in fields(OrderEvidence))
_OWN = (
    "msisdn",
    "system_id",
    "service_id",
    "since",
    "asked_until",
    "trial_until",
    "step",
    "asked_from",
    "unanswered",
)
_SESSION = ("msisdn", "port", "until", "shown")


def values_of(subscription: Subscription) -> dict[str, object]:
    """Return the columns of a subscription, all but its change."""
    return {
        **{name: getattr(subscription, name) for name in _OWN},
        **{name: getattr(subscription.terms, name) for name in _TERMS},
        "state": subscription.state.value,
        "due_at": subscription.due_at,
        "evidence": _written(subscription.evidence),
    }


def subscription_of(row: RowMapping) -> Subscription:
    """Return the subscription that stands in `row`."""
    own = {name: row[name] for name in _OWN}
    terms = {name: row[name] for name in _TERMS} | {"cycle": Cycle(row["cycle"])}
    return Subscription(
        **own,
        terms=Terms(**terms),
        state=SubscriptionState(row["state"]),
        evidence=_read(row["evidence"]),
    )


def event_values_of(step: SubscriptionStep) -> dict[str, object]:
    """Return the columns of the event row that a step leaves."""
    after, said = step.after, step.said
    return {
        "msisdn": after.msisdn,
        "system_id": after.system_id,
        "service_id": after.service_id,
        "at": after.since,
        "act": step.act,
        "state": after.state.value,
        "message_id": said.message_id if said is not None else "",
        "text_sha256": said.text_sha256 if said is not None else "",
    }


def request_values_of(request: ConsentRequest) -> dict[str, object]:
    """Return the columns of a request for consent."""
    values = {field.name: getattr(request, field.name) for field in fields(ConsentRequest)}
    return values | {"likeness": f"{request.likeness:016x}", "state": request.state.value}


def request_of(row: RowMapping) -> ConsentRequest:
    """Return the request that stands in `row`."""
    return ConsentRequest(
        **{
            **row,
            "likeness": int(row["likeness"], 16),
            "state": ConsentRequestState(row["state"]),
        }
    )


def session_values_of(session: OfferSession) -> dict[str, object]:
    """Return the columns of a session."""
    values = {name: getattr(session, name) for name in _SESSION}
    return values | {"kind": session.kind.value, "items": json.dumps(session.items)}


def session_of(row: RowMapping) -> OfferSession:
    """Return the session that stands in `row`."""
    return OfferSession(
        **{name: row[name] for name in _SESSION},
        kind=SessionKind(row["kind"]),
        items=tuple((system_id, service) for system_id, service in json.loads(row["items"])),
    )


def _written(evidence: OrderEvidence) -> str:
    said = {name: getattr(evidence, name) for name in _PROOFS}
    return json.dumps(
        {
            name: (one.message_id, one.text_sha256, one.at.isoformat())
            for name, one in said.items()
            if one is not None
        }
    )


def _read(text: str) -> OrderEvidence:
    return OrderEvidence(
        **{
            name: MessageEvidence(message_id, digest, datetime.fromisoformat(at))
            for name, (message_id, digest, at) in json.loads(text).items()
        }
    )
