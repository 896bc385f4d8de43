"""The second opinion: smpplib's codec, which shares nothing with the simulators' own."""

from smpplib import command, smpp

from simulators.wire import Message, Tlvs, tlv_octets


class _Sequence:
    """What smpplib asks of the client that a PDU belongs to."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def next_sequence(self) -> int:
        return self.sequence


def decode(octets: bytes) -> command.Command | None:
    """Decode any PDU smpplib knows; None for those it has no class for, or cannot read."""
    try:
        return smpp.parse_pdu(octets, client=_Sequence(0), allow_unknown_opt_params=True)
    # smpplib lets whatever its indexing and struct meet come through.
    except Exception:  # noqa: BLE001
        return None


def agrees(octets: bytes, message: Message) -> bool:
    """Tell whether smpplib reads in a submit_sm what `message` says of it."""
    decoded = decode(octets)
    if decoded is None:
        return False
    text = decoded.short_message or getattr(decoded, "message_payload", None) or b""
    return bool(
        decoded.source_addr.decode("latin-1") == message.source
        and decoded.destination_addr.decode("latin-1") == message.destination
        and decoded.data_coding == message.data_coding
        and decoded.esm_class == message.esm_class
        and decoded.registered_delivery == message.registered_delivery
        and text == message.octets
    )


def encode(name: str, sequence_number: int, tlvs: Tlvs = (), **fields: object) -> bytes:
    """Encode a PDU with smpplib and set `tlvs` behind it, which its codec would refuse."""
    pdu = command.factory(name, client=_Sequence(sequence_number), **fields)
    pdu.sequence = sequence_number
    octets = bytes(pdu.generate()) + tlv_octets(tlvs)
    return len(octets).to_bytes(4, "big") + octets[4:]
