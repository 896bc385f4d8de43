"""The work of `smsward filter models`, `install`, `promote` and `rollback`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.filter.classifier.model_file import MAX_FILE_OCTETS, ModelFileError
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import KeyFileError, trusted_key
from gateway.settings.gateway import GatewaySettings
from gateway.systems.learning.cli.options import ModelChangeOptions
from gateway.systems.learning.model_directory import (
    STATE,
    ModelActError,
    ModelChange,
    ModelDirectory,
    ModelEvent,
    ModelState,
    ModelStateError,
)
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import print_json, print_table, say, visible, warn

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
    return ModelDirectory(learning.models, keys)


def list_models(settings: GatewaySettings, *, history: bool, as_json: bool) -> int:
    """Print how models stand, or what was done to them; return the exit code."""
    models = directory_of(settings)
    with in_words(models):
        state = models.state()
    if history:
        _print_history(state, as_json=as_json)
    else:
        _print_models(models, state, as_json=as_json)
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
        print_json(_described(state, digest) if digest else _standing(state))
    else:
        say(said)


def _print_models(models: ModelDirectory, state: ModelState, *, as_json: bool) -> None:
    described = [_described(state, digest) for digest in state.kept]
    if as_json:
        print_json(described)
    elif described:
        columns = ("state", "digest", "since (UTC)", "by", "note")
        print_table(columns, [_row(state, digest) for digest in state.kept])
    else:
        say(f"no model is installed in {models.path.absolute()}: smsward filter install --help")


def _print_history(state: ModelState, *, as_json: bool) -> None:
    newest_first = list(reversed(state.events))
    if as_json:
        print_json([_event(one) for one in newest_first])
    elif newest_first:
        columns = ("N", "at (UTC)", "act", "digest", "by", "note")
        print_table(columns, map(_event_row, newest_first))
    else:
        say("nothing was done to models yet")


def _standing(state: ModelState) -> dict[str, object]:
    return {"active": state.active or None, "shadow": state.shadow or None}


def _described(state: ModelState, digest: str) -> dict[str, object]:
    last = _last(state, digest)
    return {
        "digest": digest,
        "state": _state(state, digest),
        "at": last and last.at.isoformat(timespec="seconds"),
        "by": last and last.by,
        "note": last and last.note,
    }


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
    return {
        "number": one.number,
        "at": one.at.isoformat(timespec="seconds"),
        "act": one.act,
        "digest": one.digest or None,
        "by": one.by,
        "note": one.note,
    }


def _event_row(one: ModelEvent) -> tuple[str, ...]:
    when = f"{one.at:%Y-%m-%d %H:%M:%S}"
    return (str(one.number), when, one.act, short(one.digest), one.by, one.note)
