"""Two nodes over a network that doubles, reorders and loses: both end with the same events."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from gateway.domain.linkage import EventRefusal, Member, MemberRegistry, OutboxState
from gateway.stores import Stores, open_store
from gateway.systems.linkage.model import EventDraft, EventType, OutboxEntry
from gateway.systems.linkage.service import LinkageInbox, LinkageOutbox
from tests.systems.linkage.conftest import DATA, NOW, Node

T = TypeVar("T")


class Exchange(RuleBasedStateMachine):
    """a sends events about three cases to b. Requests and answers may be lost at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.a, self.b = Node("a"), Node("b")
        members = self.a.member, self.b.member
        self.now, self.count = NOW, 0
        self.under_way: list[OutboxEntry] = []
        self.answers: list[tuple[OutboxEntry, bytes]] = []
        self.stores_a, self.stores_b = self.run(self._open()), self.run(self._open())
        self.outbox = LinkageOutbox(self.stores_a.linkage_outbox, MemberRegistry("a", members))
        registry = MemberRegistry("b", members)
        self.inbox = LinkageInbox(self.stores_b.linkage_inbox, registry, self.b.signer)

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> Stores:
        return await open_store("memory://", deadline_s=30)

    async def _close(self, stores: Stores) -> None:
        await stores.close()

    @rule(case=st.integers(1, 3))
    def say(self, case: int) -> None:
        self.count += 1
        draft = EventDraft(f"e-{self.count}", EventType.DISPATCHED, f"case-{case}", "b", DATA)
        store = self.stores_a.linkage_outbox
        self.run(store.add(draft, self.a.signer, self.a.member.source, self.now))

    @rule()
    def send(self) -> None:
        self.under_way += self.run(self.stores_a.linkage_outbox.due(self.now, 100))

    @precondition(lambda self: self.under_way)
    @rule(at=st.integers(0, 99), is_lost=st.booleans(), is_doubled=st.booleans())
    def arrive(self, at: int, *, is_lost: bool, is_doubled: bool) -> None:
        entry = self.under_way[at % len(self.under_way)]
        if not is_doubled:
            self.under_way.remove(entry)
        if not is_lost:
            self.take(entry)

    def take(self, entry: OutboxEntry) -> None:
        envelope = entry.envelope.encode()
        taken = self.run(self.inbox.take(envelope, self.a.member, self.now, self.now))
        assert isinstance(taken, bytes)
        self.answers.append((entry, taken))

    @precondition(lambda self: self.answers)
    @rule(at=st.integers(0, 99), is_lost=st.booleans())
    def answer(self, at: int, *, is_lost: bool) -> None:
        entry, receipt = self.answers.pop(at % len(self.answers))
        self.settle(entry, None if is_lost else receipt)

    def settle(self, entry: OutboxEntry, receipt: bytes | EventRefusal | None) -> None:
        self.run(self.outbox.settle(entry, self.b.member, receipt, self.now, 0.5))

    @rule(hours=st.integers(1, 12))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def pull(self) -> None:
        self.run(self.inbox.pull(self.a.member, self.fetch, self.now))

    async def fetch(self, peer: Member, after: int) -> Sequence[tuple[int, bytes]]:
        assert peer.name == "a"
        found = await self.stores_a.linkage_outbox.after("b", after, 2)
        return [(one.number, one.envelope.encode()) for one in found]

    def sent(self) -> list[OutboxEntry]:
        return self.run(self.stores_a.linkage_outbox.listed(limit=1_000))

    def teardown(self) -> None:
        for _ in range(2):  # what counts as dead is sent again by a person
            self.run(self.outbox.resend(self.sent(), self.a.signer, self.now))
            self.now += timedelta(hours=2)
            while due := self.run(self.stores_a.linkage_outbox.due(self.now, 100)):
                for entry in due:
                    self.take(entry)
                    self.settle(*self.answers.pop())
        self.pull()

        said, heard = self.sent(), self.run(self.stores_b.linkage_inbox.listed(limit=1_000))
        ours = {(one.id, one.subject, one.sequence, one.digest) for one in said}
        assert len(said) == len(heard) == self.count
        assert ours == {(one.id, one.subject, one.sequence, one.digest) for one in heard}
        assert all(one.state is OutboxState.DELIVERED for one in said)
        assert all(one.conflicts == 0 for one in heard)
        assert self.run(self.stores_b.linkage_inbox.gaps(10)) == []
        ready = self.run(self.stores_b.linkage_inbox.ready("b", 1_000))
        for case in {one.subject for one in heard}:
            order = [one.sequence for one in ready if one.subject == case]
            assert order == list(range(1, len(order) + 1))
        assert len(ready) == self.count
        for stores in (self.stores_a, self.stores_b):
            self.run(self._close(stores))
        self.runner.close()


TestExchange = Exchange.TestCase
TestExchange.settings = settings(max_examples=25, stateful_step_count=30)
