"""Long messages in progress, and what the message_ids of SMSCs are: bounded, in fair shares."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice, takewhile
from operator import itemgetter
from typing import NamedTuple

from gateway.dataplane.late_parts import ForgottenKeys, LateParts, OctetShares
from gateway.dataplane.parts import REACH_OCTETS, Joint, Key, Owner, Part
from gateway.dataplane.submit_request import PartPosition
from gateway.domain.records import Row
from gateway.domain.verdict import Action, Finding, Reason
from gateway.filter.campaigns import FairShares
from gateway.smpp.commands import CommandId
from gateway.smpp.udh import Concat

# What a message takes in memory besides its parts: its key, its tables and its place in ours.
_JOINT_OCTETS = 800
_WEEK_S = 7 * 86_400.0

FORGOTTEN = Finding(
    "PARTS", Reason.PARTS_FORGOTTEN, Action.QUARANTINE, "other parts of it are not known any more"
)
CONFLICT = Finding(
    "PARTS", Reason.PARTS_CONFLICT, Action.QUARANTINE, "a part was sent again with another text"
)


class PartEntry(NamedTuple):
    """A part that was added to its message, or was there already.

    `is_conflict`: this round already had a part with that number and another text.
    """

    joint: Joint
    is_new: bool
    is_conflict: bool


@dataclass(slots=True)
class _SenderMessages:
    """One sender's messages, the oldest first."""

    under_way: dict[Key, Joint] = field(default_factory=dict)
    whole: dict[Key, Joint] = field(default_factory=dict)


_NOBODYS = _SenderMessages()


