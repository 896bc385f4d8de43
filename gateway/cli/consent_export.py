"""The work of `smsward consent export`: answers on record as CSV."""

import csv
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.known_sender import require_sender
from gateway.cli.plurals import counted
from gateway.cli.private_files import private_file
from gateway.cli.screen import say, visible
from gateway.cli.storage import opened_store
from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.msisdn import masked, spelled
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.consent.answer_lines import COLUMNS, EVERY_SENDER_CELL, answer_cell


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Which answers to write."""

    system_id: str | None = None
    all_senders: bool = False
    answer: Answer | None = None


def described(wanted: ExportQuery) -> str:
    """Return what is wanted, for the journal. Raises CommandError when it contradicts itself."""
    if wanted.system_id is not None and wanted.all_senders:
        raise misused("give --system-id or --all-senders, not both")
    whom = "every sender at once" if wanted.all_senders else wanted.system_id or "any sender"
    return f"answers to {visible(whom)}: {wanted.answer or 'all'}"


async def export_answers(
    settings: GatewaySettings,
    wanted: ExportQuery,
    output: Path | None,
    config: Path | None = None,
    *,
    unmask: bool,
) -> int:
    """Write the answers that are wanted into `output`, or print them; return the exit code."""
    scope = EVERY_SENDER if wanted.all_senders else wanted.system_id
    written, now = 0, utcnow()
    try:
        async with opened_store(settings) as stores:
            with (
                nullcontext(sys.stdout)
                if output is None
                else private_file(output, is_whole=unmask) as file
            ):
                lines = csv.writer(file, lineterminator="\n")
                lines.writerow(COLUMNS)
                async for answers in stores.consent_lists.listed(scope=scope, answer=wanted.answer):
                    # What has ended is nobody's answer, whatever it was (R20).
                    stand = [one for one in answers if not wanted.answer or one.standing(now)]
                    lines.writerows(_row(answer, now, unmask=unmask) for answer in stand)
                    written += len(stand)
    except OSError as error:
        if output is None:
            raise  # nobody reads on: gateway.cli.edge knows
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    if not written:
        require_sender(wanted.system_id, config)
    if output is not None:
        say(f"written: {counted(written, 'answer')} to {visible(str(output))}")
    return ExitCode.FINE


def _row(answer: ConsentAnswer, now: datetime, *, unmask: bool) -> tuple[str, ...]:
    return (
        spelled(answer.msisdn) if unmask else masked(answer.msisdn),
        answer.scope or EVERY_SENDER_CELL,
        answer_cell(answer, now),
        answer.since.isoformat(),
        visible(answer.channel),
        visible(answer.evidence),
        "" if answer.until is None else answer.until.isoformat(),
    )
