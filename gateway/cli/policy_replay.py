"""The work of `smsward policy replay`: recorded traffic under other policies."""

import asyncio
import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.app.replay.block_judge import Judge
from gateway.app.replay.directory import DecisionQuery, RecordReplay
from gateway.app.replay.reading_beside import ReaderLostError, reading
from gateway.app.replay.record_blocks import HourUnreadableError, Read
from gateway.app.replay.tally import ReplayTally
from gateway.app.replay.verdict_changes import Replayer
from gateway.cli.deployment import Deployment, faulty, faulty_policies, load_deployment
from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.installed_classifier import installed_scorer
from gateway.cli.progress import progress_bar
from gateway.cli.record_scopes import moment_of
from gateway.cli.replay_options import ReplayOptions
from gateway.cli.replay_views import ReplayComparison, print_replay, print_replay_json
from gateway.cli.storage import opened_store, store_file
from gateway.cli.versions import files_of
from gateway.policy.bundle import Bundle
from gateway.policy.filings import Filings
from gateway.policy.knowledge import Knowledge
from gateway.runtime.record_archive import RecordArchive, start_of
from gateway.runtime.sealing import Keys
from gateway.settings.bundle import load_bundle
from gateway.settings.fault import SettingsError
from gateway.settings.gateway import GatewaySettings, keys_of
from gateway.settings.restore import restore
from gateway.stores.open import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.filings.follower import FilingsFollower
from gateway.systems.preferences.follower import PreferencesFollower

# Objects; what is loaded stays, and records are gone when the next are read. With the usual 700
# a tenth of the time goes into looking for more.
_COLLECTED_AFTER = 50_000


@dataclass(frozen=True, slots=True)
class _StoreKnowledge:
    """What the store holds, and what it does not."""

    knowledge: Knowledge
    old: Bundle | None
    warnings: tuple[str, ...]


def replay_policies(config: Path, policies: Path, asked: ReplayOptions, *, as_json: bool) -> int:
    """Print which recorded verdicts the bundle in `policies` would change; return the exit code."""
    deployment = load_deployment(config, policies)
    archive, wanted = _archive(deployment.settings, asked), _wanted(deployment, asked)
    # The reading starts now, so that there is something to judge when the bundles are loaded.
    with _collecting_rarely(), reading(archive, _keys(deployment.settings)) as read:
        found = asyncio.run(_known(deployment, asked))
        tally = _replayed(RecordReplay(archive, wanted), _replayer(deployment, found), read)
    compared = ReplayComparison(
        tally,
        old=None if found.old is None else found.old.digest,
        new=deployment.bundle.digest,
        records=archive.directory,
        lines=tally.lines,
        warnings=found.warnings,
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


def _replayer(deployment: Deployment, found: _StoreKnowledge) -> Replayer:
    senders = tuple(deployment.senders.values())
    old = None if found.old is None else Judge(found.old, senders, found.knowledge)
    return Replayer(Judge(deployment.bundle, senders, found.knowledge), old)


def _replayed(replay: RecordReplay, replayer: Replayer, read: Read) -> ReplayTally:
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    try:
        with progress_bar() as progress:
            task = progress.add_task("replaying", total=replay.size_octets(replayer) or None)
            return replay.run(replayer, read, partial(progress.advance, task))
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
    directory = asked.records or settings.records_directory
    if not directory.is_dir():
        raise misused(f"there is no directory of records {directory}", "--records names one")
    return RecordArchive(directory)


def _keys(settings: GatewaySettings) -> Keys | None:
    try:
        return keys_of(settings)
    except SettingsError as error:
        raise faulty(error.faults) from error


def _wanted(deployment: Deployment, asked: ReplayOptions) -> DecisionQuery:
    since, until = _epoch(asked.since, -inf), _epoch(asked.until, inf)
    if since >= until:
        raise misused("--until: must be later than --since")
    if asked.sender is not None and asked.sender not in deployment.senders:
        raise misused(
            f"there is no sender {asked.sender} in senders.yaml",
            f"there are: {known(deployment.senders)}",
        )
    return DecisionQuery(since, until, asked.sender)


def _epoch(given: datetime | None, otherwise: float) -> float:
    return otherwise if given is None else moment_of(given).timestamp()


async def _known(deployment: Deployment, asked: ReplayOptions) -> _StoreKnowledge:
    """Return what rules look things up in as it stands now, and the bundle of `--old`."""
    settings = deployment.settings
    scorer, problems = installed_scorer(settings.learning)
    told = tuple(one.en for one in problems)
    knowledge = Knowledge(provinces=deployment.provinces, scorer=scorer)
    knowledge.filings = Filings(ZoneInfo(deployment.bundle.surroundings.zone))
    number = _number_of(asked.old)
    old = _loaded(Path(asked.old)) if asked.old is not None and number is None else None
    path = store_file(settings).absolute()
    if number is None and not path.exists():
        warning = f"there is no store at {path}: no answer, preference or filing is known here"
        return _StoreKnowledge(knowledge, old, (warning, *told))
    async with opened_store(settings) as stores:
        if number is not None:
            old = _restored(number, await files_of(stores.policies, number))
        await _learn(knowledge, stores)
    return _StoreKnowledge(knowledge, old, told)


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


def _loaded(directory: Path) -> Bundle:
    try:
        return load_bundle(directory)
    except SettingsError as error:
        raise faulty_policies(error.faults) from error
