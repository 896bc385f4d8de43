"""What remembers the messages before: the face of all checks that count."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, Self

from gateway.policy.evidence import Ask, Evidence
from gateway.policy.submission import Submission

Against = Sequence[tuple[Submission, Evidence]]


class Counter(Protocol):
    """Counts what it is asked about. Ask it last, of what nothing else stops."""

    gives_back: ClassVar[bool]  # whether `forget` changes anything

    @property
    def is_by_second(self) -> bool:
        """Tell whether all moments of one second are the same to it."""

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages one after the other, but for those that something is against.

        Return what is against which. Where this raises, for a text may be too much for the
        filter, nothing is counted yet that would count anew when the messages are asked about
        again.
        """

    def forget(self, submission: Submission, at: float) -> None:
        """Take back one message that it just counted: another counter is against it."""

    def adopt(self, before: Self) -> None:
        """Go on from the counts of an earlier version of the rule, which asks no more."""


def asked_alone(counter: Counter) -> Ask:
    """Return what asks a counter about one message."""

    def ask(submission: Submission, at: float) -> Evidence | None:
        against = counter.ask_all((submission,), at)
        return against[0][1] if against else None

    return ask
