"""The work of `smsward filter score` and `compare --live`: judgements of texts."""

import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial

from gateway.domain.categories import Harm
from gateway.filter.classifier.model import Judgement, Model, name_of
from gateway.filter.classifier.score import DISPUTED, ModelAgreement, TextClass
from gateway.filter.normalise.views import Views
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.sealed_values import Record, is_sealed, opened, text_of
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.text import readings
from gateway.systems.learning.cli.model_files import opened_model
from gateway.systems.learning.cli.model_life import directory_of, in_words, short
from gateway.systems.learning.cli.options import ModelChoice
from gateway.systems.learning.person_verdicts import anonymous
from gateway.systems.learning.samples import SampleError, sample_of
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.screen import (
    counted,
    print_json,
    print_json_line,
    print_table,
    progress_bar,
    say,
    warn,
)
from gateway.terminal.store import cannot_open, sealer_of

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


_SHOWN_NAMES = 10
_MAX_CLASSES = 20
_NONE_DISPUTED = "there is no text that only one of them stops"
_NOT_ON_RECORD = "none of them is in the records: they hold texts where records.texts is true"


@dataclass(frozen=True, slots=True)
class _Live:
    """What a gateway wrote of its two models."""

    active: str
    shadow: str
    since: datetime
    at: datetime
    failed: int
    texts: dict[str, dict[str, int]]
    messages: dict[str, dict[str, int]]
    sampled: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class DisputedText:
    """One text on which the models disagree, with its numbers masked."""

    name: str
    agreement: str
    system_id: str
    text: str


def show_live(settings: GatewaySettings, *, with_texts: bool, as_json: bool) -> int:
    """Print what a running gateway last said of its two models; return the exit code.

    With `with_texts` what the records tell of the texts that they dispute.
    """
    models = directory_of(settings)
    with in_words(models):
        state, octets = models.state(), models.comparison()
    if not octets:
        raise CommandError(
            "no gateway has compared two models yet",
            advice="one must be in force and one in shadow: `smsward filter models`",
        )
    live = _live(octets)
    if (live.active, live.shadow) != (state.active, state.shadow):
        warn("these are not the models that stand now; a running gateway compares those soon")
    texts = disputed_texts(settings, live.sampled, live.since) if with_texts else None
    if as_json:
        more = {} if texts is None else {"texts": list(map(asdict, texts))}
        print_json({**json.loads(octets), **more})
        return ExitCode.FINE
    _print(live)
    if texts:
        rows = [
            (one.name, one.agreement.replace("_", " "), one.system_id, one.text) for one in texts
        ]
        print_table(("name", "stopped by", "SP", "text"), rows)
    elif with_texts:
        say(_NOT_ON_RECORD if any(live.sampled.values()) else _NONE_DISPUTED)
    return ExitCode.FINE


def _live(octets: bytes) -> _Live:
    """Return what the file says. Raises CommandError for one that no gateway wrote."""
    try:
        said = json.loads(octets)
        return _Live(
            active=str(said["active"]),
            shadow=str(said["shadow"]),
            since=_time(said["since"]),
            at=_time(said["at"]),
            failed=int(said["failed"]),
            texts=_counts(said["counts"]),
            messages=_counts(said["messages"]),
            sampled={one: list(map(str, said["sampled"][one])) for one in DISPUTED},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CommandError(
            "what a gateway said of its models cannot be read",
            advice="a running gateway writes it anew within ten seconds",
        ) from error


def _counts(said: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {
        str(name): {one: int(counts[one]) for one in ModelAgreement}
        for name, counts in list(said.items())[:_MAX_CLASSES]
    }


def _time(said: str) -> datetime:
    time = datetime.fromisoformat(said)
    if time.tzinfo is None:
        raise ValueError("a time without an offset")
    return time


def _print(live: _Live) -> None:
    rows = [
        (name, counted, *(str(counts[name][one]) for one in ModelAgreement))
        for name in live.texts
        for counted, counts in (("texts", live.texts), ("messages", live.messages))
    ]
    columns = ("class", "", *(one.replace("_", " ") for one in ModelAgreement))
    title = f"stopped by {short(live.active)} in force, {short(live.shadow)} in shadow"
    print_table(columns, rows, title=title)
    span = f"from {live.since.isoformat()} to {live.at.isoformat()}"
    say(f"texts that were new to the gateway, and all messages that had them, {span}")
    for one in DISPUTED:
        if live.sampled[one]:
            shown = " ".join(live.sampled[one][:_SHOWN_NAMES])
            say(f"{one.replace('_', ' ')}, some of them: {shown}")
    if live.failed:
        warn(f"the model in shadow failed on {counted(live.failed, 'text')}")


def disputed_texts(
    settings: GatewaySettings, sampled: Mapping[str, Sequence[str]], since: datetime
) -> list[DisputedText]:
    """Return the sampled texts that the records since then hold, the last hour first.

    `sampled` has the names by agreement. A long message was judged as a whole, and stands in
    the records part by part: it is not found. Raises CommandError.
    """
    wanted = {name: agreement for agreement, names in sampled.items() for name in names}
    directory = settings.records.directory
    if not directory.is_dir():
        raise misused(
            f"there are no records at {directory.absolute()}",
            "call this from the directory that the gateway runs in",
        )
    archive, sealer = RecordArchive(directory), sealer_of(settings)
    hours = [hour for hour in archive.hours() if hour >= hour_of(since)]
    found: dict[str, DisputedText] = {}
    with progress_bar() as progress:
        task = progress.add_task("looking through the records", total=len(hours))
        for hour in reversed(hours):
            if len(found) == len(wanted):
                break
            for record, text in _texts(archive, hour, sealer):
                name = name_of(text)
                if name in wanted and name not in found:
                    said = str(record.get("system_id", ""))
                    found[name] = DisputedText(name, wanted[name], said, anonymous(text))
            progress.advance(task)
    return list(found.values())


def _texts(
    archive: RecordArchive, hour: int, sealer: Sealer | None
) -> Iterator[tuple[Record, str]]:
    try:
        for record in archive.read(hour):
            said = text_of(_open(record, sealer)) if record.get("kind") == "text" else None
            for text in readings(said[1], said[0]) if said is not None else ():
                yield record, text
    except SealError as error:
        raise cannot_open(error) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CommandError(f"the records of an hour cannot be read: {why}") from error


def _open(record: Record, sealer: Sealer | None) -> Record:
    if sealer is not None:
        return opened(record, sealer)
    if is_sealed(record):
        raise SealError("sealed, and there are no keys")
    return record
