"""The work of `smsward filter score`: labelled lines in, judgements out."""

import sys
from collections.abc import Iterator
from itertools import islice

from gateway.cli.failure import ExitCode, misused
from gateway.cli.filter_options import Chosen
from gateway.cli.model_files import opened_model
from gateway.cli.screen import print_json_line
from gateway.filter.model.harm import Harm
from gateway.filter.model.model import Judgement, Model
from gateway.filter.views import Views
from gateway.systems.learning.samples import SampleError, sample_of

_AT_ONCE = 256
_SURE = 0.001


def score_lines(chosen: Chosen, tolerated: float, evidence: int, *, is_port: bool) -> int:
    """Print a line of JSON for each labelled line of the standard input; return the exit code."""
    if not 0 < tolerated < 1:
        raise misused("--tolerate: a share between 0 and 1, as 0.01 for one in a hundred")
    model = opened_model(chosen)
    texts = _texts()
    while batch := list(islice(texts, _AT_ONCE)):
        for text, judged in zip(batch, model.judge(batch, is_port=is_port), strict=True):
            action = _action(model, judged, tolerated)
            is_stopped = action != "forward"
            shown = model.explain(text, evidence, is_port=is_port) if evidence > 0 else ()
            print_json_line(
                {
                    "score": round(judged.probability, 6),
                    "category": judged.category if is_stopped else "",
                    "severity": str(judged.harm) if is_stopped else "",
                    "action": action,
                    "class": str(judged.text_class),
                    "evidence": [
                        {"piece": one.piece, "weight": round(one.weight, 4)} for one in shown
                    ],
                }
            )
    return ExitCode.FINE


def _texts() -> Iterator[Views]:
    for number, line in enumerate(sys.stdin, 1):
        try:
            yield sample_of(line.rstrip("\r\n"), place="-", number=number).text
        except SampleError as error:
            raise misused(
                str(error), "a line is `label lang source text` between tabs, ham or spam"
            ) from error


def _action(model: Model, judged: Judgement, tolerated: float) -> str:
    of_class = model.of(judged.text_class)
    threshold = of_class.threshold(tolerated)
    if threshold is None or judged.score <= threshold:
        return "forward"
    sure = of_class.threshold(_SURE)
    is_sure = sure is not None and judged.score > sure
    return "reject" if is_sure and judged.harm is not Harm.ADVERT else "quarantine"
