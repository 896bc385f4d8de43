"""Subscribers' answers by the million: lists that come in, and lists that go out."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from gateway.domain.consent import Answer, ConsentAnswer

# A number, or what a store keeps in its place.
Kept: TypeAlias = int | bytes
# ConsentAnswer as a plain tuple, for a list holds millions of them: msisdn, scope, the value
# of an Answer, since in microseconds from 1970 on, channel, evidence, until like since or None.
PlainAnswer: TypeAlias = tuple[int, str, str, int, str, str, int | None]
KeptAnswer: TypeAlias = tuple[Kept, str, str, int, str, str, int | None]

ANSWERS_PER_COMMIT = 10_000


class ConsentLists(Protocol):
    """The answers of ports.consent.ConsentStore, in bulk. All is safe to repeat."""

    def number_seal(self) -> Callable[[int], Kept] | None:
        """Return what makes of a number what is kept in its place; None where that is itself.

        Rows are in the order of what it makes.
        """

    def record_list(self, batches: Iterable[Sequence[KeptAnswer]]) -> AsyncIterator[int]:
        """Keep answers as ConsentStore.record does; yield how many each commit held.

        Their numbers are as `number_seal` makes them. The next batch is asked for after that
        commit, and no commit holds more than ANSWERS_PER_COMMIT. Answers in the order of
        number and scope are kept many times faster. Between commits there are rests in which
        other processes' writes get in. Raises StoreUnavailable; what was yielded is on record then.
        """

    def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        """Yield the answers of `scope` that read `answer`, None meaning any, as numbers are kept.

        In lists of at most `batch`. Answers recorded meanwhile may or may not be among
        them. Raises StoreUnavailable.
        """
