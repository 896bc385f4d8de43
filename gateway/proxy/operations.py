"""query_sm, cancel_sm and replace_sm for messages that the gateway holds."""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from gateway.dataplane.attention import Operation, OwnRequest, ProhibitedMessage
from gateway.dataplane.carriers import place_of, read_carrier
from gateway.dataplane.plane import operation, own_answer
from gateway.dataplane.relay import renumbered
from gateway.dataplane.request_reader import link_about, may_be_part, timing_of, way_of
from gateway.domain.authority_report import prohibited_in
from gateway.domain.msisdn import msisdn_of, with_plus
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Verdict
from gateway.policy.submission import DeliveryTimes, Submission
from gateway.proxy.held_campaigns import with_campaigns
from gateway.proxy.hold_writer import HeldCounts
from gateway.proxy.rejudge import end_of_life
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import KeyedLock, spawn
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import TEXT_TAGS, Tag, Tlv
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, Pdu, decode, encode, header_only, make
from gateway.smpp.status import CommandStatus, status_named
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.model import REPLACEABLE_STATES, Replacement
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

log = structlog.get_logger()

# message_state (SMPP 3.4, 5.2.28) of messages that never reached the SMSC.
_STATES: dict[HoldState, int] = {
    HoldState.HELD: 1,
    HoldState.DEFERRED: 1,
    HoldState.RELEASE_REQUESTED: 1,
    HoldState.RELEASING: 1,
    HoldState.IN_DOUBT: 1,
    HoldState.EXPIRED: 3,
    HoldState.CANCELLED: 4,
    HoldState.DISCARDED: 8,
    HoldState.REFUSED: 8,
}
_KEEPING = frozenset({Action.QUARANTINE, Action.DEFER})
_FAILURES: dict[int, CommandStatus] = {
    CommandId.QUERY_SM: CommandStatus.ESME_RQUERYFAIL,
    CommandId.CANCEL_SM: CommandStatus.ESME_RCANCELFAIL,
    CommandId.REPLACE_SM: CommandStatus.ESME_RREPLACEFAIL,
}


