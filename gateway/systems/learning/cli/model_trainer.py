"""The work of `smsward filter train`, `evaluate` and `compare`."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from gateway.filter.classifier.model import Model
from gateway.filter.classifier.score import TextClass
from gateway.runtime.clock import utcnow
from gateway.systems.learning.cli.model_files import (
    evaluation_as_json,
    key_to_sign_with,
    opened_model,
    print_evaluation,
    read_files,
    save_model,
)
from gateway.systems.learning.cli.options import (
    ComparisonOptions,
    EvaluationOptions,
    ModelChoice,
    TrainingTarget,
)
from gateway.systems.learning.cli.samples import all_samples
from gateway.systems.learning.evaluation import POINT, Bin, Evaluation, evaluate, is_attacked
from gateway.systems.learning.person_verdicts import ORIGIN, to_train_on
from gateway.systems.learning.samples import (
    MAX_WEIGHT,
    Sample,
    SampleFile,
    SampleSplit,
    files_in,
    judging_sources,
    leaked,
    with_verdicts,
)
from gateway.systems.learning.training import TrainingError, TrainingProgress, parted, train
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.screen import counted, print_json, print_table, progress_bar, say, warn

_LIMITS = (
    "Measured on texts like those it was trained on. Innocent texts of another kind, age or"
    " language may be found guilty more often: measure on your own traffic before it acts."
)


def train_model(
    places: Sequence[Path], made: TrainingTarget, config: Path | None, *, as_json: bool
) -> int:
    """Train on the labelled texts in `places`, write the model; return the exit code."""
    key = key_to_sign_with(made.key)
    verdicts = samples_to_add(made, config)
    files = list(read_files(_named(places, "train_"), made.classes))
    directories = [place for place in places if place.is_dir()]
    measured = list(files_in(made.dev or directories, "dev_"))
    measured_on = list(read_files(measured, made.classes))
    samples, held_out = _samples(files), _samples(measured_on)
    doubled = leaked(samples, held_out)
    if doubled:
        warn(f"{doubled} of {len(held_out)} texts to measure on stand among those to train on")
    if not measured_on:
        samples, held_out = parted(samples)
    added = with_verdicts(
        verdicts.samples, samples, held_out, weight=made.weight, holds_out=not measured_on
    )
    samples, held_out = added.train, added.held_out
    about = {
        "trained_at": utcnow().isoformat(timespec="seconds"),
        "data": [described_file(one) for one in files],
        "held_out": [described_file(one) for one in measured_on],
        "samples": described_addition(verdicts, added, made) if made.add_samples else None,
        "leaked": doubled,
        "split": "files of their own" if measured_on else "every tenth campaign",
        "seed": made.seed,
        "limits": _LIMITS,
    }
    with progress_bar() as progress:
        try:
            model = train(samples, held_out, about=about, seed=made.seed, told=_told(progress))
        except TrainingError as error:
            raise misused(str(error), "give more labelled texts with --data") from error
    found = evaluate(model, held_out)
    about["measured"] = evaluation_as_json(found)
    save_model(made.out, Model(model.classes, model.categories, about), key)
    if as_json:
        print_json({"model": str(made.out), **about})
    else:
        print_evaluation(found)
        if made.add_samples:
            say(
                f"samples: {added.added} added, {added.left_out} left out for their campaign is"
                f" measured on, {added.repeated} for there are enough of their campaign"
            )
        say(f"{made.out}: {counted(len(samples), 'text')}, {'signed' if key else 'not signed'}")
    return ExitCode.FINE


def _named(places: Sequence[Path], prefix: str) -> list[Path]:
    paths = list(files_in(places, prefix))
    if not paths:
        raise misused(f"--data: no {prefix}*.tsv there")
    return paths


def _samples(files: Sequence[SampleFile]) -> list[Sample]:
    return [sample for file in files for sample in file.samples]


def _told(progress: Progress) -> TrainingProgress:
    task = progress.add_task("reading", total=None)

    def begin(what: str, steps: int) -> None:
        progress.reset(task, description=what, total=steps)

    return TrainingProgress(begin, lambda steps: progress.advance(task, steps))


def samples_to_add(made: TrainingTarget, config: Path | None) -> SampleFile:
    """Return the samples on record as a file would hold them, the newest first.

    None unless they are asked for.
    """
    if not 1 <= made.weight <= MAX_WEIGHT:
        raise misused(f"--weight: 1 to {MAX_WEIGHT}")
    if not made.add_samples:
        return SampleFile(ORIGIN, "", ())
    kept = all_samples(config)
    digest = sha256("".join(sorted(f"{one.digest} {one.label}\n" for one in kept)).encode())
    return SampleFile(ORIGIN, digest.hexdigest(), tuple(map(to_train_on, kept)))


def described_file(file: SampleFile) -> dict[str, object]:
    """Return what a model's card says of labelled texts: no text, only what they were."""
    spam = sum(sample.is_spam for sample in file.samples)
    return {
        "file": file.name,
        "sha256": file.sha256,
        "ham": len(file.samples) - spam,
        "spam": spam,
        "sources": sorted({sample.origin for sample in file.samples}),
    }


