"""What a check found, and how it asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.verdict import Action, Reason
from gateway.policy.submission import Submission


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a check found; a constant, so that findings are made once and not per message.

    `text` holds no number and no text of a message. `reason` and `action` are other than
    those of the rule where they are given. `category` is what the text is about, as far as the
    check can tell, `campaign` the id of that which it belongs to. `is_unread` says that what
    the check asks could not be read: the rule's `on_error` decides.
    """

    text: str
    reason: Reason | None = None
    action: Action | None = None
    category: str = ""
    is_unread: bool = False
    campaign: str = ""


# Asks one check of a message at an epoch second; None when there is nothing against it.
Ask: TypeAlias = Callable[[Submission, float], Evidence | None]

# Of many messages returns those that a check must be asked about, all it would find against
# among them, in their order: nearly none, at a glance.
Sieve: TypeAlias = Callable[[Sequence[Submission], float], Sequence[Submission]]


def everyone(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
    """Let the check be asked about each message."""
    return submissions
