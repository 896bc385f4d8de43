"""What all sessions of a simulated SMSC share: its behaviour, its memory, its receipts."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from simulators.smsc.behaviour import Behaviour, falls_on
from simulators.smsc.journal import Cancelled, Counters, Memory, MessageState, Received
from simulators.smsc.receipts import MessageId, MessageIds, Receipt, receipt_for
from simulators.smsc.witness import agrees
from simulators.watch import Watch
from simulators.wire import CommandId, CommandStatus, Message

# Receipts kept for ESMEs that are away; what comes on top is dropped, oldest first.
PARKED = 100_000


class Origin(NamedTuple):
    """Where a message came from."""

    session: int
    system_id: str
    command_id: int
    pdu: bytes


@dataclass(slots=True)
class Outcome:
    """What becomes of a message: its answer, and how the answer is spoilt."""

    command_status: int
    message_id: str = ""
    receipt: Receipt | None = None
    copies: int = 1
    cuts_link: bool = False


class Receiver(Protocol):
    """A session, as far as receipts are concerned."""

    system_id: str

    @property
    def can_receive(self) -> bool:
        """Tell whether the ESME bound for receiving and is still there."""

    def send_receipt(self, receipt: Receipt) -> None:
        """Send `receipt` without waiting for its answer."""


@dataclass(slots=True)
class Exchange:
    """The heart of the SMSC, which knows messages but no sockets."""

    behaviour: Behaviour
    clock: Callable[[], float]
    counters: Counters = field(default_factory=Counters)
    journal: list[Received] = field(default_factory=list)
    cancels: list[Cancelled] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    watch: Watch = field(default_factory=Watch)
    is_stalled: bool = False
    shuffling: random.Random = field(init=False)
    _ids: MessageIds = field(init=False)
    _parked: deque[Receipt] = field(default_factory=lambda: deque(maxlen=PARKED))

    def __post_init__(self) -> None:
        self._ids = MessageIds(self.behaviour.seed)
        # Not for secrets: a run must be repeatable.
        self.shuffling = random.Random(self.behaviour.seed)  # noqa: S311

    def judge_bind(self, system_id: str, password: str) -> int:
        """Return the command_status a bind is answered with."""
        if self.behaviour.refuse_binds:
            return self.behaviour.refuse_binds
        known = self.behaviour.passwords
        if known and known.get(system_id) != password:
            return CommandStatus.ESME_RINVPASWD
        return CommandStatus.ESME_ROK

    def take(self, origin: Origin, message: Message) -> Outcome:
        """Accept or refuse a message, and enter it in the journal."""
        behaviour, counters = self.behaviour, self.counters
        counters.messages += 1
        status = self._status_of(counters.messages)
        outcome = Outcome(status)
        if status == CommandStatus.ESME_ROK:
            counters.accepted += 1
            self._accept(origin, message, outcome)
        elif status == CommandStatus.ESME_RTHROTTLED:
            counters.throttled += 1
        else:
            counters.refused += 1
        if behaviour.verify and origin.command_id == CommandId.SUBMIT_SM:
            counters.verified += 1
            counters.disagreements += not agrees(origin.pdu, message)
        self._enter(origin, message, outcome)
        self._spoil(outcome)
        return outcome

    def cancel(self, request: Cancelled) -> int:
        """Note a cancel_sm; return its command_status, and forget the message when that is 0."""
        if len(self.cancels) < self.behaviour.journal_limit:
            self.cancels.append(request)
        if self.behaviour.refuse_cancels:
            return self.behaviour.refuse_cancels
        if self.memory.state_of(request.message_id) is not MessageState.ENROUTE:
            return CommandStatus.ESME_RCANCELFAIL
        self.memory.remember(request.message_id, MessageState.DELETED)
        return CommandStatus.ESME_ROK

    def route(self, receipts: list[Receipt], sessions: list[Receiver]) -> None:
        """Send each receipt to the first of `sessions` that can take it, or park it."""
        for receipt in receipts:
            self.memory.remember(receipt.message_id, receipt.state)
            for session in sessions:
                if session.system_id == receipt.system_id and session.can_receive:
                    session.send_receipt(receipt)
                    break
            else:
                self.counters.receipts_parked += 1
                self._parked.append(receipt)

    def claim(self, system_id: str) -> list[Receipt]:
        """Hand out, and forget, the receipts that wait for `system_id`."""
        claimed = [receipt for receipt in self._parked if receipt.system_id == system_id]
        if claimed:
            kept = [receipt for receipt in self._parked if receipt.system_id != system_id]
            self._parked = deque(kept, maxlen=PARKED)
        return claimed

    def _status_of(self, count: int) -> int:
        if falls_on(count, self.behaviour.throttle_every):
            return CommandStatus.ESME_RTHROTTLED
        if falls_on(count, self.behaviour.error_every):
            return self.behaviour.error_status
        return CommandStatus.ESME_ROK

    def _accept(self, origin: Origin, message: Message, outcome: Outcome) -> None:
        message_id = self._ids.take(self.behaviour)
        outcome.message_id = message_id.answer
        self.memory.remember(message_id.answer, MessageState.ENROUTE)
        if self.behaviour.receipts and message.registered_delivery & 3:
            outcome.receipt = self._receipt(origin, message, message_id)

    def _receipt(self, origin: Origin, message: Message, message_id: MessageId) -> Receipt | None:
        failed = falls_on(self.counters.messages, self.behaviour.undeliverable_every)
        # 2 asks for a receipt of failure only (SMPP 3.4, 5.2.17).
        if message.registered_delivery & 3 == 2 and not failed:
            return None
        state = MessageState.UNDELIVERABLE if failed else MessageState.DELIVERED
        return receipt_for(origin.system_id, message, message_id, state)

    def _enter(self, origin: Origin, message: Message, outcome: Outcome) -> None:
        if len(self.journal) >= self.behaviour.journal_limit:
            self.counters.unjournaled += 1
            return
        self.journal.append(
            Received(
                self.clock(),
                origin.session,
                origin.system_id,
                origin.command_id,
                message.source,
                message.destinations,
                message.data_coding,
                message.esm_class,
                message.registered_delivery,
                message.octets,
                origin.pdu,
                outcome.message_id,
                outcome.command_status,
            )
        )

    def _spoil(self, outcome: Outcome) -> None:
        behaviour, count = self.behaviour, self.counters.messages
        outcome.cuts_link = falls_on(count, behaviour.disconnect_every)
        if falls_on(count, behaviour.lost_answer_every):
            self.counters.answers_lost += 1
            outcome.copies = 0
        elif falls_on(count, behaviour.duplicate_answer_every):
            self.counters.answers_doubled += 1
            outcome.copies = 2
