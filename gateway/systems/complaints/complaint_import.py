"""The work of `smsward complaints import`: the complaints of a file, taken down (R81)."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from gateway.systems.complaints.complaint_lines import ComplaintFile
from gateway.systems.complaints.intake import ItemOrigin, ItemRejectedError, complaint_of
from gateway.systems.complaints.model import MOST_AT_ONCE, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from gateway.terminal.screen import counted, print_json, print_table, say

_MAX_REASONS = 1000
_SHOWN = 20  # reasons on a screen


@dataclass(slots=True)
class ImportResult:
    """What came of a file: complaints taken, those on record already, and lines rejected.

    For each reason there is how many lines it rejected, and the first of them.
    """

    new: int = 0
    known: int = 0
    rejected: int = 0
    reasons: dict[str, tuple[int, int]] = field(default_factory=dict)

    def reject(self, line: int, reason: str) -> None:
        """Count a line."""
        self.rejected += 1
        if reason in self.reasons or len(self.reasons) < _MAX_REASONS:
            count, first = self.reasons.get(reason, (0, line))
            self.reasons[reason] = count + 1, first


async def import_complaints(
    desk: ComplaintDesk,
    file: ComplaintFile,
    origin: ItemOrigin,
    rejects: TextIO | None,
    on_commit: Callable[[], object],
) -> ImportResult:
    """Take the complaints of a file down, and write the lines that are not taken to `rejects`.

    It may be repeated: what is on record stays as it is. `on_commit` is called after each commit.
    Raises FileRejectedError, OSError and StoreUnavailable; what was committed stays.
    """
    result = ImportResult()
    if rejects is not None:
        csv.writer(rejects).writerow(("line", "reason"))
    given = _complaints(file, origin, result, rejects)
    while some := list(islice(given, MOST_AT_ONCE)):
        for one in await desk.receive(some):
            result.new += one.is_new
            result.known += not one.is_new
        on_commit()
    return result


def report(result: ImportResult, rejects: Path | None, *, as_json: bool) -> None:
    """Print what came of a file; nothing of what stands in it."""
    reasons = sorted(result.reasons.items(), key=lambda one: -one[1][0])
    if as_json:
        listed = [
            {"reason": reason, "lines": lines, "first": first} for reason, (lines, first) in reasons
        ]
        shown = {"new": result.new, "known": result.known, "rejected": result.rejected}
        print_json(shown | {"reasons": listed})
        return
    say(
        f"taken down: {counted(result.new, 'complaint')}; on record already: {result.known};"
        f" rejected: {counted(result.rejected, 'line')}"
    )
    if reasons:
        rows = [(reason, str(lines), str(first)) for reason, (lines, first) in reasons[:_SHOWN]]
        print_table(("rejected because", "lines", "first"), rows)
        say(
            f"they are in {rejects}" if rejects else "add --rejects FILE to have each with its line"
        )


def _complaints(
    file: ComplaintFile, origin: ItemOrigin, result: ImportResult, rejects: TextIO | None
) -> Iterator[NewComplaint]:
    for row in file.rows():
        reason = row.problem
        if not reason:
            try:
                yield complaint_of(row.item, origin)
            except ItemRejectedError as error:
                reason = str(error)
        if reason:
            result.reject(row.line, reason)
            if rejects is not None:
                csv.writer(rejects).writerow((row.line, reason))
