"""Records as people may see them: numbers masked, texts left out, or whole for who may see all."""

from gateway.records.sealed_values import (
    OF_RECEIPTS,
    UNPROVEN,
    Record,
    is_sealed,
    opened,
    subjects_of,
)
from gateway.runtime.masking import mask_values
from gateway.runtime.sealing import Sealer, SealError

# What may hold a subscriber's number stays masked; these cannot, however long they are.
_PLAIN = ("at", "session", "command_id", "sequence_number", "command_status", "latency_us")
_SPEAKING = frozenset({"decision", "delivery"})
_JUDGED = frozenset({"decision", "judged_again"})
_HIDDEN = "(sealed)"


def shown_record(record: Record, sealer: Sealer | None, *, is_whole: bool) -> Record:
    """Return a record as it may be seen.

    Raises SealError when all of it is asked for and its key is not here.
    """
    if is_whole:
        if sealer is None and is_sealed(record):
            raise SealError("sealed, and there are no keys")
        return record if sealer is None else opened(record, sealer)
    return masked_record(_opened_or_hidden(record, sealer))


def masked_record(record: Record) -> Record:
    """Return a record with what may be a subscriber's number masked, and without a text."""
    kind = record.get("kind")
    if kind == "text":
        record = {name: value for name, value in record.items() if name != "octets"}
    shown: dict[str, object] = dict(mask_values(None, "", dict(record)))
    shown |= {name: record[name] for name in _PLAIN if isinstance(record.get(name), int | str)}
    if kind in _JUDGED and "findings" in record:
        shown["findings"] = record["findings"]  # ids and words of our own, however many
    if kind == "decision":
        if record.get("reason") not in UNPROVEN:
            shown["source"] = record.get("source")
    elif kind == "delivery":
        subjects = subjects_of(record)
        names = (name for name in OF_RECEIPTS if name in record and name not in subjects)
        shown |= {name: record[name] for name in names}
    if kind in _SPEAKING and "text" in record:
        shown["text"] = record["text"]  # its id, which names a line of kind text
    return shown


def _opened_or_hidden(record: Record, sealer: Sealer | None) -> Record:
    if not is_sealed(record):
        return record
    try:
        if sealer is not None:
            return opened(record, sealer)
    except SealError:
        pass
    return {
        name.partition("_sealed")[0]: _HIDDEN if "_sealed" in name else value
        for name, value in record.items()
    }


def record_cells(record: Record) -> tuple[str, ...]:
    """Return what tables show of a record: its time, the SP, what was done, and ten in all."""
    kind = str(record.get("kind"))
    match kind:
        case "decision":
            what, why = record.get("action"), _reasons(record)
        case "delivery":
            what, why = record.get("what"), record.get("stat")
        case "outcome":
            what, why = record.get("how"), None
        case "text":
            what, why = kind, record.get("id")
        case _:
            what, why = kind, record.get("why") or record.get("reason")
    status = record.get("status", record.get("command_status"))
    cells = (
        record.get("at"),
        record.get("system_id"),
        what,
        why,
        record.get("rule"),
        status,
        record.get("source"),
        record.get("destination"),
        record.get("message_id") or record.get("gateway_id") or None,
        record.get("latency_us"),
    )
    return tuple("" if cell is None else str(cell) for cell in cells)


def _reasons(record: Record) -> object:
    classed = f"{record['class']} by {record.get('classed_by')}" if "class" in record else ""
    said = (record.get("reason"), record.get("category"), classed)
    return ", ".join(str(one) for one in said if one)
