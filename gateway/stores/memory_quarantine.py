"""The in-memory twin of the quarantine store (contract: gateway.ports.quarantine)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.ports.changes import ChangeKind
from gateway.ports.quarantine import (
    EXPIRING_STATES,
    REPLACEABLE_STATES,
    Grounds,
    HeldTotals,
    ReleasedId,
    Replacement,
)
from gateway.stores.memory_changes import MemoryChanges

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryQuarantine:
    """Twin of the quarantine store."""

    def __init__(self, changes: MemoryChanges) -> None:
        self._changes = changes
        self._messages: dict[int, HeldMessage] = {}

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        new = {item.message_id: item for item in items}
        if len(new) < len(items) or new.keys() & self._messages.keys():
            raise ValueError("a message_id is already held")
        self._messages |= new

    async def get(self, message_id: int) -> HeldMessage | None:
        return self._messages.get(message_id)

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        return [self._messages[one] for one in sorted(message_ids) if one in self._messages]

    def forget(self, message_id: int) -> None:
        """Delete a message, for the twin that purges."""
        del self._messages[message_id]

    async def find(
        self,
        *,
        state: HoldState | None = None,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[HeldMessage]:
        found = (
            message
            for message in self._newest_first()
            if state in (None, message.state)
            and _fits(message, system_id, campaign, categories)
            and (before_id is None or message.message_id < before_id)
        )
        return list(islice(found, limit))

    async def held_of(
        self, campaign: str, *, system_id: str | None = None, after_id: int = 0, limit: int = 1000
    ) -> list[int]:
        found = (
            number
            for number, message in sorted(self._messages.items())
            if number > after_id
            and message.state is HoldState.HELD
            and _fits(message, system_id, campaign, None)
        )
        return list(islice(found, limit))

    async def own_holds(self, msisdn: int, limit: int) -> list[HeldMessage]:
        found = (
            message
            for message in self._newest_first()
            if message.state is HoldState.HELD
            and message.reason == Reason.USER_PREF
            and msisdn_of(message.destination.encode("latin-1")) == msisdn
        )
        return list(islice(found, limit))

    async def count_by_state(
        self,
        *,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
    ) -> dict[HoldState, int]:
        counts = Counter(
            message.state
            for message in self._messages.values()
            if _fits(message, system_id, campaign, categories)
        )
        return {state: counts[state] for state in HoldState}

    async def count_waiting(self) -> dict[str, HeldTotals]:
        counts: Counter[str] = Counter()
        octets: Counter[str] = Counter()
        for message in self._messages.values():
            if message.state not in FINAL_STATES:
                counts[message.system_id] += 1
                octets[message.system_id] += message.octets
        return {one: HeldTotals(count, octets[one]) for one, count in counts.items()}

    async def move(  # noqa: PLR0913 - as the port has it
        self,
        message_id: int,
        *,
        allowed: frozenset[HoldState],
        to: HoldState,
        at: datetime,
        note: str = "",
        smsc_message_id: str = "",
        receipt: ReceiptState | None = None,
        grounds: Grounds | None = None,
        is_reviewed: bool = False,
        is_wanted: bool = False,
        held_for: Reason | None = None,
    ) -> HeldMessage | None:
        return self._move(
            message_id,
            (allowed, held_for),
            at,
            lambda held: replace(
                _moved(held, to, note, receipt, grounds),
                smsc_message_id=smsc_message_id or held.smsc_message_id,
                is_reviewed=is_reviewed or held.is_reviewed,
                is_wanted=is_wanted or held.is_wanted,
            ),
        )

    async def move_together(  # noqa: PLR0913 - as the port has it
        self,
        message_ids: Sequence[int],
        *,
        allowed: frozenset[HoldState],
        to: HoldState,
        at: datetime,
        note: str = "",
        receipt: ReceiptState | None = None,
        grounds: Grounds | None = None,
        is_reviewed: bool = False,
        is_wanted: bool = False,
        held_for: Reason | None = None,
    ) -> list[HeldMessage]:
        def change(held: HeldMessage) -> HeldMessage:
            moved = _moved(held, to, note, receipt, grounds)
            return replace(
                moved,
                is_reviewed=is_reviewed or held.is_reviewed,
                is_wanted=is_wanted or held.is_wanted,
            )

        first = self._messages.get(message_ids[0]) if message_ids else None
        among = (allowed, held_for)
        if first is None or not _is_among(first, *among):
            return []
        return self._move_all(message_ids, among, at, change)

    def _move_all(
        self,
        message_ids: Collection[int],
        among: tuple[frozenset[HoldState], Reason | None],
        at: datetime,
        change: Callable[[HeldMessage], HeldMessage],
    ) -> list[HeldMessage]:
        moved = (self._move(one, among, at, change) for one in sorted(set(message_ids)))
        return [one for one in moved if one is not None]

    def _move(
        self,
        message_id: int,
        among: tuple[frozenset[HoldState], Reason | None],
        at: datetime,
        change: Callable[[HeldMessage], HeldMessage],
    ) -> HeldMessage | None:
        held = self._messages.get(message_id)
        if held is None or not _is_among(held, *among):
            return None
        moved = self._messages[message_id] = change(held)
        self._changes.add(ChangeKind.QUARANTINE, str(message_id), at)
        return moved

    async def move_each(  # noqa: PLR0913 - as the port has it
        self,
        message_ids: Collection[int],
        *,
        allowed: frozenset[HoldState],
        to: HoldState,
        at: datetime,
        note: str = "",
        receipt: ReceiptState | None = None,
        is_reviewed: bool = False,
    ) -> list[HeldMessage]:
        def change(held: HeldMessage) -> HeldMessage:
            moved = _moved(held, to, note, receipt, None)
            return replace(moved, is_reviewed=is_reviewed or held.is_reviewed)

        return self._move_all(message_ids, (allowed, None), at, change)

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        parts = (m for m in self._messages.values() if m.assembly == assembly != 0)
        return sorted(parts, key=lambda one: (one.part, one.message_id))

    async def awaiting(self, after_id: int = 0, limit: int = 1000) -> list[HeldMessage]:
        waiting = (
            message
            for message in self._oldest_first()
            if message.assembly
            and message.state is HoldState.DEFERRED
            and message.reason == Reason.PARTS_AWAITED
            and message.message_id > after_id
        )
        return list(islice(waiting, limit))

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        held = self._messages.get(message_id)
        if held is None or held.state not in REPLACEABLE_STATES:
            return False
        self._messages[message_id] = _with(held, replacement)
        return True

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        due = sorted(
            (message.due_at, message.message_id)
            for message in self._messages.values()
            if message.state is HoldState.DEFERRED
            and message.system_id in system_ids
            and message.due_at is not None
            and message.due_at <= now < message.expires_at
        )
        taken = [
            replace(self._messages[message_id], state=HoldState.RELEASE_REQUESTED)
            for _, message_id in due[:limit]
        ]
        self._messages |= {message.message_id: message for message in taken}
        return taken

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        due = (
            message
            for message in self._oldest_first()
            if message.receipt is ReceiptState.DUE and system_id in (None, message.system_id)
        )
        return list(islice(due, limit))

    async def owed_receipts(self) -> set[str]:
        messages = self._messages.values()
        return {m.system_id for m in messages if m.receipt is ReceiptState.DUE}

    async def receipt_sent(self, message_id: int) -> bool:
        held = self._messages.get(message_id)
        if held is None or held.receipt is not ReceiptState.DUE:
            return False
        self._messages[message_id] = replace(held, receipt=ReceiptState.SENT)
        return True

    async def expired(self, now: datetime, limit: int) -> list[HeldMessage]:
        over = (
            message
            for message in self._messages.values()
            if message.state in EXPIRING_STATES and message.expires_at <= now
        )
        return sorted(over, key=lambda held: (held.expires_at, held.message_id))[:limit]

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        released = (
            ReleasedId(
                message.system_id,
                message.smsc_message_id,
                message.message_id,
                message.destination,
            )
            for message in self._newest_first()
            if message.state is HoldState.RELEASED and message.receipt_asked
        )
        return list(islice(released, limit))

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        releasing = (m for m in self._oldest_first() if m.state is HoldState.RELEASING)
        return list(islice(releasing, limit))

    def _oldest_first(self) -> Iterable[HeldMessage]:
        return (message for _, message in sorted(self._messages.items()))

    def _newest_first(self) -> Iterable[HeldMessage]:
        return (message for _, message in sorted(self._messages.items(), reverse=True))


def _with(held: HeldMessage, fields: Grounds | Replacement | None) -> HeldMessage:
    if fields is None:
        return held
    return replace(held, **{name: getattr(fields, name) for name in fields.__slots__})


def _is_among(held: HeldMessage, allowed: frozenset[HoldState], held_for: Reason | None) -> bool:
    """Tell whether a move may start from where `held` is."""
    return held.state in allowed and held_for in (None, held.reason)


def _moved(
    held: HeldMessage,
    to: HoldState,
    note: str,
    receipt: ReceiptState | None,
    grounds: Grounds | None,
) -> HeldMessage:
    if receipt is None or (receipt is ReceiptState.DUE and not held.receipt_asked):
        receipt = held.receipt
    return replace(_with(held, grounds), state=to, note=note or held.note, receipt=receipt)


def _fits(
    message: HeldMessage,
    system_id: str | None,
    campaign: str | None,
    categories: Collection[str] | None,
) -> bool:
    return (
        system_id in (None, message.system_id)
        and campaign in (None, message.campaign)
        and (categories is None or message.category in categories)
    )