class Operations:
    """Answers from the store; for a released message it asks the SMSC with the SMSC's id."""

    def __init__(
        self, tick: Tick, store: QuarantineStore, desk: QuarantineDesk, counts: HeldCounts
    ) -> None:
        self._tick = tick
        self._store = store
        self._desk = desk
        self._counts = counts
        self._locks = KeyedLock()  # by message: each replacement's growth is measured from the last

    def begin(self, item: Operation) -> None:
        """Start to answer one request; it counts in the window like any other."""
        spawn(self._answer(item), name=f"operation-{item.session.number}")

    async def _answer(self, item: Operation) -> None:
        request = decode(item.pdu)  # the data plane has decoded it once: it is sound
        message_id = int(request.octets("message_id") or 0)
        session = item.session
        self._tick.records.rows.append(operation(session, request, epoch()))
        try:
            if not message_id:
                await self._cancel_all(item, request)
            elif request.command_id == CommandId.REPLACE_SM:
                async with self._locks.of(message_id):
                    await self._settle(item, request, message_id)
            else:
                await self._settle(item, request, message_id)
        except StoreUnavailable:
            self._write(item, _failed(request, CommandStatus.ESME_RMSGQFUL))
        finally:
            session.held -= 1
            self._tick.settled(session)

    async def _cancel_all(self, item: Operation, request: Pdu) -> None:
        """Cancel all from one source to one destination, here and at the SMSC (3.4, 4.9.1)."""
        system_id = item.session.system_id
        source = request.octets("source_addr").decode("latin-1")
        to = with_plus(request.octets("destination_addr"), request.number("dest_addr_ton"))
        is_done = False
        while self._counts.of(system_id):
            found = await self._store.cancellable(system_id, source, to.decode("latin-1"))
            ids = [held.message_id for held in found if _is_meant(request, held)]
            outcomes = await self._desk.cancel_each(ids, system_id, utcnow())
            if not any(isinstance(outcome, ActResult) for outcome in outcomes):
                break
            is_done = True
        if not is_done:
            self._forward(item, request)
            return
        self._write(item, _failed(request, CommandStatus.ESME_ROK))
        link = way_of(self._tick.pipeline.plane, item.session, item.pdu)
        if link is not None and (connection := self._tick.connections.get(link)) is not None:
            context = OwnRequest(system_id)
            own = link.register(None, 0, request.command_id, monotonic(), context)
            connection.write(renumbered(item.pdu, own))

    async def _settle(self, item: Operation, request: Pdu, message_id: int) -> None:
        held = await self._store.get(message_id)
        if held is None or held.system_id != item.session.system_id:
            self._forward(item, request)
        elif held.state is HoldState.RELEASED:
            self._forward(item, request, held)
        else:
            self._write(item, await self._act(item, request, held))

    async def _act(self, item: Operation, request: Pdu, held: HeldMessage) -> bytes:
        match request.command_id:
            case CommandId.QUERY_SM:
                return make(
                    CommandId.QUERY_SM_RESP,
                    request.sequence_number,
                    message_id=request.octets("message_id"),
                    message_state=_STATES[held.state],
                )
            case CommandId.CANCEL_SM:
                outcome = await self._desk.cancel(held.message_id, held.system_id, utcnow())
                done = isinstance(outcome, ActResult)
                return _failed(request, CommandStatus.ESME_ROK if done else _failure(request))
            case _:
                return await self._replace(item, request, held)

    async def _replace(self, item: Operation, request: Pdu, held: HeldMessage) -> bytes:
        """Replace the text of a held message, only by a text that would be forwarded.

        A text that would itself be held is rejected: a person may just have read the old text
        under this id and be about to release it.
        """
        status = self._judge(item, request, held)
        if status:
            return _failed(request, status)
        before = decode(held.pdu)
        names = ("schedule_delivery_time", "validity_period", "registered_delivery")
        fields = {
            **before.fields,
            **{n: request.fields[n] for n in names if request.fields[n]},
        }
        tlvs = [tlv for tlv in before.tlvs if tlv.tag not in TEXT_TAGS]
        if "short_message" in before.fields:
            fields["short_message"] = request.fields["short_message"]
        elif request.octets("short_message"):  # a data_sm has no such field
            tlvs.append(Tlv(Tag.MESSAGE_PAYLOAD, request.octets("short_message")))
        tlvs += (tlv for tlv in request.tlvs if tlv.tag in TEXT_TAGS)
        pdu = encode(replace(before, fields=fields, tlvs=tuple(tlvs)))
        # A code that takes the place of another text is of use from now on.
        fresh = replace(held, pdu=pdu, joined="", held_at=utcnow())
        over_at = end_of_life(self._tick.pipeline.plane, (fresh,))
        expires_at = _expiry(held, request)
        # Who decides on a campaign has not seen this text.
        (renamed,) = await with_campaigns((replace(held, pdu=pdu, joined="", campaign=""),))
        replacement = Replacement(
            pdu=pdu,
            reason=held.reason,
            rule=held.rule,
            category=held.category,
            evidence=held.evidence,
            digest=self._tick.pipeline.plane.rules.digest,
            receipt_asked=held.receipt_asked,
            expires_at=expires_at if over_at is None else min(expires_at, over_at),
            campaign=renamed.campaign,
        )
        more = len(replacement.pdu) - len(held.pdu)
        if more > 0 and not self._counts.may_grow(held.system_id, more):
            return _failed(request, CommandStatus.ESME_RMSGQFUL)
        done = await self._store.replace_pdu(held.message_id, replacement)
        if done:
            self._counts.grow(held.system_id, more)
        return _failed(request, CommandStatus.ESME_ROK if done else _failure(request))

    def _judge(self, item: Operation, request: Pdu, about: HeldMessage | None) -> int:
        """Judge the text of a replace_sm; return 0, or the status to reject it with.

        `about` is the message of the gateway that it changes. A message still held is judged
        again when it leaves, so the present hour does not count against it.
        """
        rules = self._tick.pipeline.plane.rules
        account = rules.accounts.get(item.session.system_id)
        if account is None:
            return CommandStatus.ESME_RMSGQFUL
        submission = Submission(account, request.octets("source_addr"), b"")
        submission.timing = _timing(request)
        if rules.judge_replacement(submission, monotonic()):
            submission.units = 0  # the message itself was counted, or will be
            if about is not None:
                submission.msisdn = msisdn_of(about.destination.encode("latin-1"))
            try:
                places = read_carrier(item.pdu).texts()
                texts = dict.fromkeys(text for place in places for text in place)
                rules.judge_text(submission, rules.scan.judge_texts(tuple(texts)), epoch())
            except Exception:  # noqa: BLE001 - as in the tick: a filter that fails passes nothing
                self._tick.pipeline.plane.tally.filter_failures += 1
                return CommandStatus.ESME_RREPLACEFAIL
        verdict = submission.verdict
        if verdict is not None:
            self._report(item, about, verdict)
        is_here = about is not None and about.state in REPLACEABLE_STATES
        if verdict is None or (is_here and verdict.action is Action.DEFER):
            is_part = self._is_part(item, about)
            return CommandStatus.ESME_RREPLACEFAIL if is_part else CommandStatus.ESME_ROK
        if verdict.action in _KEEPING:
            return CommandStatus.ESME_RREPLACEFAIL
        return status_named(verdict.status)

    def _is_part(self, item: Operation, about: HeldMessage | None) -> bool:
        """Tell whether the new text belongs to a part; its other parts are not judged here."""
        plane, system_id = self._tick.pipeline.plane, item.session.system_id
        place = None if about is None else place_of(about)
        if place is not None and place.total > 1:
            return True
        return may_be_part(plane, system_id, read_carrier(item.pdu), monotonic())

    def _report(self, item: Operation, about: HeldMessage | None, verdict: Verdict) -> None:
        """Report and record a new text with prohibited content (R60)."""
        finding = prohibited_in(verdict.findings)
        if finding is None:
            return
        carrier, at = read_carrier(item.pdu), epoch()
        texts = (text for place in carrier.texts() for text in place)
        told = ProhibitedMessage(
            message_id=self._tick.pipeline.plane.next_id(at),
            system_id=item.session.system_id,
            source=carrier.source,
            destination=about.destination.encode("latin-1") if about is not None else b"",
            recipients=1,
            finding=finding,
            action=Action.REJECT,
            digest=verdict.digest,
            text=next(texts, ""),
            at=at,
        )
        self._tick.report(told)
        row = {
            "message_id": str(told.message_id),
            "system_id": told.system_id,
            "replaces": str(about.message_id) if about is not None else "",
            "reason": finding.reason.value,
            "rule": finding.rule,
            "digest": told.digest,
        }
        self._tick.records.rows.append(("e", at, "replacement_refused", row))

    def _forward(self, item: Operation, request: Pdu, released: HeldMessage | None = None) -> None:
        """Forward to the SMSC; judge a replace_sm first, also for an id of the SMSC."""
        if request.command_id == CommandId.REPLACE_SM:
            status = self._judge(item, request, released)
            if status:
                self._write(item, _failed(request, status))
                return
        plane, peer = self._tick.pipeline.plane, item.session.peer
        if peer is None or not peer.state.is_bound:
            self._write(item, _failed(request, CommandStatus.ESME_RMSGQFUL))
            return
        asked = request.octets("message_id")
        if released is not None:
            asked = released.smsc_message_id.encode("latin-1")
        # Without an id it is about what went that way before.
        session = item.session
        link = link_about(plane, session, asked) if asked else way_of(plane, session, item.pdu)
        if link is None:
            self._write(item, _failed(request, _failure(request)))
            return
        pdu, context = item.pdu, None
        if released is not None:
            fields = {**request.fields, "message_id": asked}
            pdu, context = (
                encode(replace(request, fields=fields)),
                str(released.message_id).encode(),
            )
        tick = self._tick
        tick.out(tick.pipeline.relay(item.session, link, pdu, (monotonic(), epoch()), context))

    def _write(self, item: Operation, octets: bytes) -> None:
        connection = self._tick.connections.get(item.session)
        if connection is not None:
            status = HEADER.unpack_from(octets)[2]
            row = own_answer(item.session, item.pdu, status, epoch(), "answered")
            self._tick.records.rows.append(row)
            connection.write(octets)


def _is_meant(request: Pdu, held: HeldMessage) -> bool:
    """Tell whether a cancel_sm without a message_id is about a message with its addresses."""
    if HEADER.unpack_from(held.pdu)[1] == CommandId.SUBMIT_MULTI:
        return False  # it goes to others, too
    service = request.octets("service_type")
    return not service or held.pdu.startswith(service + b"\0", HEADER_OCTETS)


def _timing(request: Pdu) -> DeliveryTimes:
    schedule, validity = request.octets("schedule_delivery_time"), request.octets("validity_period")
    return timing_of(schedule, validity, epoch())


def _expiry(held: HeldMessage, request: Pdu) -> datetime:
    """Return when a message expires after a replace_sm, which may set a new validity_period."""
    until = _timing(request).valid_until
    if until is None:
        return held.expires_at
    chosen = datetime.fromtimestamp(until, UTC)
    return chosen if held.state is HoldState.DEFERRED else min(chosen, held.expires_at)


def _failure(request: Pdu) -> CommandStatus:
    return _FAILURES[request.command_id]


def _failed(request: Pdu, status: int) -> bytes:
    return header_only(request.command_id | RESPONSE_BIT, status, request.sequence_number)
