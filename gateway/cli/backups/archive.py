"""The form of a backup: a directory or a tar file, with a manifest of digests."""

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.records import JournalState
from gateway.terminal.failure import CommandError, misused
from gateway.terminal.screen import visible

STORE, MANIFEST = "store.db", "manifest.json"
CONFIG, POLICIES, MODELS = "config", "policies", "models"
_FORM = 1
_MANIFEST_OCTETS = 64 * 2**20
_BLOCK = 1 << 20
_SUFFIX = ".tar"
_PRIVATE, _PRIVATE_DIRECTORY = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup: its name there, its size, its digest (SHA-256), its mode."""

    name: str
    octets: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup holds. `key_id` is of the key that its store is sealed with, "" if open.

    `places` are the directories and the store that it was made of. `left_out` are the files with
    keys: as they are called in the backup, or their path where they lie elsewhere.
    """

    made_at: datetime
    program: str
    revision: str
    key_id: str
    places: Mapping[str, str]
    left_out: tuple[str, ...]
    journals: tuple[JournalState, ...]
    files: tuple[BackupFile, ...]
    form: int = _FORM

    def of(self, folder: str) -> list[BackupFile]:
        """Return the files below a folder of the backup."""
        return [one for one in self.files if one.name.startswith(f"{folder}/")]

    @property
    def store(self) -> BackupFile:
        """Return the copy of the store."""
        return next(one for one in self.files if one.name == STORE)

    @property
    def octets(self) -> int:
        """Return how many octets all files have."""
        return sum(one.octets for one in self.files)


_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _FileShape(_Strict):
    name: Annotated[str, Field(max_length=4096)]
    octets: Annotated[int, Field(ge=0)]
    sha256: _Digest
    mode: Annotated[int, Field(ge=0, le=0o777)]


class _JournalShape(_Strict):
    journal: str
    rows: int
    head: str
    broken: int | None
    problem: str


class _ManifestShape(_Strict):
    made_at: datetime
    program: str
    revision: str
    key_id: str
    places: dict[str, str]
    left_out: list[str]
    journals: list[_JournalShape]
    files: Annotated[list[_FileShape], Field(max_length=1_000_000)]
    form: int


def read_manifest(octets: bytes) -> BackupManifest:
    """Return what a manifest says. Raises CommandError for another form, and for no manifest."""
    try:
        shape = _ManifestShape.model_validate_json(octets)
    except ValidationError as error:
        where = "/".join(map(str, error.errors()[0]["loc"]))
        raise _broken(f"its manifest cannot be read ({where or 'no JSON'})") from error
    if shape.form != _FORM:
        raise _broken(f"its form is {shape.form}, and this version of smsward reads {_FORM}")
    names = [one.name for one in shape.files]
    strange = [name for name in names if not _is_inside(name)]
    folders = {CONFIG, *(name.partition("/")[0] for name in names if name != STORE)}
    if strange or len(set(names)) < len(names) or STORE not in names:
        shown = visible(", ".join(strange[:1])) or "one twice, or no store"
        raise _broken(f"its manifest names files that no backup has: {shown}")
    if not folders <= shape.places.keys():
        raise _broken("its manifest does not say where the files were")
    rest = shape.model_dump(exclude={"journals", "files", "left_out"})
    return BackupManifest(
        **rest,
        left_out=tuple(shape.left_out),
        journals=tuple(JournalState(**dict(one)) for one in shape.journals),
        files=tuple(BackupFile(**dict(one)) for one in shape.files),
    )


def _is_inside(name: str) -> bool:
    """Tell whether a name is that of the store, or of a file below a folder of a backup."""
    path = PurePosixPath(name)
    folder, *rest = path.parts or ("",)
    is_plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    return is_plain and (name == STORE or (bool(rest) and folder in {CONFIG, POLICIES, MODELS}))


def _broken(problem: str) -> CommandError:
    return CommandError(f"this is no whole backup: {problem}")


