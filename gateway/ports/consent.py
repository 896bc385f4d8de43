"""The store of subscribers' answers (同意与退订)."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.domain.consent import Answer, ConsentAnswer

# msisdn, scope, answer, None for an agreement that has ended: a plain tuple, for a snapshot
# holds millions of them.
AnswerRow: TypeAlias = tuple[int, str, Answer | None]
# When an agreement ends, and whose to whom.
EndRow: TypeAlias = tuple[datetime, int, str]

ANSWERS_PER_CHANGE = 1000
NUMBERS_AT_ONCE = 1000


class ConsentStore(Protocol):
    """Reads and records subscribers' answers, one per number and scope.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat.
    """

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        """Keep each answer that holds over what is on record; return the last change number.

        Of no answers that is 0. See ConsentAnswer.holds_over. Large imports are committed in
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
        """Return the answers whose last change is numbered above `after`, up to `through`.

        One change stands for at most ANSWERS_PER_CHANGE of them.
        """

    async def answers_ending(self, after: EndRow, through: datetime, limit: int) -> list[EndRow]:
        """Return at most `limit` of the agreements that end by `through`, in order.

        They are those that come behind `after`, the last one known; (moment, -1, "") stands
        before all that end at a moment. That an agreement ends is no change.
        """
