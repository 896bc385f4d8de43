"""`smsward filter samples`: what people's verdicts have left to learn from."""

# ruff: noqa: PLC0415 - see gateway.terminal

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from gateway.domain.categories import CATEGORIES, category_of
from gateway.domain.records import NewPurge
from gateway.runtime.clock import utcnow
from gateway.systems.learning.model import SAMPLES_KEPT, KeptSample, SampleLabel, SampleSource
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import FLAG, AsJson, By, ConfigDirectory, acting, limited
from gateway.terminal.screen import (
    counted,
    print_fields,
    print_json,
    print_table,
    say,
    shown_fields,
)

_COLUMNS = ("no", "label", "category", "source", "class", "SP", "at (UTC)", "by", "text")
_SHOWN_CHARS = 24
_MAX_FORGOTTEN = 10_000
_MAX_NUMBER = 2**63 - 1
_MAX_READ_CHARS = 70_000
_MAX_SYSTEM_ID_CHARS = 16
_AT_ONCE = 500
_PAGE = 1_000
_ADVICE = "`smsward filter samples list` shows the numbers"

Number = Annotated[int, Parameter(name="NO")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WantedSamples:
    """Which samples to list."""

    label: Annotated[SampleLabel | None, Parameter(help="Only those of this label.")] = None
    category: Annotated[str | None, Parameter(help="Only those of this category, its id.")] = None
    source: Annotated[
        SampleSource | None, Parameter(help="Only those of this kind of verdict.")
    ] = None
    system_id: Annotated[str | None, Parameter(help="Only texts of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


ALL_SAMPLES = WantedSamples()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """What somebody says of a text."""

    label: Annotated[SampleLabel, Parameter(help="Whether it is spam.")]
    source: Annotated[
        Literal["audit", "complaint"], Parameter(help="What made somebody look at it.")
    ]
    category: Annotated[
        str, Parameter(show_default=False, help="What spam is about: id, name or alias.")
    ] = ""
    system_id: Annotated[
        str, Parameter(show_default=False, help="The SP that sent it, where that is known.")
    ] = ""
    person: Annotated[
        bool, FLAG, Parameter(help="A person has written this, it is from no port.")
    ] = False
    by: By = None


sample_commands = App(name="samples", help="Texts that people have judged, to learn from (样本).")


@sample_commands.command(name="list")
def list_all(
    *, wanted: WantedSamples = ALL_SAMPLES, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List samples, the newest first, with the beginning of each text.

    A held message that is released becomes one of ham, one that is discarded becomes one of
    spam, if its words were what held it; so does what the authority was told of. Numbers are
    taken out of the texts, and nothing tells to whom they went.

    Example: smsward filter samples list --label spam --category loan
    """
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.deployment import require_sender
    from gateway.terminal.store import on_store

    limited(wanted.limit, "--before NO gives the page after that one")
    asked = asdict(wanted) | {
        "before": wanted.before and _sound(wanted.before),
        "category": None if wanted.category is None else _category(wanted.category),
    }
    found = on_store(config, SampleStore, lambda store: store.find(**asked))
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([_described(sample) for sample in found])
        return ExitCode.FINE
    if found:
        print_table(_COLUMNS, map(_row, found))
    else:
        say("no samples")
    if len(found) == wanted.limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


@sample_commands.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one sample with its whole text.

    Example: smsward filter samples show 12
    """
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.store import on_store

    sample = on_store(config, SampleStore, lambda store: store.get(_sound(number)))
    if sample is None:
        raise CommandError(f"there is no sample {number}", advice=_ADVICE)
    told = _described(sample)
    if as_json:
        print_json(told)
    else:
        print_fields((name.replace("_", " "), str(value)) for name, value in told.items())
    return ExitCode.FINE


@sample_commands.command
def count(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Count samples by label, category and kind of verdict.

    Example: smsward filter samples count
    """
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.store import on_store

    counts = [asdict(one) for one in on_store(config, SampleStore, lambda store: store.counts())]
    total = sum(one["count"] for one in counts)
    if as_json:
        print_json({"total": total, "kept": SAMPLES_KEPT, "counts": counts})
        return ExitCode.FINE
    if counts:
        print_table(tuple(counts[0]), [tuple(map(str, one.values())) for one in counts])
    say(f"{total} of at most {SAMPLES_KEPT} samples")
    return ExitCode.FINE


@sample_commands.command
def add(*, said: SampleVerdict, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Keep what somebody says of the text on the standard input, numbers taken out.

    For what a subscriber complained of, and for messages that were sampled to see whether the
    filter is right. The last word on a text stands.

    Example: smsward filter samples add --label spam --source complaint --category loan < text
    """
    from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import on_store

    if not load_settings(config).learning.samples:
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

    async def keep(store: SampleStore) -> KeptSample | None:
        (number,) = await store.keep([new])
        return None if number is None else await store.get(number)

    sample = on_store(config, SampleStore, keep)
    if sample is None:
        raise CommandError("a later verdict on the same text is on record", advice=_ADVICE)
    if as_json:
        print_json(_described(sample))
    else:
        say(f"kept as sample {sample.number}: {sample.label}, without numbers")
    return ExitCode.FINE


@sample_commands.command
def forget(
    numbers: Annotated[list[int], Parameter(name="NO", negative="", help="Numbers of samples.")],
    /,
    *,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Delete samples: a verdict was wrong, or a text says too much. The purge log tells of it.

    What was trained on them stays as it is. The exit code is 1 when one was not on record.

    Example: smsward filter samples forget 12 13 --by lin
    """
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.store import on_store

    if not 1 <= len(numbers) <= _MAX_FORGOTTEN:
        raise misused(f"give 1 to {_MAX_FORGOTTEN} numbers of samples", _ADVICE)
    wanted, name = [_sound(number) for number in dict.fromkeys(numbers)], acting(by)

    async def delete(store: SampleStore) -> list[int]:
        gone: list[int] = []
        for at in range(0, len(wanted), _AT_ONCE):
            read = [await store.get(number) for number in wanted[at : at + _AT_ONCE]]
            found = [one for one in read if one is not None]
            if found:
                times = [one.at for one in found]
                purge = NewPurge("samples", min(times), max(times), len(found), utcnow(), name)
                await store.forget([one.number for one in found], purge)
            gone += [one.number for one in found]
        return gone

    gone = on_store(config, SampleStore, delete)
    missing = [number for number in wanted if number not in set(gone)]
    if as_json:
        print_json({"forgotten": gone, "unknown": missing})
    else:
        say(f"forgotten: {counted(len(gone), 'sample')}")
        if missing:
            say(f"not on record: {', '.join(map(str, missing))}")
    return ExitCode.FAILED if missing else ExitCode.FINE


def all_samples(config: Path | None) -> list[KeptSample]:
    """Return every sample on record, the newest first."""
    from gateway.systems.learning.sql import SampleStore
    from gateway.terminal.store import on_store

    async def pages(store: SampleStore) -> list[KeptSample]:
        found: list[KeptSample] = []
        while page := await store.find(before=found[-1].number if found else None, limit=_PAGE):
            found += page
        return found

    return on_store(config, SampleStore, pages)


def _described(sample: KeptSample) -> dict[str, object]:
    """Return what is told of a sample, as JSON has it."""
    names = "number label category source class system_id at by digest text"
    return shown_fields(sample, names, **{"class": sample.text_class})


def _row(sample: KeptSample) -> tuple[str, ...]:
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
