"""The work of `smsward filter train`."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from gateway.cli.failure import ExitCode, misused
from gateway.cli.filter_options import TrainingTarget
from gateway.cli.model_files import key_to_sign_with, read_files, save_model
from gateway.cli.model_samples import (
    described_addition,
    described_file,
    samples_to_add,
    told_addition,
)
from gateway.cli.model_views import evaluation_as_json, print_evaluation
from gateway.cli.plurals import counted
from gateway.cli.progress import progress_bar
from gateway.cli.screen import print_json, say, warn
from gateway.filter.model.model import Model
from gateway.runtime.clock import utcnow
from gateway.systems.learning.evaluation import evaluate
from gateway.systems.learning.sample_split import with_verdicts
from gateway.systems.learning.samples import Sample, SampleFile, files_in, leaked
from gateway.systems.learning.training import TrainingError, TrainingProgress, parted, train

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
    files = list(read_files(_named(places, "train_")))
    directories = [place for place in places if place.is_dir()]
    measured_on = list(read_files(list(files_in(made.dev or directories, "dev_"))))
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
            say(told_addition(added))
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
