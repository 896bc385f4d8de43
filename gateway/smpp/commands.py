"""The commands of SMPP and the fields of each (SMPP 3.4, 4 and 5.1.2.1; 5.0, 4)."""

from collections.abc import Mapping
from enum import IntEnum

from gateway.smpp.fields import (
    COctetString,
    Destinations,
    FailedDestinations,
    Field,
    Integer,
    OctetString,
)
from gateway.smpp.status import CommandStatus

RESPONSE_BIT = 0x8000_0000


class CommandId(IntEnum):
    """Every operation by its spec name.

    The broadcast family of 5.0 is named here for logs and refusals; `pdu` does not decode it.
    """

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    REPLACE_SM = 0x07
    CANCEL_SM = 0x08
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    SUBMIT_MULTI = 0x21
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    BROADCAST_SM = 0x111
    QUERY_BROADCAST_SM = 0x112
    CANCEL_BROADCAST_SM = 0x113

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER_RESP = 0x8000_0001
    BIND_TRANSMITTER_RESP = 0x8000_0002
    QUERY_SM_RESP = 0x8000_0003
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND_RESP = 0x8000_0006
    REPLACE_SM_RESP = 0x8000_0007
    CANCEL_SM_RESP = 0x8000_0008
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    ENQUIRE_LINK_RESP = 0x8000_0015
    SUBMIT_MULTI_RESP = 0x8000_0021
    DATA_SM_RESP = 0x8000_0103
    BROADCAST_SM_RESP = 0x8000_0111
    QUERY_BROADCAST_SM_RESP = 0x8000_0112
    CANCEL_BROADCAST_SM_RESP = 0x8000_0113


# A fixed integer that 3.4 gives no status of its own: all that can be said when it is
# missing is that command_length does not cover the body.
_MISSING = CommandStatus.ESME_RINVCMDLEN

_SYSTEM_ID = COctetString("system_id", 16, CommandStatus.ESME_RINVSYSID)
_PASSWORD = COctetString("password", 9, CommandStatus.ESME_RINVPASWD)
_SERVICE_TYPE = COctetString("service_type", 6, CommandStatus.ESME_RINVSERTYP)
_MESSAGE_ID = COctetString("message_id", 65, CommandStatus.ESME_RINVMSGID)
_SOURCE_TON = Integer("source_addr_ton", 1, CommandStatus.ESME_RINVSRCTON)
_SOURCE_NPI = Integer("source_addr_npi", 1, CommandStatus.ESME_RINVSRCNPI)
_SOURCE_ADDR = COctetString("source_addr", 21, CommandStatus.ESME_RINVSRCADR)
_LONG_SOURCE_ADDR = COctetString("source_addr", 65, CommandStatus.ESME_RINVSRCADR)
_DEST_TON = Integer("dest_addr_ton", 1, CommandStatus.ESME_RINVDSTTON)
_DEST_NPI = Integer("dest_addr_npi", 1, CommandStatus.ESME_RINVDSTNPI)
_DESTINATION_ADDR = COctetString("destination_addr", 21, CommandStatus.ESME_RINVDSTADR)
_LONG_DESTINATION_ADDR = COctetString("destination_addr", 65, CommandStatus.ESME_RINVDSTADR)
_ESM_CLASS = Integer("esm_class", 1, CommandStatus.ESME_RINVESMCLASS)
_SCHEDULE = COctetString("schedule_delivery_time", 17, CommandStatus.ESME_RINVSCHED)
_VALIDITY = COctetString("validity_period", 17, CommandStatus.ESME_RINVEXPIRY)
_REGISTERED_DELIVERY = Integer("registered_delivery", 1, CommandStatus.ESME_RINVREGDLVFLG)
_DATA_CODING = Integer("data_coding", 1, _MISSING)
_DEFAULT_MSG_ID = Integer("sm_default_msg_id", 1, CommandStatus.ESME_RINVDFTMSGID)
_SHORT_MESSAGE = OctetString("short_message", CommandStatus.ESME_RINVMSGLEN)

_SOURCE = (_SOURCE_TON, _SOURCE_NPI, _SOURCE_ADDR)
_DESTINATION = (_DEST_TON, _DEST_NPI, _DESTINATION_ADDR)
_MESSAGE = (
    _ESM_CLASS,
    Integer("protocol_id", 1, _MISSING),
    Integer("priority_flag", 1, CommandStatus.ESME_RINVPRTFLG),
    _SCHEDULE,
    _VALIDITY,
    _REGISTERED_DELIVERY,
    Integer("replace_if_present_flag", 1, CommandStatus.ESME_RINVREPFLAG),
    _DATA_CODING,
    _DEFAULT_MSG_ID,
    _SHORT_MESSAGE,
)

