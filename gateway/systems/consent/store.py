"""The store of subscribers' answers (同意与退订)."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.storage.sealed_columns import Kept

# msisdn, scope, answer (None for an agreement that has ended). A plain tuple, because a snapshot
# holds millions.
AnswerRow: TypeAlias = tuple[int, str, Answer | None]
# When an agreement ends, its msisdn and its scope.
EndRow: TypeAlias = tuple[datetime, int, str]
# ConsentAnswer as a plain tuple, for a list holds millions of them: msisdn, scope, the value
# of an Answer, since in microseconds from 1970 on, channel, evidence, until like since or None.
PlainAnswer: TypeAlias = tuple[int, str, str, int, str, str, int | None]
KeptAnswer: TypeAlias = tuple[Kept, str, str, int, str, str, int | None]

ANSWERS_PER_CHANGE = 1000
ANSWERS_PER_COMMIT = 10_000


class ConsentStore(Protocol):
    """Reads and records subscribers' answers, one per number and scope.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat.
    """

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        """Keep each answer that overrides the one on record; return the last change number.

        Without answers it is 0. See ConsentAnswer.holds_over. Large imports are committed in
        parts: after StoreUnavailable some answers may be on record.
        """

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        """Return the answer given to exactly this scope."""

    async def answers_of(self, msisdns: Collection[int]) -> list[ConsentAnswer]:
        """Return all answers of at most NUMBERS_AT_ONCE numbers, by number and scope."""

    def all_answers(self, batch: int = 10_000) -> AsyncIterator[list[AnswerRow]]:
        """Yield every answer on record, in lists of at most `batch`.

        Answers recorded meanwhile may or may not be among them.
        """

    async def answers_changed(self, after: int, through: int) -> list[AnswerRow]:
        """Return the answers with a last change number above `after`, up to `through`.

        One change stands for at most ANSWERS_PER_CHANGE answers.
        """

    async def answers_ending(self, after: EndRow, through: datetime, limit: int) -> list[EndRow]:
        """Return at most `limit` agreements after `after` that end by `through`, in order.

        `after` is the last one known; (moment, -1, "") comes before all that end at a moment.
        The end of an agreement makes no change row.
        """


class ConsentLists(Protocol):
    """The answers of ConsentStore by the million: lists in and lists out. All is safe to repeat."""

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