class PartTable:
    """All long messages in progress, for `ttl_s`; after that their LateParts, for `keep_s`.

    Both are bounded, to 64 MiB each by default. If there is no room, the oldest messages of the
    largest sender move to the late parts early, first those that are whole and clean. So no
    sender loses parts because of another. Of each part, 4 kB at either end are kept.
    """

    def __init__(
        self,
        ttl_s: float,
        keep_s: float = _WEEK_S,
        max_octets: int = 64 << 20,
        max_late_octets: int = 64 << 20,
    ) -> None:
        self.ttl_s = ttl_s
        self.late = LateParts(keep_s, max_late_octets)
        self._max_octets = max_octets
        self._own: dict[str, _SenderMessages] = {}
        self._shares = OctetShares()

    def __len__(self) -> int:
        return sum(len(own.under_way) + len(own.whole) for own in self._own.values())

    @property
    def octets(self) -> int:
        """Return about how much memory they take; late parts are not counted."""
        return self._shares.total

    def units_of(self, owner: Owner, concat: Concat, now: float) -> int:
        """Return the tokens that a part costs: all of the message's, none, or one.

        A part sent again costs one; otherwise a sender could repeat it for free.
        """
        joint = self._find(_key(owner, concat), now)
        if joint is None or not joint.seen:
            return concat.total
        return int(concat.number in joint.seen)

    def add(self, owner: Owner, concat: Concat, part: Part, now: float) -> PartEntry:
        """Add a part to its message.

        The kind of the reference is ignored: phones compare only its number.
        """
        key, part = _key(owner, concat), part.cut(REACH_OCTETS)
        joint = self._find(key, now)
        if joint is not None and concat.number in joint.seen:
            is_conflict = joint.parts[concat.number] != part
            if not is_conflict:
                joint.doubtful.discard(concat.number)
            return PartEntry(joint, is_new=False, is_conflict=is_conflict)
        if joint is None:
            joint = self._revive(key, now)
        self._open(joint, now)
        if not joint.seen:
            joint.refused = None
            if self.late.has_forgotten(key, now):
                joint.stopped = joint.stopped or FORGOTTEN
        self._put(joint, concat.number, part)
        joint.seen.add(concat.number)
        self._make_room(joint, now)
        return PartEntry(joint, is_new=True, is_conflict=False)

    def find(self, key: Key, now: float) -> Joint:
        """Return what is known of a message; a message without parts if nothing is known."""
        return self._find(key, now) or self._revive(key, now)

    def exchange(self, joint: Joint, number: int, part: Part, now: float) -> None:
        """Replace the text of a part that was forwarded: a phone gets the old or the new one.

        `joint` must come from `find` in this tick, and have no former text in that place.
        """
        joint.settled.discard(number)
        self._put(joint, number, part.cut(REACH_OCTETS))
        self._make_room(joint, now)

    def restore(self, joint: Joint, number: int) -> None:
        """Undo an exchange: the new text was rejected."""
        own = self._own.get(joint.key[0][0], _NOBODYS)
        if joint in (own.under_way.get(joint.key), own.whole.get(joint.key)):
            before = joint.former.pop(number, None)
            if before is not None:
                self._grow(joint, -joint.parts[number].cost_octets)
                joint.parts[number] = before

    def withdraw(self, joint: Joint, number: int) -> None:
        """Take a rejected part out of its round: if it is sent again, it counts as new.

        Its octets stay until another part comes in its place.
        """
        joint.seen.discard(number)
        joint.withheld.add(number)

    def settle(self, joint: Joint, now: float) -> None:
        """End the round of a message if it is whole."""
        own = self._own.get(joint.key[0][0])
        if own is None or not joint.is_whole or own.under_way.get(joint.key) is not joint:
            return
        del own.under_way[joint.key]
        joint.seen.clear()
        self._grow(joint, -sum(part.cost_octets for part in joint.former.values()))
        joint.former.clear()
        joint.settled = set(joint.parts)
        joint.expires_at = now + self.ttl_s
        own.whole[joint.key] = joint

    def expire(self, now: float) -> None:
        """Move what is older than `ttl_s` to the late parts; tables are in order of arrival."""
        for own in list(self._own.values()):
            for table in (own.under_way, own.whole):
                # All at once: a dict looks for its first entry behind those that were deleted.
                for joint in [*takewhile(lambda one: one.expires_at <= now, table.values())]:
                    self._retire(joint, now)
        self.late.expire(now)

    def _find(self, key: Key, now: float) -> Joint | None:
        own = self._own.get(key[0][0])
        joint = None if own is None else own.under_way.get(key) or own.whole.get(key)
        if joint is not None and joint.expires_at <= now:
            self._retire(joint, now)
            return None
        return joint

    def _revive(self, key: Key, now: float) -> Joint:
        """Begin a message, with what the late parts kept of it."""
        joint = Joint(key, key[2], now + self.ttl_s)
        rest = self.late.take(key, now)
        if rest is not None:
            joint.parts, joint.former = rest.parts, rest.former
            joint.settled, joint.doubtful = rest.settled, rest.doubtful
        parts = chain(joint.parts.values(), joint.former.values())
        self._own.setdefault(key[0][0], _SenderMessages()).whole[key] = joint
        self._grow(joint, _JOINT_OCTETS + sum(part.cost_octets for part in parts))
        return joint

    def _open(self, joint: Joint, now: float) -> None:
        own = self._own[joint.key[0][0]]
        if own.whole.pop(joint.key, None) is not None:
            joint.expires_at = now + self.ttl_s
            own.under_way[joint.key] = joint

    def _put(self, joint: Joint, number: int, part: Part) -> None:
        before = joint.parts.get(number)
        cost = part.cost_octets
        is_sure = number in joint.withheld or number in joint.settled
        is_gone = is_sure or number in joint.former
        if before not in (None, part) and joint.former and not is_sure:
            # A phone may have one of three texts in a place, or mix two: too many to read.
            joint.stopped = joint.stopped or CONFLICT
        if before is not None and (is_gone or before == part):
            cost -= before.cost_octets
        elif before is not None:
            joint.former[number] = before
        joint.withheld.discard(number)
        joint.settled.discard(number)
        joint.doubtful.discard(number)
        joint.parts[number] = part
        self._grow(joint, cost)

    def _make_room(self, for_joint: Joint, now: float) -> None:
        """Move the oldest messages of the largest sender to the late parts until there is room."""
        while self._shares.total > self._max_octets:
            own = self._own[self._shares.largest(for_joint.key[0][0])]
            oldest = islice(chain(own.whole.values(), own.under_way.values()), 2)
            joint = next((one for one in oldest if one is not for_joint), None)
            if joint is None:
                return  # one message has at most 255 parts of 8 kB
            self._retire(joint, now)

    def _grow(self, joint: Joint, octets: int) -> None:
        joint.octets += octets
        self._shares.add(joint.key[0][0], octets)

    def _retire(self, joint: Joint, now: float) -> None:
        sender = joint.key[0][0]
        own = self._own[sender]
        table = own.under_way if own.under_way.get(joint.key) is joint else own.whole
        del table[joint.key]
        if not own.under_way and not own.whole:
            del self._own[sender]
        self._shares.add(sender, -joint.octets)
        if joint.stopped is CONFLICT:
            self.late.forget(joint.key, now)
        self.late.put(joint, now)


