"""Models and labelled texts on disk, what is wrong with them, and what was found of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.filter.classifier.model import Model
from gateway.filter.classifier.model_file import (
    MAX_FILE_OCTETS,
    ModelFileError,
    read_model,
    write_model,
)
from gateway.filter.classifier.score import TextClass
from gateway.runtime.sealing import KeyFileError, signing_key, trusted_key
from gateway.systems.learning.cli.options import ModelChoice
from gateway.systems.learning.evaluation import (
    CategoryResults,
    ClassFound,
    DisguiseResults,
    Evaluation,
    Goal,
    SeparationResults,
    calibration_error,
    goals_of,
    mean_kept,
)
from gateway.systems.learning.samples import SampleError, SampleFile, read_file
from gateway.terminal.failure import CommandError, misused
from gateway.terminal.screen import print_table, say

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


_COLUMNS = ("texts", "ham", "spam", "F1", "best F1", "AUC", "recall at FPR 0.1 %", "0.5 %", "1 %")
_DIGITS = 4


def evaluation_as_json(
    found: Evaluation, judged_by: Mapping[TextClass, str] | None = None
) -> dict[str, object]:
    """Return `found` as JSON values, classes `judged_by` a source where they are."""
    return {
        "goals": [goal_as_json(one) for one in goals_of(found, judged_by)],
        "classes": {str(name): _class_as_json(one) for name, one in found.classes.items()},
        "attacks": {lang: _attacks_as_json(one) for lang, one in found.attacks.items()},
        "categories": found.categories and _categories_as_json(found.categories),
    }


def goal_as_json(goal: Goal) -> dict[str, object]:
    """Return what was asked, what was found, and whether that will do, as JSON values."""
    return {
        "name": goal.name,
        "asked": goal.asked,
        "at_most": goal.at_most,
        "found": _rounded(goal.found),
        "reached": goal.is_reached,
    }


def print_evaluation(found: Evaluation, judged_by: Mapping[TextClass, str] | None = None) -> None:
    """Print `found` as tables, classes `judged_by` a source where they are."""
    for name, one in found.classes.items():
        print_table(_COLUMNS, _class_rows(one), title=str(name))
        notices = ", ".join(
            f"{hit} of {count} {kind}" for kind, (count, hit) in one.notices.items() if count
        )
        if notices:
            print_table(("innocent notices found at FPR 1 %",), [(notices,)])
    for lang, attacks in found.attacks.items():
        kept = _share(mean_kept(attacks))
        say(f"disguises ({lang}): {kept} of the recall kept on the mean", style="bold")
        rows = [(name, f"{one.count}", _share(one.recall)) for name, one in attacks.items()]
        print_table(("disguise", "texts", "recall at FPR 1 %"), rows)
    if found.categories is not None:
        _print_categories(found.categories)
    goals = goals_of(found, judged_by)
    if goals:
        print_table(("goal", "asked", "found", "reached"), map(_goal_row, goals))


def _print_categories(found: CategoryResults) -> None:
    harm = f", fraud and illegal F1 {found.harm_f1:.3f}" if found.has_harm else ""
    say(
        f"categories: {_share(found.accuracy)} right, macro F1 {found.macro_f1:.3f}{harm}",
        style="bold",
    )
    print_table(
        ("category", "recall"), [(name, _share(recall)) for name, recall in found.recalls.items()]
    )


def _goal_row(goal: Goal) -> tuple[str, ...]:
    bound = "<=" if goal.at_most else ">="
    reached = "yes" if goal.is_reached else "no"
    return (goal.name, f"{bound} {goal.asked:g}", f"{goal.found:.{_DIGITS}g}", reached)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _class_rows(one: ClassFound) -> Iterator[tuple[str, ...]]:
    yield _row("all", one.whole)
    if one.without_doubtful is not None:
        yield _row("all but the doubtful", one.without_doubtful)
    yield from (_row(f"spam of {name}", found) for name, found in one.sources.items())
    yield from (_row(f"{name} alone", found) for name, found in one.alone.items())


def _row(name: str, one: SeparationResults) -> tuple[str, ...]:
    numbers = (f"{value:.3f}" for value in (one.f1, one.best_f1, one.auc, *one.recalls.values()))
    return (name, str(one.ham), str(one.spam), *numbers)


def _class_as_json(one: ClassFound) -> dict[str, object]:
    return {
        "whole": _parting_as_json(one.whole),
        "without_doubtful": one.without_doubtful and _parting_as_json(one.without_doubtful),
        "sources": {name: _parting_as_json(found) for name, found in one.sources.items()},
        "alone": {name: _parting_as_json(found) for name, found in one.alone.items()},
        "notices": {
            name: {"count": count, "found": hit} for name, (count, hit) in one.notices.items()
        },
        "at_thresholds": {
            f"{tolerated:g}": {"fpr": _rounded(alarms), "recall": _rounded(recall)}
            for tolerated, (alarms, recall) in one.known.items()
        },
        "calibration_error": _rounded(calibration_error(one.bins)),
        "reliability": [
            {
                "count": each.count,
                "probability": _rounded(each.probability),
                "spam": _rounded(each.spam),
            }
            for each in one.bins
        ],
    }


def _parting_as_json(one: SeparationResults) -> dict[str, object]:
    return {
        "ham": one.ham,
        "spam": one.spam,
        "f1": _rounded(one.f1),
        "best_f1": _rounded(one.best_f1),
        "auc": _rounded(one.auc),
        "recall_at_fpr": {f"{fpr:g}": _rounded(recall) for fpr, recall in one.recalls.items()},
    }


def _attacks_as_json(attacks: Mapping[str, DisguiseResults]) -> dict[str, object]:
    return {
        "recall": {
            name: {"count": one.count, "recall": _rounded(one.recall)}
            for name, one in attacks.items()
        },
        "mean_kept": _rounded(mean_kept(attacks)),
    }


def _categories_as_json(one: CategoryResults) -> dict[str, object]:
    return {
        "count": one.count,
        "accuracy": _rounded(one.accuracy),
        "macro_f1": _rounded(one.macro_f1),
        "severity_f1": _rounded(one.harm_f1),
        "recall": {name: _rounded(recall) for name, recall in one.recalls.items()},
    }


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
