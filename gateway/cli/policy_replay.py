"""The work of `smsward policy replay`: recorded traffic under other policies."""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.cli.config_check import installed_scorer
from gateway.console.policies.versions import files_of
from gateway.policy.bundle import Bundle
from gateway.policy.filings import Filings
from gateway.policy.knowledge import Knowledge
from gateway.records.archive import RecordArchive, start_of
from gateway.records.record_replay import (
    ChangedRecord,
    DecisionQuery,
    RecordReplay,
    Replayer,
    ReplayTally,
    VerdictChange,
    VerdictChangeKind,
)
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import (
    HourUnreadableError,
    Read,
    ReaderLostError,
    ReplayOutcome,
    UnchangedReason,
    reading,
)
from gateway.settings.bundles.archive import restore
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.gateway import GatewaySettings
from gateway.settings.yaml import SettingsError
from gateway.storage.open import is_made, place_of
from gateway.stores import Stores, stores_of
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.filings.service import FilingsFollower
from gateway.systems.preferences.service import PreferencesFollower
from gateway.terminal.arguments import moment_of
from gateway.terminal.deployment import Deployment, bundle_in, load_deployment
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import ReplayOptions
from gateway.terminal.screen import print_fields, print_json, print_table, progress_bar, say, warn
from gateway.terminal.store import keys_at_hand, opened_store

# Objects; what is loaded stays, and records are gone when the next are read. With the usual 700
# a tenth of the time goes into looking for more.
_COLLECTED_AFTER = 50_000
_SHOWN = 50
_STEPS = 200
_TODAY = (
    "answers, preferences and filings of subscribers and SPs count as they stand in the store now"
)
_WHY = {
    UnchangedReason.MALFORMED: "the record, or the message it is about, cannot be read",
    UnchangedReason.KEY_MISSING: "sealed with a key that is not here",
    UnchangedReason.SENDER_GONE: "its sender is not in senders.yaml any more",
    UnchangedReason.OF_THE_MOMENT: "rate, overload or failure: how things stood then",
    UnchangedReason.TEXT_NOT_KEPT: "stopped or noted for a text that was not kept",
    UnchangedReason.SAME_POLICY: "comes out otherwise under the very policy that judged it: answers"
    " since, its schedule, or the other parts of a long message",
}


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """What came of a replay, and of what; `old` is None where the records themselves are old."""

    tally: ReplayTally
    old: str | None
    new: str
    records: Path
    warnings: tuple[str, ...]


def replay_policies(config: Path, policies: Path, asked: ReplayOptions, *, as_json: bool) -> int:
    """Print which recorded verdicts the bundle in `policies` would change; return the exit code."""
    deployment = load_deployment(config, policies)
    archive, wanted = _archive(deployment.settings, asked), _wanted(deployment, asked)
    # The reading starts now, so that there is something to judge when the bundles are loaded.
    with _collecting_rarely(), reading(archive, keys_at_hand(deployment.settings)) as read:
        knowledge, old, warnings = asyncio.run(_known(deployment, asked))
        senders = tuple(deployment.senders.values())
        replayer = Replayer(
            Judge(deployment.bundle, senders, knowledge),
            None if old is None else Judge(old, senders, knowledge),
        )
        show = octets_printed if asked.progress else octets_shown
        tally = _replayed(RecordReplay(archive, wanted), replayer, read, show)
    compared = ReplayComparison(
        tally,
        old=None if old is None else old.digest,
        new=deployment.bundle.digest,
        records=archive.directory,
        warnings=warnings,
    )
    (print_replay_json if as_json else print_replay)(compared)
    return ExitCode.FINE


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


# Gives what hears how many octets more were read, of so many.
ShowOctets = Callable[[int], AbstractContextManager[Callable[[int], object]]]


@contextmanager
def octets_shown(total: int) -> Iterator[Callable[[int], object]]:
    """Show a person how far it is."""
    with progress_bar() as progress:
        yield partial(progress.advance, progress.add_task("replaying", total=total or None))


