"""Labelled texts in files, with verdicts added, and split for training and measuring."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np

from gateway.domain.categories import category_of
from gateway.filter.classifier.score import TextClass, class_of
from gateway.filter.fingerprints import Signs, fingerprints_of
from gateway.filter.normalise.views import Views

# Of the collection of texts from fake base stations (Lies in the Air, ACM CCS 2020).
_KNOWN_KINDS = {
    "ad:loan": "loan",
    "ad:networkservice": "telecom",
    "ad:other": "commercial",
    "ad:realestate": "real_estate",
    "ad:retail": "retail",
    "fr:financial": "fraud_finance",
    "fr:other": "fraud",
    "fr:phishing(bank)": "phishing",
    "fr:phishing(other)": "phishing",
    "il:escortservice": "pornography",
    "il:fakeidandinvoice": "forged_documents",
    "il:gambling": "gambling",
    "il:politicalpropaganda": "rumour",
}


def category_in(source: str) -> str:
    """Return the category that stands behind the slash of `source`, "" for none known.

    It may be an id, a name or an alias of gateway.domain.categories.
    """
    kind = source.partition("/")[2]
    known = _KNOWN_KINDS.get(kind.replace("_", "").replace(" ", "").lower())
    if known is not None:
        return known
    category = category_of(kind) if kind else None
    return category.id if category else ""


MAX_TEXT_CHARS = 4096
_MAX_FIELD_CHARS = 64
_FIELDS = (4, 5)
_LEAST_SKELETON = 12
_LABELS = {"ham": False, "spam": True}
_SENT_BY_PORT = {"port": True, "person": False}


@dataclass(frozen=True, slots=True)
class FileClass:
    """Who sends the texts of files with names like `pattern`: ports, or else people."""

    pattern: str
    is_port: bool

    @classmethod
    def read(cls, said: str) -> Self:
        """Read `port` or `person`, for all files, or ``*_chat.tsv=person``. Raises ValueError."""
        pattern, _, name = said.rpartition("=")
        if name not in _SENT_BY_PORT:
            raise ValueError(f"{name or said} is neither port nor person")
        return cls(pattern or "*", _SENT_BY_PORT[name])


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


def sample_of(
    line: str, *, place: str = "-", number: int = 1, is_port: bool | None = True
) -> Sample:
    """Return the sample of one line without its newline. Raises SampleError.

    `is_port` says who sends it if the line does not: a port or a person, None if that is not known.
    It must be known of a text with Han.
    """
    fields = line.split("\t")
    if len(fields) not in _FIELDS:
        problem = f"{len(fields)} fields, not label, lang, source, text, and perhaps class"
        raise SampleError(place, number, problem)
    label, lang, source, text, *said = fields
    if label not in _LABELS:
        raise SampleError(place, number, "the label is neither ham nor spam")
    if max(len(lang), len(source)) > _MAX_FIELD_CHARS:
        raise SampleError(place, number, f"lang or source is longer than {_MAX_FIELD_CHARS}")
    if len(text) > MAX_TEXT_CHARS:
        raise SampleError(place, number, f"the text is longer than {MAX_TEXT_CHARS} characters")
    if said and said[0] not in _SENT_BY_PORT:
        raise SampleError(place, number, "the class is neither port nor person")
    seen, is_port = Views(text), _SENT_BY_PORT[said[0]] if said else is_port
    text_class = class_of(seen, is_port=bool(is_port))
    if is_port is None and text_class is not TextClass.FOREIGN:
        raise SampleError(place, number, "neither line nor --class says if port or person sends it")
    return Sample(_LABELS[label], lang, source, seen, text_class)


def read_file(path: Path, classes: Iterable[FileClass] = ()) -> SampleFile:
    """Read the samples of one file.

    The first of `classes` that fits its name says who sends the texts, if a line does not. A file
    of the same name with .groups has one group name for each line; one with .suspect has the
    numbers of doubtful lines, counted from 0. Raises SampleError, OSError.
    """
    octets = path.read_bytes()
    try:
        lines = octets.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        number = octets.count(b"\n", 0, error.start) + 1
        raise SampleError(path.name, number, "not UTF-8") from error
    fitting = (one.is_port for one in classes if fnmatchcase(path.name, one.pattern))
    is_port = next(fitting, None)
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
    held = [one for sample in held_out if len(one := skeleton(sample.text)) >= _LEAST_SKELETON]
    known = {skeleton(sample.text) for sample in train} if held else set()
    return sum(one in known for one in held)


def skeleton(text: Views) -> str:
    """Return the folded text without spaces and signs, every number as 0."""
    kept = ("0" if char.isdigit() else char for char in text.folded if char.isalnum())
    return "".join(kept)


def campaign_of(sample: Sample) -> str:
    """Return a name that samples of one campaign share: its group, or its skeleton."""
    return sample.group or skeleton(sample.text)


def judging_sources(samples: Iterable[Sample]) -> dict[str, TextClass]:
    """Return the sources that may stand for a class, each with the class of most of its spam.

    They have spam, and there are innocent texts to tell it from: of the same source, or where
    a port sends of any.
    """
    spam = Counter[tuple[str, TextClass]]()
    innocent = set[tuple[str, TextClass]]()
    for one in samples:
        if one.is_spam:
            spam[one.origin, one.text_class] += 1
        else:
            innocent |= {(one.origin, one.text_class), ("", one.text_class)}
    return {
        origin: text_class
        for (origin, text_class), _ in reversed(spam.most_common())
        if ("" if text_class is TextClass.PORT else origin, text_class) in innocent
    }


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


# A verdict is from the carrier's own traffic and people: it counts as several collected texts.
USUAL_WEIGHT = 3
MAX_WEIGHT = 20

_MOST_OF_A_CAMPAIGN = 20
# pairs and single ones of 64 signs, as gateway.filter.campaigns has.
_BANDS, _AGREEING = 16, 22
_FOUND_PER_BAND = 8
_HELD_OUT_OF = 10
_TEXTS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class SampleSplit:
    """The samples to train on, and the held-out samples to measure on.

    `added` verdicts are in `train`, each repeated by the weight; `left_out` belong to campaigns
    that are measured on; `repeated` are over the limit of their campaign.
    """

    train: list[Sample]
    held_out: list[Sample]
    added: int
    left_out: int
    repeated: int


def with_verdicts(
    verdicts: Sequence[Sample],
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    *,
    weight: int = USUAL_WEIGHT,
    holds_out: bool,
) -> SampleSplit:
    """Add `verdicts`, the newest first, to the samples to train on.

    Texts that differ only in particulars are one campaign; each verdict gets the campaign's name
    as its group. A campaign in `held_out` stays out of the training, a campaign in `train` stays
    there; with `holds_out` every tenth of the other campaigns is held out. Of one campaign at
    most the newest twenty are trained on.
    """
    campaigns = _CampaignGroups(verdicts)
    measured = campaigns.among(held_out)
    trained = campaigns.among(train)
    more: list[Sample] = []
    measured_too: list[Sample] = []
    taken: dict[int, int] = {}
    left_out = repeated = 0
    for number, verdict in enumerate(verdicts):
        campaign = campaigns.of(number)
        name = skeleton(verdicts[campaign].text)
        verdict.group = f"verdicts:{name}"
        if campaign in measured:
            left_out += 1
        elif holds_out and campaign not in trained and is_held_out(name):
            measured_too.append(verdict)
        elif taken.get(campaign, 0) >= _MOST_OF_A_CAMPAIGN:
            repeated += 1
        else:
            taken[campaign] = taken.get(campaign, 0) + 1
            more.append(verdict)
    return SampleSplit(
        [*train, *more * weight], [*held_out, *measured_too], len(more), left_out, repeated
    )


def is_held_out(campaign: str) -> bool:
    """Tell whether the texts of a campaign are measured on: those of every tenth are."""
    return crc32(campaign.encode(errors="replace")) % _HELD_OUT_OF == 0


class _CampaignGroups:
    """Groups texts into campaigns: alike directly, or through other texts."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._parents = list(range(len(samples)))
        self._by_name: dict[int | str, int] = {}
        self._by_band: dict[tuple[int, bytes], list[int]] = {}
        self._signs: dict[int, Signs] = {}
        for number, (names, signs) in enumerate(_known_by(samples)):
            for other in self._alike(names, signs):
                self._join(number, other)
            for name in names:
                self._by_name.setdefault(name, number)
            if signs is not None:
                self._put(number, signs)

    def of(self, number: int) -> int:
        """Return the first text of the campaign of text `number`."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def among(self, samples: Sequence[Sample]) -> set[int]:
        """Return the campaigns that have a text in `samples`."""
        if not self._parents:
            return set()
        return {self.of(found) for known in _known_by(samples) for found in self._alike(*known)}

    def _put(self, number: int, signs: Signs) -> None:
        self._signs[number] = signs
        for band in _bands_of(signs):
            texts = self._by_band.setdefault(band, [])
            if len(texts) < _FOUND_PER_BAND:
                texts.append(number)

    def _alike(self, names: Sequence[int | str], signs: Signs | None) -> Iterator[int]:
        yield from (self._by_name[name] for name in names if name in self._by_name)
        if signs is None:
            return
        bands = _bands_of(signs)
        near = {number for band in bands for number in self._by_band.get(band, ())}
        for number in sorted(near):
            if np.count_nonzero(self._signs[number] == signs) >= _AGREEING:
                yield number

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._parents[second] = first


def _known_by(samples: Sequence[Sample]) -> Iterator[tuple[tuple[int | str, ...], Signs | None]]:
    """Yield for each text the names that it shares with texts alike, and its signs."""
    for at in range(0, len(samples), _TEXTS_AT_ONCE):
        some = samples[at : at + _TEXTS_AT_ONCE]
        found = fingerprints_of([one.text.sound for one in some])
        for sample, one in zip(some, found, strict=True):
            yield (one.skeleton, skeleton(sample.text)), one.signs


def _bands_of(signs: Signs) -> Iterator[tuple[int, bytes]]:
    for band in range(_BANDS):
        yield band, signs[2 * band : 2 * band + 2].tobytes()
