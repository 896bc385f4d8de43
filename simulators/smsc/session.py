"""One ESME's connection to the simulated SMSC."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

from simulators import sockets
from simulators.smsc.exchange import Exchange, Origin
from simulators.smsc.journal import Cancelled, MessageState
from simulators.smsc.receipts import RECEIPT_ESM_CLASS, Receipt, with_poison
from simulators.smsc.replies import Replies, Reply
from simulators.smsc.witness import decode, encode
from simulators.wire import (
    HEADER_OCTETS,
    RESPONSE,
    CommandId,
    CommandStatus,
    Framer,
    Header,
    MalformedError,
    Message,
    Tlvs,
    c_octets,
    c_string,
    header_of,
    pdu,
    read_message,
)

_BIND_TYPES = {
    CommandId.BIND_RECEIVER: "rx",
    CommandId.BIND_TRANSMITTER: "tx",
    CommandId.BIND_TRANSCEIVER: "trx",
}
_SYSTEM_ID = "smsc"
# Who binds with this system_type is a subscriber, who writes to the ESME named by the system_id.
HANDSET = "handset"
_INTERFACE_VERSION = 0x34


class Mobile(NamedTuple):
    """A message to an ESME, as deliver_sm carries it."""

    source: str
    destination: str
    octets: bytes
    data_coding: int
    esm_class: int
    tlvs: Tlvs


class Session(asyncio.Protocol):
    """Answers what an ESME sends, in the manner of Exchange.behaviour."""

    def __init__(self, exchange: Exchange, number: int, peers: list["Session"]) -> None:
        self.number = number
        self.system_id = ""
        self.bind_type = ""
        self._is_handset = False
        self._exchange = exchange
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._framer = Framer()
        self._is_over = False
        self._is_stalled = False
        self._is_congested = False
        self._unread = b""
        self._replies = Replies(exchange, self.write, self._route)
        self._sequence = 0
        self._outstanding: dict[int, asyncio.Future[int] | Receipt | None] = {}
        self._next_enquiry: asyncio.TimerHandle | None = None
        self._acts: dict[int, Callable[[Header, bytes], None]] = {
            CommandId.BIND_RECEIVER: self._bind,
            CommandId.BIND_TRANSMITTER: self._bind,
            CommandId.BIND_TRANSCEIVER: self._bind,
            CommandId.SUBMIT_SM: self._take_message,
            CommandId.SUBMIT_MULTI: self._take_message,
            CommandId.DATA_SM: self._take_message,
            CommandId.QUERY_SM: self._query,
            CommandId.CANCEL_SM: self._cancel,
            CommandId.REPLACE_SM: self._replace,
            CommandId.ENQUIRE_LINK: self._enquire_link,
            CommandId.UNBIND: self._unbind,
        }

    @property
    def can_receive(self) -> bool:
        """Tell whether the ESME bound for receiving and is still there."""
        return self.bind_type in ("rx", "trx") and not self._is_over

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._exchange.counters.connections += 1
        self._peers.append(self)
        self._is_stalled = self._exchange.is_stalled  # which may have changed since the accept
        self._read_or_not()
        self._exchange.watch.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._peers.remove(self)
        self._exchange.counters.resets += exc is not None
        self._replies.stop()
        if self._next_enquiry:
            self._next_enquiry.cancel()
        unanswered = self._outstanding.values()
        for waiter in unanswered:
            if isinstance(waiter, asyncio.Future) and not waiter.done():
                waiter.set_exception(exc or ConnectionResetError("the ESME has gone"))
        # What was not acknowledged is not delivered: it goes out again.
        self._route([receipt for receipt in unanswered if isinstance(receipt, Receipt)])
        self._exchange.watch.changed()

    def pause_writing(self) -> None:
        self._is_congested = True
        self._read_or_not()

    def resume_writing(self) -> None:
        self._is_congested = False
        self._read_or_not()

    def data_received(self, data: bytes) -> None:
        if self._is_stalled:  # uvloop reads on when paused within connection_made
            self._unread += data
            return
        for octets in self._framer.feed(data):
            if not self._is_over:
                self._take(octets)
        self._replies.flush()
        if self._framer.is_broken and not self._is_over:
            self._exchange.counters.framing_errors += 1
            self.write(pdu(CommandId.GENERIC_NACK, 0, command_status=CommandStatus.ESME_RINVCMDLEN))
            self.close()
        self._exchange.watch.changed()

    # What the SMSC does to its ESME

    def write(self, octets: bytes) -> None:
        """Send octets as they are, unless the connection is over."""
        if octets and not self._is_over:
            self._transport.write(octets)

    @property
    def unsent(self) -> int:
        """How many octets the peer has not taken yet."""
        return self._transport.get_write_buffer_size()

    def close(self, *, by_reset: bool = False) -> None:
        """End the connection with a FIN after what is unsent, or with a RST at once."""
        self._is_over = True
        if by_reset:
            sockets.reset(self._transport)
        else:
            self._transport.close()

    def stall(self, *, is_stalled: bool) -> None:
        """Stop reading, or read on."""
        self._is_stalled = is_stalled
        self._read_or_not()
        if not is_stalled and self._unread:
            data, self._unread = self._unread, b""
            self.data_received(data)

    def release_answers(self) -> None:
        """Send the answers that Behaviour.hold_answers kept back."""
        self._replies.release()

    def deliver(self, message: Mobile) -> asyncio.Future[int]:
        """Send a deliver_sm; the future brings the command_status of its answer."""
        answer: asyncio.Future[int] = self._loop.create_future()
        self.write(self._deliver_sm(message, answer))
        return answer

    def send_receipt(self, receipt: Receipt) -> None:
        """Send `receipt` without waiting for its answer."""
        self._exchange.counters.receipts += 1
        octets = receipt.text.encode("latin-1")
        message = Mobile(
            receipt.source, receipt.destination, octets, 0, RECEIPT_ESM_CLASS, receipt.tlvs
        )
        self.write(self._deliver_sm(message, receipt))

    def request_unbind(self) -> asyncio.Future[int]:
        """Send an unbind; the future brings the command_status of its answer."""
        answer: asyncio.Future[int] = self._loop.create_future()
        self.write(encode("unbind", self._register(answer)))
        return answer

    # What an ESME asks

    def _take(self, octets: bytes) -> None:
        header = header_of(octets)
        act = self._acts.get(header.command_id)
        if header.command_id & RESPONSE:
            self._settle(header)
        elif act is None:
            self._refuse(header, CommandStatus.ESME_RINVCMDID, CommandId.GENERIC_NACK)
        elif not self.bind_type and header.command_id not in _BIND_TYPES:
            self._refuse(header, CommandStatus.ESME_RINVBNDSTS)
        else:
            act(header, octets)

    def _bind(self, header: Header, octets: bytes) -> None:
        request = decode(octets)
        # smpplib leaves what a body that ends early does not hold at None.
        if self.bind_type or request is None or request.address_range is None:
            fault = CommandStatus.ESME_RALYBND if self.bind_type else CommandStatus.ESME_RBINDFAIL
            self._refuse(header, fault)
            return
        system_id = request.system_id.decode("latin-1")
        self._is_handset = request.system_type == HANDSET.encode()
        status = 0
        if not self._is_handset:
            status = self._exchange.judge_bind(system_id, request.password.decode("latin-1"))
        if status:
            self._exchange.counters.binds_refused += 1
            self._refuse(header, status)
            self.close()
            return
        self._exchange.counters.binds += 1
        self.system_id = system_id
        self.bind_type = _BIND_TYPES[CommandId(header.command_id)]
        self.write(
            encode(
                f"{request.command}_resp",
                header.sequence_number,
                system_id=_SYSTEM_ID,
                sc_interface_version=_INTERFACE_VERSION,
            )
        )
        self._enquire_later()
        if self.can_receive:
            self._exchange.route(self._exchange.claim(system_id), [self])

    def _take_message(self, header: Header, octets: bytes) -> None:
        if self.bind_type == "rx" and header.command_id != CommandId.DATA_SM:
            self._refuse(header, CommandStatus.ESME_RINVBNDSTS)
            return
        try:
            message = read_message(octets)
        except MalformedError:
            self._exchange.counters.malformed += 1
            self._refuse(header, CommandStatus.ESME_RINVMSGLEN)
            return
        if self._is_handset:
            self._pass_on(header, message)
            return
        origin = Origin(self.number, self.system_id, header.command_id, octets)
        outcome = self._exchange.take(origin, message)
        if outcome.cuts_link:
            self.close(by_reset=True)
            return
        receipt = outcome.receipt
        if receipt and self._exchange.behaviour.receipt_before_answer:
            self._route([receipt])
            receipt = None
        body = b""
        if not outcome.command_status:
            body = c_octets(outcome.message_id)
            if header.command_id == CommandId.SUBMIT_MULTI:
                body += b"\0"  # no_unsuccess
        answer = pdu(
            header.command_id | RESPONSE,
            header.sequence_number,
            body,
            command_status=outcome.command_status,
        )
        self._replies.add(Reply(answer * outcome.copies, receipt))

    def _pass_on(self, header: Header, message: Message) -> None:
        """Deliver what a subscriber writes; the answer is that of the ESME."""
        names = {self.system_id} if self.system_id else {one.system_id for one in self._peers}
        to = [one for one in self._peers if one.can_receive and one.system_id in names]
        if not to:
            self._refuse(header, CommandStatus.ESME_RX_T_APPN)
            return
        mobile = Mobile(
            message.source,
            message.destinations[0],
            message.octets,
            message.data_coding,
            message.esm_class,
            (),
        )
        answer = to[0].deliver(mobile)
        answer.add_done_callback(lambda done: self._tell(header, done))

    def _tell(self, header: Header, answer: asyncio.Future[int]) -> None:
        gone = answer.cancelled() or answer.exception() is not None
        status = CommandStatus.ESME_RX_T_APPN if gone else answer.result()
        body = b"" if status else c_octets("")
        answer_id = header.command_id | RESPONSE
        self.write(pdu(answer_id, header.sequence_number, body, command_status=status))

    def _query(self, header: Header, octets: bytes) -> None:
        request = decode(octets)
        message_id = (request.message_id or b"").decode("latin-1") if request else ""
        state = self._exchange.memory.state_of(message_id)
        if state is None:
            self._refuse(header, CommandStatus.ESME_RQUERYFAIL)
            return
        self.write(
            encode(
                "query_sm_resp",
                header.sequence_number,
                message_id=message_id,
                message_state=int(state),
            )
        )

    def _cancel(self, header: Header, octets: bytes) -> None:
        # smpplib has no class for cancel_sm and replace_sm.
        try:
            _, at = c_string(octets, HEADER_OCTETS)
            message_id, at = c_string(octets, at)
            source, at = _address(octets, at)
            destination, _ = _address(octets, at)
        except (MalformedError, IndexError):
            self._refuse(header, CommandStatus.ESME_RCANCELFAIL)
            return
        request = Cancelled(self.system_id, message_id, source, destination)
        status = self._exchange.cancel(request)
        if not self._exchange.behaviour.ignore_cancels:
            self._refuse(header, status)

    def _replace(self, header: Header, octets: bytes) -> None:
        try:
            message_id, _ = c_string(octets, HEADER_OCTETS)
        except MalformedError:
            message_id = ""
        if self._exchange.memory.state_of(message_id) is not MessageState.ENROUTE:
            self._refuse(header, CommandStatus.ESME_RREPLACEFAIL)
            return
        self.write(pdu(header.command_id | RESPONSE, header.sequence_number))

    def _enquire_link(self, header: Header, _octets: bytes) -> None:
        self._exchange.counters.enquire_links += 1
        self.write(encode("enquire_link_resp", header.sequence_number))

    def _unbind(self, header: Header, _octets: bytes) -> None:
        self._exchange.counters.unbinds += 1
        self._replies.flush()
        self.write(encode("unbind_resp", header.sequence_number))
        self.close()

    def _refuse(self, header: Header, status: int, answer_id: int = 0) -> None:
        answer_id = answer_id or header.command_id | RESPONSE
        self.write(pdu(answer_id, header.sequence_number, command_status=status))

    def _route(self, receipts: list[Receipt]) -> None:
        self._exchange.route(receipts, [self, *self._peers])

    # Requests to the ESME, and what it answers

    def _register(self, waiter: asyncio.Future[int] | Receipt | None) -> int:
        self._sequence += 1
        self._outstanding[self._sequence] = waiter
        return self._sequence

    def _deliver_sm(self, message: Mobile, waiter: asyncio.Future[int] | Receipt) -> bytes:
        return encode(
            "deliver_sm",
            self._register(waiter),
            with_poison(message.tlvs, self._exchange.behaviour),
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=message.source,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=message.destination,
            esm_class=message.esm_class,
            data_coding=message.data_coding,
            short_message=message.octets,
        )

    def _settle(self, header: Header) -> None:
        counters = self._exchange.counters
        if header.sequence_number not in self._outstanding:
            counters.stray_answers += 1
            return
        waiter = self._outstanding.pop(header.sequence_number)
        if header.command_id == CommandId.DELIVER_SM | RESPONSE:
            counters.delivered += not header.command_status
            counters.deliveries_refused += bool(header.command_status)
            retry_s = self._exchange.behaviour.receipt_retry_s
            is_put_off = header.command_status == CommandStatus.ESME_RX_T_APPN
            if retry_s and is_put_off and isinstance(waiter, Receipt):
                self._loop.call_later(retry_s, self._route, [waiter])
        elif header.command_id == CommandId.ENQUIRE_LINK | RESPONSE:
            counters.enquire_links_answered += 1
        elif header.command_id == CommandId.GENERIC_NACK:
            counters.nacks += 1
        if isinstance(waiter, asyncio.Future) and not waiter.done():
            waiter.set_result(header.command_status)

    def _enquire_later(self) -> None:
        interval_s = self._exchange.behaviour.enquire_link_s
        if interval_s:
            self._next_enquiry = self._loop.call_later(interval_s, self._enquire)

    def _enquire(self) -> None:
        self.write(encode("enquire_link", self._register(None)))
        self._enquire_later()

    def _read_or_not(self) -> None:
        if self._is_over:
            return
        if self._is_stalled or self._is_congested:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


def _address(octets: bytes, at: int) -> tuple[tuple[int, int, str], int]:
    """Return TON, NPI and digits, and where they end."""
    ton, npi = octets[at], octets[at + 1]
    digits, at = c_string(octets, at + 2)
    return (ton, npi, digits), at