@dataclass(slots=True)
class BackupWriter:
    """Gathers the files of a backup in a directory beside its place, and gives it its name."""

    place: Path
    files: list[BackupFile] = field(default_factory=list)

    @property
    def draft(self) -> Path:
        """Return the directory in which the backup is made."""
        return self.place.with_name(f"{self.place.name}.part")

    def begin(self) -> None:
        """Make an empty draft. Raises CommandError where there is a backup already."""
        if self.place.is_dir() and not any(self.place.iterdir()):
            self.place.rmdir()
        if self.place.exists() or self.place.is_symlink():
            raise misused(f"{visible(str(self.place))} is there already", "name another place")
        shutil.rmtree(self.draft, ignore_errors=True)  # of a backup that was interrupted
        self.draft.mkdir(mode=_PRIVATE_DIRECTORY, parents=True)

    def add(self, source: Path, name: str) -> None:
        """Copy a file into the draft."""
        target = self.draft / name
        target.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with source.open("rb") as reading, private_file(target) as writing:
            octets, digest = copied(reading, writing)
            mode = os.fstat(reading.fileno()).st_mode & 0o777
        self.files.append(BackupFile(name, octets, digest, mode))

    def add_store(self) -> None:
        """Take down the copy of the store, which is in the draft already."""
        with (self.draft / STORE).open("rb") as reading:
            octets, digest = copied(reading, None)
        self.files.append(BackupFile(STORE, octets, digest, _PRIVATE))

    def finish(self, manifest: BackupManifest) -> None:
        """Write the manifest, and let the backup take its name."""
        with private_file(self.draft / MANIFEST) as file:
            file.write(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
        if self.place.suffix != _SUFFIX:
            self.draft.rename(self.place)
            sync_directory(self.place.parent)
            return
        unfinished = self.place.with_name(f"{self.place.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        with (
            private_file(unfinished) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            # The manifest first: it says what is to follow.
            for name in (MANIFEST, *(one.name for one in manifest.files)):
                tar.add(self.draft / name, arcname=name, recursive=False)
        unfinished.rename(self.place)
        sync_directory(self.place.parent)
        shutil.rmtree(self.draft)

    def give_up(self) -> None:
        """Leave nothing of a backup that failed."""
        shutil.rmtree(self.draft, ignore_errors=True)
        self.place.with_name(f"{self.place.name}.unfinished").unlink(missing_ok=True)


class BackupReader:
    """A backup that is read: its manifest, and its files, each compared with its digest."""

    def __init__(self, place: Path) -> None:
        self._place = place
        if not place.exists():
            raise misused(f"there is no backup at {visible(str(place))}")
        try:
            with self._opened(MANIFEST) as file:
                self.manifest = read_manifest(file.read(_MANIFEST_OCTETS))
        except (OSError, tarfile.TarError, KeyError) as error:
            raise _broken("it has no manifest that can be read") from error

    def check(self, file: BackupFile) -> None:
        """Read a file, and compare it with its digest. Raises CommandError."""
        self._compare(file, None)

    def extract(self, file: BackupFile, target: Path) -> None:
        """Write a file to the new file `target`; raise CommandError if it is another than it was.

        The mode is that of the file that was backed up; it is on the disk when this returns.
        """
        target.unlink(missing_ok=True)
        with private_file(target) as writing:
            self._compare(file, writing)
            os.fchmod(writing.fileno(), file.mode)

    def _compare(self, file: BackupFile, writing: IO[bytes] | None) -> None:
        try:
            with self._opened(file.name) as reading:
                octets, digest = copied(reading, writing)
        except (OSError, tarfile.TarError, KeyError) as error:
            raise _broken(f"{visible(file.name)} cannot be read") from error
        if (octets, digest) != (file.octets, file.sha256):
            raise _broken(f"{visible(file.name)} is not what was backed up")

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if self._place.is_dir():
            with (self._place / name).open("rb") as file:
                yield file
            return
        with tarfile.open(self._place, "r:") as tar:
            found = tar.extractfile(name)
            if found is None:
                raise KeyError(name)
            with found:
                yield found


def has_equal(place: Path, file: BackupFile) -> bool:
    """Tell whether the file at `place` has the octets of one in a backup."""
    if not place.is_file() or place.stat().st_size != file.octets:
        return False
    with place.open("rb") as reading:
        return copied(reading, None)[1] == file.sha256


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file of mode 0600 to write, which is on the disk at the end."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, _PRIVATE), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def copied(
    reading: IO[bytes], writing: IO[bytes] | None, told: Callable[[int], object] = bool
) -> tuple[int, str]:
    """Copy all octets, where there is something to write to; return their number and digest.

    `told` gets the number of octets of each block.
    """
    octets, digest = 0, sha256()
    while block := reading.read(_BLOCK):
        digest.update(block)
        octets += len(block)
        if writing is not None:
            writing.write(block)
        told(len(block))
    return octets, digest.hexdigest()


def sync_directory(path: Path) -> None:
    """Let the names in a directory be on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
