"""Who may bind: what a bind PDU asks for, and the verdict on it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.domain.sender import BindType, IpNetwork, Sender, SenderState
from gateway.session.stranger_limits import ip_of
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import decode, encode
from gateway.smpp.status import CommandStatus, DecodeError

_BIND_TYPES: dict[int, BindType] = {
    CommandId.BIND_TRANSMITTER: BindType.TX,
    CommandId.BIND_RECEIVER: BindType.RX,
    CommandId.BIND_TRANSCEIVER: BindType.TRX,
}


@dataclass(frozen=True, slots=True)
class BindRequest:
    """What a peer at IP `address` asked for; nothing in it is verified."""

    system_id: str
    password: bytes = field(repr=False)
    bind_type: BindType
    interface_version: int
    system_type: bytes
    address: str


WITH_TLVS = 0x34  # the first interface_version that knows them (SMPP 3.4, 5.2.4)


def bind_answer_for(interface_version: int, answer: bytes) -> bytes:
    """Return the SMSC's answer to a bind as an SP of `interface_version` may have it.

    An SP that says it speaks SMPP 3.3 or an earlier version gets no TLV (SMPP 3.4, 3.4). `answer`
    must be sound.
    """
    if interface_version >= WITH_TLVS:
        return answer
    return encode(replace(decode(answer), tlvs=(), trailing=b""))


class BindReason(StrEnum):
    """Why a bind was accepted or refused, for records and metrics; never told to the peer."""

    OK = "ok"
    CREDENTIALS = "credentials"
    LOCKED = "locked"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    LICENCE_EXPIRED = "LICENCE_EXPIRED"  # spelled as in R01, for readers of the records
    LICENCE_MISSING = "LICENCE_MISSING"
    ADDRESS = "address"
    BIND_TYPE = "bind_type"
    TOO_MANY = "too_many"

    @property
    def status(self) -> CommandStatus:
        """Return the command_status of the bind_resp: every refusal is ESME_RBINDFAIL."""
        ok, failed = CommandStatus.ESME_ROK, CommandStatus.ESME_RBINDFAIL
        return ok if self is BindReason.OK else failed


_STATE_REASONS: dict[SenderState, BindReason] = {
    SenderState.ACTIVE: BindReason.OK,
    SenderState.SUSPENDED: BindReason.SUSPENDED,
    SenderState.EXPIRED: BindReason.EXPIRED,
}


def read_bind(pdu: bytes, address: str) -> BindRequest:
    """Return what a whole bind PDU of the peer at `address` asks for.

    system_id is read as Latin-1, so that different names on the wire stay different. Raises
    DecodeError, the peer's fault, also if the PDU is not a bind.
    """
    bind = decode(pdu)
    bind_type = _BIND_TYPES.get(bind.command_id)
    if bind_type is None:
        raise DecodeError("not a bind", field="command_id", status=CommandStatus.ESME_RINVCMDID)
    return BindRequest(
        system_id=bind.octets("system_id").decode("latin-1"),
        password=bind.octets("password"),
        bind_type=bind_type,
        interface_version=bind.number("interface_version"),
        system_type=bind.octets("system_type"),
        address=address,
    )


def judge_bind(
    request: BindRequest,
    sender: Sender | None,
    *,
    password_is_right: bool,
    live_binds: int,
    locked: bool,
    licence: BindReason = BindReason.OK,
) -> BindReason:
    """Judge a bind; `sender` is None for an unknown system_id, `live_binds` excludes this one.

    `licence` is the reason against the sender's licence, OK without one (R01).

    All refusals have one status (O31 art. 6 and 7 for the state of the SP). ESME_RINVSYSID
    beside ESME_RINVPASWD would let anyone list our accounts, and any other difference would tell a
    guesser that a password is right. For the same reason the caller checks a password even without
    a sender (against any hash, so that it takes as long), and reasons about the account come after
    the credentials: records show no more than the peer proved. A lock comes first; otherwise the
    right guess would still get through.
    """
    if locked:
        return BindReason.LOCKED
    if sender is None or not password_is_right:
        return BindReason.CREDENTIALS
    for reason in (_STATE_REASONS[sender.state], licence):
        if reason is not BindReason.OK:
            return reason
    return _limit_reason(request, sender, live_binds)


def _limit_reason(request: BindRequest, sender: Sender, live_binds: int) -> BindReason:
    if not _is_listed(request.address, sender.binds.addresses):
        return BindReason.ADDRESS
    if request.bind_type not in sender.binds.types:
        return BindReason.BIND_TYPE
    if live_binds >= sender.binds.maximum:
        return BindReason.TOO_MANY
    return BindReason.OK


def _is_listed(address: str, networks: tuple[IpNetwork, ...]) -> bool:
    ip = ip_of(address)
    return ip is not None and any(ip in network for network in networks)
