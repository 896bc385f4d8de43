"""The interface of all checks that count earlier messages."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, Self

from gateway.policy.evidence import Ask, Evidence
from gateway.policy.submission import Submission

Against = Sequence[tuple[Submission, Evidence]]


class Counter(Protocol):
    """Counts the messages that it is asked about. Ask it last, about those that nothing stops."""

    gives_back: ClassVar[bool]  # whether `forget` changes anything

    @property
    def is_by_second(self) -> bool:
        """Tell whether it treats all moments of one second alike."""

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages one after the other, except those with something against them.

        Return these with the evidence. It may raise, because a text may be too much for the filter.
        Then nothing is counted yet that would be counted twice when the messages are asked about
        again.
        """

    def forget(self, submission: Submission, at: float) -> None:
        """Take back one message that it just counted, because another counter stops it."""

    def adopt(self, before: Self) -> None:
        """Go on from the counts of an earlier version of the rule, which is not asked any more."""


def asked_alone(counter: Counter) -> Ask:
    """Return a function that asks a counter about one message."""

    def ask(submission: Submission, at: float) -> Evidence | None:
        against = counter.ask_all((submission,), at)
        return against[0][1] if against else None

    return ask
