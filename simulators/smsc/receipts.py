"""Message ids in their styles, and the receipts that name them."""

import random
import uuid
from typing import NamedTuple

from simulators.smsc.behaviour import POISON_TLVS, Behaviour, IdStyle
from simulators.smsc.journal import MessageState
from simulators.wire import Message, Tag, Tlvs

RECEIPT_ESM_CLASS = 0x04
_FIRST_ID = 100_001
# Receipts of a simulator bear a fixed date, so that a run repeated gives the same octets.
_DATE = "2401020930"
_STATES = {
    MessageState.DELIVERED: ("DELIVRD", "000"),
    MessageState.UNDELIVERABLE: ("UNDELIV", "001"),
}


class MessageId(NamedTuple):
    """One id, as the answer writes it and as the receipt's text does."""

    answer: str
    receipt: str


class MessageIds:
    """Gives ids, each once."""

    def __init__(self, seed: int) -> None:
        self._next = _FIRST_ID
        # Not for secrets: a run must be repeatable.
        self._random = random.Random(seed)  # noqa: S311

    def take(self, behaviour: Behaviour) -> MessageId:
        """Return the next id in the styles of `behaviour`."""
        if behaviour.id_style is IdStyle.UUID:
            text = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            return MessageId(text, text)
        number = self._next
        self._next += 1
        answer = _written(number, behaviour.id_style)
        if behaviour.receipt_id_style is None:
            return MessageId(answer, answer)
        return MessageId(answer, _written(number, behaviour.receipt_id_style))


class Receipt(NamedTuple):
    """A receipt on its way to the ESME that asked for it: source and destination swapped."""

    system_id: str
    source: str
    destination: str
    text: str
    tlvs: Tlvs
    message_id: str
    state: MessageState


def receipt_for(
    system_id: str, message: Message, message_id: MessageId, state: MessageState
) -> Receipt:
    """Write the receipt of a message (SMPP 3.4, appendix B): text and TLVs."""
    stat, error = _STATES[state]
    delivered = int(state is MessageState.DELIVERED)
    text = (
        f"id:{message_id.receipt} sub:001 dlvrd:{delivered:03} submit date:{_DATE} "
        f"done date:{_DATE} stat:{stat} err:{error} text:"
    )
    tlvs = [
        (Tag.RECEIPTED_MESSAGE_ID, message_id.answer.encode() + b"\0"),
        (Tag.MESSAGE_STATE, bytes((state,))),
    ]
    return Receipt(
        system_id, message.destination, message.source, text, tlvs, message_id.answer, state
    )


def with_poison(tlvs: Tlvs, behaviour: Behaviour) -> list[tuple[int, bytes]]:
    """Return `tlvs`, followed by POISON_TLVS when `behaviour` says so."""
    return [*tlvs, *POISON_TLVS] if behaviour.poison_tlvs else list(tlvs)


def _written(number: int, style: IdStyle) -> str:
    match style:
        case IdStyle.HEX:
            return f"{number:X}"
        case IdStyle.ZERO_PADDED:
            return f"{number:010}"
        case _:
            return str(number)
