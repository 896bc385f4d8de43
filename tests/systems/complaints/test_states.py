"""The states of a complaint: whatever the store is asked, in whatever order, it keeps the table."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from gateway.domain.outbound_message import NewOutboundMessage, OutboundKind
from gateway.stores import open_store
from gateway.systems.complaints.model import (
    TRANSITIONS,
    Complaint,
    ComplaintSource,
    ComplaintState,
    InvalidReason,
)

T = TypeVar("T")
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ANSWER = NewOutboundMessage(
    "10086999", 8613900000001, "已处理", OutboundKind.COMPLAINT, "1", NOON, NOON + DAY
)


class ComplaintLives(RuleBasedStateMachine):
    """Several complaints, each moved by any call at any time; a model says what each becomes."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stores = self.run(open_store("memory://", deadline_s=30))
        self.store = self.stores.complaints
        self.states: dict[int, ComplaintState] = {}
        self.reasons: dict[int, InvalidReason | None] = {}
        self.cases: dict[int, int] = {}
        self.told = 0

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def some(self, chosen: set[int]) -> list[int]:
        return sorted({1 + one % len(self.states) for one in chosen})

    @rule(source_id=st.integers(1, 5), is_whole=st.booleans())
    def receive(self, source_id: int, *, is_whole: bool) -> None:
        state = ComplaintState.RECEIVED if is_whole else ComplaintState.NEED_INFO
        given = complaint(source_id, state)

        (result,) = self.run(self.store.receive([given], lambda _: []))

        assert result.is_new is (result.number not in self.states)
        self.states.setdefault(result.number, state)
        assert result.state is self.states[result.number]

    @precondition(lambda self: self.states)
    @rule(number=st.integers(0, 9))
    def complete(self, number: int) -> None:
        (one,) = self.some({number})
        known = self.run(self.store.get(one))
        assert known is not None
        whole = replace(known, text="贷款", state=ComplaintState.RECEIVED)

        is_done = self.run(self.store.complete(whole, lambda _: []))

        assert is_done is self.moves(one, ComplaintState.NEED_INFO, ComplaintState.RECEIVED)

    @precondition(lambda self: self.states)
    @rule(
        given=st.dictionaries(
            st.integers(0, 9), st.none() | st.sampled_from(InvalidReason), max_size=3
        )
    )
    def judge(self, given: Mapping[int, InvalidReason | None]) -> None:
        reasons = {1 + one % len(self.states): why for one, why in given.items()}

        self.run(self.store.judge(reasons))

        for number, why in reasons.items():
            after = ComplaintState.INVALID if why else ComplaintState.VALID
            if self.moves(number, ComplaintState.RECEIVED, after):
                self.reasons[number] = why

    @precondition(lambda self: self.states)
    @rule(chosen=st.sets(st.integers(0, 9), max_size=3), case=st.integers(1, 3))
    def cluster(self, chosen: set[int], case: int) -> None:
        numbers = self.some(chosen)

        self.run(self.store.cluster(dict.fromkeys(numbers, case)))

        for number in numbers:
            if self.moves(number, ComplaintState.VALID, ComplaintState.CLUSTERED):
                self.cases[number] = case

    @precondition(lambda self: self.states)
    @rule(chosen=st.sets(st.integers(0, 9), max_size=3))
    def close(self, chosen: set[int]) -> None:
        numbers = self.some(chosen)

        told = self.run(self.store.close(dict.fromkeys(numbers, ANSWER)))

        closed = [
            one
            for one in numbers
            if self.moves(one, ComplaintState.CLUSTERED, ComplaintState.CLOSED)
        ]
        assert told == closed
        self.told += len(told)

    def moves(self, number: int, origin: ComplaintState, after: ComplaintState) -> bool:
        """Move a complaint of the model; tell whether it was where it leads from."""
        if self.states[number] is not origin:
            return False
        assert after in TRANSITIONS[origin]
        self.states[number] = after
        return True

    def teardown(self) -> None:
        found = self.run(self.store.find(limit=100))
        assert {one.number: one.state for one in found} == self.states
        for one in found:
            assert one.invalid_reason == self.reasons.get(one.number)
            assert (one.case_number or 0) == self.cases.get(one.number, 0)
        assert self.run(self.stores.outbound_messages.count_waiting()) == self.told
        self.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        await self.stores.close()


def complaint(source_id: int, state: ComplaintState) -> Complaint:
    return Complaint(
        number=0,
        source=ComplaintSource.CLIENT,
        source_id=f"phone:{source_id}",
        reported_at=NOON,
        sender="1069000112",
        text="",
        reporter=8613900000001,
        taken_at=NOON,
        state=state,
    )


TestComplaintLives = ComplaintLives.TestCase
TestComplaintLives.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
