"""Whether the number that another member has hashed is one of those that are at hand here.

Every mobile number could be hashed and compared, in an hour: who has the secret of a pair can do
that. Here it is not done: only numbers that this node has on record, or is given, are compared.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

from gateway.domain.linkage import EventRefusal, MemberRegistry
from gateway.domain.msisdn import is_mobile, msisdn_of
from gateway.stores import Stores
from gateway.systems.linkage.envelope import event_in
from gateway.systems.linkage.model import DispatchData, EventType, number_hash
from gateway.systems.linkage.pair_keys import PairKeys

# Of the newest of each: a comparison takes some microseconds, reading a complaint takes more.
MOST_COMPLAINTS, MOST_SUSPENSIONS = 20_000, 20_000
_PAGE = 500
_EVENTS = 200


class HashFault(StrEnum):
    """Why the hash in a case cannot be compared."""

    NO_CASE = "no_case"
    NO_HASH = "no_hash"
    NO_KEY = "no_key"


@dataclass(frozen=True, slots=True)
class NumberSearch:
    """A hash and the secret that it was made with."""

    sender_hash: str
    secret: bytes

    def find(self, numbers: Iterable[int]) -> int | None:
        """Return the number that was hashed, None if it is not among these."""
        return next((one for one in numbers if self.is_it(one)), None)

    def is_it(self, number: int) -> bool:
        """Tell whether this is the number that was hashed."""
        return compare_digest(number_hash(self.secret, number), self.sender_hash)


async def search_of_case(
    stores: Stores, registry: MemberRegistry, keys: PairKeys, subject: str, now: datetime
) -> NumberSearch | HashFault:
    """Return what compares numbers with the hash in a case of another member, or why none does.

    Events of other members that name the case are not read.
    """
    fault, member = HashFault.NO_CASE, registry.find(subject.rpartition(".")[0])
    if member is None:
        return fault
    for one in await stores.linkage_inbox.listed(subject, source=member.source, limit=_EVENTS):
        if one.type != EventType.DISPATCHED or one.recipient != registry.own:
            continue
        event = event_in(one.envelope.encode())
        if isinstance(event, EventRefusal):
            continue
        data = DispatchData.model_validate(event.data)
        if data.sender_hash is None or data.hash_keys is None:
            fault = HashFault.NO_HASH
            continue
        secret = keys.of_event(member, data.hash_keys, now)
        if secret is not None:
            return NumberSearch(data.sender_hash, secret)
        fault = HashFault.NO_KEY
    return fault


async def numbers_on_record(stores: Stores) -> AsyncIterator[int]:
    """Return personal numbers that complaints here are about, and suspended ones; newest first."""
    for one in await stores.suspensions.listed(limit=MOST_SUSPENSIONS):
        yield one.msisdn
    before: int | None = None
    for _ in range(MOST_COMPLAINTS // _PAGE):
        found = await stores.complaints.find(before=before, limit=_PAGE)
        for complaint in found:
            sender = complaint.sender.encode("ascii", "replace")
            number = msisdn_of(sender) if is_mobile(sender) else None
            if number is not None:
                yield number
        if len(found) < _PAGE:
            return
        before = found[-1].number
