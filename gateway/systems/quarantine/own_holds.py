"""What a subscriber's own preferences hold: seen, let go or dropped by the subscriber (R50)."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from gateway.domain.quarantine import HeldMessage
from gateway.ports.quarantine import QuarantineStore
from gateway.systems.quarantine.desk import Done, Outcome, QuarantineDesk

MAX_OWN = 50

# The parts of long messages are rows of their own.
_MAX_ROWS = 400
# A reference is used again; what came so long after is a part of something else.
_PARTS_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class OwnHold:
    """One message as its addressee may see it; a long one has the ids of all its parts."""

    message_ids: tuple[int, ...]
    source: str
    text: str = field(repr=False)
    held_at: datetime
    expires_at: datetime

    @property
    def message_id(self) -> int:
        """Return the id by which it is named: that of its first part."""
        return self.message_ids[0]


class Part(NamedTuple):
    """Which part of which long message of one sender something is."""

    reference: int
    total: int
    number: int


class Reader(Protocol):
    """Reads what the octets of held messages say; whatever they are, it does not raise."""

    def part_of(self, held: HeldMessage) -> Part | None:
        """Return which part of a long message `held` is, None for one that is whole."""

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        """Return the text of one message, or of all parts of one in their order."""


class OwnHolds:
    """Only what nothing but the subscriber's own preferences holds is the subscriber's.

    What a policy holds besides is for reviewers, and is not seen here. A long message is seen
    once all its parts are held. Every call raises StoreUnavailable, and may be repeated then.
    """

    def __init__(self, store: QuarantineStore, desk: QuarantineDesk, reader: Reader) -> None:
        self._store = store
        self._desk = desk
        self._reader = reader

    async def list_own(self, msisdn: int, now: datetime) -> list[OwnHold]:
        """Return what waits for the subscriber, newest first, at most MAX_OWN."""
        found = await self._store.own_holds(msisdn, _MAX_ROWS)
        waiting = [held for held in found if held.expires_at > now]
        own = [self._seen(together) for together in self._messages(reversed(waiting))]
        own.sort(key=_id_of, reverse=True)
        return own[:MAX_OWN]

    async def release_own(
        self, msisdn: int, message_ids: Collection[int], now: datetime
    ) -> list[OwnHold]:
        """Let those of the subscriber's messages go that are named; return them.

        The gateway judges them again: what was refused meanwhile stays here, and so does what
        a policy holds by now. What is named and not returned was not there, or not the
        subscriber's.
        """
        return await self._decide(msisdn, message_ids, now, self._desk.release_own)

    async def discard_own(
        self, msisdn: int, message_ids: Collection[int], now: datetime
    ) -> list[OwnHold]:
        """Drop those of the subscriber's messages for good that are named; return them."""
        return await self._decide(msisdn, message_ids, now, self._desk.discard_own)

    async def _decide(
        self,
        msisdn: int,
        message_ids: Collection[int],
        now: datetime,
        act: Callable[[int, tuple[int, ...], datetime], Awaitable[Outcome]],
    ) -> list[OwnHold]:
        named = set(message_ids)
        if not named:
            return []
        done: list[OwnHold] = []
        for own in await self.list_own(msisdn, now):
            if named.isdisjoint(own.message_ids):
                continue
            first, *others = own.message_ids
            if isinstance(await act(first, tuple(others), now), Done):
                done.append(own)
        return done

    def _messages(self, oldest_first: Iterator[HeldMessage]) -> Iterator[list[HeldMessage]]:
        """Yield what is whole, the parts of long messages together and in their order."""
        gathering: dict[tuple[str, str, int, int, int], dict[int, HeldMessage]] = {}
        for held in oldest_first:
            part = self._reader.part_of(held)
            if part is None:
                yield [held]
                continue
            key = (held.system_id, held.source, held.assembly, part.reference, part.total)
            parts = gathering.setdefault(key, {})
            if parts and _are_apart(parts, part.number, held):
                parts.clear()
            parts[part.number] = held
            if len(parts) == part.total:
                yield [parts[number] for number in sorted(parts)]
                del gathering[key]

    def _seen(self, together: Sequence[HeldMessage]) -> OwnHold:
        return OwnHold(
            tuple(held.message_id for held in together),
            together[0].source,
            self._reader.text_of(together),
            max(held.held_at for held in together),
            min(held.expires_at for held in together),
        )


def _id_of(own: OwnHold) -> int:
    return own.message_id


def _are_apart(parts: dict[int, HeldMessage], number: int, held: HeldMessage) -> bool:
    """Tell whether `held` begins another message than the one that `parts` are of."""
    first = min(one.held_at for one in parts.values())
    return number in parts or held.held_at - first > _PARTS_WITHIN
