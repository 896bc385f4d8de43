"""What the gateway itself writes to subscribers: a real submit_sm, from the port written to."""

from dataclasses import dataclass

from gateway.dataplane.attention import SubscriberMessage
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.dataplane.rows import own_answer
from gateway.domain.subscription import MessageEvidence, Subscription
from gateway.proxy.connection import Connection
from gateway.proxy.mo_receiver import MoMessage
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.smpp.answers import header_only
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.framing import HEADER
from gateway.smpp.pdu import make
from gateway.smpp.status import CommandStatus

_UCS2 = 8
# An E.164 number as it is (SMPP 3.4, 5.2.5 and 5.2.6).
_INTERNATIONAL, _ISDN = 1, 1


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The errand of a message of the gateway's own; `asked` when it asks for a yes."""

    system_id: str
    asked: Subscription | None = None
    said: MessageEvidence | None = None


class MtSender:
    """Writes to subscribers, and settles with the SMSC what it was withheld from."""

    def __init__(self, tick: Tick, routes: Routes) -> None:
        self._tick = tick
        self._routes = routes

    def say(self, heard: MoMessage, text: str, asked: Subscription | None = None) -> bool:
        """Write `text` to the subscriber (R32); policy does not judge our own word.

        False when no bind of the SP can submit: nothing was written then.
        """
        word, pdu = heard.word, heard.pdu
        connection = self._routes.to_smsc(word.system_id)
        if connection is None:
            return False
        request = asked.evidence.request if asked is not None else None
        errand = Confirmation(word.system_id, asked, request)
        own = connection.link.register(None, 0, CommandId.SUBMIT_SM, monotonic(), errand)
        connection.write(
            make(
                CommandId.SUBMIT_SM,
                own,
                source_addr_ton=pdu.number("dest_addr_ton"),
                source_addr_npi=pdu.number("dest_addr_npi"),
                source_addr=pdu.octets("destination_addr"),
                dest_addr_ton=pdu.number("source_addr_ton"),
                dest_addr_npi=pdu.number("source_addr_npi"),
                destination_addr=pdu.octets("source_addr"),
                data_coding=_UCS2,
                # A word that is quoted back may be broken: half a character of UTF-16.
                short_message=text.encode("utf-16-be", "surrogatepass"),
            )
        )
        self.note("confirmation", heard, gateway_id=word.reply_id)
        return True

    def write(
        self, connection: Connection, port: str, msisdn: int, text: str, errand: object
    ) -> None:
        """Write `text` to a subscriber who may not have written anything."""
        own = connection.link.register(None, 0, CommandId.SUBMIT_SM, monotonic(), errand)
        connection.write(
            make(
                CommandId.SUBMIT_SM,
                own,
                source_addr=port.encode("latin-1"),
                dest_addr_ton=_INTERNATIONAL,
                dest_addr_npi=_ISDN,
                destination_addr=str(msisdn).encode(),
                data_coding=_UCS2,
                short_message=text.encode("utf-16-be", "surrogatepass"),
            )
        )

    def note(self, what: str, heard: MoMessage, **fields: str) -> None:
        """Record a rare event about a subscriber's message."""
        self.note_about(what, heard.word.system_id, heard.word.msisdn, **fields)

    def note_about(self, what: str, system_id: str, msisdn: int, **fields: str) -> None:
        """Record a rare event about a subscriber."""
        about = {"system_id": system_id, "subscriber": str(msisdn), **fields}
        self._tick.records.rows.append(("e", epoch(), what, about))

    def pass_on(self, item: SubscriberMessage) -> None:
        """Let the SP have a message that was withheld from it."""
        link = item.link
        if not item.is_withheld or link not in self._tick.connections:
            return  # the SMSC will send it again on another bind
        moment = (monotonic(), epoch())
        session = self._session_for(link)
        self._tick.out(self._tick.pipeline.deliver(link, session, item.pdu, moment))

    def keep_back(self, item: SubscriberMessage) -> None:
        """Tell the SMSC that a withheld message arrived: it was for the gateway."""
        self._answer(item, CommandStatus.ESME_ROK)

    def put_off(self, item: SubscriberMessage) -> None:
        """Have the SMSC send a withheld message again later."""
        self._answer(item, CommandStatus.ESME_RX_T_APPN)

    def _session_for(self, link: Link) -> Link | None:
        session = link.peer if link.peer in self._tick.connections else None
        if session is not None and session.state.can_deliver:
            return session
        connection = self._routes.to_esme(link.system_id)
        return connection.link if connection is not None else None

    def _answer(self, item: SubscriberMessage, status: CommandStatus) -> None:
        connection = self._tick.connections.get(item.link)
        if connection is None or not item.is_withheld:
            return
        _, command_id, _, sequence = HEADER.unpack_from(item.pdu)
        how = "put_off" if status else "kept_back"
        self._tick.records.rows.append(own_answer(item.link, item.pdu, status, epoch(), how))
        if status:
            connection.write(header_only(command_id | RESPONSE_BIT, status, sequence))
        else:
            # The sequence_number is echoed as it came, whatever encoders think of it.
            connection.write(renumbered(make(command_id | RESPONSE_BIT, 1), sequence))
