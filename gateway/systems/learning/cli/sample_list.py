"""The work of `smsward filter samples`: what people's verdicts have left to learn from."""

import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.domain.categories import CATEGORIES, category_of
from gateway.domain.records import NewPurge
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.learning.cli.options import SampleVerdict, WantedSamples
from gateway.systems.learning.model import (
    SAMPLES_KEPT,
    KeptSample,
    SampleCount,
    SampleLabel,
    SampleSource,
    SampleStore,
)
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
from gateway.systems.learning.sql import SqlSamples
from gateway.terminal.deployment import require_sender
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import counted, print_fields, print_json, print_table, say
from gateway.terminal.store import opened_store

COLUMNS = ("no", "label", "category", "source", "class", "SP", "at (UTC)", "by", "text")
COUNT_COLUMNS = ("label", "category", "source", "count")

_SHOWN_CHARS = 24


def described(sample: KeptSample) -> dict[str, object]:
    """Return what is told of a sample, as JSON has it."""
    return {
        "number": sample.number,
        "label": sample.label,
        "category": sample.category,
        "source": sample.source,
        "class": sample.text_class,
        "system_id": sample.system_id,
        "at": sample.at.isoformat(timespec="seconds"),
        "by": sample.by,
        "digest": sample.digest,
        "text": sample.text,
    }


def row_of(sample: KeptSample) -> tuple[str, ...]:
    """Return one line of the list, with the beginning of the text."""
    is_cut = len(sample.text) > _SHOWN_CHARS
    return (
        str(sample.number),
        sample.label,
        sample.category,
        sample.source,
        sample.text_class,
        sample.system_id,
        f"{sample.at:%Y-%m-%d %H:%M:%S}",
        sample.by,
        sample.text[:_SHOWN_CHARS] + ("…" if is_cut else ""),
    )


def count_as_json(count: SampleCount) -> dict[str, object]:
    """Return how many there are of one kind, as JSON has it."""
    return {
        "label": count.label,
        "category": count.category,
        "source": count.source,
        "count": count.count,
    }


def count_row(count: SampleCount) -> tuple[str, ...]:
    """Return one line of the counts."""
    return (count.label, count.category, count.source, str(count.count))


_MAX_LISTED = 10_000
_MAX_FORGOTTEN = 10_000
_MAX_NUMBER = 2**63 - 1
_MAX_READ_CHARS = 70_000
_MAX_SYSTEM_ID_CHARS = 16
_AT_ONCE = 500
_PAGE = 1_000
_ADVICE = "`smsward filter samples list` shows the numbers"


async def list_samples(
    settings: GatewaySettings, config: Path | None, wanted: WantedSamples, *, as_json: bool
) -> int:
    """Print the samples that are wanted, the newest first; return the exit code."""
    if not 1 <= wanted.limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}", "--before NO gives the page after that one")
    before = wanted.before and _sound(wanted.before)
    category = _category(wanted.category) if wanted.category is not None else None
    async with opened_store(settings, SqlSamples) as samples:
        found = await samples.find(
            label=wanted.label,
            category=category,
            source=wanted.source,
            system_id=wanted.system_id,
            before=before,
            limit=wanted.limit,
        )
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([described(sample) for sample in found])
        return ExitCode.FINE
    if found:
        print_table(COLUMNS, map(row_of, found))
    else:
        say("no samples")
    if len(found) == wanted.limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


async def show_sample(settings: GatewaySettings, number: int, *, as_json: bool) -> int:
    """Print one sample with its whole text; return the exit code."""
    async with opened_store(settings, SqlSamples) as samples:
        sample = await samples.get(_sound(number))
    if sample is None:
        raise CommandError(f"there is no sample {number}", advice=_ADVICE)
    if as_json:
        print_json(described(sample))
    else:
        print_fields(
            (name.replace("_", " "), str(value)) for name, value in described(sample).items()
        )
    return ExitCode.FINE


async def count_samples(settings: GatewaySettings, *, as_json: bool) -> int:
    """Print how many samples there are of each kind; return the exit code."""
    async with opened_store(settings, SqlSamples) as samples:
        counts = await samples.counts()
    total = sum(one.count for one in counts)
    if as_json:
        print_json(
            {"total": total, "kept": SAMPLES_KEPT, "counts": list(map(count_as_json, counts))}
        )
        return ExitCode.FINE
    if counts:
        print_table(COUNT_COLUMNS, map(count_row, counts))
    say(f"{total} of at most {SAMPLES_KEPT} samples")
    return ExitCode.FINE


