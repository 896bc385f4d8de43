"""The work of `smsward filter models`, `install`, `promote`, `rollback` and `compare --live`."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from gateway.filter.classifier.model import name_of
from gateway.filter.classifier.model_file import MAX_FILE_OCTETS, ModelFileError
from gateway.filter.classifier.score import DISPUTED, ModelAgreement
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.sealed_values import Record, is_sealed, opened, text_of
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import KeyFileError, Sealer, SealError, trusted_key
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.text import readings
from gateway.systems.learning.cli.options import ModelChangeOptions
from gateway.systems.learning.model_comparison import ModelComparison, read_comparison
from gateway.systems.learning.model_directory import (
    STATE,
    ModelActError,
    ModelChange,
    ModelDirectory,
    ModelEvent,
    ModelState,
    ModelStateError,
)
from gateway.systems.learning.person_verdicts import anonymous
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_table,
    progress_bar,
    say,
    shown_fields,
    visible,
    warn,
)
from gateway.terminal.store import cannot_open, sealer_of

_MAX_NOTE_CHARS = 200
_SHOWN_DIGEST_CHARS = 12
_TAKEN = "a running gateway takes it within ten seconds"
_SEE_MODELS = "`smsward filter models` shows what there is"


def directory_of(settings: GatewaySettings) -> ModelDirectory:
    """Return where the models of a deployment are. Raises CommandError for keys that are gone."""
    learning = settings.learning
    try:
        keys = [trusted_key(path) for path in learning.trusted_keys]
    except KeyFileError as error:
        raise misused(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    return ModelDirectory(learning.models, keys, starter=learning.starter_file)


def list_models(settings: GatewaySettings, *, history: bool, as_json: bool) -> int:
    """Print how models stand, or what was done to them; return the exit code."""
    models = directory_of(settings)
    with in_words(models):
        state = models.state()
    events = list(reversed(state.events))
    if as_json:
        described = [_described(state, digest) for digest in state.kept]
        print_json([_event(one) for one in events] if history else described)
    elif history and events:
        print_table(("N", "at (UTC)", "act", "digest", "by", "note"), map(_event_row, events))
    elif history:
        say("nothing was done to models yet")
    elif state.kept:
        columns = ("state", "digest", "since (UTC)", "by", "note")
        print_table(columns, [_row(state, digest) for digest in state.kept])
    else:
        starter = models.starter()
        asked = (
            f"the model that is shipped is asked, {short(starter)}" if starter else "none is asked"
        )
        say(f"no model is installed in {models.path.absolute()}, {asked}")
        say("to install one: smsward filter install --help")
    return ExitCode.FINE


def install_model(
    settings: GatewaySettings, file: Path, reasoned: ModelChangeOptions, *, as_json: bool
) -> int:
    """Put the model in `file` into shadow; return the exit code."""
    models, change = directory_of(settings), _change(reasoned)
    if not models.path.parent.is_dir():
        raise CommandError(
            f"there is no {models.path.parent.absolute()} for the models to be in",
            advice="name the gateway's --config, and call this from the directory it runs in",
        )
    with in_words(models, file):
        with file.open("rb") as opened:
            octets = opened.read(MAX_FILE_OCTETS + 1)
        digest = models.install(octets, change)
        state = models.state()
    if as_json:
        print_json(_described(state, digest))
        return ExitCode.FINE
    say(f"in shadow: {short(digest)}; {_TAKEN}")
    if state.active:
        say("what both say of texts that come: smsward filter compare --live")
    else:
        say("there is no model in force to compare it with: smsward filter promote")
    if not settings.learning.trusted_keys:
        warn(
            "whoever made it: learning.trusted_keys in gateway.yaml names no key to be signed with"
        )
    return ExitCode.FINE


def promote_model(settings: GatewaySettings, reasoned: ModelChangeOptions, *, as_json: bool) -> int:
    """Put the model in shadow in force; return the exit code."""
    models, change = directory_of(settings), _change(reasoned)
    with in_words(models):
        digest = models.promote(change)
        state = models.state()
    _tell(state, digest, f"in force: {short(digest)}; {_TAKEN}", as_json=as_json)
    return ExitCode.FINE


def roll_back_model(
    settings: GatewaySettings, reasoned: ModelChangeOptions, *, shadow: bool, as_json: bool
) -> int:
    """Put the model before back, or take the one in shadow out; return the exit code."""
    models, change = directory_of(settings), _change(reasoned)
    with in_words(models):
        digest = "" if shadow else models.roll_back(change)
        if shadow:
            models.withdraw(change)
        state = models.state()
    if shadow:
        said = "there is no model in shadow any more"
    elif digest:
        said = f"in force again: {short(digest)}; {_TAKEN}"
    elif starter := models.starter():
        said = f"in force again: the model that is shipped, {short(starter)}; {_TAKEN}"
    else:
        said = "there is no model in force any more: what asks for one judges nothing"
    _tell(state, digest, said, as_json=as_json)
    return ExitCode.FINE


@contextmanager
def in_words(models: ModelDirectory, file: Path | None = None) -> Iterator[None]:
    """Raise CommandError for a fault of the models, or of the model in `file`."""
    try:
        yield
    except ModelActError as error:
        raise CommandError(str(error), advice=_SEE_MODELS) from error
    except ModelFileError as error:
        path = models.path if file is None else file
        advice = "nothing was changed; make it anew: smsward filter train --help"
        raise CommandError(f"{path}: {error}", advice=advice) from error
    except ModelStateError as error:
        raise CommandError(
            f"{models.path / STATE}: {error}",
            advice="put a copy of that file back, or move the directory away and install anew",
        ) from error
    except BlockingIOError as error:
        raise CommandError(
            "another command is changing the models", advice="call this again"
        ) from error
    except OSError as error:
        raise CommandError(f"{error.filename or models.path}: {error.strerror}") from error


def short(digest: str) -> str:
    """Return a digest as tables show it."""
    return digest[:_SHOWN_DIGEST_CHARS]


def _change(reasoned: ModelChangeOptions) -> ModelChange:
    note = visible(reasoned.note.strip())[:_MAX_NOTE_CHARS]
    return ModelChange(utcnow(), acting(reasoned.by), note)


def _tell(state: ModelState, digest: str, said: str, *, as_json: bool) -> None:
    if as_json:
        standing = {"active": state.active or None, "shadow": state.shadow or None}
        print_json(_described(state, digest) if digest else standing)
    else:
        say(said)


def _described(state: ModelState, digest: str) -> dict[str, object]:
    last = _last(state, digest)
    act = dict.fromkeys(("at", "by", "note")) if last is None else shown_fields(last, "at by note")
    return {"digest": digest, "state": _state(state, digest), **act}


def _row(state: ModelState, digest: str) -> tuple[str, ...]:
    last = _last(state, digest)
    when = (f"{last.at:%Y-%m-%d %H:%M:%S}", last.by, last.note) if last else ("", "", "")
    return (_state(state, digest), short(digest), *when)


def _state(state: ModelState, digest: str) -> str:
    if digest == state.active:
        return "active"
    return "shadow" if digest == state.shadow else "former"


def _last(state: ModelState, digest: str) -> ModelEvent | None:
    """Return what was done to a model last, None where that is no longer on record."""
    return next((one for one in reversed(state.events) if one.digest == digest), None)


def _event(one: ModelEvent) -> dict[str, object]:
    return shown_fields(one, "number at act digest by note", digest=one.digest or None)


def _event_row(one: ModelEvent) -> tuple[str, ...]:
    when = f"{one.at:%Y-%m-%d %H:%M:%S}"
    return (str(one.number), when, one.act, short(one.digest), one.by, one.note)


_SHOWN_NAMES = 10
_NONE_DISPUTED = "there is no text that only one of them stops"
_NOT_ON_RECORD = "none of them is in the records: they hold texts where records.texts is true"


@dataclass(frozen=True, slots=True)
class DisputedText:
    """One text on which the models disagree, with its numbers masked."""

    name: str
    agreement: str
    system_id: str
    text: str


def show_live(settings: GatewaySettings, *, with_texts: bool, as_json: bool) -> int:
    """Print what a running gateway last said of its two models; return the exit code.

    With `with_texts` what the records tell of the texts that they dispute.
    """
    models = directory_of(settings)
    with in_words(models):
        state, octets = models.state(), models.comparison()
    if not octets:
        raise CommandError(
            "no gateway has compared two models yet",
            advice="one must be in force and one in shadow: `smsward filter models`",
        )
    live = read_comparison(octets)
    if live is None:
        raise CommandError(
            "what a gateway said of its models cannot be read",
            advice="a running gateway writes it anew within ten seconds",
        )
    if (live.active, live.shadow) != (state.active, state.shadow):
        warn("these are not the models that stand now; a running gateway compares those soon")
    texts = disputed_texts(settings, live.sampled, live.since) if with_texts else None
    if as_json:
        more = {} if texts is None else {"texts": list(map(asdict, texts))}
        print_json({**json.loads(octets), **more})
        return ExitCode.FINE
    _print(live)
    if texts:
        rows = [
            (one.name, one.agreement.replace("_", " "), one.system_id, one.text) for one in texts
        ]
        print_table(("name", "stopped by", "SP", "text"), rows)
    elif with_texts:
        say(_NOT_ON_RECORD if any(live.sampled.values()) else _NONE_DISPUTED)
    return ExitCode.FINE


def _print(live: ModelComparison) -> None:
    rows = [(name, counted, *map(str, counts)) for name, counted, counts in live.rows()]
    columns = ("class", "", *(one.replace("_", " ") for one in ModelAgreement))
    title = f"stopped by {short(live.active)} in force, {short(live.shadow)} in shadow"
    print_table(columns, rows, title=title)
    span = f"from {live.since.isoformat()} to {live.at.isoformat()}"
    say(f"texts that were new to the gateway, and all messages that had them, {span}")
    for one in DISPUTED:
        if names := live.sampled.get(one):
            shown = " ".join(names[:_SHOWN_NAMES])
            say(f"{one.replace('_', ' ')}, some of them: {shown}")
    if live.failed:
        warn(f"the model in shadow failed on {counted(live.failed, 'text')}")


def disputed_texts(
    settings: GatewaySettings, sampled: Mapping[ModelAgreement, Sequence[str]], since: datetime
) -> list[DisputedText]:
    """Return the sampled texts that the records since then hold, the last hour first.

    `sampled` has the names by agreement. A long message was judged as a whole, and stands in
    the records part by part: it is not found. Raises CommandError.
    """
    wanted = {name: agreement for agreement, names in sampled.items() for name in names}
    directory = settings.records.directory
    if not directory.is_dir():
        raise misused(
            f"there are no records at {directory.absolute()}",
            "call this from the directory that the gateway runs in",
        )
    archive, sealer = RecordArchive(directory), sealer_of(settings)
    hours = [hour for hour in archive.hours() if hour >= hour_of(since)]
    found: dict[str, DisputedText] = {}
    with progress_bar() as progress:
        task = progress.add_task("looking through the records", total=len(hours))
        for hour in reversed(hours):
            if len(found) == len(wanted):
                break
            for record, text in _texts(archive, hour, sealer):
                name = name_of(text)
                if name in wanted and name not in found:
                    said = str(record.get("system_id", ""))
                    found[name] = DisputedText(name, wanted[name], said, anonymous(text))
            progress.advance(task)
    return list(found.values())


def _texts(
    archive: RecordArchive, hour: int, sealer: Sealer | None
) -> Iterator[tuple[Record, str]]:
    try:
        for record in archive.read(hour):
            said = text_of(_open(record, sealer)) if record.get("kind") == "text" else None
            for text in readings(said[1], said[0]) if said is not None else ():
                yield record, text
    except SealError as error:
        raise cannot_open(error) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CommandError(f"the records of an hour cannot be read: {why}") from error


def _open(record: Record, sealer: Sealer | None) -> Record:
    if sealer is not None:
        return opened(record, sealer)
    if is_sealed(record):
        raise SealError("sealed, and there are no keys")
    return record
