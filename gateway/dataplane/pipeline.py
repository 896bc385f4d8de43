"""The data plane's interface: octets in, a batch out. A compiled version could replace it."""

from collections.abc import Iterable
from itertools import takewhile

from gateway.dataplane import attention, esme_side, smsc_side
from gateway.dataplane.forward import settle_ask
from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.plane import Batch, Plane, Turn, outcome
from gateway.dataplane.relay import free_peer, parts_in, relay_request
from gateway.domain.verdict import Finding
from gateway.policy.ruleset import RuleSet
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.status import CommandStatus

Chunks = Iterable[tuple[Link, bytes]]


class Pipeline:
    """Pure: no I/O, no clock. `now` is monotonic, `at` is epoch seconds; one pair per tick.

    No input of a peer makes it raise. Each call returns a Batch: write its octets first, then
    handle its events.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    def submit(self, chunks: Chunks, now: float, at: float) -> Batch:
        """Process what SPs sent: judge it, pass it on, answer it, or hand it to the shell."""
        turn = Turn(self.plane, now, at)
        with self.plane.rules.knowledge.consent.judged_by(now):
            esme_side.submit(turn, chunks)
        return turn.batch

    def resp(self, chunks: Chunks, now: float, at: float) -> Batch:
        """Process what SMSCs sent: pass answers to the link that asked, deliveries to their SP."""
        turn = Turn(self.plane, now, at)
        smsc_side.resp(turn, chunks)
        return turn.batch

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from the next tick on; earlier verdicts stay."""
        self.plane.load(rules)

    def relay(
        self, asker: Link, target: Link, pdu: bytes, moment: tuple[float, float], context: object
    ) -> Batch:
        """Pass on one request of an SP that was kept back; for `context` see relay_request."""
        turn = Turn(self.plane, *moment)
        relay_request(turn, asker, target, pdu, context)
        return turn.batch

    def settle_ask(
        self, item: attention.Ask, against: Finding | None, moment: tuple[float, float]
    ) -> Batch:
        """Pass on a request for consent, or reject it if there is a finding `against` it."""
        turn = Turn(self.plane, *moment)
        settle_ask(turn, item, against)
        return turn.batch

    def deliver(
        self,
        item: attention.SmscDelivery,
        session: Link | None,
        pdu: bytes,
        moment: tuple[float, float],
    ) -> Batch:
        """Pass on one delivery that was kept back, as `pdu`, to `session`.

        If `session` is None or cannot take it, the SMSC is told to try again.
        """
        turn = Turn(self.plane, *moment)
        smsc_side.deliver(turn, item.link, session, pdu, item.system_id)
        return turn.batch

    def expire(self, links: Iterable[Link], now: float, at: float) -> Batch:
        """Answer requests that got no answer within `response_s`, in place of the silent side.

        An answer that comes later is recorded but not passed on. Call it about once a second.
        """
        turn = Turn(self.plane, now, at)
        overdue = now - self.plane.response_s
        for link in links:
            asked = link.outstanding.items()
            for sequence, _ in [*takewhile(lambda one: one[1][3] <= overdue, asked)]:
                entry = link.give_up(sequence)
                self.plane.tally.timeouts += 1
                _fail(turn, link, entry, "timeout")
            if link.allowed < link.window:
                link.recover()
                free_peer(turn, link)
            if link.sharers:
                link.forget_gone()
            if link.waiting:
                turn.batch.free_sharers(link)
        self.plane.expire(now)
        self.plane.rules.keep_day(at)
        return turn.batch

    def lose(self, link: Link, now: float, at: float) -> Batch:
        """Answer all outstanding requests of a lost connection; nothing is sent again."""
        turn = Turn(self.plane, now, at)
        link.state = SessionState.CLOSED
        link.tail, link.looked, link.is_blocked, link.waits_long = b"", 0, False, False
        entries = list(link.outstanding.values())
        link.outstanding.clear()
        for entry in entries:
            if entry[0] is not None:
                entry[0].answered_on(link)
            self.plane.tally.link_lost += 1
            _fail(turn, link, entry, "link_lost")
        return turn.batch


def _fail(turn: Turn, link: Link, entry: Outstanding, how: str) -> None:
    """Tell the link that asked that no answer will come."""
    asker, sequence, command_id, _, context = entry
    free_peer(turn, link)
    for place in parts_in(context)[0]:
        place.joint.doubt(place.number)
    # RSYSERR, as an SMSC that lost a message would say: the SP decides whether to send
    # it again, and its record says that the first copy may have arrived.
    is_message = link.side is Side.SMSC
    status = CommandStatus.ESME_RSYSERR if is_message else CommandStatus.ESME_RX_T_APPN
    turn.batch.rows.append(outcome(link, entry, (status, b""), (turn.now, turn.at), how))
    if asker is None:
        turn.batch.attention.append(attention.OwnAnswer(link, context, None))
        return
    if command_id != CommandId.ALERT_NOTIFICATION and asker.state is not SessionState.CLOSED:
        turn.batch.refuse(asker, command_id | RESPONSE_BIT, status, sequence)
    if asker.is_blocked:
        turn.batch.freed.add(asker)
