"""Commit what is flagged or waits, and parts of long messages, before the SP hears ESME_ROK."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from gateway.dataplane.attention import Hold
from gateway.dataplane.carriers import read_carrier
from gateway.dataplane.parts import Key, subscriber_of
from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, octets_in_store
from gateway.domain.verdict import Action
from gateway.proxy.rejudge import exchanged, grounds_of, is_own_rules, judged_again
from gateway.proxy.release_follower import ReleaseFollower
from gateway.proxy.report_writer import ReportWriter, report_of
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import UnsuccessSme
from gateway.smpp.pdu import header_only, make, submit_sm_resp
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.storage.errors import StoreUnavailable, logged
from gateway.systems.quarantine.model import HeldTotals
from gateway.systems.quarantine.sql import QuarantineStore


@dataclass(slots=True)
class PartialMessage:
    """One long message while its parts come. `committed` are the numbers that are durable."""

    assembly: int
    due_at: datetime
    total: int
    committed: set[int] = field(default_factory=set)


class Assembler:
    """Knows which long messages are under way, and lets go of those that are whole (R62).

    Every part is DEFERRED in the store until the message is whole, or until the first of
    them has waited long enough: then what there is is judged as it is. The data plane bounds
    how many are under way.
    """

    def __init__(self, store: QuarantineStore, releasing: ReleaseFollower) -> None:
        self._store = store
        self._releasing = releasing
        self._gathering: dict[Key, PartialMessage] = {}

    async def begin(self) -> None:
        """Find the parts that an earlier run left, and the messages that were whole by then."""
        whole: list[int] = []
        after = 0
        while page := await self._store.awaiting(after):
            after = page[-1].message_id
            whole += [held.assembly for held in page if self._completes(held)]
        for assembly in whole:
            await self._releasing.release_parts(assembly)

    def _completes(self, held: HeldMessage) -> bool:
        """Note a part that is durable; tell whether its message is whole with it."""
        key = _key_of(held)
        if key is None or held.due_at is None:
            return False  # it leaves when its time has come
        one = self._gathering.get(key)
        if one is None or one.assembly != held.assembly:
            self._gathering.pop(key, None)
            one = self._gathering[key] = PartialMessage(held.assembly, held.due_at, key[2])
        return self._note(key, one, held.part)

    def _note(self, key: Key, one: PartialMessage, number: int) -> bool:
        one.committed.add(number)
        if len(one.committed) < one.total:
            return False
        del self._gathering[key]
        return True

    def is_behind(self, item: Hold) -> bool:
        """Tell whether it is a part too many: they are acknowledged before the SMSC takes them."""
        return item.place is not None and self._releasing.is_behind(item.session.system_id)

    def placed(self, item: Hold, held: HeldMessage) -> HeldMessage:
        """Return what is to be kept of a part: which message it is of, and until when it waits.

        Anything else is kept as it is.
        """
        if item.place is None or held.due_at is None:
            return held
        key = item.place.joint.key
        self._forget_overdue(held.held_at)
        one = self._gathering.get(key)
        if one is None:
            one = PartialMessage(held.message_id, held.due_at, key[2])
            self._gathering[key] = one
        return replace(held, assembly=one.assembly, part=item.place.number, due_at=one.due_at)

    def committed(self, items: Iterable[tuple[Hold, HeldMessage]]) -> None:
        """Note that parts are durable; messages that are whole now may go."""
        for item, held in items:
            if item.place is None:
                continue
            key = item.place.joint.key
            one = self._gathering.get(key)
            if one is None or one.assembly != held.assembly:
                continue  # its time was over meanwhile
            if self._note(key, one, held.part):
                # If the store fails they stay DEFERRED, and leave when their time has come.
                released = self._releasing.release_parts(one.assembly)
                spawn(logged(released), name=f"assembled-{one.assembly}")

    def _forget_overdue(self, now: datetime) -> None:
        """Forget what has waited long enough; they are in the order of their first parts."""
        while self._gathering:
            key, one = next(iter(self._gathering.items()))
            if one.due_at > now:
                break
            del self._gathering[key]


def _key_of(held: HeldMessage) -> Key | None:
    """Return by what the data plane knows the long message that a part is of."""
    try:
        carrier = read_carrier(held.pdu)
    except DecodeError:
        return None
    if not carrier.concats:
        return None
    concat = carrier.concats[0]
    owner = (held.system_id, carrier.source, subscriber_of(carrier.destination))
    return owner, concat.reference, concat.total


log = structlog.get_logger()


class HeldCounts:
    """Counts what was held and has not ended, flagged or deferred alike.

    Each SP has room for `maximum.messages` and for `maximum.octets`. Whoever ends a message
    writes a change, so that this keeps up with other processes and reads the store but once, at
    the start. `added` are the octets that were held since then, ended or not, by system_id.
    """

    def __init__(self, maximum: HeldTotals) -> None:
        self.added: Counter[str] = Counter()
        self._maximum = maximum
        self._counts: Counter[str] = Counter()
        self._octets: Counter[str] = Counter()
        self._ended: set[int] = set()  # counted off, though changes of theirs may still be read

    def begin(self, counts: Mapping[str, HeldTotals]) -> None:
        """Take over what an earlier run left, by system_id."""
        self._counts = Counter({one: waiting.messages for one, waiting in counts.items()})
        self._octets = Counter({one: waiting.octets for one, waiting in counts.items()})

    def has_room(self, system_id: str, octets: int) -> bool:
        """Tell whether one more message of an SP, of `octets`, may wait."""
        return self._counts[system_id] < self._maximum.messages and self.may_grow(system_id, octets)

    def may_grow(self, system_id: str, octets: int) -> bool:
        """Tell whether what waits of an SP may take so many more octets."""
        return self._octets[system_id] + octets <= self._maximum.octets

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
# How long a failed commit speaks against the store. Whoever asks takes traffic away while it
# does, and without traffic nothing would be committed that could show it is well again.
_DOUBT_S = 30.0


class HoldWriter:
    """Gathers the holds of a tick into one commit."""

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
        if is_stopped or is_behind or not has_room:
            how = "disk_full" if is_stopped else "store_full" if has_room else "sender_full"
            self._answer_all((item,), is_held=False, how=how)
            self._reporting.put_off(_reports_of((item,)))
            return
        self._counts.add(system_id, octets)
        self._waiting += 1
        self._gathered.append(item)

    def turned(self) -> None:
        """Commit what the tick has gathered."""
        if self._gathered:
            items, self._gathered = self._gathered, []
            spawn(self._commit(items), name="hold")

    async def _commit(self, items: Sequence[Hold]) -> None:
        now = utcnow()
        kept = [self._assembling.placed(item, self._held(item, now)) for item in items]
        reports = _reports_of(items)
        is_held = False
        try:
            if reports:
                await self._reporting.keep_with(reports, kept)
            else:
                await self._store.hold(kept)
            is_held = True
        except StoreUnavailable as error:
            self._reporting.put_off(reports)  # it was stopped all the same
            if self._failed_at is None:
                log.error("store.failed", said=str(error))
            self._failed_at = monotonic()
        finally:
            self._waiting -= len(items)
            for one in () if is_held else kept:
                self._counts.take_back(one.system_id, one.octets)
            self._answer_all(items, is_held=is_held, how="held" if is_held else "store_failed")
        if is_held:
            self._assembling.committed(zip(items, kept, strict=True))
            self.held += len(items)
            if self._failed_at is not None:
                self._failed_at = None
                log.info("store.recovered")

    def _judged(self, item: Hold) -> Hold:
        """Return `item` with what is against it besides its addressee's own rule (R50)."""
        if not is_own_rules(item.verdict):
            return item
        now = utcnow()
        judged = exchanged(self._tick, item, self._held(item, now))
        if judged is not item:
            held = self._held(judged, now)
            self._tick.records.rows.append(judged_again(held, Action.QUARANTINE, held))
        return judged

    def _held(self, item: Hold, now: datetime) -> HeldMessage:
        ttl_s = self._tick.pipeline.plane.rules.bundle.content.quarantine_ttl_s
        return held_message(item, now, ttl_s)

    def _answer_all(self, items: Sequence[Hold], *, is_held: bool, how: str) -> None:
        tick, at = self._tick, epoch()
        for item in items:
            session = item.session
            session.held -= 1
            status = CommandStatus.ESME_ROK if is_held else CommandStatus.ESME_RMSGQFUL
            about = (session.number, session.system_id, item.command_id)
            message_id = str(item.message_id).encode() if is_held else b""
            answer = (int(status), message_id)
            tick.records.rows.append(("o", at, about, item.sequence, *answer, 0, how))
            connection = tick.connections.get(session)
            if connection is not None:
                connection.write(answer_to(item) if is_held else _refusal(item))
            tick.settled(session)


def _reports_of(items: Sequence[Hold]) -> list[NewAuthorityReport]:
    told = (item.prohibited for item in items)
    return [report_of(prohibited) for prohibited in told if prohibited is not None]


def held_message(item: Hold, now: datetime, ttl_s: float) -> HeldMessage:
    """Return what the store keeps of a message that is flagged, or waits for its hour."""
    grounds = grounds_of(item.verdict, item.pdu, (now, now), ttl_s)
    waits = item.verdict.action is Action.DEFER
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
        state=HoldState.DEFERRED if waits else HoldState.HELD,
        joined=item.joined,
        due_at=grounds.due_at,
        campaign=grounds.campaign,
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


def _refusal(item: Hold) -> bytes:
    response_id = item.command_id | RESPONSE_BIT
    return header_only(response_id, CommandStatus.ESME_RMSGQFUL, item.sequence)
