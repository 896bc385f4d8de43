"""Models and labelled texts on disk: what they say of texts, and what was found of them."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.domain.categories import Harm
from gateway.filter.classifier.model import Judgement, Model
from gateway.filter.classifier.model_file import (
    MAX_FILE_OCTETS,
    ModelFileError,
    read_model,
    write_model,
)
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.runtime.sealing import KeyFileError, signing_key, trusted_key
from gateway.systems.learning.cli.options import ModelChoice
from gateway.systems.learning.evaluation import (
    CategoryResults,
    ClassFound,
    Evaluation,
    Goal,
    SeparationResults,
    calibration_error,
    goals_of,
    mean_kept,
)
from gateway.systems.learning.samples import (
    FileClass,
    SampleError,
    SampleFile,
    read_file,
    sample_of,
)
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.screen import counted, print_json_line, print_table, say, warn

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


def read_files(paths: Sequence[Path], said: Sequence[str] | None) -> Iterator[SampleFile]:
    """Yield the labelled texts of each file; `said` are the values of `--class`."""
    try:
        classes = [FileClass.read(one) for one in said or ()]
    except ValueError as error:
        raise misused(f"--class: {error}", "as port, person, or '*_bulk.tsv=port'") from error
    for path in paths:
        with _in_words(path):
            try:
                yield read_file(path, classes)
            except SampleError as error:
                raise misused(
                    str(error),
                    "a line is `label lang source text` between tabs, ham or spam, with port or"
                    " person as a fifth; --class says that of whole files",
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
        "attacks": {
            lang: {"recall": _rounded(attacks), "mean_kept": _rounded(mean_kept(attacks))}
            for lang, attacks in found.attacks.items()
        },
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
            f"{tolerated:g}": _rounded({"fpr": alarms, "recall": recall})
            for tolerated, (alarms, recall) in one.known.items()
        },
        "calibration_error": _rounded(calibration_error(one.bins)),
        "reliability": [_rounded(each) for each in one.bins],
    }


def _parting_as_json(one: SeparationResults) -> dict[str, object]:
    numbers: dict[str, object] = {name: _rounded(value) for name, value in asdict(one).items()}
    recalls = {f"{fpr:g}": recall for fpr, recall in one.recalls.items()}
    del numbers["recalls"]
    return numbers | {"recall_at_fpr": _rounded(recalls)}


def _categories_as_json(one: CategoryResults) -> dict[str, object]:
    return {
        "count": one.count,
        "accuracy": _rounded(one.accuracy),
        "macro_f1": _rounded(one.macro_f1),
        "severity_f1": _rounded(one.harm_f1),
        "recall": _rounded(one.recalls),
    }


def _rounded(value: object) -> object:
    """Return a number, or the fields or values of what holds some, as they are shown."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _rounded(asdict(value))
    return value


_AT_ONCE = 256
_READ_OCTETS = 2**20
# What no line can need; of a longer one no more is kept, and it is too long all the same.
_LINE_OCTETS = 2**16
_SURE = 0.001


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What is asked of a model; `warned` has the classes that were warned of."""

    model: Model
    tolerated: float
    evidence: int
    is_port: bool
    warned: set[TextClass] = field(default_factory=set)


def score_lines(chosen: ModelChoice, tolerated: float, evidence: int, *, is_port: bool) -> int:
    """Print a line of JSON for each line of the standard input; return the exit code.

    A line that is no sample is answered in its place. Raises CommandError in the end if any was.
    """
    if not 0 < tolerated < 1:
        raise misused("--tolerate: a share between 0 and 1, as 0.01 for one in a hundred")
    if sys.stdin is None:
        raise misused("the standard input is closed", "give it a file of lines: < FILE")
    asked = ScoreRequest(opened_model(chosen), tolerated, evidence, is_port)
    count, faulty, first = 0, 0, ""
    for batch in batches(partial(os.read, sys.stdin.fileno(), _READ_OCTETS)):
        read = [_text_of(line, number) for number, line in enumerate(batch, count + 1)]
        for answer in _answers(asked, read):
            print_json_line(answer)
        sys.stdout.flush()
        faults = [one for one in read if isinstance(one, SampleError)]
        count, faulty = count + len(batch), faulty + len(faults)
        first = first or "".join(map(str, faults[:1]))
    if faulty:
        raise misused(
            f"{faulty} of {counted(count, 'line')} not judged, the first is {first}",
            "a line is `label lang source text` between tabs, ham or spam",
        )
    return ExitCode.FINE


def batches(read: Callable[[], bytes]) -> Iterator[list[bytes]]:
    """Yield the lines that are there, some at a time: one that comes alone does not wait.

    `read` waits for octets and returns what there is, none in the end.
    """
    rest = b""
    while octets := read():
        *lines, rest = (rest[:_LINE_OCTETS] + octets).split(b"\n")
        yield from (lines[at : at + _AT_ONCE] for at in range(0, len(lines), _AT_ONCE))
    if rest:
        yield [rest]


def _text_of(line: bytes, number: int) -> Views | SampleError:
    try:
        return sample_of(line.decode().removesuffix("\r"), number=number).text
    except UnicodeDecodeError:
        return SampleError("-", number, "not UTF-8")
    except SampleError as error:
        return error


def _answers(
    asked: ScoreRequest, read: Sequence[Views | SampleError]
) -> Iterator[dict[str, object]]:
    texts = [one for one in read if not isinstance(one, SampleError)]
    judged = iter(asked.model.judge(texts, is_port=asked.is_port))
    for one in read:
        if isinstance(one, SampleError):
            yield {"line": one.line, "error": one.problem}
        else:
            yield _answer(asked, one, next(judged))


def _answer(asked: ScoreRequest, text: Views, judged: Judgement) -> dict[str, object]:
    action = _action(asked, judged)
    is_stopped = action not in {"forward", None}
    shown = (
        asked.model.explain(text, asked.evidence, is_port=asked.is_port)
        if asked.evidence > 0
        else ()
    )
    return {
        "score": round(judged.probability, 6),
        "category": judged.category if is_stopped else "",
        "severity": str(judged.harm) if is_stopped else "",
        "action": action,
        "class": str(judged.text_class),
        "evidence": [{"piece": one.piece, "weight": round(one.weight, 4)} for one in shown],
    }


def _action(asked: ScoreRequest, judged: Judgement) -> str | None:
    """Return what is to be done with a text, None where the model does not know."""
    of_class = asked.model.of(judged.text_class)
    threshold = of_class.threshold(asked.tolerated)
    if threshold is None:
        _warn_once(asked, judged.text_class)
        return None
    if judged.score <= threshold:
        return "forward"
    sure = of_class.threshold(_SURE)
    is_sure = sure is not None and judged.score > sure
    return "reject" if is_sure and judged.harm is not Harm.ADVERT else "quarantine"


def _warn_once(asked: ScoreRequest, text_class: TextClass) -> None:
    if text_class in asked.warned:
        return
    asked.warned.add(text_class)
    known = [one.tolerated for one in asked.model.of(text_class).thresholds]
    least = f"the least it knows is {100 * min(known):g} %" if known else "it knows none"
    warn(
        f"NOT MEASURED: --tolerate {asked.tolerated:g} is {100 * asked.tolerated:g} % of innocent"
        f" texts, and the model knows no threshold for so few of class {text_class}: {least};"
        " the action of those texts is null"
    )
