"""The data plane's interface: octets in, a batch out. A compiled one may stand behind it."""

from collections.abc import Iterable

from gateway.dataplane import attention, esme_side, smsc_side
from gateway.dataplane.asking import settle_ask
from gateway.dataplane.batch import Batch
from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.part_ids import parts_in
from gateway.dataplane.plane import Plane
from gateway.dataplane.relay import relay_request
from gateway.dataplane.rows import outcome
from gateway.dataplane.turn import Turn
from gateway.domain.verdict import Finding
from gateway.policy.ruleset import RuleSet
from gateway.session.states import SessionState, Side
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.status import CommandStatus

Chunks = Iterable[tuple[Link, bytes]]


class Pipeline:
    """Pure: no I/O, no clock. `now` is monotonic and `at` epoch seconds, one pair per tick.

    Nothing that a peer sends raises. Each call returns a Batch; write its octets before
    attending to its exceptions, for those come after.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    def submit(self, chunks: Chunks, now: float, at: float) -> Batch:
        """Take what SPs sent: judged, passed on, answered or handed over."""
        turn = Turn(self.plane, now, at)
        with self.plane.rules.knowledge.consent.judged_by(now):
            esme_side.submit(turn, chunks)
        return turn.batch

    def resp(self, chunks: Chunks, now: float, at: float) -> Batch:
        """Take what SMSCs sent: answers to who asked, deliveries to their SP."""
        turn = Turn(self.plane, now, at)
        smsc_side.resp(turn, chunks)
        return turn.batch

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from the next tick on; what is under way stays as judged."""
        self.plane.load(rules)

    def relay(
        self, asker: Link, target: Link, pdu: bytes, moment: tuple[float, float], errand: object
    ) -> Batch:
        """Pass one request of an SP on after all; see relay_request for the `errand`."""
        turn = Turn(self.plane, *moment)
        relay_request(turn, asker, target, pdu, errand)
        return turn.batch

    def settle_ask(
        self, item: attention.Ask, against: Finding | None, moment: tuple[float, float]
    ) -> Batch:
        """Pass a request for consent on, or refuse it for what stands `against` it."""
        turn = Turn(self.plane, *moment)
        settle_ask(turn, item, against)
        return turn.batch

    def deliver(
        self, link: Link, session: Link | None, pdu: bytes, moment: tuple[float, float]
    ) -> Batch:
        """Pass one delivery of an SMSC on after all, to whichever session takes it."""
        turn = Turn(self.plane, *moment)
        smsc_side.deliver(turn, link, session, pdu)
        return turn.batch

    def expire(self, links: Iterable[Link], now: float, at: float) -> Batch:
        """Answer for the side that stays silent, once `response_s` has passed.

        A late answer then finds nothing but is recorded. Call it about once a second.
        """
        turn = Turn(self.plane, now, at)
        overdue = now - self.plane.response_s
        for link in links:
            outstanding = link.outstanding
            while outstanding:
                sequence = next(iter(outstanding))
                if outstanding[sequence][3] > overdue:
                    break
                entry = link.give_up(sequence)
                self.plane.tally.timeouts += 1
                _fail(turn, link, entry, "timeout")
        self.plane.parts.expire(now)
        self.plane.part_ids.expire(now)
        self.plane.rules.keep_day(at)
        return turn.batch

    def lose(self, link: Link, now: float, at: float) -> Batch:
        """Answer at once for a connection that is gone; nothing is sent again by itself."""
        turn = Turn(self.plane, now, at)
        link.state = SessionState.CLOSED
        link.tail, link.looked, link.is_blocked, link.waits_long = b"", 0, False, False
        entries = list(link.outstanding.values())
        link.outstanding.clear()
        for entry in entries:
            self.plane.tally.link_lost += 1
            _fail(turn, link, entry, "link_lost")
        return turn.batch


def _fail(turn: Turn, link: Link, entry: Outstanding, how: str) -> None:
    """Tell who asked that no answer will come."""
    asker, sequence, command_id, _, errand = entry
    for place in parts_in(errand)[0]:
        place.joint.doubt(place.number)
    # RSYSERR, as an SMSC that lost a message would say: the SP decides whether to send
    # it again, and its record says that the first copy may have arrived.
    is_message = link.side is Side.SMSC
    status = CommandStatus.ESME_RSYSERR if is_message else CommandStatus.ESME_RX_T_APPN
    turn.batch.rows.append(outcome(link, entry, (status, b""), (turn.now, turn.at), how))
    if asker is None:
        turn.batch.attention.append(attention.Answered(link, errand, None))
        return
    if command_id != CommandId.ALERT_NOTIFICATION and asker.state is not SessionState.CLOSED:
        turn.batch.refuse(asker, command_id | RESPONSE_BIT, status, sequence)
    if asker.is_blocked:
        turn.batch.freed.add(asker)
