"""Subscribers' answers in memory (contract: gateway.ports.consent and consent_lists)."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.relation import FORGOTTEN
from gateway.ports.changes import ChangeKind
from gateway.ports.consent import ANSWERS_PER_CHANGE, AnswerRow, EndRow
from gateway.ports.consent_lists import ANSWERS_PER_COMMIT, Kept, KeptAnswer
from gateway.stores.memory_changes import MemoryChanges

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryConsent:
    """Twin of the consent store and of its lists."""

    def __init__(self, changes: MemoryChanges, utcnow: Callable[[], datetime]) -> None:
        self._changes = changes
        self._utcnow = utcnow
        self._answers: dict[tuple[int, str], tuple[ConsentAnswer, int]] = {}

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        number = 0
        for start in range(0, len(answers), ANSWERS_PER_CHANGE):
            number = self._changes.add(ChangeKind.CONSENT, "", self._utcnow())
            for answer in answers[start : start + ANSWERS_PER_CHANGE]:
                self._keep_later(answer, number)
        return number

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        on_record = self._answers.get((msisdn, scope))
        return on_record[0] if on_record else None

    async def answers_of(self, msisdns: Collection[int]) -> list[ConsentAnswer]:
        found = (key for key in self._answers if key[0] in msisdns)
        return [self._answers[key][0] for key in sorted(found)]

    def every_answer(self) -> list[ConsentAnswer]:
        """Return all answers, for the twin of ended relations."""
        return [answer for answer, _ in self._answers.values()]

    def numbered_answers(self) -> list[tuple[ConsentAnswer, int]]:
        """Return all answers, each with its last change, for the twin of notices."""
        return list(self._answers.values())

    def forget(self, key: tuple[int, str]) -> None:
        """Forget an agreement that had an end, of another answer how it was given."""
        if key in self._answers:
            answer, number = self._answers.pop(key)
            if answer.until is None:
                self._answers[key] = (replace(answer, channel=FORGOTTEN, evidence=""), number)

    async def all_answers(self, batch: int = 10_000) -> AsyncIterator[list[AnswerRow]]:
        keys = sorted(self._answers)
        for start in range(0, len(keys), batch):
            now = self._utcnow()
            yield [_row(self._answers[key][0], now) for key in keys[start : start + batch]]

    async def answers_changed(self, after: int, through: int) -> list[AnswerRow]:
        changed = [
            (number, answer)
            for answer, number in self._answers.values()
            if after < number <= through
        ]
        now = self._utcnow()
        return [_row(answer, now) for _, answer in sorted(changed, key=lambda pair: pair[0])]

    async def answers_ending(self, after: EndRow, through: datetime, limit: int) -> list[EndRow]:
        ends = sorted(
            (one.until, one.msisdn, one.scope)
            for one, _ in self._answers.values()
            if one.until is not None and one.until <= through
        )
        return [end for end in ends if end > after][:limit]

    def number_seal(self) -> Callable[[int], Kept] | None:
        return None

    async def record_list(self, batches: Iterable[Sequence[KeptAnswer]]) -> AsyncIterator[int]:
        for batch in batches:
            for start in range(0, len(batch), ANSWERS_PER_COMMIT):
                answers = [_answer(row) for row in batch[start : start + ANSWERS_PER_COMMIT]]
                await self.record(answers)
                yield len(answers)

    async def listed(
        self, *, scope: str | None = None, answer: Answer | None = None, batch: int = 10_000
    ) -> AsyncIterator[list[ConsentAnswer]]:
        found = (
            on_record
            for _, (on_record, _) in sorted(self._answers.items(), key=lambda item: item[0])
            if scope in (None, on_record.scope) and answer in (None, on_record.answer)
        )
        while answers := list(islice(found, batch)):
            yield answers

    def _keep_later(self, answer: ConsentAnswer, number: int) -> None:
        key = (answer.msisdn, answer.scope)
        on_record = self._answers.get(key)
        if on_record is None or answer.holds_over(on_record[0]):
            self._answers[key] = (answer, number)


def _row(answer: ConsentAnswer, now: datetime) -> AnswerRow:
    return (answer.msisdn, answer.scope, answer.standing(now))


def _answer(row: KeptAnswer) -> ConsentAnswer:
    msisdn, scope, answer, since_us, channel, evidence, until_us = row
    assert isinstance(msisdn, int)  # noqa: S101 - as number_seal says
    since = _EPOCH + timedelta(microseconds=since_us)
    until = None if until_us is None else _EPOCH + timedelta(microseconds=until_us)
    return ConsentAnswer(msisdn, scope, Answer(answer), since, channel, evidence, until)
