"""How audits of asserted consents are shown: numbers masked, unless there is a reason."""

import csv
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.failure import CommandError
from gateway.cli.plurals import counted
from gateway.cli.private_files import private_file
from gateway.cli.screen import print_table, say, visible
from gateway.domain.audit import AuditItem, ConsentAudit, share_proven
from gateway.domain.msisdn import masked

_AUDIT_COLUMNS = (
    *("no", "SP", "drawn at (UTC)", "by", "sample", "of", "open", "proven", "unproven"),
    "share proven (95 %)",
)
_ITEM_COLUMNS = ("item", "number", "asserted since (UTC)", "channel", "state", "note", "by")
_CSV_COLUMNS = ("audit", "item", "number", "since", "channel", "state", "note", "answered_by")


def print_audits(audits: Sequence[ConsentAudit]) -> None:
    """Print one line for each audit."""
    print_table(_AUDIT_COLUMNS, map(_audit_row, audits))


def print_items(items: Sequence[AuditItem], *, unmask: bool) -> None:
    """Print one line for each item."""
    print_table(_ITEM_COLUMNS, (_item_row(item, unmask=unmask) for item in items))


def write_items(
    path: Path, audit: ConsentAudit, items: Sequence[AuditItem], *, unmask: bool
) -> None:
    """Write the items as CSV, for their owner alone. Raises CommandError."""
    try:
        with private_file(path, is_whole=unmask) as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(_CSV_COLUMNS)
            lines.writerows(_csv_row(audit, item, unmask=unmask) for item in items)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
    say(f"written: {counted(len(items), 'item')} to {visible(str(path))}")


def described(audit: ConsentAudit) -> dict[str, object]:
    """Return what is told of an audit, as JSON has it."""
    share = share_proven(audit.tally)
    return {
        "number": audit.number,
        "system_id": audit.system_id,
        "drawn_at": audit.drawn_at.isoformat(timespec="seconds"),
        "by": audit.by,
        # Text: programs that read JSON numbers as floats would round it.
        "seed": str(audit.seed),
        "size": audit.size,
        "population": audit.population,
        **audit.tally._asdict(),
        "share_proven": share._asdict() if share is not None else None,
    }


def described_item(item: AuditItem, *, unmask: bool) -> dict[str, object]:
    """Return what is told of an item, as JSON has it."""
    return {
        "item": item.item,
        "number": _number(item, unmask=unmask),
        "since": item.since.isoformat(timespec="seconds"),
        "channel": item.channel,
        "state": item.state,
        "note": item.note,
        "answered_at": item.answered_at and item.answered_at.isoformat(timespec="seconds"),
        "answered_by": item.answered_by,
    }


def _audit_row(audit: ConsentAudit) -> tuple[str, ...]:
    share, tally = share_proven(audit.tally), audit.tally
    return (
        str(audit.number),
        audit.system_id,
        f"{audit.drawn_at:%Y-%m-%d %H:%M}",
        audit.by,
        str(audit.size),
        str(audit.population),
        *map(str, tally),
        "" if share is None else f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%})",
    )


def _item_row(item: AuditItem, *, unmask: bool) -> tuple[str, ...]:
    return (
        str(item.item),
        _number(item, unmask=unmask),
        f"{item.since:%Y-%m-%d %H:%M}",
        item.channel,
        item.state,
        item.note,
        item.answered_by,
    )


def _csv_row(audit: ConsentAudit, item: AuditItem, *, unmask: bool) -> tuple[str, ...]:
    return (
        str(audit.number),
        str(item.item),
        _number(item, unmask=unmask),
        item.since.isoformat(),
        visible(item.channel),
        item.state,
        visible(item.note),
        visible(item.answered_by),
    )


def _number(item: AuditItem, *, unmask: bool) -> str:
    return str(item.msisdn) if unmask else masked(item.msisdn)
