"""How a simulated SMSC behaves, and misbehaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simulators.wire import CommandStatus, Tag


class IdStyle(StrEnum):
    """How an SMSC writes its message ids."""

    DECIMAL = "decimal"
    HEX = "hex"
    UUID = "uuid"
    ZERO_PADDED = "zero_padded"


# What broke peers in the field: an unknown vendor tag with binary octets, one of the reserved
# range, an empty value, a known TLV twice with two values.
POISON_TLVS: tuple[tuple[int, bytes], ...] = (
    (0x1401, b"\x00\xff\xfe\x80"),
    (0x060D, b"\x01"),
    (0x3FFF, b""),
    (Tag.MESSAGE_STATE, b"\x02"),
    (Tag.MESSAGE_STATE, b"\x05"),
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Every fault off by default: any bind accepted, every message answered ESME_ROK at once.

    "every N" counts messages over the whole life of the SMSC, so that a run is repeated exactly;
    0 is never. `seed` decides what is shuffled and the ids of the uuid style.
    """

    seed: int = 0

    # Binds. No `passwords` means that anyone may bind; `refuse_binds` is the status they hear.
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    refuse_binds: int = 0

    # Answers to messages. `hold_answers` keeps them until SimulatedSmsc.release_answers;
    # `out_of_order` shuffles them in groups of that size, the last group after
    # `out_of_order_patience_s` even when it is not full.
    answer_delay_s: float = 0.0
    hold_answers: bool = False
    out_of_order: int = 0
    out_of_order_patience_s: float = 0.05
    lost_answer_every: int = 0
    duplicate_answer_every: int = 0
    error_every: int = 0
    error_status: int = CommandStatus.ESME_RSYSERR
    throttle_every: int = 0

    # Cancellations: the status that cancel_sm is answered with, whatever it is about; and whether
    # it is answered at all.
    refuse_cancels: int = 0
    ignore_cancels: bool = False

    # The link. `disconnect_every` resets the session that brought the Nth message, which is
    # accepted but never answered. `enquire_link_s` 0 sends no enquire_link.
    disconnect_every: int = 0
    enquire_link_s: float = 0.0

    # Receipts, for messages whose registered_delivery asks for them.
    receipts: bool = False
    receipt_delay_s: float = 0.0
    receipt_before_answer: bool = False
    undeliverable_every: int = 0
    # How soon one that heard ESME_RX_T_APPN is sent again; 0 is never.
    receipt_retry_s: float = 0.0
    id_style: IdStyle = IdStyle.DECIMAL
    # How the receipt's text writes the id, when other than the answer did.
    receipt_id_style: IdStyle | None = None
    poison_tlvs: bool = False

    # What is kept. `verify` decodes each submit_sm with smpplib too and counts disagreements;
    # `journal_limit` 0 leaves the journal empty: counters only, for heavy loads.
    verify: bool = False
    journal_limit: int = 200_000

    def __post_init__(self) -> None:
        if IdStyle.UUID in (self.id_style, self.receipt_id_style) and self.mixes_ids:
            raise ValueError("a uuid has no other way of being written")

    @property
    def mixes_ids(self) -> bool:
        """Tell whether receipts write ids in another way than answers."""
        return self.receipt_id_style not in (None, self.id_style)


def falls_on(count: int, every: int) -> bool:
    """Tell whether the `count`th event is one of `every` Nth; never when `every` is 0."""
    return every > 0 and count % every == 0
