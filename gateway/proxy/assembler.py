"""Parts of long messages that wait in the store, and leave once their message is whole."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.dataplane.attention import Hold
from gateway.dataplane.carriers import read_carrier
from gateway.dataplane.parts import Key, subscriber_of
from gateway.domain.quarantine import HeldMessage
from gateway.proxy.release_follower import ReleaseFollower
from gateway.runtime.tasks import spawn
from gateway.smpp.status import DecodeError
from gateway.storage.errors import logged
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