_BIND = (
    _SYSTEM_ID,
    _PASSWORD,
    COctetString("system_type", 13, CommandStatus.ESME_RINVSYSTYP),
    Integer("interface_version", 1, _MISSING, default=0x34),
    Integer("addr_ton", 1, _MISSING),
    Integer("addr_npi", 1, _MISSING),
    COctetString("address_range", 41, CommandStatus.ESME_RBINDFAIL),
)
_BIND_RESP = (_SYSTEM_ID,)
_ONE_MESSAGE = (_SERVICE_TYPE, *_SOURCE, *_DESTINATION, *_MESSAGE)
_ID_RESP = (_MESSAGE_ID,)

# A command that is absent (5.0's broadcasts, a vendor's own) is answered ESME_RINVCMDID.
LAYOUTS: Mapping[int, tuple[Field, ...]] = {
    CommandId.BIND_RECEIVER: _BIND,
    CommandId.BIND_RECEIVER_RESP: _BIND_RESP,
    CommandId.BIND_TRANSMITTER: _BIND,
    CommandId.BIND_TRANSMITTER_RESP: _BIND_RESP,
    CommandId.BIND_TRANSCEIVER: _BIND,
    CommandId.BIND_TRANSCEIVER_RESP: _BIND_RESP,
    CommandId.OUTBIND: (_SYSTEM_ID, _PASSWORD),
    CommandId.UNBIND: (),
    CommandId.UNBIND_RESP: (),
    CommandId.ENQUIRE_LINK: (),
    CommandId.ENQUIRE_LINK_RESP: (),
    CommandId.GENERIC_NACK: (),
    CommandId.SUBMIT_SM: _ONE_MESSAGE,
    CommandId.SUBMIT_SM_RESP: _ID_RESP,
    CommandId.DELIVER_SM: _ONE_MESSAGE,
    CommandId.DELIVER_SM_RESP: _ID_RESP,
    CommandId.SUBMIT_MULTI: (
        _SERVICE_TYPE,
        *_SOURCE,
        Destinations("dest_address"),
        *_MESSAGE,
    ),
    CommandId.SUBMIT_MULTI_RESP: (_MESSAGE_ID, FailedDestinations("unsuccess_sme")),
    CommandId.DATA_SM: (
        _SERVICE_TYPE,
        _SOURCE_TON,
        _SOURCE_NPI,
        _LONG_SOURCE_ADDR,
        _DEST_TON,
        _DEST_NPI,
        _LONG_DESTINATION_ADDR,
        _ESM_CLASS,
        _REGISTERED_DELIVERY,
        _DATA_CODING,
    ),
    CommandId.DATA_SM_RESP: _ID_RESP,
    CommandId.QUERY_SM: (_MESSAGE_ID, *_SOURCE),
    CommandId.QUERY_SM_RESP: (
        _MESSAGE_ID,
        COctetString("final_date", 17, CommandStatus.ESME_RQUERYFAIL),
        Integer("message_state", 1, CommandStatus.ESME_RQUERYFAIL),
        Integer("error_code", 1, CommandStatus.ESME_RQUERYFAIL),
    ),
    CommandId.CANCEL_SM: (_SERVICE_TYPE, _MESSAGE_ID, *_SOURCE, *_DESTINATION),
    CommandId.CANCEL_SM_RESP: (),
    CommandId.REPLACE_SM: (
        _MESSAGE_ID,
        *_SOURCE,
        _SCHEDULE,
        _VALIDITY,
        _REGISTERED_DELIVERY,
        _DEFAULT_MSG_ID,
        _SHORT_MESSAGE,
    ),
    CommandId.REPLACE_SM_RESP: (),
    CommandId.ALERT_NOTIFICATION: (
        _SOURCE_TON,
        _SOURCE_NPI,
        _LONG_SOURCE_ADDR,
        Integer("esme_addr_ton", 1, CommandStatus.ESME_RINVDSTTON),
        Integer("esme_addr_npi", 1, CommandStatus.ESME_RINVDSTNPI),
        COctetString("esme_addr", 65, CommandStatus.ESME_RINVDSTADR),
    ),
}
