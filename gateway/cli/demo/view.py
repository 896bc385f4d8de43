"""What the audience sees: how things stand while the demo plays, and how it ends."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.cast import GUEST, PASSWORD, Audit, SpReport, Stage
from gateway.terminal.screen import console, counted, say

_REFRESH_PER_S = 4
# Counts of Told and their headings: short, for all of them stand on 80 columns.
_COUNTS = {
    "submitted": "submitted",
    "forwarded": "forwarded",
    "refused": "refused",
    "throttled": "throttled",
    "quarantined": "held",
    "receipts": "receipts",
}
# A shadow hit is forwarded, and counted there as well: it stands below, so that the rest adds up.
_ACTIONS = {"shadow": "  of these, in shadow mode"}
_FIRST = ("forward", "shadow")


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stand at one moment. Counts are since the start, `per_s` over the last."""

    elapsed_s: float
    per_s: float
    told: Mapping[str, SpReport]
    verdicts: Mapping[tuple[str, str], int]
    p50_ms: float
    p99_ms: float
    held: int
    sessions: Mapping[str, int]

    def total(self, name: str) -> int:
        """Return the sum over all SPs of one count of Told."""
        return sum(int(getattr(told, name)) for told in self.told.values())


def percentile_ms(latency_us: Sequence[int], share: float) -> float:
    """Return about how many milliseconds `share` of the answers took at most.

    `latency_us` counts by bit length, so this is exact to a factor of two and read off a
    straight line in between; 0 without answers.
    """
    rank = share * sum(latency_us)
    below = 0
    for bits, count in enumerate(latency_us):
        if count and below + count >= rank:
            low, high = (1 << bits) >> 1, 1 << bits
            return (low + (high - low) * (rank - below) / count) / 1000
        below += count
    return 0.0


class DemoView(ExitStack):
    """Tables that change in place on a terminal, one line a second for anything else."""

    def __init__(self, screen: Console) -> None:
        super().__init__()
        self.is_live = screen.is_terminal and not os.environ.get("CI")
        self._screen = screen
        self._live = Live(console=screen, refresh_per_second=_REFRESH_PER_S, transient=True)
        self._kept: list[Text] = []

    def __enter__(self) -> Self:
        if self.is_live:
            self.enter_context(self._live)
        return self

    def show(self, moment: Moment) -> None:
        """Draw everything anew, or print one line."""
        latency = f"  p50 {moment.p50_ms:.1f} ms  p99 {moment.p99_ms:.1f} ms"
        if self.is_live:
            head = Text.assemble(
                ("smsward demo  ", "bold"),
                f"{moment.elapsed_s:.0f} s  {moment.per_s:.0f} msg/s{latency}",
                f"  in quarantine {moment.held}",
            )
            verdicts = verdict_table(moment.verdicts)
            senders = sender_table(moment.told, moment.sessions)
            self._live.update(Group(*self._kept, head, senders, verdicts))
            return
        names = ("forwarded", "refused", "throttled", "quarantined")
        self.tell(
            f"{moment.elapsed_s:4.0f} s  {moment.per_s:5.0f} msg/s"
            f"{''.join(f'  {name} {moment.total(name)}' for name in names)}{latency}"
            f"  in quarantine {moment.held}  sessions {sum(moment.sessions.values())}"
        )

    def keep(self, line: str) -> None:
        """Show one line from now on at the head of the tables; print it where there are none."""
        self._kept.append(Text(line, overflow="fold"))
        if not self._live.is_started:
            self.tell(line)

    def tell(self, line: str) -> None:
        """Print one line, above the tables where there are any."""
        self._screen.print(line, soft_wrap=True)


def sender_table(told: Mapping[str, SpReport], sessions: Mapping[str, int] | None = None) -> Table:
    """Return what each SP was told, one row each."""
    table = _table()
    table.add_column("SP")
    if sessions is not None:
        table.add_column("binds", justify="right")
    for heading in _COUNTS.values():
        table.add_column(heading, justify="right")
    for system_id, one in told.items():
        bound = () if sessions is None else (str(sessions.get(system_id, 0)),)
        table.add_row(system_id, *bound, *(str(getattr(one, name)) for name in _COUNTS))
    return table


