"""Subscribers' answers by the million: lists that come in, and lists that go out."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol, TypeAlias

from gateway.domain.consent import Answer, ConsentAnswer

# ConsentAnswer as a plain tuple, for a list holds millions of them: msisdn, scope, the value
# of an Answer, since in microseconds from 1970 on, channel, evidence.
PlainAnswer: TypeAlias = tuple[int, str, str, int, str, str]

ANSWERS_PER_COMMIT = 10_000


class ConsentLists(Protocol):
    """The answers of ports.consent.ConsentStore, in bulk. All is safe to repeat."""

    def record_list(self, batches: Iterable[Sequence[PlainAnswer]]) -> AsyncIterator[int]:
        """Keep answers as ConsentStore.record does; yield how many each commit held.

        The next batch is asked for after that commit, and no commit holds more than
        ANSWERS_PER_COMMIT. Answers in the order of number and scope are kept many times
        faster. Between commits there are rests in which other processes' writes get in.
        Raises StoreUnavailable; what was yielded is on record then.
        """

    def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        """Yield the answers of `scope` that read `answer`, None meaning any, by number.

        In lists of at most `batch`. Answers recorded meanwhile may or may not be among
        them. Raises StoreUnavailable.
        """
