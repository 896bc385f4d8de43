"""The installed models, in one directory: files by digest, and which is in force or in shadow.

`models.json` says which is in force and which in shadow. Every change is written to a temporary
file, synced, and then renamed; a concurrent reader sees the old content.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from gateway.filter.classifier.model import Model, ModelPair, ModelScorer
from gateway.filter.classifier.model_file import MAX_FILE_OCTETS, ModelFileError, read_model
from gateway.runtime.file_lock import FileLock

FORMAT = 1
# So many former models can be put back, one after the other.
FORMER_KEPT = 5
# The model files of so many of the latest acts stay too.
LAST_KEPT = 3
ACTS_KEPT = 200
MAX_STATE_OCTETS = 2**20

# As models.json must have them.
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_DigestOrNone = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
_MAX_WORDS_CHARS = 1000
_Words = Annotated[str, Field(max_length=_MAX_WORDS_CHARS)]


class ModelStateError(Exception):
    """The state file has no usable content; `place` says where in it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


class ModelActError(Exception):
    """The act is not possible in the present state of the models."""


class ModelAct(StrEnum):
    """What was done to a model."""

    INSTALL = "install"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One act on record: `digest` names the model put in force, put in shadow, or withdrawn.

    For a rollback it is the model put back, "" if there was none before.
    """

    number: Annotated[int, Field(ge=1)]
    act: ModelAct
    digest: _DigestOrNone
    at: AwareDatetime
    by: _Words
    note: _Words


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Who changes something, when, and why."""

    at: datetime
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelState:
    """The state of the models. `actives` were in force one after the other; the last still is."""

    actives: tuple[str, ...] = ()
    shadow: str = ""
    events: tuple[ModelEvent, ...] = ()

    @property
    def active(self) -> str:
        """Return the digest of the model in force, "" without one."""
        return self.actives[-1] if self.actives else ""

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the models with files to keep, each once.

        These are the models in force and in shadow, those that can be put back, and the models
        of the latest acts.
        """
        last = [event.digest for event in reversed(self.events)][:LAST_KEPT]
        names = (self.shadow, *reversed(self.actives), *last)
        return tuple(dict.fromkeys(name for name in names if name))

    def install(self, digest: str, change: ModelChange) -> "ModelState":
        """Put a model into shadow, replacing any other. Raises ModelActError."""
        if digest == self.active:
            raise ModelActError("this model is in force already")
        if digest == self.shadow:
            raise ModelActError("this model is in shadow already")
        return replace(self._noted(ModelAct.INSTALL, digest, change), shadow=digest)

    def promote(self, change: ModelChange) -> "ModelState":
        """Put the model in shadow in force. Raises ModelActError."""
        if not self.shadow:
            raise ModelActError("there is no model in shadow")
        actives = (*(one for one in self.actives if one != self.shadow), self.shadow)
        after = self._noted(ModelAct.PROMOTE, self.shadow, change)
        return replace(after, actives=actives[-FORMER_KEPT - 1 :], shadow="")

    def roll_back(self, change: ModelChange) -> "ModelState":
        """Put the previous model in force, or none if there is no previous one.

        Raises ModelActError.
        """
        if not self.actives:
            raise ModelActError("there is no model in force")
        before = self.actives[:-1]
        after = self._noted(ModelAct.ROLLBACK, before[-1] if before else "", change)
        return replace(after, actives=before)

    def withdraw(self, change: ModelChange) -> "ModelState":
        """Remove the model in shadow. Raises ModelActError."""
        if not self.shadow:
            raise ModelActError("there is no model in shadow")
        return replace(self._noted(ModelAct.WITHDRAW, self.shadow, change), shadow="")

    def _noted(self, act: ModelAct, digest: str, change: ModelChange) -> "ModelState":
        number = self.events[-1].number + 1 if self.events else 1
        event = ModelEvent(number, act, digest, change.at, change.by, change.note)
        return replace(self, events=(*self.events, event)[-ACTS_KEPT:])


def written(state: ModelState) -> bytes:
    """Return `state` as the octets of its file."""
    said = {
        "format": FORMAT,
        "actives": state.actives,
        "shadow": state.shadow,
        "events": [asdict(one) | {"at": one.at.isoformat()} for one in state.events],
    }
    return json.dumps(said, ensure_ascii=False, indent=1).encode()


_OF_KEYS = ("missing", "extra_forbidden", "unexpected_keyword_argument")
_PROBLEMS = {
    "format": f"it is not {FORMAT}",
    "actives": f"it is no list of up to {FORMER_KEPT + 1} SHA-256 in hex",
    "shadow": "it is no SHA-256 in hex",
    "events": f"it is no list of up to {ACTS_KEPT}",
    "number": "it is no number from 1 on",
    "act": f"it is none of {', '.join(ModelAct)}",
    "digest": "it is no SHA-256 in hex",
    "at": "it is no time with an offset",
    "by": f"it is no text of at most {_MAX_WORDS_CHARS} characters",
    "note": f"it is no text of at most {_MAX_WORDS_CHARS} characters",
}


class _StateFile(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    format: Literal[1]
    actives: Annotated[tuple[_Digest, ...], Field(max_length=FORMER_KEPT + 1)]
    shadow: _DigestOrNone
    events: Annotated[tuple[ModelEvent, ...], Field(max_length=ACTS_KEPT)]


def read(octets: bytes) -> ModelState:
    """Return the state in `octets`, which are not trusted. Raises ModelStateError."""
    if len(octets) > MAX_STATE_OCTETS:
        raise ModelStateError("file", f"over {MAX_STATE_OCTETS} octets")
    try:
        file = _StateFile.model_validate_json(octets)
    except ValidationError as error:
        raise _fault_of(error.errors(include_url=False, include_input=False)[0]) from error
    if len(set(file.actives)) != len(file.actives):
        raise ModelStateError("actives", "one is there twice")
    if any(later.number <= earlier.number for earlier, later in pairwise(file.events)):
        raise ModelStateError("events", "their numbers do not grow")
    return ModelState(file.actives, file.shadow, file.events)


def _fault_of(detail: ErrorDetails) -> ModelStateError:
    kind, steps = detail["type"], detail["loc"]
    if kind in _OF_KEYS:
        steps = steps[:-1]  # it is the mapping that has something too much, or too little
    place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in steps).lstrip(".")
    if kind == "json_invalid":
        return ModelStateError("file", "it is no JSON")
    if kind in (*_OF_KEYS, "model_type", "dataclass_type"):
        names = ModelEvent.__match_args__ if steps else _StateFile.model_fields
        return ModelStateError(place or "file", f"it is no mapping of {', '.join(sorted(names))}")
    name = next(one for one in reversed(steps) if isinstance(one, str))
    return ModelStateError(place, _PROBLEMS[name])


STATE, COMPARISON = "models.json", "comparison.json"

_SUFFIX = ".npz"
_IS_OURS = re.compile("[0-9a-f]{64}")
_PRIVATE, _PRIVATE_DIRECTORY = 0o600, 0o700
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class ModelDirectory:
    """One directory of models. Its calls read and write files: do not call them on a loop.

    If keys are `trusted`, a model must be signed by one of them to be installed or returned. The
    file `starter`, which comes with the program, is the model in force while none is installed.
    Besides the errors named, each call may raise OSError; BlockingIOError while another process
    changes something.
    """

    def __init__(
        self,
        path: Path,
        trusted: Sequence[Ed25519PublicKey] = (),
        *,
        starter: Path | None = None,
    ) -> None:
        self.path = path
        self._trusted = tuple(trusted)
        self._starter = starter

    def state(self) -> ModelState:
        """Return the state of the models, empty without a directory. Raises ModelStateError."""
        try:
            octets = _octets_of(self.path / STATE, MAX_STATE_OCTETS)
        except FileNotFoundError:
            return ModelState()
        return read(octets)

    def stamp(self) -> tuple[int, ...]:
        """Return a value that differs after each change of the state; () without a state."""
        try:
            seen = (self.path / STATE).stat()
        except FileNotFoundError:
            return ()
        return (seen.st_ino, seen.st_mtime_ns, seen.st_size)

    def model(self, digest: str) -> Model:
        """Return an installed model. Raises ModelFileError with the file and the fault in it."""
        name = f"{digest}{_SUFFIX}"
        try:
            octets = _octets_of(self.path / name, MAX_FILE_OCTETS)
        except FileNotFoundError as error:
            raise ModelFileError(name, "there is no such file") from error
        if sha256(octets).hexdigest() != digest:
            raise ModelFileError(name, "it was changed since it was installed")
        try:
            return read_model(octets, self._trusted)
        except ModelFileError as error:
            raise ModelFileError(name, str(error)) from error

    def pair(self) -> tuple[ModelPair, str]:
        """Return the models in force and in shadow, and a fault.

        The fault is of the model in shadow, "" for none; with a fault the pair has no model in
        shadow. Raises ModelStateError, and ModelFileError for the model in force.
        """
        state = self.state()
        active = self._scorer(state.active) if state.active else self._starter_scorer()
        try:
            return ModelPair(active, self._scorer(state.shadow)), ""
        except (ModelFileError, OSError) as error:
            return ModelPair(active), str(error)

    def install(self, octets: bytes, change: ModelChange) -> str:
        """Put a model into shadow and return its digest.

        On an error nothing is changed. Raises ModelFileError if the octets are not a usable
        model, ModelStateError, ModelActError.
        """
        read_model(octets, self._trusted)
        digest = sha256(octets).hexdigest()
        with self._alone():
            after = self.state().install(digest, change)
            _write(self.path / f"{digest}{_SUFFIX}", octets)
            self._settle(after)
        return digest

    def promote(self, change: ModelChange) -> str:
        """Put the model in shadow in force and return its digest.

        Raises ModelFileError if it cannot be used (any more), ModelStateError, ModelActError.
        """
        with self._alone():
            after = self.state().promote(change)
            self.model(after.active)
            self._settle(after)
        return after.active

    def roll_back(self, change: ModelChange) -> str:
        """Put the previous model in force; return its digest, "" for none. Errors as `promote`."""
        with self._alone():
            after = self.state().roll_back(change)
            if after.active:
                self.model(after.active)
            self._settle(after)
        return after.active

    def withdraw(self, change: ModelChange) -> None:
        """Remove the model in shadow. Raises ModelStateError, ModelActError."""
        with self._alone():
            self._settle(self.state().withdraw(change))

    def write_comparison(self, octets: bytes) -> None:
        """Keep a gateway's comparison of the two models for later readers."""
        self._make()
        _write(self.path / COMPARISON, octets)

    def comparison(self) -> bytes:
        """Return the comparison kept last, empty without one."""
        try:
            return _octets_of(self.path / COMPARISON, MAX_STATE_OCTETS)
        except FileNotFoundError:
            return b""

    def _scorer(self, digest: str) -> ModelScorer | None:
        if not digest:
            return None
        return ModelScorer(self.model(digest), digest)

    def starter(self) -> str:
        """Return the digest of the model that is in force while none is installed, "" for none."""
        return sha256(self._starter.read_bytes()).hexdigest() if self._starter else ""

    def _starter_scorer(self) -> ModelScorer | None:
        if self._starter is None:
            return None
        try:
            return _shipped(_octets_of(self._starter, MAX_FILE_OCTETS))
        except ModelFileError as error:
            raise ModelFileError(self._starter.name, str(error)) from error

    def _settle(self, state: ModelState) -> None:
        _write(self.path / STATE, written(state))
        for path in self.path.glob(f"*{_SUFFIX}"):
            if _IS_OURS.fullmatch(path.stem) and path.stem not in state.kept:
                path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._make()
        share = FileLock.whole(self.path / STATE)
        try:
            yield
        finally:
            share.release()

    def _make(self) -> None:
        self.path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)


@lru_cache(maxsize=1)
def _shipped(octets: bytes) -> ModelScorer:
    """Return the model that is shipped: 16 MB, once for all gateways of a process."""
    return ModelScorer(read_model(octets), sha256(octets).hexdigest())


def _octets_of(path: Path, maximum: int) -> bytes:
    """Return at most `maximum` + 1 octets: the one more lets the reader reject the file."""
    with path.open("rb") as file:
        return file.read(maximum + 1)


def _write(path: Path, octets: bytes) -> None:
    # Gateways in containers may share a directory and have the same process number.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{token_hex(4)}.part")
    descriptor = os.open(unfinished, _FLAGS, _PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
