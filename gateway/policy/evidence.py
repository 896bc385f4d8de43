"""What a check found, and how to ask it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.verdict import Action, Reason
from gateway.policy.submission import Submission


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a check found; a constant, so that findings are made once and not per message.

    `text` holds no number and no text of a message. `reason` and `action`, if given, replace those
    of the rule. `category` is what the text is about, as far as the check can tell; `campaign` is
    the id of its campaign. `is_unread` says that the check could not read its data: the rule's
    `on_error` decides.
    """

    text: str
    reason: Reason | None = None
    action: Action | None = None
    category: str = ""
    is_unread: bool = False
    campaign: str = ""


# Asks one check about a message at an epoch second; None if there is nothing against it.
Ask: TypeAlias = Callable[[Submission, float], Evidence | None]

# Returns those of many messages that a check must be asked about, in their order. It includes every
# message that the check would find against, returns very few, and is fast.
Sieve: TypeAlias = Callable[[Sequence[Submission], float], Sequence[Submission]]


def everyone(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
    """Pass every message to the check."""
    return submissions
