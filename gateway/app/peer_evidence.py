"""Hands in as evidence what is held of other networks, and blocks their worst numbers (R63).

The evidence is a complaint of the source monitor without a reporter. One campaign of them is one
case, which the linkage sends to the carrier of origin: it disposes, and no sender is punished here.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog

from gateway.dataplane.carriers import text_together
from gateway.domain.categories import category_of
from gateway.domain.consent import day_of, end_of
from gateway.domain.msisdn import is_mobile
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import PortOwners, foreign_number
from gateway.domain.suspension import BLOCKED_FOR, NewPortSuspension
from gateway.domain.verdict import Basis, Reason
from gateway.policy.checks import reasons_on
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.complaints.model import MAX_TEXT_CHARS, ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.quarantine.model import lowest_id_at

log = structlog.get_logger()

PAGE = 200
# On a day: the rest of a flood adds nothing to its cases.
MOST_OF_NUMBER, MOST_OF_PEER = 50, 1_000
MOST_BLOCKED = 10_000
# Nothing is held longer of another network.
_HELD_FOR = timedelta(hours=24)
# A message is committed within seconds of its id: what is younger may still lack one before it.
_SETTLED = timedelta(seconds=30)
_MOST_COUNTED = 100_000
_RULE, _BY = "R63", "receiving side"
_NOBODY = PortOwners(())
# Banks, public services, emergencies and warnings, and the carriers' own numbers.
_VITAL = re.compile("1[12]|9[56]|100[0-9]{2}")
_OF_CONTENT = reasons_on(Basis.CONTENT)
_EVIDENCE = _OF_CONTENT | {Reason.OPTED_OUT}


@dataclass(slots=True)
class PeerDay:
    """What one peer brought on a day in China; `read_to` is the last message that was read."""

    read_to: int
    day: date | None = None
    campaigns: set[tuple[str, str]] = field(default_factory=set)
    of_number: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)

    def turn_to(self, day: date) -> None:
        """Begin to count anew on another day."""
        if day != self.day:
            self.day = day
            self.campaigns.clear()
            self.of_number.clear()
            self.held.clear()

    def is_new(self, number: str, campaign: str) -> bool:
        """Tell whether a campaign of a number is to be handed in, and count it then."""
        key = number, campaign
        if (
            key in self.campaigns
            or len(self.campaigns) >= MOST_OF_PEER
            or self.of_number[number] >= MOST_OF_NUMBER
        ):
            return False
        self.campaigns.add(key)
        self.of_number[number] += 1
        return True


class PeerEvidence:
    """Looks through what is held of `peers`, each message once; after a restart whole days again.

    What was handed in or blocked then is so still, and not twice: the first message of a campaign
    on a day is the same. A number with `block_after`
    messages of spam of one peer on a day is blocked there for 30 days; with 0 none ever is.
    """

    def __init__(self, stores: Stores, peers: Collection[str], block_after: int) -> None:
        self._stores = stores
        self._peers = sorted(peers)
        self._block_after = block_after
        self._days: dict[str, PeerDay] = {}

    async def work(self, now: datetime) -> bool:
        """Look at some messages of each peer; return whether there are more.

        Raises StoreUnavailable: the next call goes on where it stopped.
        """
        pages = [await self._look_at(system_id, now) for system_id in self._peers]
        return PAGE in pages

    async def _look_at(self, system_id: str, now: datetime) -> int:
        try:
            return await self._look(system_id, now)
        except StoreUnavailable:
            del self._days[system_id]  # what was counted may not have been kept: once more
            raise

    async def _look(self, system_id: str, now: datetime) -> int:
        known = self._days.setdefault(system_id, PeerDay(_id_at(_begin_of_day(now - _HELD_FOR))))
        page = await self._stores.quarantine.held_between(
            system_id, known.read_to, _id_at(now - _SETTLED), PAGE
        )
        given: list[NewComplaint] = []
        to_block: dict[str, HeldMessage] = {}
        for one in page:
            if one.reason not in _EVIDENCE or one.state is HoldState.RELEASED:
                continue
            number = foreign_number(one.source)
            known.turn_to(day_of(one.held_at))
            if known.is_new(number, one.campaign):
                given.append(_complaint_of(one, number, await self._text_of(one)))
            if one.reason in _OF_CONTENT and not is_spared(number) and self._is_over(known, number):
                to_block.setdefault(number, one)
        complaints = [one for one in given if one.text]
        if complaints:
            desk = ComplaintDesk(self._stores.complaints, lambda: _NOBODY, utcnow=lambda: now)
            await desk.receive(complaints, are_proved=False)
            log.info("peer.reported", system_id=system_id, messages=len(complaints))
        for number, one in to_block.items():
            await self._block(system_id, number, one)
        if page:
            known.read_to = page[-1].message_id
        return len(page)

    async def _text_of(self, one: HeldMessage) -> str:
        """Return the text of a message; of one that is held whole in its parts, that of all."""
        if one.assembly:
            return text_together(await self._stores.quarantine.parts_of(one.assembly))
        return one.joined or text_together((one,))

    def _is_over(self, known: PeerDay, number: str) -> bool:
        if not self._block_after or (number not in known.held and len(known.held) >= _MOST_COUNTED):
            return False
        known.held[number] += 1
        return known.held[number] == self._block_after

    async def _block(self, system_id: str, number: str, one: HeldMessage) -> None:
        """Block a number that has sent too much, unless a person let it send again since.

        At the peer that brought it alone: what one peer spoofs is not silenced at the others.
        """
        since, until = one.held_at, one.held_at + BLOCKED_FOR
        note = f"{_RULE}: {self._block_after} messages of spam were held on a day"
        ports = self._stores.suspended_ports
        last = await ports.latest_of(system_id, number)
        if last is not None and last.lifted_at is not None and last.lifted_at >= since:
            return
        if len((await ports.in_force()).get(system_id, ())) >= MOST_BLOCKED:
            return
        if await ports.suspend(NewPortSuspension(system_id, number, since, _BY, note, until)):
            log.warning(
                "peer.blocked",
                system_id=system_id,
                number=number,
                rule=_RULE,
                until=until.isoformat(),
            )


def is_spared(number: str) -> bool:
    """Tell whether no crowd of messages blocks a number: anybody may write it as the source.

    Codes and warnings come from such ports, and a person's number may be a subscriber's here.
    """
    return _VITAL.match(number) is not None or is_mobile(number.encode())


def _complaint_of(one: HeldMessage, number: str, text: str) -> NewComplaint:
    identity = f"{day_of(one.held_at)} {number} {one.campaign}"
    category = category_of(one.category)
    return NewComplaint(
        source=ComplaintSource.MONITOR,
        # A person's number is nobody's to read.
        source_id=f"held {one.message_id}" if is_mobile(number.encode()) else identity,
        reported_at=one.held_at,
        received_at=one.held_at,
        sender=number,
        text=text[:MAX_TEXT_CHARS].encode(errors="replace").decode(),
        category="" if category is None else category.id,
        by=one.system_id,
    )


def _begin_of_day(moment: datetime) -> datetime:
    """Return the midnight in China before `moment`."""
    return end_of(day_of(moment) - timedelta(days=1))


def _id_at(moment: datetime) -> int:
    return lowest_id_at(int(moment.timestamp() * 1000))
