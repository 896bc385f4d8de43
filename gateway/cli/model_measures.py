"""The work of `smsward filter evaluate` and `compare`."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.filter_options import ComparisonOptions, ModelChoice
from gateway.cli.model_files import opened_model, read_files
from gateway.cli.model_views import evaluation_as_json, print_evaluation
from gateway.cli.progress import progress_bar
from gateway.cli.reliability_plot import COLOURS, reliability_png
from gateway.cli.screen import print_json, print_table, say
from gateway.filter.model.classes import TextClass
from gateway.filter.model.model import Model
from gateway.systems.learning.evaluation import POINT, Evaluation, evaluate, is_attacked
from gateway.systems.learning.goals import judging
from gateway.systems.learning.samples import Sample, files_in, leaked

_AT_ONCE = 512


def evaluate_model(
    places: Sequence[Path],
    chosen: ModelChoice,
    train: Sequence[Path],
    judge_by: Sequence[str],
    plot: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print what the model is worth on the labelled texts in `places`; return the exit code."""
    model = opened_model(chosen)
    samples, attacked = _read(places)
    judged_by = _judged_by(judge_by, samples)
    trained_on = read_files(list(files_in(train, "train_"))) if train else ()
    doubled = leaked(chain.from_iterable(file.samples for file in trained_on), samples)
    found = _evaluated(model, samples, attacked)
    if plot is not None:
        _draw(plot, found)
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


def compare_given(
    old: Path | None, new: Path | None, compared: ComparisonOptions, *, as_json: bool
) -> int:
    """Print how two models differ; return the exit code. Raises CommandError for less than two."""
    if compared.texts:
        raise misused("--texts goes with --live")
    if old is None or new is None:
        raise misused("name two models", "or compare those that are installed: --live")
    return compare_models(old, new, compared.data or [], as_json=as_json)


def compare_models(old: Path, new: Path, places: Sequence[Path], *, as_json: bool) -> int:
    """Print how two models differ; return the exit code."""
    before, after = (opened_model(ModelChoice(one)) for one in (old, new))
    if places:
        samples, attacked = _read(places)
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


def _read(places: Sequence[Path]) -> tuple[list[Sample], list[Sample]]:
    """Return the samples of all files, and those in disguise."""
    samples: list[Sample] = []
    attacked: list[Sample] = []
    for file in read_files(list(files_in(places, "dev_"))):
        (attacked if is_attacked(file.samples) else samples).extend(file.samples)
    if not samples and not attacked:
        raise misused("there is no labelled text")
    return samples, attacked


def _judged_by(names: Sequence[str], samples: Sequence[Sample]) -> dict[TextClass, str]:
    """Return the source by which each class is judged. Raises CommandError."""
    if not names:
        return {}
    there = judging(samples)
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


def _draw(path: Path, found: Evaluation) -> None:
    try:
        path.write_bytes(reliability_png({name: one.bins for name, one in found.classes.items()}))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


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