@contextmanager
def octets_printed(total: int) -> Iterator[Callable[[int], object]]:
    """Tell a program how far it is: lines ``octets/of them all`` on the standard error."""
    done = last = 0

    def told(more: int) -> None:
        nonlocal done, last
        done += more
        if done - last >= total // _STEPS:
            last = done
            print(f"{done}/{total}", file=sys.stderr, flush=True)  # noqa: T201 - for a program

    yield told


def _replayed(
    replay: RecordReplay, replayer: Replayer, read: Read, show: ShowOctets
) -> ReplayTally:
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    try:
        with show(replay.size_octets(replayer)) as told:
            return replay.run(replayer, read, told)
    except HourUnreadableError as error:
        raise CommandError(
            f"the records of {start_of(error.hour):%Y-%m-%d %H} UTC cannot be read: {error}",
            advice="--since and --until leave hours out",
        ) from error
    except ReaderLostError as error:
        raise CommandError(
            f"the process that reads the records has ended before them: {error}",
            advice="was it killed for want of memory?",
        ) from error
    finally:
        gc.unfreeze()


def _archive(settings: GatewaySettings, asked: ReplayOptions) -> RecordArchive:
    directory = asked.records or settings.records.directory
    if not directory.is_dir():
        raise misused(f"there is no directory of records {directory}", "--records names one")
    return RecordArchive(directory)


def _wanted(deployment: Deployment, asked: ReplayOptions) -> DecisionQuery:
    since, until = _epoch(asked.since, -inf), _epoch(asked.until, inf)
    if since >= until:
        raise misused("--until: must be later than --since")
    if asked.sender is not None:
        deployment.require_sender(asked.sender)
    return DecisionQuery(since, until, asked.sender, asked.rule)


def _epoch(given: datetime | None, otherwise: float) -> float:
    return otherwise if given is None else moment_of(given).timestamp()


async def _known(
    deployment: Deployment, asked: ReplayOptions
) -> tuple[Knowledge, Bundle | None, tuple[str, ...]]:
    """Return what rules look up as it stands now, the bundle of `--old`, and warnings."""
    settings = deployment.settings
    scorer, problems = installed_scorer(settings.learning)
    told = tuple(one.en for one in problems)
    knowledge = Knowledge(provinces=deployment.provinces, scorer=scorer)
    knowledge.filings = Filings(ZoneInfo(deployment.bundle.surroundings.zone))
    number = _number_of(asked.old)
    old = bundle_in(Path(asked.old)) if asked.old is not None and number is None else None
    if number is None and not is_made(settings.store.url):
        place = place_of(settings.store.url)
        warning = f"there is no store at {place}: no answer, preference or filing is known here"
        return knowledge, old, (warning, *told)
    async with opened_store(settings, stores_of) as stores:
        if number is not None:
            old = _restored(number, await files_of(stores.policies, number))
        await _learn(knowledge, stores)
    return knowledge, old, told


async def _learn(knowledge: Knowledge, stores: Stores) -> None:
    changes = stores.changes
    consent = ConsentFollower(stores.consent, stores.subscriptions, changes, knowledge.consent)
    await consent.load()
    await FilingsFollower(stores.filings, changes, knowledge.filings).load()
    await PreferencesFollower(stores.preferences, changes, knowledge.preferences).load()


def _number_of(old: str | None) -> int | None:
    """Return the version that `--old` names, None where it names a directory or nothing."""
    if old is None or Path(old).is_dir():
        return None
    if old.isascii() and old.isdigit():
        return int(old)
    raise misused(
        f"--old: there is no directory {old}",
        "give a directory with a bundle.yaml, or a number of `smsward policy history`",
    )


def _restored(number: int, files: dict[str, bytes]) -> Bundle:
    with tempfile.TemporaryDirectory(prefix="smsward-") as directory:
        try:
            restore(Path(directory), files)
            return load_bundle(Path(directory))
        except (OSError, ValueError, SettingsError) as error:
            raise CommandError(
                f"version {number} cannot be judged by: {error}",
                advice="it may be older than the rules of today; name a directory instead",
            ) from error


