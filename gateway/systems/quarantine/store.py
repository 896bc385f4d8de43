"""The store of held messages (隔离区)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NotRequired, Protocol, TypedDict, Unpack

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewPurge
from gateway.domain.verdict import Reason

# States that can expire. A message that may have reached the SMSC cannot.
EXPIRING_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED, HoldState.RELEASE_REQUESTED})
# States in which the sender may still replace the text: the message was not sent anywhere.
REPLACEABLE_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED})


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why and until when a message is kept after it was judged again."""

    reason: str
    rule: str
    category: str
    evidence: str
    digest: str
    expires_at: datetime
    due_at: datetime | None = None
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a replace_sm changes of a held message: its octets and why it is held now."""

    pdu: bytes
    reason: str
    rule: str
    category: str
    evidence: str
    digest: str
    receipt_asked: bool
    expires_at: datetime
    campaign: str = ""


class HeldTotals(NamedTuple):
    """How many messages of an SP are not in a final state, and their total `octets`."""

    messages: int
    octets: int


class ReleasedId(NamedTuple):
    """Our id and the SMSC's id of a released message, for a receipt that is still expected."""

    system_id: str
    smsc_message_id: str
    message_id: int
    destination: str


class HoldMove(TypedDict):
    """From which states a message moves, and the columns that this sets at once."""

    allowed: frozenset[HoldState]
    to: HoldState
    at: datetime
    note: NotRequired[str]
    smsc_message_id: NotRequired[str]
    receipt: NotRequired[ReceiptState | None]
    grounds: NotRequired[Grounds | None]
    is_reviewed: NotRequired[bool]
    is_wanted: NotRequired[bool]
    held_for: NotRequired[Reason | None]


class QuarantineStore(Protocol):
    """Keeps held messages and moves each through its states to one final state.

    Every call raises StoreUnavailable when the store does not answer in time. If the deadline
    passes during the commit, a `move` or `replace_pdu` may still take effect: read the message
    to know. Times are kept to the microsecond.
    """

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        """Keep all `items` in one commit; they are durable when this returns.

        Raises StoreUnavailable if they are not kept; then none is held, and the call may be
        repeated. Raises ValueError for a message_id that exists already (a fault of the
        caller); then none is held either.
        """

    async def get(self, message_id: int) -> HeldMessage | None:
        """Return one message in any state, or None."""

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        """Return the existing messages of at most 1000 ids, oldest first."""

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
        """Return the newest messages that fit, newest first; of any of `categories`.

        For the next page give the last message_id as `before_id`.
        """

    async def held_of(
        self, campaign: str, *, system_id: str | None = None, after_id: int = 0, limit: int = 1000
    ) -> list[int]:
        """Return the ids of HELD messages of a campaign, oldest first.

        For the next page give the last one as `after_id`.
        """

    async def own_holds(self, msisdn: int, limit: int) -> list[HeldMessage]:
        """Return messages HELD only for a subscriber's own preferences (R50), newest first.

        All spellings of the number are found; at most `limit` messages.
        """

    async def count_by_state(
        self,
        *,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
    ) -> dict[HoldState, int]:
        """Return how many messages that fit are in each state; states without any are 0."""

    async def count_waiting(self) -> dict[str, HeldTotals]:
        """Return for each SP what is not in a final state; SPs without any are left out.

        The octets are the sum of `HeldMessage.octets`, sealed or not.
        """

    async def move(self, message_id: int, **move: Unpack[HoldMove]) -> HeldMessage | None:
        """Move a message to `to` if its state is in `allowed`; return it as it is then.

        Returns None, and changes nothing, if it is in another state, is not held for
        `held_for`, or does not exist. Of several callers, also in several processes, exactly
        one succeeds.
        An empty `note` or `smsc_message_id`, a `receipt` or `grounds` of None, and an
        `is_reviewed` or `is_wanted` of False leave the present value; a `receipt` of DUE takes
        effect only if the sender asked for one. A move makes a change row.
        """

    async def move_together(
        self, message_ids: Sequence[int], **move: Unpack[HoldMove]
    ) -> list[HeldMessage]:
        """Move several messages in one commit, as `move` does one; return those moved, by id.

        None is moved unless the first is; others in a state not allowed are left as they are.
        For the parts of a long message.
        """

    async def move_each(
        self, message_ids: Collection[int], **move: Unpack[HoldMove]
    ) -> list[HeldMessage]:
        """Move several messages in one commit, each as `move` does; return those moved, by id.

        Those in a state not allowed are left as they are. At most 1000 messages.
        """

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        """Return the parts of a long message in any state, by part number, then by id."""

    async def awaiting(self, after_id: int = 0, limit: int = 1000) -> list[HeldMessage]:
        """Return the parts that are DEFERRED because other parts are missing, by id.

        For the next page give the last message_id as `after_id`.
        """

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        """Replace the content of a message if it is HELD or DEFERRED; tell whether it was."""

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        """Set messages DEFERRED until `now` or earlier to RELEASE_REQUESTED, earliest first.

        At most `limit` messages of `system_ids`, in one commit; they are returned as they are
        then. Expired messages are left alone. Each message goes to one caller only. No change
        rows are made: the caller itself releases them.
        """

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        """Return messages with a receipt DUE, oldest first; of all SPs for None."""

    async def owed_receipts(self) -> set[str]:
        """Return the system_id of every SP with a receipt that is DUE."""

    async def receipt_sent(self, message_id: int) -> bool:
        """Mark a receipt that was DUE as SENT; tell whether it was DUE."""

    async def expired(self, now: datetime, limit: int) -> list[HeldMessage]:
        """Return messages past their expiry time, oldest first.

        They are HELD or DEFERRED, or RELEASE_REQUESTED and not yet written to the SMSC: a
        message must not be released too late.
        """

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        """Return the newest released messages that asked for a receipt, newest first."""

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        """Return messages that are RELEASING, oldest first.

        Those found at start-up were being sent to the SMSC by a process that has ended.
        """


class FinalMessages(Protocol):
    """Finds and forgets held messages in a final state.

    A message with a receipt still due is not included. Calls may raise StoreUnavailable.
    """

    async def held_before(
        self, before: datetime, *, after_id: int = 0, limit: int = 500
    ) -> list[HeldMessage]:
        """Return messages in a final state that were held before `before`, by message_id.

        For the next page give the last message_id as `after_id`.
        """

    async def forget(self, message_ids: Sequence[int], purge: NewPurge) -> int:
        """Delete those of `message_ids` that are in a final state; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