def verdict_table(verdicts: Mapping[tuple[str, str], int]) -> Table:
    """Return what the gateway did for which reason: what passed, then the commonest first."""
    table = _table()
    table.add_column("what was done")
    table.add_column("for which reason")
    table.add_column("messages", justify="right")
    for (action, reason), count in sorted(verdicts.items(), key=_place):
        table.add_row(_ACTIONS.get(action, action), reason, str(count))
    return table


def _place(verdict: tuple[tuple[str, str], int]) -> tuple[int, int]:
    (action, _), count = verdict
    return (_FIRST.index(action) if action in _FIRST else len(_FIRST), -count)


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """The last moment and the audit; `disagreements` are PDUs that smpplib reads otherwise."""

    moment: Moment
    audit: Audit
    disagreements: int

    def as_json(self, stage: Stage) -> dict[str, object]:
        """Return the summary for programs."""
        moment = self.moment
        return {
            "seconds": round(moment.elapsed_s, 1),
            "address": str(stage.esme_side),
            "directory": str(stage.directory),
            "senders": moment.told,
            "verdicts": [
                {"action": action, "reason": reason or None, "messages": count}
                for (action, reason), count in moment.verdicts.items()
            ],
            "latency_ms": {"p50": round(moment.p50_ms, 2), "p99": round(moment.p99_ms, 2)},
            "in_quarantine": moment.held,
            "read_otherwise_by_smpplib": self.disagreements,
            "audit": {"balanced": self.audit.is_balanced, **asdict(self.audit)},
        }


def hints(stage: Stage, *, keep: bool = False, has_pages: bool = False) -> Sequence[str]:
    """Return the next three things to try; where it `has_pages`, a link stands with them."""
    number = GUEST.ports[0].number
    first = (
        "Open the link to the console (below) in a browser"
        if has_pages
        else f"Run `{program()} demo --keep`, open the link that it prints"
    )
    second = (
        f"Save a change in {stage.keywords}"
        if keep
        else f"Run `{program()} demo --keep`, which goes on, and save a change in the file that it"
        " names"
    )
    third = (
        f"3. Bind a client of your own{'' if keep else ' (with demo --keep)'} at {stage.esme_side},"
        f" system_id {GUEST.system_id}, password {PASSWORD}, and submit from {number}."
    )
    listed = f"{program()} quarantine list --config {stage.config}"
    deciding = "r releases it, s confirms spam, d discards it, z takes that back for ten seconds"
    return (
        f"1. {first}, and decide on a held message: {deciding}. Or see them by  {listed}",
        f"2. {second}: verdicts change at once.",
        third,
    )


def program() -> str:
    """Return how to call smsward here: `uv run` and a venv leave it off the PATH of a shell."""
    called = Path(sys.argv[0])
    if called.name != "smsward":
        return "smsward"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


def print_ending(ending: DemoSummary, stage: Stage, hinted: Iterable[str]) -> None:
    """Print the summary, and what is hinted at."""
    moment, audit = ending.moment, ending.audit
    screen = console()
    screen.print(sender_table(moment.told), verdict_table(moment.verdicts))
    say(
        f"latency at the SMSC's answer: p50 {moment.p50_ms:.1f} ms, p99 {moment.p99_ms:.1f} ms;"
        f" in quarantine: {counted(moment.held, 'message')}"
    )
    say(
        f"every accepted message is at the SMSC ({audit.at_smsc}) or in quarantine"
        f" ({audit.in_quarantine}), once and with the octets it was sent with:"
        f" {'yes' if audit.is_balanced else 'NO'}",
        style="bold green" if audit.is_balanced else "bold red",
    )
    if not audit.is_balanced:
        say(
            f"missing {audit.missing}, unasked {audit.unasked}, altered {audit.altered},"
            f" doubled {audit.doubled}; see {stage.log}"
        )
    say(f"everything of this run is in {stage.directory}; remove it when you have seen enough")
    for line in hinted:
        say(line)
