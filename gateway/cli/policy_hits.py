"""`smsward policy hits`: what rules and lists found in recorded traffic."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from gateway.records.archive import RecordArchive, scan_hour, size_of, start_of, words_of
from gateway.records.finding_counts import FindingCounter, HitCount, HitSample, RuleHits
from gateway.records.masked_records import shown_record
from gateway.records.sealed_values import stamp_of
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Sealer
from gateway.settings.gateway import GatewaySettings
from gateway.terminal.arguments import moment_since
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import HitOptions
from gateway.terminal.screen import (
    counted,
    masked_source,
    print_json,
    print_table,
    progress_bar,
    say,
    visible,
)
from gateway.terminal.store import sealer_of

_MOST = 10
_SHOWN_PLACES = 2
_NOT_OWN = "(not its own)"


def show_hits(settings: GatewaySettings, asked: HitOptions, *, as_json: bool) -> int:
    """Print what rules found in the records that are asked for; return the exit code."""
    counter, sealer = count_findings(settings, asked), sealer_of(settings)
    rules = sorted(counter.rules.items(), key=lambda item: (-item[1].found, item[0]))
    if as_json:
        print_json(
            {
                "messages": counter.decisions,
                "stopped": counter.stopped,
                "rules": [_as_json(rule, hits, sealer) for rule, hits in rules],
            }
        )
        return ExitCode.FINE
    if rules:
        columns = ("rule", "found", "would stop", "stopped", "most, of SP and port", "message ids")
        print_table(columns, [_row(rule, hits) for rule, hits in rules])
    if asked.rule is not None and rules:
        _print_rule(rules[0][1], sealer)
    say(
        f"{counted(counter.decisions, 'message')} since {asked.since}, {counter.stopped} stopped;"
        " would stop: in shadow mode, and passed"
    )
    return ExitCode.FINE


def count_findings(settings: GatewaySettings, asked: HitOptions) -> FindingCounter:
    """Return what was found since `asked.since`. Raises CommandError."""
    since = moment_since(asked.since)
    directory = asked.records or settings.records.directory
    if not directory.is_dir():
        raise misused(f"there is no directory of records {directory}", "--records names one")
    archive = RecordArchive(directory)
    hours = [hour for hour in archive.hours() if start_of(hour + 1) > since]
    counter = FindingCounter(stamp_of(since), stamp_of(utcnow()), asked.sender, asked.rule)
    with progress_bar() as progress:
        total = size_of(archive, hours[0], hours[-1]) if hours else 0
        told = partial(progress.advance, progress.add_task("counting", total=total or None))
        for hour in hours:
            try:
                for block in scan_hour(archive, hour, told):
                    counter.add(block.lines)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise CommandError(
                    f"the records of {start_of(hour):%Y-%m-%d %H} UTC cannot be read:"
                    f" {words_of(error)}"
                ) from error
    return counter


def _most(hits: RuleHits) -> list[tuple[str, str, HitCount]]:
    places = sorted(hits.places.items(), key=lambda item: (-item[1].found, item[0]))
    return [
        (system_id, masked_source(source) or _NOT_OWN, count)
        for (system_id, source), count in places[:_MOST]
    ]


@dataclass(frozen=True, slots=True)
class ShownSample:
    """A message in which a rule found something, as it may be seen."""

    at: str
    message_id: str
    system_id: str
    source: str
    destination: str
    action: str


def shown_samples(samples: Iterable[HitSample], sealer: Sealer | None) -> list[ShownSample]:
    """Return samples with their numbers masked."""
    return [_shown(one, sealer) for one in samples]


def _shown(sample: HitSample, sealer: Sealer | None) -> ShownSample:
    shown = {
        name: str(value)
        for name, value in shown_record(sample.record, sealer, is_whole=False).items()
    }
    return ShownSample(
        at=shown["at"],
        message_id=sample.message_id,
        system_id=shown["system_id"],
        source=masked_source(shown["source"]),
        destination=shown["destination"],
        action=shown["action"],
    )


def _as_json(rule: str, hits: RuleHits, sealer: Sealer | None) -> dict[str, object]:
    return {
        "rule": rule,
        **_counts(hits),
        "places": [
            {"system_id": system_id, "source": source, **_counts(count)}
            for system_id, source, count in _most(hits)
        ],
        "samples": shown_samples(hits.samples, sealer),
    }


def _counts(count: HitCount) -> dict[str, int]:
    return {"found": count.found, "would_stop": count.would_stop, "stopped": count.stopped}


def _row(rule: str, hits: RuleHits) -> tuple[str | tuple[str, ...], ...]:
    places = [f"{who} {source}: {count.found}" for who, source, count in _most(hits)]
    ids = tuple(one.message_id for one in hits.samples if one.message_id)
    counts = map(str, _counts(hits).values())
    return (visible(rule), *counts, tuple(places[:_SHOWN_PLACES]), ids[:_SHOWN_PLACES])


def _print_rule(hits: RuleHits, sealer: Sealer | None) -> None:
    rows = [(who, source, *map(str, _counts(count).values())) for who, source, count in _most(hits)]
    print_table(("SP", "port", "found", "would stop", "stopped"), rows)
    samples = shown_samples(hits.samples, sealer)
    columns = ("at (UTC)", "message id", "SP", "from", "to", "what")
    print_table(
        columns,
        [
            (one.at, one.message_id, one.system_id, one.source, one.destination, one.action)
            for one in samples
        ],
    )
