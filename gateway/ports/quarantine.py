"""The store of held messages (隔离区)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason

# What can still run out of time. A message that may have reached the SMSC cannot.
EXPIRING_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED, HoldState.RELEASE_REQUESTED})
# What its sender may still give another text: it was not written anywhere.
REPLACEABLE_STATES = frozenset({HoldState.HELD, HoldState.DEFERRED})


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a message is kept from now on, and until when: what judging it again came to."""

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


class Waiting(NamedTuple):
    """How many messages of an SP are in no final state, and the octets of all (`octets`)."""

    messages: int
    octets: int


class ReleasedId(NamedTuple):
    """Which of our ids stands for the SMSC's own, for the receipt that is still to come."""

    system_id: str
    smsc_message_id: str
    message_id: int
    destination: str


class QuarantineStore(Protocol):
    """Keeps held messages and moves each through its life, from HELD to one final state.

    Every call raises StoreUnavailable when the store does not answer in time. A `move` or
    `replace_pdu` whose deadline passed during the commit may still come to be: read before
    concluding anything from it. Times are kept to the microsecond.
    """

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        """Keep all `items` in one commit; they are durable when this returns.

        Raises StoreUnavailable when they are not, and then none of them is held, so that
        the call may be repeated. Raises ValueError for a message_id that is taken: the
        caller's fault, and again none is held.
        """

    async def get(self, message_id: int) -> HeldMessage | None:
        """Return one message whatever its state, or None."""

    async def get_many(self, message_ids: Collection[int]) -> list[HeldMessage]:
        """Return those of at most 1000 messages that there are, oldest first."""

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
        """Return the ids of what is HELD of a campaign, oldest first.

        For the next page give the last one as `after_id`.
        """

    async def own_holds(self, msisdn: int, limit: int) -> list[HeldMessage]:
        """Return what is HELD for a subscriber's own preferences alone (R50), newest first.

        However its sender wrote the number; at most `limit` messages.
        """

    async def count_by_state(
        self,
        *,
        system_id: str | None = None,
        campaign: str | None = None,
        categories: Collection[str] | None = None,
    ) -> dict[HoldState, int]:
        """Return how many messages that fit stand in each state; states without any are 0."""

    async def count_waiting(self) -> dict[str, Waiting]:
        """Return what of each SP is in no final state; SPs without any are left out.

        The octets are the sum of `HeldMessage.octets`, sealed or not.
        """

    async def move(  # noqa: PLR0913 - the columns one transition sets at once
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
        """Bring a message to `to` if its state is among `allowed`; return it as it is then.

        Returns None, and changes nothing, when the state is another, or what it is kept for is
        not what `held_for` says, or there is no such message. Of any number of callers in any
        number of processes exactly one succeeds.
        An empty `note` or `smsc_message_id`, a `receipt` or `grounds` of None and an
        `is_reviewed` or `is_wanted` of False leave what stands there; a `receipt` of DUE takes
        hold only where one was asked for. A move makes a change row.
        """

    async def move_together(  # noqa: PLR0913 - as for one
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
        """Move several messages in one commit, as `move` does one; return those moved, by id.

        None is moved unless the first is; of the others those that stand elsewhere stay
        there. For the parts of a long message.
        """

    async def move_each(  # noqa: PLR0913 - as for one
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
        """Move several messages in one commit, each as `move` does; return those moved, by id.

        Those that stand elsewhere stay there. At most 1000 messages.
        """

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        """Return the parts of a long message whatever their state, by number, then by id."""

    async def awaiting(self, after_id: int = 0, limit: int = 1000) -> list[HeldMessage]:
        """Return the parts that are DEFERRED because others have not come yet, by id.

        For the next page give the last message_id as `after_id`.
        """

    async def replace_pdu(self, message_id: int, replacement: Replacement) -> bool:
        """Exchange the content of a message; tell whether it was still HELD or DEFERRED."""

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        """Ask for the release of what is DEFERRED until `now` or before, oldest hour first.

        At most `limit` messages of `system_ids`; returned as they are then, in one commit.
        What has expired is left alone. Of several callers each message goes to one. It
        makes no change rows: who asks is who releases.
        """

    async def due_receipts(self, system_id: str | None, limit: int) -> list[HeldMessage]:
        """Return messages whose receipt is DUE, oldest first; of all SPs for None."""

    async def owed_receipts(self) -> set[str]:
        """Return the system_id of every SP with a receipt that is DUE."""

    async def receipt_sent(self, message_id: int) -> bool:
        """Mark a receipt that was DUE as SENT; tell whether it was DUE."""

    async def expired(self, now: datetime, limit: int) -> list[HeldMessage]:
        """Return messages whose time has come, oldest first.

        They are HELD or DEFERRED, or RELEASE_REQUESTED while nothing could be written to
        the SMSC: a release that comes too late must not come.
        """

    async def released_ids(self, limit: int = 100_000) -> list[ReleasedId]:
        """Return the newest released messages that asked for a receipt, newest first."""

    async def in_flight(self, limit: int = 10_000) -> list[HeldMessage]:
        """Return messages that are RELEASING, oldest first.

        Those found at start-up were written to the SMSC by a process that is gone.
        """
