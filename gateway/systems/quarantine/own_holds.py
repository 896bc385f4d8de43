"""Messages held by a subscriber's own preferences: the subscriber decides on them (R50)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import NamedTuple, Protocol

from gateway.domain.msisdn import msisdn_of
from gateway.domain.outbound_message import MAX_CHARS, chars_of, cut_to
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.subscription import SESSION_LIFE, OfferSession, SessionKind
from gateway.domain.verdict import Reason
from gateway.policy.hub_words import HoldCommand, HoldVerb
from gateway.systems.quarantine.service import ActResult, Outcome, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

MAX_OWN = 50

_id_of = attrgetter("message_id")

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
        return await asyncio.to_thread(self._read, _waiting(found, now))

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
        return await asyncio.to_thread(self._read, _waiting(own, now), named)

    def _has_parts(self, some: Iterable[HeldMessage]) -> bool:
        return any(self._reader.part_of(held) is not None for held in some)

    def _read(
        self, newest_first: Sequence[HeldMessage], named: set[int] | None = None
    ) -> list[OwnHold]:
        """Return messages with an id in `named`, or the newest MAX_OWN."""
        found = self._messages(newest_first)
        if named is None:
            found = islice(found, MAX_OWN)
        else:
            found = (one for one in found if not named.isdisjoint(map(_id_of, one)))
        return sorted(map(self._seen, found), key=_id_of, reverse=True)

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
            tuple(map(_id_of, together)),
            together[0].source,
            self._reader.text_of(together),
            max(held.held_at for held in together),
            min(held.expires_at for held in together),
        )


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


NOTHING_HELD = "没有按您的接收设置拦截的短信"
LIST_FIRST = "请先发“查拦截”查看被拦截的短信，再回“放行1”或“删除1”"
NO_SUCH_ITEM = "没有这个序号。请发“查拦截”查看，再回“放行1”或“删除1,2”"
GONE = "所选短信已不在拦截中。查看其余请发：查拦截"

_MAX_ITEMS = 5
_FOOT = "。回放行1或删除1"
# So much of a text tells what it is about; with less of each, fewer are listed.
_MIN_WORDS = 8
_ELLIPSIS = "…"
_MAX_SOURCE_CHARS = 20


def listing(own: Sequence[OwnHold], start: int) -> tuple[str, int]:
    """Return the message that lists `own` from index `start` on, and where it stops.

    Each with its number, its sender's port and its first words; as many as fit, at most five,
    and of what is left how many.
    """
    shown = min(_MAX_ITEMS, len(own) - start)
    while shown > 1 and _room(own, start, shown) < shown * _MIN_WORDS:
        shown -= 1
    return _page(own, start, shown), start + shown


def released(count: int, left: int) -> str:
    """Say how many messages will be judged again and sent, and how many were gone."""
    return f"已放行{count}条，经复核后送达{_gone(left)}。查看其余请发：查拦截"


def discarded(count: int, left: int) -> str:
    """Say how many messages were dropped, and how many were gone."""
    return f"已删除{count}条，不可恢复{_gone(left)}。查看其余请发：查拦截"


def _gone(left: int) -> str:
    return f"；另{left}条已不在拦截中" if left else ""


def _page(own: Sequence[OwnHold], start: int, shown: int) -> str:
    head, foot = _frame(own, start, shown)
    room = _room(own, start, shown)
    items: list[str] = []
    for place in range(start, start + shown):
        # What a short text leaves is for those after it.
        fair = room // (start + shown - place)
        words = _words(own[place].text, fair)
        room -= chars_of(words)
        items.append(f"{_name(own, place)}{words}")
    return f"{head}{'；'.join(items)}{foot}"


def _frame(own: Sequence[OwnHold], start: int, shown: int) -> tuple[str, str]:
    left = len(own) - start - shown
    more = f"；余{left}条再发查拦截" if left else ""
    return f"拦截{len(own)}条：", f"{more}{_FOOT}"


def _name(own: Sequence[OwnHold], place: int) -> str:
    return f"{place + 1} {cut_to(own[place].source, _MAX_SOURCE_CHARS)} "


def _room(own: Sequence[OwnHold], start: int, shown: int) -> int:
    """Return how many characters are left for the words of `shown` messages."""
    head, foot = _frame(own, start, shown)
    names = "；".join(_name(own, place) for place in range(start, start + shown))
    return MAX_CHARS - chars_of(head) - chars_of(names) - chars_of(foot)


def _words(text: str, max_chars: int) -> str:
    plain = " ".join(text.split())
    if chars_of(plain) <= max_chars:
        return plain
    return cut_to(plain, max_chars - chars_of(_ELLIPSIS)) + _ELLIPSIS


class OfferSessions(Protocol):
    """What was last offered to subscribers at a port, as another system keeps it.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def session_of(self, msisdn: int, port: str, now: datetime) -> OfferSession | None:
        """Return the session of a port, None without one or when it has ended."""

    async def keep_session(self, session: OfferSession) -> None:
        """Open or replace the session of its port."""


class OwnWords:
    """Answers commands. The numbers of a list are good for a day, as those of 0000 are.

    A port has one list at a time: what is listed last is what numbers are about.
    """

    def __init__(self, holds: OwnHolds, sessions: OfferSessions) -> None:
        self._holds = holds
        self._sessions = sessions

    async def obey(self, msisdn: int, port: str, command: HoldCommand, now: datetime) -> str:
        """Do what `command` asks for; return the one reply, for the same port.

        Raises StoreUnavailable; what was done by then is not undone, and may be asked again.
        """
        session = await self._sessions.session_of(msisdn, port, now)
        if session is not None and session.kind is not SessionKind.HOLDS:
            session = None
        if command.verb is HoldVerb.LIST:
            return await self._list((msisdn, port), session, now)
        if session is None:
            return LIST_FIRST
        if not command.items or not 1 <= min(command.items) <= max(command.items) <= len(
            session.items
        ):
            return NO_SUCH_ITEM
        named = [int(session.items[item - 1][1]) for item in command.items]
        return await self._decide(msisdn, command.verb, named, now)

    async def _list(
        self, place: tuple[int, str], session: OfferSession | None, now: datetime
    ) -> str:
        """List what is held; asked again while nothing changed, the next page."""
        own = await self._holds.list_own(place[0], now)
        if not own:
            return NOTHING_HELD
        items = tuple((one.source, str(one.message_id)) for one in own)
        start = 0
        if session is not None and session.items == items and session.shown < len(items):
            start = session.shown
        text, shown = listing(own, start)
        fresh = OfferSession(*place, SessionKind.HOLDS, items, now + SESSION_LIFE, shown)
        await self._sessions.keep_session(fresh)
        return text

    async def _decide(
        self, msisdn: int, verb: HoldVerb, named: Sequence[int], now: datetime
    ) -> str:
        done: list[OwnHold]
        if verb is HoldVerb.RELEASE:
            done = await self._holds.release_own(msisdn, named, now)
            said = released
        else:
            done = await self._holds.discard_own(msisdn, named, now)
            said = discarded
        return said(len(done), len(named) - len(done)) if done else GONE
