"""Two SPs, their binds and all that can happen to them, against a model that only counts."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.dataplane.attention import Hold
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER
from simulators import builders
from tests.dataplane.conftest import (
    CLEAN,
    DUBIOUS,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    answer,
    header,
    pdus,
    sent,
    sequence_of,
    smsc,
    unnumbered,
)

WINDOW = 3
Request = tuple[int, int]  # session, sequence_number
texts = st.sampled_from([CLEAN, SPAM, DUBIOUS])
indices = st.integers(0, 1)


class Gateway(RuleBasedStateMachine):
    """What the SPs sent, what they heard, and what the SMSCs got, all counted."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.sessions = [self.world.session(name, window=WINDOW) for name in ("sp1", "sp2")]
        self.next = 1
        self.sent: dict[Request, bytes] = {}
        self.heard: Counter[Request] = Counter()
        self.upstream: Counter[bytes] = Counter()
        self.own: dict[Link, list[int]] = {}  # numbers the SMSC may answer, again and again
        self.held: list[Hold] = []
        self.waiting: set[Link] = set()
        self.forwarded: set[Request] = set()

    def out(self, batch: Batch) -> None:
        """Do what the shell does."""
        for link, octets in batch.writes.items():
            for pdu in pdus(b"".join(octets)):
                if link.side is Side.ESME:
                    self.answered(link, pdu)
                else:
                    self.reached(link, pdu)
        for item in batch.attention:
            assert isinstance(item, Hold)
            self.held.append(item)
        self.waiting |= batch.freed

    def answered(self, session: Link, pdu: bytes) -> None:
        command_id, _, sequence = header(pdu)
        if command_id not in {CommandId.ENQUIRE_LINK_RESP, CommandId.DELIVER_SM}:
            self.heard[session.number, sequence] += 1

    def reached(self, link: Link, pdu: bytes) -> None:
        own = sequence_of(pdu)
        assert own in link.outstanding  # registered before it was written
        assert own not in self.own.setdefault(link, [])
        asker, asked, *_ = link.outstanding[own]
        assert asker is not None
        self.own[link].append(own)
        self.upstream[unnumbered(pdu)] += 1
        self.forwarded.add((asker.number, asked))

    def octets(self, index: int, text: str, cut: int) -> None:
        session = self.sessions[index]
        # A source of its own for each message, so that each is told from the others.
        pdu = advert(text, self.next, source=f"{PORT}{self.next % 10_000:04}")
        self.sent[session.number, self.next] = pdu
        self.next += 1
        self.out(self.world.submit(session, pdu[:cut]))
        self.out(self.world.submit(session, pdu[cut:]))

    @rule(index=indices, text=texts, cut=st.integers(0, 60))
    def send(self, index: int, text: str, cut: int) -> None:
        if self.sessions[index].state is SessionState.BOUND_TRX:
            self.octets(index, text, cut)

    @rule(index=indices, text=texts, count=st.integers(1, 8))
    def flood(self, index: int, text: str, count: int) -> None:
        for _ in range(count):
            self.send(index=index, text=text, cut=0)

    @rule(index=indices)
    def enquire(self, index: int) -> None:
        session = self.sessions[index]
        batch = self.world.submit(session, builders.enquire_link(9))
        answers = [header(p)[0] for p in sent(batch, session)]
        is_open = session.state is not SessionState.CLOSED
        assert (CommandId.ENQUIRE_LINK_RESP in answers) == is_open
        self.out(batch)

    @rule(index=indices, pick=st.integers(0, 50), status=st.sampled_from([0, 8, 0x58]))
    def reply(self, index: int, pick: int, status: int) -> None:
        """Answer one of all requests that ever reached the SMSC, perhaps not for the first time."""
        link = smsc(self.sessions[index])
        known = self.own.get(link, [])
        if known:
            own = known[pick % len(known)]
            self.out(self.world.resp(link, answer(own, status=status)))

    @rule(index=indices)
    def reply_to_all(self, index: int) -> None:
        link = smsc(self.sessions[index])
        replies = [answer(own) for own in reversed(link.outstanding)]
        self.out(self.world.resp(link, *replies))

    @rule(index=indices, own=st.integers(0, 100))
    def reply_wrongly(self, index: int, own: int) -> None:
        wrong = HEADER.pack(16, CommandId.DATA_SM_RESP, 0, own)
        batch = self.world.resp(smsc(self.sessions[index]), wrong)
        assert not batch.writes

    @rule(index=indices)
    def deliver(self, index: int) -> None:
        session = self.sessions[index]
        if len(session.outstanding) >= self.world.plane.deliver_window:
            return  # one more waits at the SMSC's side, which other tests look at
        link = smsc(session)
        pdu = builders.deliver_sm(SUBSCRIBER, PORT, b"R", sequence=1)
        batch = self.world.resp(link, pdu)
        self.waiting |= batch.freed

    @precondition(lambda self: self.held)
    @rule(is_committed=st.booleans())
    def commit(self, *, is_committed: bool) -> None:
        """Answer for a message that was held, as the shell does."""
        item = self.held.pop(0)
        item.session.held -= 1
        assert self.sent[item.session.number, item.sequence] == item.pdu
        if item.session.state is not SessionState.CLOSED:
            reply = answer(item.sequence, b"8", 0 if is_committed else 0x14)
            self.answered(item.session, reply)
        if item.session.is_blocked:
            self.waiting.add(item.session)

    @precondition(lambda self: self.waiting)
    @rule()
    def resume(self) -> None:
        waiting, self.waiting = self.waiting, set()
        for link in waiting:
            take = self.world.submit if link.side is Side.ESME else self.world.resp
            self.out(take(link))

    @rule(seconds=st.sampled_from([1.0, 10.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        links = [*self.sessions, *map(smsc, self.sessions)]
        batch = self.world.expire(*links)
        for link in map(smsc, self.sessions):
            batch.writes.pop(link, None)  # what becomes of deliveries is not counted here
        self.out(batch)

    @rule(index=indices, is_smsc=st.booleans())
    def lose(self, index: int, *, is_smsc: bool) -> None:
        """Lose a connection; a new session takes the place of an SP that is gone."""
        session = self.sessions[index]
        link = smsc(session)
        batch = self.world.lose(link if is_smsc else session)
        batch.writes.pop(link, None)
        self.out(batch)
        if is_smsc:
            for entry in link.late.values():
                assert entry[0] is session
            fresh = smsc(self.world.session(session.system_id, window=WINDOW))
            session.peer, fresh.peer = fresh, session
            self.waiting.add(session)
        else:
            self.sessions[index] = self.world.session(session.system_id, window=WINDOW)

    @rule()
    def reload(self) -> None:
        self.world.reload()

    @invariant()
    def no_request_is_answered_twice(self) -> None:
        assert all(count == 1 for count in self.heard.values())
        assert self.heard.keys() <= self.sent.keys()

    @invariant()
    def what_went_on_is_what_was_sent_and_once(self) -> None:
        assert all(count == 1 for count in self.upstream.values())
        expected = {unnumbered(self.sent[request]) for request in self.forwarded}
        assert self.upstream.keys() == expected

    @invariant()
    def nothing_flagged_went_on(self) -> None:
        flagged = [builders.ucs2(text) for text in (SPAM, DUBIOUS)]
        assert not any(text in pdu for text in flagged for pdu in self.upstream)

    @invariant()
    def windows_hold(self) -> None:
        for session in self.sessions:
            assert session.held + session.under_way <= WINDOW
            assert len(smsc(session).outstanding) <= WINDOW
            assert 0 <= session.held <= WINDOW

    @invariant()
    def whoever_waits_has_a_reason_or_is_taken_up(self) -> None:
        for session in self.sessions:
            if session.is_blocked and session.room() > 0:
                assert session in self.waiting

    def teardown(self) -> None:
        """Let everything be answered: then every SP that is there has heard of everything."""
        for _ in range(200):
            for session in self.sessions:
                replies = [answer(own) for own in smsc(session).outstanding]
                self.out(self.world.resp(smsc(session), *replies))
            while self.held:
                self.commit(is_committed=True)
            if not self.waiting:
                break
            self.resume()
        numbers = {session.number for session in self.sessions}
        owed = {r for r in self.sent if r[0] in numbers and not self.heard[r]}
        assert not owed
        self.windows_hold()


TestGateway = Gateway.TestCase
TestGateway.settings = settings(max_examples=60, stateful_step_count=40)
