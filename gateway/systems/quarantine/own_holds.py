"""Messages held by a subscriber's own preferences: the subscriber decides on them (R50)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, Protocol

from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Reason
from gateway.ports.quarantine import QuarantineStore
from gateway.systems.quarantine.desk import QuarantineDesk
from gateway.systems.quarantine.outcomes import ActResult, Outcome

MAX_OWN = 50

# Each part of a long message is a row.
_MAX_ROWS = 400
# A reference is used again: a part held so much later belongs to another message.
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
        """Return the id of the message: that of its first part."""
        return self.message_ids[0]


class HeldPart(NamedTuple):
    """Identifies a part of a long message of one sender."""

    reference: int
    total: int
    number: int


class HeldTextReader(Protocol):
    """Reads the octets of held messages; it does not raise on any octets.

    It is called in a thread.
    """

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        """Return which part of a long message `held` is, None if it is not a part."""

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        """Return the text of one message, or of all its parts in order."""


class OwnHolds:
    """Lists, releases and drops what only the subscriber's own preferences hold.

    Messages that a policy holds too are for reviewers, and are not shown here. A long message is
    shown when all its parts are held. Every call raises StoreUnavailable, and may be repeated
    then.
    """

    def __init__(
        self, store: QuarantineStore, desk: QuarantineDesk, reader: HeldTextReader
    ) -> None:
        self._store = store
        self._desk = desk
        self._reader = reader

    async def list_own(self, msisdn: int, now: datetime) -> list[OwnHold]:
        """Return the subscriber's held messages, newest first, at most MAX_OWN."""
        found = await self._store.own_holds(msisdn, _MAX_ROWS)
        # Reading 50 texts of 64 KB takes 30 ms, and the caller may run on the traffic's loop.
        return await asyncio.to_thread(self._newest, _waiting(found, now))

    async def release_own(
        self, msisdn: int, message_ids: Collection[int], now: datetime
    ) -> list[OwnHold]:
        """Request the release of the subscriber's messages with these ids; return them.

        The gateway judges them again: a refusal or a policy since then still stops them. An id
        without a returned message did not exist, or was not the subscriber's.
        """
        return await self._decide(msisdn, message_ids, now, self._desk.release_own)

    async def discard_own(
        self, msisdn: int, message_ids: Collection[int], now: datetime
    ) -> list[OwnHold]:
        """Drop the subscriber's messages with these ids for good; return them."""
        return await self._decide(msisdn, message_ids, now, self._desk.discard_own)

    async def _decide(
        self,
        msisdn: int,
        message_ids: Collection[int],
        now: datetime,
        act: Callable[[int, tuple[int, ...], datetime], Awaitable[Outcome]],
    ) -> list[OwnHold]:
        done: list[OwnHold] = []
        for own in await self._named(msisdn, set(message_ids), now):
            first, *others = own.message_ids
            if isinstance(await act(first, tuple(others), now), ActResult):
                done.append(own)
        return done

    async def _named(self, msisdn: int, named: set[int], now: datetime) -> list[OwnHold]:
        """Return the subscriber's messages with an id in `named`, newest first."""
        if not named:
            return []
        found = await self._store.get_many(sorted(named)[-_MAX_ROWS:])
        own = [held for held in reversed(found) if _is_own(held, msisdn)]
        if await asyncio.to_thread(self._has_parts, own):
            own = await self._store.own_holds(msisdn, _MAX_ROWS)  # its other parts are not named
        return await asyncio.to_thread(self._those_of, _waiting(own, now), named)

    def _has_parts(self, some: Iterable[HeldMessage]) -> bool:
        return any(self._reader.part_of(held) is not None for held in some)

    def _newest(self, newest_first: Sequence[HeldMessage]) -> list[OwnHold]:
        some = islice(self._messages(newest_first), MAX_OWN)
        return sorted(map(self._seen, some), key=_id_of, reverse=True)

    def _those_of(self, newest_first: Sequence[HeldMessage], named: set[int]) -> list[OwnHold]:
        found = self._messages(newest_first)
        meant = (one for one in found if not named.isdisjoint(held.message_id for held in one))
        return sorted(map(self._seen, meant), key=_id_of, reverse=True)

    def _messages(self, newest_first: Iterable[HeldMessage]) -> Iterator[list[HeldMessage]]:
        """Yield complete messages; the parts of a long message together and in order."""
        gathering: dict[tuple[str, str, int, int, int], dict[int, HeldMessage]] = {}
        for held in newest_first:
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


def _waiting(found: Sequence[HeldMessage], now: datetime) -> list[HeldMessage]:
    return [held for held in found if held.expires_at > now]


def _is_own(held: HeldMessage, msisdn: int) -> bool:
    return (
        held.state is HoldState.HELD
        and held.reason == Reason.USER_PREF
        and msisdn_of(held.destination.encode("latin-1")) == msisdn
    )


def _are_apart(parts: dict[int, HeldMessage], number: int, held: HeldMessage) -> bool:
    """Tell whether `held`, which came before `parts`, belongs to another message."""
    last = max(one.held_at for one in parts.values())
    return number in parts or last - held.held_at > _PARTS_WITHIN
