"""What people do with held messages: beside the gateway, through the store alone."""

import re

from gateway.app.gateway import Gateway
from gateway.runtime.clock import utcnow
from gateway.session.timers import Timers
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from simulators.esme import RawEsme
from simulators.wire import Tag

SOURCE, DESTINATION = "10690001", "13800138000"
SUBSCRIBER = 8613800138000
LOAN = "低息贷款，当天到账"
TIMERS = Timers(enquire_link_s=0, reconnect_max_s=0.1)


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def hold(esme: RawEsme, text: str = LOAN, *, wants_receipt: bool = True) -> str:
    answer = await esme.submit(SOURCE, DESTINATION, text, registered_delivery=int(wants_receipt))
    assert answer.is_ok
    assert len(answer.message_id) == 19
    return answer.message_id


async def release(gateway: Gateway, message_id: str) -> None:
    outcome = await desk(gateway).request_release(int(message_id), "lin", utcnow())
    assert isinstance(outcome, ActResult)


def receipt_of(octets: bytes) -> tuple[str, str, str]:
    """Return the id in a receipt's text, the one in its TLV, and its stat."""
    text = re.search(rb"id:(\S+) .*stat:(\S+) ", octets)
    tlv = octets.partition(Tag.RECEIPTED_MESSAGE_ID.to_bytes(2, "big") + b"\0")[2]
    assert text is not None
    value = tlv[1 : tlv[0]] if tlv else b""
    return text[1].decode(), value.decode(), text[2].decode()
