"""Models and labelled texts on disk, and what is wrong with them in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.cli.failure import CommandError, misused
from gateway.cli.filter_options import ModelChoice
from gateway.filter.model.model import Model
from gateway.filter.model.model_file import (
    MAX_FILE_OCTETS,
    ModelFileError,
    read_model,
    write_model,
)
from gateway.systems.learning.keys import KeyFileError, signing_key, trusted_key
from gateway.systems.learning.samples import SampleError, SampleFile, read_file

_USUAL_PLACES = (Path("/etc/smsward/model.npz"), Path("model.npz"))


def opened_model(chosen: ModelChoice) -> Model:
    """Return the model that is meant, if it may be used."""
    path = chosen.model or next((one for one in _USUAL_PLACES if one.is_file()), None)
    if path is None:
        raise misused(
            "there is no model", "name one with --model, or make one: smsward filter train --help"
        )
    with _in_words(path):
        keys = [trusted_key(one) for one in chosen.trust or ()]
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
        try:
            return read_model(octets, keys)
        except ModelFileError as error:
            raise CommandError(
                f"{path}: {error}", advice="make it anew: smsward filter train --help"
            ) from error


def key_to_sign_with(path: Path | None) -> Ed25519PrivateKey | None:
    """Return the private key in `path`, None for None."""
    if path is None:
        return None
    with _in_words(path):
        return signing_key(path)


def save_model(path: Path, model: Model, key: Ed25519PrivateKey | None) -> None:
    """Write `model`, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    with _in_words(path):
        try:
            unfinished.write_bytes(write_model(model, key))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def read_files(paths: Sequence[Path]) -> Iterator[SampleFile]:
    """Yield the labelled texts of each file."""
    for path in paths:
        with _in_words(path):
            try:
                yield read_file(path)
            except SampleError as error:
                raise misused(
                    str(error), "a line is `label lang source text` between tabs, ham or spam"
                ) from error


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except KeyFileError as error:
        raise misused(str(error), "openssl genpkey -algorithm ed25519 makes one") from error
    except OSError as error:
        raise CommandError(f"{error.filename or path}: {error.strerror}") from error
