"""Call detail records as rows: plain tuples, for two of them are made per message."""

from collections.abc import Mapping
from typing import Literal

# What the gateway decided: epoch, session, system_id, command_id, sequence_number, source,
# destination, action, reason, rule, status, digest, gateway_id, and the text as (data_coding,
# octets): without octets where none is kept.
DecisionRow = tuple[
    Literal["d"],
    float,
    int,
    str,
    int,
    int,
    bytes,
    bytes,
    str,
    str,
    str,
    str,
    str,
    int,
    int,
    bytes,
]
# What became of it: epoch, session, system_id, command_id, sequence_number, command_status,
# message_id, latency_us, how it ended (answered, timeout, link_lost, late and the like).
OutcomeRow = tuple[Literal["o"], float, int, str, int, int, int, bytes, int, str]
# Rare facts (receipts, releases, binds): epoch, kind, fields.
EventRow = tuple[Literal["e"], float, str, Mapping[str, object]]
Row = DecisionRow | OutcomeRow | EventRow
