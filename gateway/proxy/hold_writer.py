"""Commit what is flagged or waits, and parts of long messages, before the SP hears ESME_ROK."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from gateway.dataplane.attention import AcceptedRefusals, Hold
from gateway.dataplane.submit_request import AcceptedSme, split_accepted
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.quarantine import (
    FINAL_STATES,
    HeldMessage,
    HoldState,
    ReceiptState,
    octets_in_store,
)
from gateway.domain.verdict import Action
from gateway.proxy.assembler import Assembler
from gateway.proxy.held_campaigns import with_campaigns
from gateway.proxy.rejudge import (
    end_of_life,
    exchanged,
    grounds_of,
    is_own_rules,
    judged_again,
    longest_hold_s,
)
from gateway.proxy.report_writer import ReportWriter, report_of
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import UnsuccessSme
from gateway.smpp.pdu import HEADER, header_only, make, submit_sm_resp
from gateway.smpp.status import CommandStatus, status_named
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.model import HeldTotals
from gateway.systems.quarantine.sql import QuarantineStore

log = structlog.get_logger()


class HeldCounts:
    """Counts what was held and has not ended, flagged or deferred alike.

    Each SP has room for `maximum.messages` and for `maximum.octets`. Whoever ends a message
    writes a change, so that this keeps up with other processes and reads the store but once, at
    the start. `added` are the octets that were held since then, ended or not, by system_id.
    """

    def __init__(self, maximum: HeldTotals) -> None:
        self.added: Counter[str] = Counter()
        self.maximum = maximum
        self._counts: Counter[str] = Counter()
        self._octets: Counter[str] = Counter()
        self._ended: set[int] = set()  # counted off, though changes of theirs may still be read

    def begin(self, counts: Mapping[str, HeldTotals]) -> None:
        """Take over what an earlier run left, by system_id."""
        self._counts = Counter({one: waiting.messages for one, waiting in counts.items()})
        self._octets = Counter({one: waiting.octets for one, waiting in counts.items()})

    def has_room(self, system_id: str, octets: int) -> bool:
        """Tell whether one more message of an SP, of `octets`, may wait."""
        return self._counts[system_id] < self.maximum.messages and self.may_grow(system_id, octets)

    def may_grow(self, system_id: str, octets: int) -> bool:
        """Tell whether what waits of an SP may take so many more octets."""
        return self._octets[system_id] + octets <= self.maximum.octets

    def of(self, system_id: str) -> int:
        """Return how many messages of an SP wait."""
        return self._counts[system_id]

    def octets(self) -> dict[str, int]:
        """Return how many octets wait, by system_id."""
        return {one: octets for one, octets in self._octets.items() if octets}

    def add(self, system_id: str, octets: int) -> None:
        """Count a message that is about to be held."""
        self._counts[system_id] += 1
        self.grow(system_id, octets)

    def grow(self, system_id: str, octets: int) -> None:
        """Count what a message takes more, or less, since its text was exchanged."""
        self._octets[system_id] += octets
        self.added[system_id] += max(octets, 0)

    def take_back(self, system_id: str, octets: int) -> None:
        """Count off a message that could not be held."""
        self._counts[system_id] -= 1
        self._octets[system_id] -= octets

    def follow(self, moved: Collection[HeldMessage], *, is_all: bool) -> None:
        """Count off what has ended of messages that changes speak of.

        They were looked up after the changes were read, so that one may have ended by a change
        that is still to be read: it counts once. `is_all` says that there were no more changes
        to read, and so none is left of what had ended before.
        """
        ended = {one.message_id for one in moved if one.state in FINAL_STATES}
        new = ended - self._ended
        for one in moved:
            if one.message_id in new:
                self.take_back(one.system_id, one.octets)
        self._ended = new if is_all else self._ended | new


# What may wait for the store at once; more is refused, never passed unseen.
_MAX_WAITING = 20_000
_ROWS_AT_ONCE = 50
# How long a failed commit speaks against the store. Whoever asks takes traffic away while it
# does, and without traffic nothing would be committed that could show it is well again.
_DOUBT_S = 30.0


class HoldWriter:
    """Gathers the holds of a tick into one commit, and the rows for receipts into another."""

    def __init__(
        self,
        tick: Tick,
        store: QuarantineStore,
        assembling: Assembler,
        reporting: ReportWriter,
        counts: HeldCounts,
    ) -> None:
        self.held = 0
        self.is_disk_full: Callable[[], bool] = bool
        self._counts = counts
        self._assembling = assembling
        self._tick = tick
        self._store = store
        self._reporting = reporting
        self._gathered: list[Hold] = []
        self._accepted: list[AcceptedRefusals] = []
        self._waiting = 0
        self._failed_at: float | None = None

    @property
    def is_failing(self) -> bool:
        """Tell whether the last commit failed, a short while ago."""
        return self._failed_at is not None and monotonic() - self._failed_at < _DOUBT_S

    def hold(self, item: Hold) -> None:
        """Take a message to hold; it is committed after this tick."""
        item = self._judged(item)
        system_id, octets = item.session.system_id, octets_in_store(item.pdu, item.joined)
        has_room = self._counts.has_room(system_id, octets)
        is_stopped = self.is_disk_full() or system_id in self._tick.pipeline.plane.stopped
        is_behind = self._waiting >= _MAX_WAITING or self._assembling.is_behind(item)
        if is_stopped or is_behind or not (has_room or item.is_refused):
            how = "disk_full" if is_stopped else "store_full" if has_room else "sender_full"
            self._answer_all((item,), is_held=False, how=how)
            self._reporting.put_off(_reports_of((item,)))
            return
        if item.is_refused:
            self._counts.added[system_id] += octets  # it waits for nobody
        else:
            self._counts.add(system_id, octets)
        self._waiting += 1
        self._gathered.append(item)

    def turned(self) -> None:
        """Commit what the tick has gathered."""
        if self._gathered:
            items, self._gathered = self._gathered, []
            spawn(self._commit(items), name="hold")
        if self._accepted:
            accepted, self._accepted = self._accepted, []
            spawn(self._accept(accepted), name="accepted")

    async def _commit(self, items: Sequence[Hold]) -> None:
        now = utcnow()
        kept = [self._assembling.placed(item, self._held(item, now)) for item in items]
        reports = _reports_of(items)
        is_held = False
        try:
            kept = await with_campaigns(kept)
            if reports:
                await self._reporting.keep_with(reports, kept)
            else:
                await self._store.hold(kept)
            is_held = True
        except StoreUnavailable as error:
            self._reporting.put_off(reports)  # it was stopped all the same
            self._note_failure(error)
        finally:
            self._waiting -= len(items)
            for one in () if is_held else kept:
                if one.state is not HoldState.REFUSED:
                    self._counts.take_back(one.system_id, one.octets)
            self._answer_all(items, is_held=is_held, how="held" if is_held else "store_failed")
        if is_held:
            self._assembling.committed(zip(items, kept, strict=True))
            self.held += sum(not item.is_refused for item in items)
            self._note_success()
            self.turned()  # receipts of what was refused beside them

    def _note_failure(self, error: StoreUnavailable) -> None:
        if self._failed_at is None:
            log.error("store.failed", said=str(error))
        self._failed_at = monotonic()

    def _note_success(self) -> None:
        if self._failed_at is not None:
            self._failed_at = None
            log.info("store.recovered")

    def accept(self, item: AcceptedRefusals) -> None:
        """Take what is refused of a submit_multi for receipts; a commit is before the answer."""
        system_id = item.session.system_id
        is_stopped = self.is_disk_full() or system_id in self._tick.pipeline.plane.stopped
        if is_stopped or self._waiting + len(item.smes) > _MAX_WAITING:
            self._answer_accepted(item, "disk_full" if is_stopped else "store_full")
            return
        self._waiting += len(item.smes)
        self._accepted.append(item)

    async def _accept(self, items: Sequence[AcceptedRefusals]) -> None:
        ended = "store_failed"
        try:
            kept = await self._rejected(items)
            await self._store.hold(kept)
            for one in kept:
                self._counts.added[one.system_id] += one.octets
            ended = "accepted"
            self._note_success()
        except StoreUnavailable as error:
            self._note_failure(error)
        finally:
            self._waiting -= sum(len(item.smes) for item in items)
            for item in items:
                self._answer_accepted(item, ended)

    def _answer_accepted(self, item: AcceptedRefusals, ended: str) -> None:
        tick, session = self._tick, item.session
        session.held -= 1
        answer = item.kept if ended == "accepted" else item.failed
        if item.own_id:
            _, command_id, status, _ = HEADER.unpack_from(answer)
            about = (session.number, session.system_id, command_id & ~RESPONSE_BIT)
            row = (item.sequence, status, item.message_id, 0, ended)
            tick.records.rows.append(("o", epoch(), about, *row))
        if (connection := tick.connections.get(session)) is not None:
            connection.write(answer)
        tick.settled(session)

    async def _rejected(self, items: Sequence[AcceptedRefusals]) -> list[HeldMessage]:
        """Return a message without its text for each destination; the loop goes on meanwhile."""
        now, next_id, kept = utcnow(), self._tick.pipeline.plane.next_id, list[HeldMessage]()
        for item in items:
            own_id = item.own_id
            for sme in item.smes:
                held = held_message(_hold_of(item, sme, own_id or next_id(epoch())), now, 0.0)
                kept.append(replace(held, smsc_message_id=item.message_id.decode("latin-1")))
                own_id = 0
                if len(kept) % _ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return kept

    def _judged(self, item: Hold) -> Hold:
        """Return `item` with what is against it besides its addressee's own rule (R50)."""
        if not is_own_rules(item.verdict):
            return item
        now = utcnow()
        judged = exchanged(self._tick, item, self._held(item, now))
        if judged is not item:
            held = self._held(judged, now)
            self._tick.records.rows.append(
                judged_again(held, Action.QUARANTINE, held, judged.verdict.findings)
            )
        return judged

    def _held(self, item: Hold, now: datetime) -> HeldMessage:
        plane = self._tick.pipeline.plane
        held = held_message(item, now, longest_hold_s(plane.rules, item.session.account))
        over_at = end_of_life(plane, (held,))
        return held if over_at is None else replace(held, expires_at=min(held.expires_at, over_at))

    def _answer_all(self, items: Sequence[Hold], *, is_held: bool, how: str) -> None:
        tick, at = self._tick, epoch()
        for item in items:
            session = item.session
            session.held -= 1
            status = CommandStatus.ESME_ROK if is_held else _status_of(item)
            about = (session.number, session.system_id, item.command_id)
            message_id = str(item.message_id).encode() if is_held else b""
            answer = (int(status), message_id)
            ended = "accepted" if is_held and item.is_refused else how
            tick.records.rows.append(("o", at, about, item.sequence, *answer, 0, ended))
            connection = tick.connections.get(session)
            accepted, others = split_accepted(item.refused)
            if is_held and accepted:
                session.held += 1
                kept, failed = answer_to(replace(item, refused=others)), answer_to(item)
                told = (item.sequence, message_id, 0, accepted, kept, failed)
                self.accept(AcceptedRefusals(session, *told))
            elif connection is not None:
                connection.write(answer_to(item) if is_held else _refusal(item))
            tick.settled(session)