def _key(owner: Owner, concat: Concat) -> Key:
    return owner, concat.reference, concat.total


_MAXIMUM = 50_000
# What an SMSC was given for later it keeps for weeks, and so long it may be replaced.
_KEEP_S = 30 * 86_400.0

# By whom, and under which id.
_Id = tuple[str, bytes]


class PartIds:
    """The parts that an SMSC took, by its message_id, for 30 days.

    At most 50 000; who has most makes room. An id that had to go is known still to be that of
    a part. After a restart none is known.
    """

    def __init__(self, maximum: int = _MAXIMUM) -> None:
        self._maximum = maximum
        self._places: dict[_Id, tuple[float, tuple[Key, int] | None]] = {}
        self._shares: FairShares[_Id] = FairShares()
        self._forgotten = ForgottenKeys()

    def __len__(self) -> int:
        return len(self._places)

    def note(
        self, system_id: str, message_id: bytes, places: Sequence[PartPosition], now: float
    ) -> None:
        """Note under which id the SMSC took a part; of one to many, only that it is one."""
        key = _id_of(system_id, message_id)
        if key not in self._places:
            if len(self._places) >= self._maximum:
                self._make_room(system_id, now)
            self._shares.add(system_id, key)
        place = (places[0].joint.key, places[0].number) if len(places) == 1 else None
        self._places[key] = (now + _KEEP_S, place)

    def is_part(self, system_id: str, message_id: bytes, now: float) -> bool:
        """Tell whether an id is, or may be, that of a part."""
        key = _id_of(system_id, message_id)
        return key in self._places or self._forgotten.has(system_id, key, now)

    def place_of(self, system_id: str, message_id: bytes) -> tuple[Key, int] | None:
        """Return the message, and the number in it, of a part; None where it is not known."""
        entry = self._places.get(_id_of(system_id, message_id))
        return None if entry is None else entry[1]

    def expire(self, now: float) -> None:
        """Forget what can not be replaced any more; ids are in the order of their answers."""
        for key, _ in [*takewhile(lambda entry: entry[1][0] <= now, self._places.items())]:
            self._drop(key)
        self._forgotten.expire(now)

    def _make_room(self, system_id: str, now: float) -> None:
        key = self._shares.longest_rested(system_id)
        self._forgotten.add(key[0], key, _KEEP_S, now)
        self._drop(key)

    def _drop(self, key: _Id) -> None:
        del self._places[key]
        self._shares.remove(key[0], key)


def _id_of(system_id: str, message_id: bytes) -> _Id:
    # An SMSC that counts takes 0042 for 42, and one that writes hexadecimal 2a for 2A.
    return system_id, message_id.strip().lstrip(b"0").lower()