async def add_sample(settings: GatewaySettings, said: SampleVerdict, *, as_json: bool) -> int:
    """Keep what somebody says of the text on the standard input; return the exit code."""
    if not settings.learning.samples:
        raise misused(
            "learning.samples is false in gateway.yaml: nothing is kept to learn from",
            "set it to true",
        )
    if said.category and said.label is SampleLabel.HAM:
        raise misused("--category goes with --label spam")
    if len(said.system_id) > _MAX_SYSTEM_ID_CHARS:
        raise misused(f"--system-id: not longer than {_MAX_SYSTEM_ID_CHARS} characters")
    verdict = PersonVerdict(
        text=_text_from_stdin(),
        label=said.label,
        category=_category(said.category) if said.category else "",
        source=SampleSource(said.source),
        system_id=said.system_id,
        at=utcnow(),
        by=acting(said.by),
        is_port=not said.person,
    )
    new = learnt_from(verdict)
    if new is None:
        raise misused("there are no words in it to learn from", "give the text on stdin")
    async with opened_store(settings, SqlSamples) as samples:
        (number,) = await samples.keep([new])
        sample = await samples.get(number) if number is not None else None
    if sample is None:
        raise CommandError("a later verdict on the same text is on record", advice=_ADVICE)
    if as_json:
        print_json(described(sample))
    else:
        say(f"kept as sample {sample.number}: {sample.label}, without numbers")
    return ExitCode.FINE


async def forget_samples(
    settings: GatewaySettings, numbers: Sequence[int], by: str | None, *, as_json: bool
) -> int:
    """Delete samples, which the purge log tells; return the exit code, 1 when one was not there."""
    if not 1 <= len(numbers) <= _MAX_FORGOTTEN:
        raise misused(f"give 1 to {_MAX_FORGOTTEN} numbers of samples", _ADVICE)
    wanted, name = [_sound(number) for number in dict.fromkeys(numbers)], acting(by)
    gone: list[int] = []
    async with opened_store(settings, SqlSamples) as samples:
        for at in range(0, len(wanted), _AT_ONCE):
            gone += await _forgotten(samples, wanted[at : at + _AT_ONCE], name)
    missing = [number for number in wanted if number not in set(gone)]
    if as_json:
        print_json({"forgotten": gone, "unknown": missing})
    else:
        say(f"forgotten: {counted(len(gone), 'sample')}")
        if missing:
            say(f"not on record: {', '.join(map(str, missing))}")
    return ExitCode.FAILED if missing else ExitCode.FINE


async def all_samples(settings: GatewaySettings) -> list[KeptSample]:
    """Return every sample on record, the newest first."""
    found: list[KeptSample] = []
    async with opened_store(settings, SqlSamples) as samples:
        while page := await samples.find(before=found[-1].number if found else None, limit=_PAGE):
            found += page
    return found


async def _forgotten(samples: SampleStore, numbers: Sequence[int], by: str) -> list[int]:
    found = [one for number in numbers if (one := await samples.get(number)) is not None]
    if found:
        times = [one.at for one in found]
        purge = NewPurge("samples", min(times), max(times), len(found), utcnow(), by)
        await samples.forget([one.number for one in found], purge)
    return [one.number for one in found]


def _text_from_stdin() -> str:
    try:
        text = sys.stdin.read(_MAX_READ_CHARS + 1)
    except UnicodeDecodeError as error:
        raise misused("the text on the standard input is no UTF-8") from error
    if len(text) > _MAX_READ_CHARS:
        raise misused(f"the text is longer than {_MAX_READ_CHARS} characters: no message is")
    return text.removesuffix("\n")


def _category(word: str) -> str:
    found = category_of(word)
    if found is None:
        raise misused(
            "--category: there is none such",
            known((one.id for one in CATEGORIES), maximum=len(CATEGORIES)),
        )
    return found.id


def _sound(number: int) -> int:
    if not 1 <= number <= _MAX_NUMBER:
        raise misused(f"{number} is no number of a sample", _ADVICE)
    return number