def _hold_of(item: AcceptedRefusals, sme: AcceptedSme, message_id: int) -> Hold:
    pdu = make(
        CommandId.SUBMIT_SM,
        item.sequence,
        source_addr=sme.source,
        dest_addr_ton=sme.ton,
        dest_addr_npi=sme.npi,
        destination_addr=sme.address,
    )
    return Hold(
        session=item.session,
        sequence=item.sequence,
        command_id=CommandId.SUBMIT_SM,
        message_id=message_id,
        pdu=pdu,
        source=sme.source,
        destination=sme.destination,
        verdict=sme.verdict,
        receipt_asked=sme.receipt_asked,
        joined="",
        is_refused=True,
    )


def _reports_of(items: Sequence[Hold]) -> list[NewAuthorityReport]:
    told = (item.prohibited for item in items)
    return [report_of(prohibited) for prohibited in told if prohibited is not None]


def held_message(item: Hold, now: datetime, ttl_s: float) -> HeldMessage:
    """Return what the store keeps of a message that is flagged, or waits for its hour."""
    grounds = grounds_of(item.verdict, item.pdu, (now, now), ttl_s, item.known)
    state = HoldState.DEFERRED if item.verdict.action is Action.DEFER else HoldState.HELD
    receipt, note = ReceiptState.NONE, ""
    if item.is_refused:
        state, note = HoldState.REFUSED, "refused, and accepted as its sender asks"
        receipt = ReceiptState.DUE if item.receipt_asked else receipt
    return HeldMessage(
        message_id=item.message_id,
        system_id=item.session.system_id,
        source=item.source.decode("latin-1"),
        destination=item.destination.decode("latin-1"),
        pdu=item.pdu,
        reason=grounds.reason,
        rule=grounds.rule,
        category=grounds.category,
        evidence=grounds.evidence,
        digest=grounds.digest,
        receipt_asked=item.receipt_asked,
        held_at=now,
        expires_at=grounds.expires_at,
        state=state,
        receipt=receipt,
        note=note,
        joined=item.joined,
        due_at=grounds.due_at,
        campaign=grounds.campaign,
        severity=grounds.severity,
        owner=grounds.owner,
        score=grounds.score,
        found=grounds.found,
    )


def answer_to(item: Hold) -> bytes:
    """Return ESME_ROK with the gateway's message id, in the form of the request."""
    identity = str(item.message_id).encode()
    if item.command_id == CommandId.SUBMIT_SM:
        return submit_sm_resp(item.sequence, identity)
    response_id = CommandId(item.command_id | RESPONSE_BIT)
    if item.command_id == CommandId.SUBMIT_MULTI:
        refused = tuple(r for r in item.refused if isinstance(r, UnsuccessSme))
        return make(response_id, item.sequence, message_id=identity, unsuccess_sme=refused)
    return make(response_id, item.sequence, message_id=identity)


def _status_of(item: Hold) -> int:
    """Return what the SP hears if the message cannot be kept."""
    return status_named(item.verdict.status) if item.is_refused else CommandStatus.ESME_RMSGQFUL


def _refusal(item: Hold) -> bytes:
    response_id = item.command_id | RESPONSE_BIT
    return header_only(response_id, _status_of(item), item.sequence)