_MAX_IDS = 500_000
_KEEP_IDS_S = 3 * 86_400.0
# Ids are forgotten a page at a time: to do so one by one would cost more than to note them.
_PAGE_IDS, _PAGE_S = 512, 3_600.0
_LONGEST_NUMBER = 32  # digits with the zeros before them
_ISSUING = frozenset(map(int, (CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI, CommandId.DATA_SM)))


@dataclass(slots=True)
class _IdPage:
    """Ids that one SMSC gave one SP within an hour."""

    smsc: str
    began_at: float
    ids: list[bytes] = field(default_factory=list)


class SmscMessageIds:
    """Which SPs the ids of SMSCs belong to, noted from their answers; two may give the same id.

    At most 500 000, for three days; the SP that has most loses its oldest. After a restart none
    is known.
    """

    def __init__(self, maximum: int = _MAX_IDS) -> None:
        self._maximum = maximum
        self._owners: dict[str, dict[bytes, str]] = {}  # by SMSC
        self._pages: dict[str, deque[_IdPage]] = {}  # by SP, the oldest first
        self._open: dict[tuple[str, str], _IdPage] = {}  # the last one of an SP at an SMSC
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    def note(self, smsc: str, rows: Iterable[Row], now: float) -> None:
        """Note the ids in rows of answers that came from `smsc`."""
        owners = self._owners.setdefault(smsc, {})
        for about, run in groupby(rows, itemgetter(2)):  # whose request, and which
            if isinstance(about, str) or about[2] not in _ISSUING:
                continue
            ids = [row[5] for row in run if row[0] == "o" and not row[4] and row[5]]
            if ids:
                owners.update(dict.fromkeys(ids, about[1]))
                self._page_of(about[1], smsc, now).ids += ids
                self._counts[about[1]] += len(ids)
        while len(self) > self._maximum:
            self._drop(max(self._counts, key=self._counts.__getitem__))

    def owner_of(self, smsc: str, message_id: bytes) -> str:
        """Return the SP that an SMSC gave exactly this id, "" if that is not known."""
        return self._owners.get(smsc, {}).get(message_id, "")

    def smscs_of(self, system_id: str, message_id: bytes) -> list[str]:
        """Return the SMSCs that are known to have given an SP this id."""
        return [smsc for smsc, ids in self._owners.items() if ids.get(message_id) == system_id]

    def is_anothers(self, system_id: str, smsc: str, message_id: bytes) -> bool:
        """Tell whether an SMSC would take this id for one that only other SPs are known to have.

        An SMSC that counts takes 0042 for 42, and one that writes hexadecimal 2a for 2A.
        """
        plain = message_id.strip()
        bare = plain.lstrip(b"0")
        padded = [bare.zfill(width) for width in range(len(bare), _LONGEST_NUMBER + 1)]
        spellings = {plain, *(s for one in padded for s in (one, one.lower(), one.upper()))}
        owners = {self.owner_of(smsc, one) for one in spellings} - {""}
        return bool(owners) and system_id not in owners

    def expire(self, now: float) -> None:
        """Forget the ids that are too old."""
        for system_id in list(self._pages):
            while (of := self._pages.get(system_id)) and of[0].began_at + _KEEP_IDS_S <= now:
                self._drop(system_id)

    def _page_of(self, system_id: str, smsc: str, now: float) -> _IdPage:
        page = self._open.get((system_id, smsc))
        if page is None or len(page.ids) >= _PAGE_IDS or now >= page.began_at + _PAGE_S:
            page = self._open[system_id, smsc] = _IdPage(smsc, now)
            self._pages.setdefault(system_id, deque()).append(page)
        return page

    def _drop(self, system_id: str) -> None:
        page = self._pages[system_id].popleft()
        owners = self._owners[page.smsc]
        for message_id in page.ids:
            if owners.get(message_id) == system_id:
                del owners[message_id]
        if self._open[system_id, page.smsc] is page:
            del self._open[system_id, page.smsc]
        self._counts[system_id] -= len(page.ids)
        if not self._pages[system_id]:
            del self._pages[system_id], self._counts[system_id]
