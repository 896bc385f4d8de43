"""Labelled texts in files: one on each line, `label lang source text` separated by tabs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gateway.filter.model.classes import TextClass, class_of
from gateway.filter.views import Views, views

MAX_TEXT_CHARS = 4096
_MAX_FIELD_CHARS = 64
_FIELDS = 4
_LEAST_SKELETON = 12
_LABELS = {"ham": False, "spam": True}


class SampleError(Exception):
    """A line is not a sample. `line` counts from 1; 0 means the whole file."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(slots=True)
class Sample:
    """A labelled text. `source` is a name, and after a slash the kind of spam.

    `group` names its campaign: samples of one group are never split. `is_doubtful` marks a label
    that a person has checked and thinks wrong.
    """

    is_spam: bool
    lang: str
    source: str
    text: Views
    text_class: TextClass
    group: str = ""
    is_doubtful: bool = False

    @property
    def origin(self) -> str:
        """Return the source without the kind."""
        return self.source.partition("/")[0]


@dataclass(frozen=True, slots=True)
class SampleFile:
    """The samples of one file, and its digest as a model card names it."""

    name: str
    sha256: str
    samples: tuple[Sample, ...]


def sample_of(line: str, *, place: str = "-", number: int = 1, is_port: bool = True) -> Sample:
    """Return the sample of one line without its newline. Raises SampleError."""
    fields = line.split("\t")
    if len(fields) != _FIELDS:
        raise SampleError(place, number, f"{len(fields)} fields, not label, lang, source and text")
    label, lang, source, text = fields
    if label not in _LABELS:
        raise SampleError(place, number, "the label is neither ham nor spam")
    if max(len(lang), len(source)) > _MAX_FIELD_CHARS:
        raise SampleError(place, number, f"lang or source is longer than {_MAX_FIELD_CHARS}")
    if len(text) > MAX_TEXT_CHARS:
        raise SampleError(place, number, f"the text is longer than {MAX_TEXT_CHARS} characters")
    seen = views(text)
    return Sample(_LABELS[label], lang, source, seen, class_of(seen, is_port=is_port))


def read_file(path: Path) -> SampleFile:
    """Read the samples of one file; ``*_bulk.tsv`` and ``adv_*.tsv`` count as sent by a port.

    A file of the same name with .groups has one group name for each line; one with .suspect has
    the numbers of doubtful lines, counted from 0. Raises SampleError, OSError.
    """
    octets = path.read_bytes()
    try:
        lines = octets.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        number = octets.count(b"\n", 0, error.start) + 1
        raise SampleError(path.name, number, "not UTF-8") from error
    is_port = path.stem.endswith("_bulk") or path.stem.startswith("adv_")
    groups = _groups(path, len(lines))
    doubtful = set(_lines_beside(path, ".suspect"))
    samples = []
    for number, line in enumerate(lines, 1):
        sample = sample_of(line.removesuffix("\r"), place=path.name, number=number, is_port=is_port)
        sample.group = f"{path.stem}:{groups[number - 1]}" if groups else ""
        sample.is_doubtful = str(number - 1) in doubtful
        samples.append(sample)
    return SampleFile(path.name, sha256(octets).hexdigest(), tuple(samples))


def files_in(places: Sequence[Path], prefix: str) -> Iterator[Path]:
    """Yield the files in `places`; for a directory, its ``.tsv`` files that begin with `prefix`."""
    for place in places:
        if place.is_dir():
            yield from sorted(place.glob(f"{prefix}*.tsv"))
        else:
            yield place


def leaked(train: Iterable[Sample], held_out: Iterable[Sample]) -> int:
    """Count the held-out samples with a text that is in `train`, ignoring numbers and spaces.

    Texts of only a few words are not counted: they may be equal by chance.
    """
    held = [one for one in map(_skeleton_of, held_out) if len(one) >= _LEAST_SKELETON]
    known = {_skeleton_of(sample) for sample in train} if held else set()
    return sum(one in known for one in held)


def _skeleton_of(sample: Sample) -> str:
    return skeleton(sample.text)


def skeleton(text: Views) -> str:
    """Return the folded text without spaces and signs, every number as 0."""
    kept = ("0" if char.isdigit() else char for char in text.folded if char.isalnum())
    return "".join(kept)


def campaign_of(sample: Sample) -> str:
    """Return a name that samples of one campaign share: its group, or its skeleton."""
    return sample.group or skeleton(sample.text)


def _groups(path: Path, count: int) -> list[str]:
    groups = _lines_beside(path, ".groups")
    if groups and len(groups) != count:
        raise SampleError(
            path.with_suffix(".groups").name, 0, f"{len(groups)} lines for {count} samples"
        )
    return groups


def _lines_beside(path: Path, suffix: str) -> list[str]:
    beside = path.with_suffix(suffix)
    return beside.read_text(encoding="utf-8").split() if beside.is_file() else []
