"""The installed models: files in one directory, each named by its digest.

`models.json` says which is in force and which in shadow. Every change is written to a temporary
file, synced, and then renamed; a concurrent reader sees the old content.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.filter.model.model import Model
from gateway.filter.model.model_file import MAX_FILE_OCTETS, ModelFileError, read_model
from gateway.filter.model_pair import ModelPair
from gateway.filter.model_scorer import ModelScorer
from gateway.filter.views import Views
from gateway.runtime.file_lock import FileLock
from gateway.systems.learning.model_history import (
    MAX_STATE_OCTETS,
    ModelState,
    read,
    written,
)

STATE, COMPARISON = "models.json", "comparison.json"

_SUFFIX = ".npz"
_IS_OURS = re.compile("[0-9a-f]{64}")
_PRIVATE, _PRIVATE_DIRECTORY = 0o600, 0o700
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Who changes something, when, and why."""

    at: datetime
    by: str
    note: str = ""


class ModelDirectory:
    """One directory of models. Its calls read and write files: do not call them on a loop.

    If keys are `trusted`, a model must be signed by one of them to be installed or returned.
    Besides the errors named, each call may raise OSError; BlockingIOError while another process
    changes something.
    """

    def __init__(self, path: Path, trusted: Sequence[Ed25519PublicKey] = ()) -> None:
        self.path = path
        self._trusted = tuple(trusted)

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
        """Return the models in force and in shadow, ready to score, and a fault.

        The fault is of the model in shadow, "" for none; with a fault the pair has no model in
        shadow. Raises ModelStateError, and ModelFileError for the model in force.
        """
        state = self.state()
        active = self._scorer(state.active)
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
            after = self.state().install(digest, change.at, change.by, change.note)
            _write(self.path / f"{digest}{_SUFFIX}", octets)
            self._settle(after)
        return digest

    def promote(self, change: ModelChange) -> str:
        """Put the model in shadow in force and return its digest.

        Raises ModelFileError if it cannot be used (any more), ModelStateError, ModelActError.
        """
        with self._alone():
            after = self.state().promote(change.at, change.by, change.note)
            self.model(after.active)
            self._settle(after)
        return after.active

    def roll_back(self, change: ModelChange) -> str:
        """Put the previous model in force; return its digest, "" for none. Errors as `promote`."""
        with self._alone():
            after = self.state().roll_back(change.at, change.by, change.note)
            if after.active:
                self.model(after.active)
            self._settle(after)
        return after.active

    def withdraw(self, change: ModelChange) -> None:
        """Remove the model in shadow. Raises ModelStateError, ModelActError."""
        with self._alone():
            self._settle(self.state().withdraw(change.at, change.by, change.note))

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
        scorer = ModelScorer(self.model(digest), digest)
        # The first text compiles machine code, which takes half a second: do it outside a tick.
        scorer.score([Views("")])
        return scorer

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
