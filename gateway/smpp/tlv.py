"""Optional parameters (TLVs), kept in their order and with their duplicates (SMPP 3.4, 5.3)."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

_TAG_AND_LENGTH = struct.Struct(">HH")
_MAX_16_BITS = 0xFFFF


class Tag(IntEnum):
    """The tags of 3.4 by their spec names (SMPP 3.4, 5.3.2), and 5.0's congestion_state.

    A tag off the wire stays a plain int: 0x1400 to 0x3FFF are the vendors' and travel on.
    """

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    CONGESTION_STATE = 0x0428
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


TEXT_TAGS = frozenset({Tag.MESSAGE_PAYLOAD})
"""The TLVs whose value is the text of the message, in place of short_message (5.3.2.32)."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One optional parameter; its length is that of `value`."""

    tag: int
    value: bytes


def read_tlvs(data: bytes, at: int, end: int) -> tuple[tuple[Tlv, ...], bytes]:
    """Return the TLVs between `at` and `end`, and the one to three stray octets after them.

    Stray octets are common in the field: they are kept so that nothing is cut in silence.
    Raises DecodeError when a length points past `end`.
    """
    tlvs: list[Tlv] = []
    while end - at >= _TAG_AND_LENGTH.size:
        tag, length = _TAG_AND_LENGTH.unpack_from(data, at)
        at += _TAG_AND_LENGTH.size
        if length > end - at:
            raise DecodeError(
                f"{length} octets announced, {end - at} there",
                field=f"TLV 0x{tag:04X}",
                status=CommandStatus.ESME_RINVOPTPARSTREAM,
            )
        tlvs.append(Tlv(tag, data[at : at + length]))
        at += length
    return tuple(tlvs), data[at:end]


def write_tlvs(tlvs: Iterable[Tlv]) -> bytes:
    """Return the octets of `tlvs` in their order; raise EncodeError for what 16 bits cannot say."""
    parts: list[bytes] = []
    for tlv in tlvs:
        if not 0 <= tlv.tag <= _MAX_16_BITS or len(tlv.value) > _MAX_16_BITS:
            raise EncodeError("a TLV's tag or length is over 16 bits")
        parts += (_TAG_AND_LENGTH.pack(tlv.tag, len(tlv.value)), tlv.value)
    return b"".join(parts)


def first(tlvs: Iterable[Tlv], tag: int) -> bytes | None:
    """Return the value of the first TLV with `tag`, or None."""
    return next((tlv.value for tlv in tlvs if tlv.tag == tag), None)
