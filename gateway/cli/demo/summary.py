"""How the demo ends: what happened, whether it adds up, and what to try next."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.demo.ledger import Audit
from gateway.cli.demo.stage import GUEST, PASSWORD, Stage
from gateway.cli.demo.view import Moment, sender_table, verdict_table
from gateway.cli.plurals import counted
from gateway.cli.screen import console, print_json, say


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """The last moment and the audit; `disagreements` are PDUs that smpplib reads otherwise."""

    moment: Moment
    audit: Audit
    disagreements: int


def hints(stage: Stage, *, keep: bool) -> Sequence[str]:
    """Return the next three things to try."""
    number = GUEST.ports[0].number
    first = (
        f"Save a change in {stage.keywords}"
        if keep
        else f"Run `{program()} demo --keep`, which goes on, and save a change in the file that it"
        " names"
    )
    third = (
        f"3. Bind a client of your own{'' if keep else ' (with demo --keep)'} at {stage.esme_side},"
        f" system_id {GUEST.system_id}, password {PASSWORD}, and submit from {number}."
    )
    return (
        f"1. {first}: verdicts change at once.",
        f"2. Look at what is held:  {program()} quarantine list --config {stage.config}",
        third,
    )


def program() -> str:
    """Return how to call smsward here: `uv run` and a venv leave it off the PATH of a shell."""
    called = Path(sys.argv[0])
    if called.name != "smsward":
        return "smsward"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


def print_ending(ending: DemoSummary, stage: Stage, *, keep: bool, as_json: bool) -> None:
    """Print the summary."""
    if as_json:
        print_json(_as_json(ending, stage))
        return
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
    if not keep:
        for line in hints(stage, keep=False):
            say(line)


def _as_json(ending: DemoSummary, stage: Stage) -> dict[str, object]:
    moment = ending.moment
    return {
        "seconds": round(moment.elapsed_s, 1),
        "address": str(stage.esme_side),
        "directory": str(stage.directory),
        "senders": {system_id: asdict(told) for system_id, told in moment.told.items()},
        "verdicts": [
            {"action": action, "reason": reason or None, "messages": count}
            for (action, reason), count in moment.verdicts.items()
        ],
        "latency_ms": {"p50": round(moment.p50_ms, 2), "p99": round(moment.p99_ms, 2)},
        "in_quarantine": moment.held,
        "read_otherwise_by_smpplib": ending.disagreements,
        "audit": {"balanced": ending.audit.is_balanced, **asdict(ending.audit)},
    }