def described_addition(
    verdicts: SampleFile, added: SampleSplit, made: TrainingTarget
) -> dict[str, object]:
    """Return what a model's card says of the samples and of what became of them."""
    return {
        **described_file(verdicts),
        "added": added.added,
        "weight": made.weight,
        "left_out": added.left_out,
        "repeated": added.repeated,
    }


_AT_ONCE = 512
_SIDE, _MARGIN = 480, 24
_LEAST, _MOST = 3, 12  # half a side of the square of few, and of many, texts
COLOURS: Mapping[TextClass, str] = {
    TextClass.PORT: "blue",
    TextClass.PERSON: "orange",
    TextClass.FOREIGN: "green",
}
_SHADES = {"blue": (31, 87, 180), "orange": (230, 120, 20), "green": (30, 140, 60)}
_GRID, _DIAGONAL = (225, 225, 225), (120, 120, 120)

Picture = NDArray[np.uint8]


def evaluate_model(
    places: Sequence[Path],
    chosen: ModelChoice,
    asked: EvaluationOptions,
    plot: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print what the model is worth on the labelled texts in `places`; return the exit code."""
    model = opened_model(chosen)
    samples, attacked = _read(places, asked.classes)
    judged_by, train = _judged_by(asked.judge_by or (), samples), asked.train
    trained_on = read_files(list(files_in(train, "train_")), asked.classes) if train else ()
    doubled = leaked(chain.from_iterable(file.samples for file in trained_on), samples)
    found = _evaluated(model, samples, attacked)
    if plot is not None:
        curves = {name: one.bins for name, one in found.classes.items()}
        try:
            plot.write_bytes(reliability_png(curves))
        except OSError as error:
            raise CommandError(f"{plot}: {error.strerror}") from error
    if as_json:
        counted = {"leaked": doubled} if train else {}
        drawn = {"plot": {"file": str(plot), "colours": _colours(found)}} if plot else {}
        print_json({**evaluation_as_json(found, judged_by), **counted, **drawn})
        return ExitCode.FINE
    print_evaluation(found, judged_by)
    if train:
        say(f"{doubled} of {len(samples)} texts stand among those it was trained on")
    if plot:
        shown = ", ".join(f"{name} {colour}" for name, colour in _colours(found).items())
        say(f"{plot}: {shown}; to the right the probability, upwards the share of spam")
    return ExitCode.FINE


def compare_models(
    old: Path | None, new: Path | None, compared: ComparisonOptions, *, as_json: bool
) -> int:
    """Print how two models differ; return the exit code. Raises CommandError for less than two."""
    if compared.texts:
        raise misused("--texts goes with --live")
    if old is None or new is None:
        raise misused("name two models", "or compare those that are installed: --live")
    before, after = (opened_model(ModelChoice(one)) for one in (old, new))
    if compared.data:
        samples, attacked = _read(compared.data, compared.classes)
        told = [
            evaluation_as_json(_evaluated(model, samples, attacked)) for model in (before, after)
        ]
        changed = _changed(before, after, samples)
    else:
        told, changed = [dict(model.about) for model in (before, after)], {}
    if as_json:
        print_json({"old": told[0], "new": told[1], "changed": changed})
        return ExitCode.FINE
    flat = [dict(_numbers_in(one, "")) for one in told]
    rows = [
        (name, _shown(flat[0].get(name)), _shown(flat[1].get(name)))
        for name in dict.fromkeys((*flat[0], *flat[1]))
        if flat[0].get(name) != flat[1].get(name)
    ]
    if rows:
        print_table(("measure", str(old), str(new)), rows)
    for what, count in changed.items():
        say(f"{what}: {count}")
    if not rows and not any(changed.values()):
        say("they say the same")
    return ExitCode.FINE


def _read(
    places: Sequence[Path], classes: Sequence[str] | None
) -> tuple[list[Sample], list[Sample]]:
    """Return the samples of all files, and those in disguise."""
    samples: list[Sample] = []
    attacked: list[Sample] = []
    for file in read_files(list(files_in(places, "dev_")), classes):
        (attacked if is_attacked(file.samples) else samples).extend(file.samples)
    if not samples and not attacked:
        raise misused("there is no labelled text")
    return samples, attacked


def _judged_by(names: Sequence[str], samples: Sequence[Sample]) -> dict[TextClass, str]:
    """Return the source by which each class is judged. Raises CommandError."""
    if not names:
        return {}
    there = judging_sources(samples)
    unknown = next((name for name in names if name not in there), None)
    if unknown is not None:
        raise misused(
            f"--judge-by {unknown}: no spam of this source with innocent texts to tell it from",
            f"there is: {known(there)}",
        )
    judged_by = {there[name]: name for name in names}
    if len(judged_by) < len(set(names)):
        classes = ", ".join(f"{name} {there[name]}" for name in dict.fromkeys(names))
        raise misused("--judge-by: two sources of one class", f"one for each: {classes}")
    return judged_by


def _evaluated(model: Model, samples: Sequence[Sample], attacked: Sequence[Sample]) -> Evaluation:
    with progress_bar() as progress:
        task = progress.add_task("scoring", total=len(samples) + len(attacked))
        return evaluate(model, samples, attacked, lambda count: progress.advance(task, count))


def _colours(found: Evaluation) -> dict[str, str]:
    return {str(name): COLOURS[name] for name in found.classes}


def _changed(old: Model, new: Model, samples: Sequence[Sample]) -> dict[str, int]:
    """Count the texts that only one of the models stops at POINT, by label."""
    counts = {
        f"{label} only the {which} one stops": 0
        for which in ("old", "new")
        for label in ("ham", "spam")
    }
    for at in range(0, len(samples), _AT_ONCE):
        batch = samples[at : at + _AT_ONCE]
        stopped = [_stopped(model, batch) for model in (old, new)]
        for sample, before, after in zip(batch, *stopped, strict=True):
            if before is not after:
                label, which = "spam" if sample.is_spam else "ham", "new" if after else "old"
                counts[f"{label} only the {which} one stops"] += 1
    return counts


def _stopped(model: Model, batch: Sequence[Sample]) -> list[bool]:
    found: dict[int, bool] = {}
    for text_class in {one.text_class for one in batch}:
        places = [place for place, one in enumerate(batch) if one.text_class is text_class]
        of_class = model.of(text_class)
        threshold = of_class.threshold(POINT) or 0.0
        scores = of_class.linear.scores([batch[place].text for place in places])
        found.update(zip(places, (scores > threshold).tolist(), strict=True))
    return [found[place] for place in range(len(batch))]


def _numbers_in(value: object, path: str) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        inner = (_numbers_in(one, f"{path}.{name}".strip(".")) for name, one in value.items())
        return list(chain.from_iterable(inner))
    return [] if isinstance(value, list) or value is None else [(path, value)]


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def reliability_png(curves: Mapping[TextClass, Sequence[Bin]]) -> bytes:
    """Return a PNG of the curve of each class in its colour.

    To the right the probability, upwards the share that was spam, both from 0 to 1 with a
    line at each tenth; the larger a square, the more texts it stands for.
    """
    picture: Picture = np.full((_SIDE, _SIDE, 3), 255, dtype=np.uint8)
    inner = _SIDE - 2 * _MARGIN
    for tenth in range(11):
        at = _MARGIN + tenth * inner // 10
        picture[_MARGIN : _SIDE - _MARGIN, at] = _GRID
        picture[at, _MARGIN : _SIDE - _MARGIN] = _GRID
    along = np.arange(_MARGIN, _SIDE - _MARGIN)
    picture[_SIDE - 1 - along, along] = _DIAGONAL
    for text_class, curve in curves.items():
        most = max((one.count for one in curve), default=1)
        for one in curve:
            half = _LEAST + round((_MOST - _LEAST) * (one.count / most) ** 0.5)
            across = _MARGIN + round(one.probability * inner)
            down = _SIDE - _MARGIN - round(one.spam * inner)
            picture[down - half : down + half, across - half : across + half] = _SHADES[
                COLOURS[text_class]
            ]
    return _png(picture)


def _png(picture: Picture) -> bytes:
    height, width, _ = picture.shape
    lines = b"".join(b"\0" + line.tobytes() for line in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, octets) for name, octets in parts)


def _chunk(name: bytes, octets: bytes) -> bytes:
    check = zlib.crc32(name + octets)
    return struct.pack(">I", len(octets)) + name + octets + struct.pack(">I", check)
