"""Call detail records as rows: plain tuples, because each message makes two."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

# The request: session, system_id, command_id.
About = tuple[int, str, int]
# data_coding, octets.
Text = tuple[int, bytes]
# What was delivered (receipt, reply and the like), and for a receipt: stat, err, submit date, done
# date, as the SMSC wrote them.
Told = tuple[str, str, str, str, str]


class Why(NamedTuple):
    """What was decided, and why; "" means none.

    `digest` names the policy. `category` and `campaign` are those of the finding that decided, else
    of the first in shadow mode.
    """

    action: str
    reason: str
    rule: str
    status: str
    digest: str
    category: str = ""
    campaign: str = ""


# What the gateway decided: epoch, request, sequence_number, source, destination, why, gateway_id,
# and the text, None if it is not kept.
DecisionRow = tuple[Literal["d"], float, About, int, bytes, bytes, Why, int, Text | None]
# What came for an SP: epoch, request (its session is the bind at the SMSC), sequence_number,
# source, destination, the message_id that a receipt is about, what it was, and the text.
DeliveryRow = tuple[Literal["m"], float, About, int, bytes, bytes, bytes, Told, Text | None]
# The outcome of either: epoch, request, sequence_number, command_status, message_id,
# latency_us, how it ended (answered, timeout, link_lost, late and the like).
OutcomeRow = tuple[Literal["o"], float, About, int, int, bytes, int, str]
# Rare facts (releases, binds): epoch, kind, fields.
EventRow = tuple[Literal["e"], float, str, Mapping[str, object]]
Row = DecisionRow | DeliveryRow | OutcomeRow | EventRow
