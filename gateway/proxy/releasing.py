"""Letting held messages go: judged again, written once, their receipts given our id."""

from dataclasses import dataclass, field

import structlog

from gateway.dataplane.attention import Answered
from gateway.dataplane.carriers import read_carrier
from gateway.dataplane.relay import renumbered
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.policy.account import Account
from gateway.policy.submission import Submission
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore, ReleasedId
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER, HEADER_OCTETS
from gateway.smpp.pdu import SmeAddress
from gateway.smpp.status import CommandStatus
from gateway.systems.quarantine.desk import Done, QuarantineDesk

log = structlog.get_logger()

# The SMSC will take it later; anything else is for a person to look at.
_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_AT_ONCE = 200
_UNCHECKED = Finding(
    "CONTENT", Reason.CONTENT_UNCHECKED, Action.REJECT, "the content filter failed"
)


@dataclass(frozen=True, slots=True)
class Release:
    """The errand of a submit that the gateway writes for a released message."""

    message_id: int
    system_id: str
    destination: str = field(repr=False)


class Releasing:
    """Follows release requests, which come from any process through the store."""

    def __init__(
        self,
        tick: Tick,
        store: QuarantineStore,
        desk: QuarantineDesk,
        routes: Routes,
        receipts: ReceiptDesk,
    ) -> None:
        self._tick = tick
        self._store = store
        self._desk = desk
        self._routes = routes
        self._receipts = receipts
        self._wanted: dict[int, str] = {}  # message_id to system_id
        self._under_way: set[int] = set()
        self._unconfirmed: dict[int, str] = {}  # message_id to the SMSC's: it has them

    async def begin(self) -> None:
        """Find what an earlier run left: nothing that was written is written again."""
        for lost in await self._desk.lose_in_flight(utcnow()):
            log.warning("quarantine.in_doubt", message_id=str(lost.message_id))
        for held in await self._store.find(state=HoldState.RELEASE_REQUESTED, limit=10_000):
            self._wanted[held.message_id] = held.system_id

    def want(self, held: HeldMessage) -> None:
        """Note that a message is to be released."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self._wanted[held.message_id] = held.system_id
        else:
            self._wanted.pop(held.message_id, None)

    async def release_wanted(self) -> None:
        """Write what is wanted and has a way to the SMSC; the rest waits for its sender."""
        for message_id, smsc_id in list(self._unconfirmed.items()):
            await self._confirm(message_id, smsc_id)
        # One look for each sender: thousands may wait for one that is away.
        ways = {s for s in set(self._wanted.values()) if self._routes.to_smsc(s) is not None}
        for message_id, system_id in list(self._wanted.items()):
            if len(self._under_way) >= _AT_ONCE:
                return
            if system_id in ways and self._routes.to_smsc(system_id) is not None:
                await self._release(message_id)

    async def _release(self, message_id: int) -> None:
        # It stays wanted until the store has said what it is: a store that fails now is
        # asked again in the next turn.
        held = await self._store.get(message_id)
        if held is None or held.state is not HoldState.RELEASE_REQUESTED:
            self._wanted.pop(message_id, None)
            return
        account = self._tick.pipeline.plane.rules.accounts.get(held.system_id)
        if account is None:
            return  # it waits: its sender's sessions may not have left yet, but it sends no more
        verdict = self._judge_again(account, held)
        if verdict is not None:
            deciding = verdict.deciding
            why = f"judged again: {deciding.reason}" if deciding is not None else "judged again"
            await self._desk.refuse(message_id, why, utcnow())
            self._wanted.pop(message_id, None)
            log.info("quarantine.refused", message_id=str(message_id), why=why)
            return
        outcome = await self._desk.begin_release(message_id, utcnow())
        self._wanted.pop(message_id, None)
        if isinstance(outcome, Done):
            await self._write(outcome.message)

    def _judge_again(self, account: Account, held: HeldMessage) -> Verdict | None:
        rules = self._tick.pipeline.plane.rules
        carrier = read_carrier(held.pdu)
        texts = tuple(text for place in carrier.texts() for text in place)
        addressees = [d.address for d in carrier.destinations if isinstance(d, SmeAddress)]
        for destination in addressees or [carrier.destination]:
            submission = Submission(account, carrier.source, destination)
            try:
                rules.judge_again(submission, texts, monotonic())
            except Exception:  # noqa: BLE001 - as in the tick: a filter that fails passes nothing, and stops no other
                self._tick.pipeline.plane.tally.filter_failures += 1
                submission.findings += (_UNCHECKED,)
                return rules.verdict(submission, _UNCHECKED)
            if submission.verdict is not None:
                return submission.verdict
        return None

    async def _write(self, held: HeldMessage) -> None:
        connection = self._routes.to_smsc(held.system_id)
        if connection is None:
            await self._desk.postpone(held.message_id, "no bind at the SMSC", utcnow())
            self._wanted[held.message_id] = held.system_id
            return
        _, command_id, _, _ = HEADER.unpack_from(held.pdu)
        errand = Release(held.message_id, held.system_id, held.destination)
        own = connection.link.register(None, 0, command_id, monotonic(), errand)
        self._under_way.add(held.message_id)
        self._receipts.expect(held.system_id)
        connection.write(renumbered(held.pdu, own))

    def answered(self, item: Answered, errand: Release) -> None:
        """Take the SMSC's answer, or that none will come."""
        status, smsc_id = _read_answer(item.pdu)
        if status == CommandStatus.ESME_ROK:
            # In memory before anything is awaited: the receipt may be in the same read.
            self._receipts.know(
                ReleasedId(errand.system_id, smsc_id, errand.message_id, errand.destination)
            )
        if errand.message_id in self._under_way:  # else it is late: it was given up before
            self._under_way.discard(errand.message_id)
            self._receipts.unexpect(errand.system_id)
        spawn(self._settle(errand, status, smsc_id), name=f"release-{errand.message_id}")

    async def _settle(self, errand: Release, status: int | None, smsc_id: str) -> None:
        desk, message_id, now = self._desk, errand.message_id, utcnow()
        about = {"message_id": str(message_id), "system_id": errand.system_id, "status": status}
        self._tick.records.rows.append(("e", epoch(), "release", about))
        try:
            if status is None:
                await desk.lose(message_id, "the SMSC did not answer", now)
                log.warning("quarantine.in_doubt", message_id=str(message_id))
            elif status == CommandStatus.ESME_ROK:
                self._unconfirmed[message_id] = smsc_id
                await self._confirm(message_id, smsc_id)
            elif status in _LATER:
                await desk.postpone(message_id, f"the SMSC answered 0x{status:X}", now)
                self._wanted[message_id] = errand.system_id
            else:
                await desk.give_back(message_id, f"the SMSC answered 0x{status:X}", now)
        except StoreUnavailable as error:
            # It stays RELEASING, which is never written again; a restart puts it in doubt. What
            # the SMSC has is noted as soon as it can be: a person in doubt might send it twice.
            log.error("store.failed", said=str(error))

    async def _confirm(self, message_id: int, smsc_id: str) -> None:
        await self._desk.confirm(message_id, smsc_id, utcnow())
        if self._unconfirmed.pop(message_id, None) is not None:
            log.info("quarantine.released", message_id=str(message_id))


def _read_answer(pdu: bytes | None) -> tuple[int | None, str]:
    """Return the status and the SMSC's id; a generic_nack is a refusal."""
    if pdu is None:
        return None, ""
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    if command_id == CommandId.GENERIC_NACK:
        return status or CommandStatus.ESME_RSUBMITFAIL, ""
    return status, pdu[HEADER_OCTETS:].partition(b"\0")[0].decode("latin-1")
