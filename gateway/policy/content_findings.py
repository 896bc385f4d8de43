"""The findings that policy makes of the filter's hits in a text."""

from gateway.domain.policy import ContentRule, ListAction
from gateway.domain.verdict import Action, Finding, Reason
from gateway.filter.keywords import Hit

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
        )
    action = _ACTIONS[hit.action]
    return Finding(
        hit.list_id,
        Reason.CONTENT,
        action,
        hit.told,
        shadow=action is Action.FORWARD,
        category=hit.category,
    )
