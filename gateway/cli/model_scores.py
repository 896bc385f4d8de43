"""The work of `smsward filter score`: labelled lines in, judgements out."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.cli.failure import ExitCode, misused
from gateway.cli.filter_options import ModelChoice
from gateway.cli.model_files import opened_model
from gateway.cli.plurals import counted
from gateway.cli.screen import print_json_line, warn
from gateway.filter.model.classes import TextClass
from gateway.filter.model.harm import Harm
from gateway.filter.model.model import Judgement, Model
from gateway.filter.views import Views
from gateway.systems.learning.samples import SampleError, sample_of

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
        count, faulty, first = count + len(batch), faulty + len(faults), first or _place_of(faults)
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


def _place_of(faults: Sequence[SampleError]) -> str:
    return str(faults[0]) if faults else ""


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