def print_replay(compared: ReplayComparison) -> None:
    """Print what would change, for people."""
    tally = compared.tally
    print_fields(_summary(compared))
    if tally.by_rule:
        rows = sorted(tally.by_action.items(), key=lambda row: -row[1])
        print_table(("was", "would be", "messages"), ((*pair, str(count)) for pair, count in rows))
        print_table(("was", "would be", "messages", "for example"), _rule_rows(tally))
        print_table(("SP", "changed", "would be stopped", "would pass"), _sender_rows(tally))
    else:
        say(f"no verdict would change among the {tally.judged} judged")
    if tally.kept:
        print_table(
            ("not judged again, for", "decisions"),
            ((_WHY[kept], str(count)) for kept, count in tally.kept.most_common()),
        )
    if wordless := tally.unseen + tally.kept[UnchangedReason.TEXT_NOT_KEPT]:
        say(f"the words of {wordless} could not be judged: set records.texts in gateway.yaml")
    say(_TODAY)
    for warning in compared.warnings:
        warn(warning)


def print_replay_json(compared: ReplayComparison) -> None:
    """Print what would change, for programs."""
    tally = compared.tally
    print_json(
        {
            "old": compared.old,
            "new": compared.new,
            "records": str(compared.records),
            "lines": tally.lines,
            "decisions": tally.decisions,
            "judged": tally.judged,
            "without_text": tally.unseen,
            "changed": tally.changed,
            "would_be_stopped": tally.stopped,
            "would_pass": tally.passed,
            "by_action": [
                {"old": old, "new": new, "count": count}
                for (old, new), count in tally.by_action.most_common()
            ],
            "by_rule": [
                {**_pair(change), "count": found.count, "samples": found.samples}
                for change, found in _ranked(tally)
            ],
            "by_sender": tally.by_sender,
            "not_judged": {kept.value: count for kept, count in tally.kept.most_common()},
            "warnings": (_TODAY, *compared.warnings),
        }
    )


def _summary(compared: ReplayComparison) -> Iterator[tuple[str, str]]:
    tally = compared.tally
    yield "records", f"{compared.records}: {tally.lines} lines, {tally.decisions} decisions"
    yield "compared", f"{compared.old or 'what was recorded'} with {compared.new}"
    unseen = f", {tally.unseen} of them without their text" if tally.unseen else ""
    yield "judged again", f"{tally.judged}{unseen}"
    yield "would change", f"{tally.changed}"
    yield "would be stopped", f"{tally.stopped}"
    yield "would pass", f"{tally.passed}"


def _ranked(tally: ReplayTally) -> list[tuple[VerdictChange | None, VerdictChangeKind]]:
    return sorted(tally.by_rule.items(), key=lambda item: -item[1].count)


def _pair(change: VerdictChange | None) -> dict[str, object]:
    if change is None:
        return {"old": None, "new": None}
    return {"old": change.old._asdict(), "new": change.new._asdict()}


def _rule_rows(tally: ReplayTally) -> Iterator[tuple[str, str, str, list[str]]]:
    ranked = _ranked(tally)
    for change, found in ranked[:_SHOWN]:
        old, new = ("others", "others") if change is None else map(_said, change)
        yield old, new, str(found.count), list(map(_place, found.samples))
    if len(ranked) > _SHOWN:
        rest = sum(found.count for _, found in ranked[_SHOWN:])
        yield f"{len(ranked) - _SHOWN} more kinds", "", str(rest), ["--json lists them"]


def _sender_rows(tally: ReplayTally) -> Iterator[tuple[str, ...]]:
    ranked = sorted(tally.by_sender.items(), key=lambda item: -item[1].changed)
    for system_id, found in ranked[:_SHOWN]:
        yield system_id, str(found.changed), str(found.stopped), str(found.passed)
    if len(ranked) > _SHOWN:
        yield f"{len(ranked) - _SHOWN} more", "", "", ""


def _said(outcome: ReplayOutcome) -> str:
    return f"{outcome.action} {outcome.rule}".rstrip()


def _place(sample: ChangedRecord) -> str:
    where = f"{sample.file}:{sample.line}"
    return f"{where} {sample.at} {sample.system_id} → {sample.destination}"
