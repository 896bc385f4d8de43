"""Lines of a list that were not taken: counted for people, kept whole in a file."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from gateway.cli.plurals import counted
from gateway.cli.screen import print_json, print_table, say, visible, warn
from gateway.systems.consent.answer_lines import LineFault

_MAX_SHOWN_OCTETS = 200


@dataclass(slots=True)
class Rejections:
    """What was not taken: each line into a file if one is wanted, a count for each fault."""

    lines: TextIO | None
    counts: dict[LineFault, int] = field(default_factory=dict)
    firsts: dict[LineFault, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._write("file", "line", "reason", "text")

    def add(self, path: Path, number: int, fault: LineFault, line: bytes) -> None:
        """Note one line."""
        self.counts[fault] = self.counts.get(fault, 0) + 1
        self.firsts.setdefault(fault, f"{path}:{number}")
        text = line[:_MAX_SHOWN_OCTETS].decode("utf-8", "replace").strip()
        self._write(str(path), str(number), fault, visible(text))

    def _write(self, *row: str) -> None:
        if self.lines is not None:
            csv.writer(self.lines).writerow(row)


@dataclass(slots=True)
class Doubts:
    """Lines that were taken although their numbers may be mistyped."""

    count: int = 0
    first: str = ""

    def add(self, path: Path, number: int) -> None:
        """Note one line."""
        self.count += 1
        self.first = self.first or f"{path}:{number}"

    def warn(self) -> None:
        """Say how many there are, and where to look."""
        if self.count:
            warn(
                "with too few or too many digits for a mainland mobile number:"
                f" {counted(self.count, 'line')}, first {self.first}: mistyped?"
            )


def report(recorded: int, rejections: Rejections, rejects: Path | None, *, as_json: bool) -> None:
    """Say what was done; no number is in it."""
    rejected = sum(rejections.counts.values())
    if as_json:
        reasons = [
            {"reason": fault, "lines": lines, "first": rejections.firsts[fault]}
            for fault, lines in rejections.counts.items()
        ]
        print_json({"recorded": recorded, "rejected": rejected, "reasons": reasons})
        return
    say(f"recorded: {counted(recorded, 'answer')}; rejected: {counted(rejected, 'line')}")
    if rejected:
        rows = (
            (fault, str(lines), rejections.firsts[fault])
            for fault, lines in rejections.counts.items()
        )
        print_table(("rejected because", "lines", "first"), rows)
        say(f"they are in {rejects}" if rejects else "add --rejects FILE to keep them")
