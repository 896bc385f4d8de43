"""The work of `smsward consent`: subscribers' answers, recorded, looked up and as CSV."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from gateway.domain.categories import advert_category
from gateway.domain.consent import (
    EVERY_SENDER,
    NUMBERS_AT_ONCE,
    Answer,
    ConsentAnswer,
    end_said,
    parts_of,
)
from gateway.domain.consent import scope_of as domain_scope
from gateway.domain.msisdn import masked, misread_as, readings_of, spelled
from gateway.domain.records import NewAccess
from gateway.domain.sender import companions_of
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.consent.answer_lines import COLUMNS, EVERY_SENDER_CELL, answer_cell
from gateway.systems.consent.cli import Scope
from gateway.systems.consent.sql import ConsentLists, ConsentStore
from gateway.terminal.arguments import subscriber_of, warn_of_odd
from gateway.terminal.deployment import load_settings, require_sender, senders_of
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import acting
from gateway.terminal.screen import (
    counted,
    print_json,
    print_result,
    print_table,
    private_file,
    say,
    visible,
    warn,
)
from gateway.terminal.store import opened_store

_MAX_NUMBERS = 1_000_000
_MAX_CHANNEL_CHARS = 64
_MAX_EVIDENCE_CHARS = 200
_ALL = "(every sender)"


async def record_answers(
    config: Path,
    answer: Answer,
    numbers: Sequence[str],
    scope: Scope,
    until: str | None = None,
    *,
    as_json: bool,
) -> int:
    """Record the same answer of all `numbers`, good until then; return the exit code."""
    end = None if until is None else end_of_option(until)
    system_id = scope_of(scope, config)
    msisdns = _msisdns(numbers)
    now, channel = utcnow(), visible(scope.channel.strip())[:_MAX_CHANNEL_CHARS] or "cli"
    evidence = visible(scope.evidence.strip())[:_MAX_EVIDENCE_CHARS]
    if answer is Answer.AGREED and not evidence:
        answer = Answer.ASSERTED
        warn("without --evidence it is asserted only: it takes no refusal back (R26, R37)")
    about = readings_of(msisdns) if answer is Answer.REFUSED else msisdns
    answers = [
        ConsentAnswer(msisdn, system_id, answer, now, channel, evidence, end) for msisdn in about
    ]
    whom = f"{len(msisdns)} {answer} {system_id or _ALL}"
    staff = NewAccess(acting(None), "consent record", evidence, whom, now)
    async with opened_store(load_settings(config), ConsentStore) as store:
        change = await store.record(answers, staff)
        if answer is not Answer.REFUSED and system_id != EVERY_SENDER:
            await _warn_of_refusals(store, msisdns)
    whose = masked(msisdns[0]) if len(msisdns) == 1 else counted(len(msisdns), "number")
    shown = {
        "answer": answer,
        **whom_of(system_id),
        "numbers": len(msisdns),
        "change": change,
    }
    line = f"recorded: {whose} {answer} {system_id or _ALL} (change {change})"
    print_result(shown, line, as_json=as_json)
    return ExitCode.FINE


async def show_answers(config: Path, number: str, system_id: str | None, *, as_json: bool) -> int:
    """Print what a subscriber said; return the exit code."""
    msisdn = subscriber_of(number)
    senders = senders_of(config) or {}
    asked = [system_id] if system_id else sorted(senders)
    companions = companions_of(senders.values())
    async with opened_store(load_settings(config), ConsentStore) as store:
        scopes = (EVERY_SENDER, *asked)
        found = await _answers(store, msisdn, scopes)
        told = await store.answers_of([msisdn])
        found += [one for one in told if (of := parts_of(one.scope)).is_part and of[0] in scopes]
        shared = _shared_refusals(told, asked, companions)
        other = misread_as(msisdn)
        as_other = [] if other is None else await _answers(store, other, scopes)
    now = utcnow()
    if not any(one.scope == system_id for one in found):
        require_sender(system_id, config)
    if as_json:
        shown = [_described(answer, now) for answer in found]
        print_json({"number": masked(msisdn), "answers": shown, "shared": shared})
    elif found:
        columns = ("SP", "answer", "since", "until", "channel", "evidence")
        print_table(columns, (_row(answer, now) for answer in found), title=masked(msisdn))
    else:
        say(f"{masked(msisdn)} has given no answer")
    for one, refused_one in shared.items():
        warn(f"what {refused_one} was refused holds for {one} as well: both are of one owner (R21)")
    agreed = {one.scope for one in found if one.answer is Answer.AGREED}
    refused = {one.scope for one in as_other if one.answer is Answer.REFUSED}
    if refused - agreed:
        warn(
            "without its plus the number is read as one of the mainland, which refused, and that"
            " holds for both (R21): look it up without the plus"
        )
    return ExitCode.FINE


def _shared_refusals(
    told: Sequence[ConsentAnswer], asked: Sequence[str], companions: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return which companion's refusal holds for each of `asked` that was not refused itself."""
    refused = {one.scope for one in told if one.answer is Answer.REFUSED}
    whose = {parts_of(one).system_id for one in refused}
    return {
        scope: min(whose & set(companions[scope]))
        for scope in asked
        if scope not in refused and whose & set(companions.get(scope, ()))
    }


async def _answers(store: ConsentStore, msisdn: int, scopes: Sequence[str]) -> list[ConsentAnswer]:
    answers = [await store.answer_of(msisdn, scope) for scope in scopes]
    return [answer for answer in answers if answer is not None]


def scope_of(scope: Scope, config: Path) -> str:
    """Return the named scope; an unknown one is an error: refusing it has no effect."""
    if (scope.system_id is None) is not scope.all_senders:
        raise misused("give either --system-id or --all-senders")
    if scope.system_id is None:
        if scope.port or scope.category:
            raise misused("--port and --category are of one SP: add --system-id")
        return EVERY_SENDER
    if scope.port and scope.category:
        raise misused("give --port or --category, not both")
    senders = senders_of(config)
    if senders is not None and scope.system_id not in senders:
        raise misused(
            f"there is no sender {scope.system_id} in senders.yaml", f"there are: {known(senders)}"
        )
    ports = None if senders is None else {one.number for one in senders[scope.system_id].ports}
    if scope.port and ports is not None and scope.port not in ports:
        raise misused(f"{scope.system_id} has no such port", f"there are: {known(ports)}")
    category = advert_category(scope.category)
    if scope.category and not category:
        raise misused(f"there is no category {visible(scope.category)} of adverts")
    return domain_scope(scope.system_id, scope.port, category)


async def _warn_of_refusals(store: ConsentStore, msisdns: Sequence[int]) -> None:
    """Say of how many numbers an agreement is of no use: they refused every SP."""
    said: dict[int, Answer] = {}
    numbers = readings_of(msisdns)
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        rows = await store.answers_of(numbers[start : start + NUMBERS_AT_ONCE])
        said |= {one.msisdn: one.answer for one in rows if one.scope == EVERY_SENDER}
    refusals = sum(_is_refused(one, said) for one in msisdns)
    if refusals:
        whose = "the subscriber" if len(msisdns) == 1 else f"{refusals} of {len(msisdns)}"
        warn(
            f"{whose} refused every SP, and that goes on to hold (R21): where that was taken back,"
            " record it with --all-senders"
        )


def _is_refused(msisdn: int, said: Mapping[int, Answer]) -> bool:
    """Tell whether a number refused, or whom it may be read as where it did not agree itself."""
    own, other = said.get(msisdn), misread_as(msisdn)
    is_read_so = other is not None and said.get(other) is Answer.REFUSED
    return own is Answer.REFUSED or (is_read_so and own is not Answer.AGREED)


def end_of_option(until: str) -> datetime:
    """Return when agreements end that `--until` is said of."""
    try:
        return end_said(until)
    except ValueError:
        raise misused(
            f"--until {visible(until)}: a last day, as 2035-12-31, or a time with its offset"
        ) from None


def _msisdns(numbers: Sequence[str]) -> list[int]:
    """Return the numbers given, those on the standard input in place of a `-`, each once."""
    given = list(chain.from_iterable(map(_given, numbers)))
    msisdns = list(dict.fromkeys(_msisdn(place, number) for place, number in given))
    warn_of_odd(number for _, number in given)
    if not msisdns:
        raise misused("no number was given")
    if len(msisdns) > _MAX_NUMBERS:
        raise misused(f"more than {_MAX_NUMBERS} numbers", "give them in several calls")
    return msisdns


def _given(number: str) -> Iterator[tuple[str, str]]:
    """Yield a number with its place; for a `-` those on the standard input."""
    if number != "-":
        yield "", number
        return
    for place, line in enumerate(sys.stdin.read().splitlines(), 1):
        yield from ((f"line {place}: ", one) for one in line.split())


def _msisdn(place: str, number: str) -> int:
    try:
        return subscriber_of(number, place, warns=False)
    except CommandError as error:
        raise misused(f"{error}; nothing was recorded", error.advice) from error


def _described(answer: ConsentAnswer, now: datetime) -> dict[str, object]:
    until = answer.until
    return {
        **whom_of(answer.scope),
        "answer": answer_cell(answer, now),
        "since": answer.since.isoformat(timespec="seconds"),
        "until": None if until is None else until.isoformat(timespec="seconds"),
        "channel": answer.channel,
        "evidence": answer.evidence,
    }


def whom_of(scope: str) -> dict[str, str | None]:
    """Return whom an answer is given to as JSON has it; null is every SP, port or category."""
    return {name: part or None for name, part in parts_of(scope)._asdict().items()}


def _row(answer: ConsentAnswer, now: datetime) -> tuple[str, ...]:
    since = f"{answer.since:%Y-%m-%d %H:%M:%S} UTC"
    until = "" if answer.until is None else f"{answer.until:%Y-%m-%d %H:%M:%S} UTC"
    said = answer_cell(answer, now)
    return (answer.scope or _ALL, said, since, until, answer.channel, answer.evidence)


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Which answers to write."""

    system_id: str | None = None
    all_senders: bool = False
    answer: Answer | None = None


def described(wanted: ExportQuery) -> str:
    """Return what is wanted, for the journal. Raises CommandError when it contradicts itself."""
    if wanted.system_id is not None and wanted.all_senders:
        raise misused("give --system-id or --all-senders, not both")
    whom = "every sender at once" if wanted.all_senders else wanted.system_id or "any sender"
    return f"answers to {visible(whom)}: {wanted.answer or 'all'}"


async def export_answers(
    settings: GatewaySettings,
    wanted: ExportQuery,
    output: Path | None,
    config: Path | None = None,
    *,
    unmask: bool,
) -> int:
    """Write the answers that are wanted into `output`, or print them; return the exit code."""
    scope = EVERY_SENDER if wanted.all_senders else wanted.system_id
    written, now = 0, utcnow()
    try:
        async with opened_store(settings, ConsentLists) as lists:
            with (
                nullcontext(sys.stdout)
                if output is None
                else private_file(output, is_whole=unmask) as file
            ):
                lines = csv.writer(file, lineterminator="\n")
                lines.writerow(COLUMNS)
                async for answers in lists.listed(scope=scope, answer=wanted.answer):
                    # What has ended is nobody's answer, whatever it was (R20).
                    stand = [one for one in answers if not wanted.answer or one.standing(now)]
                    lines.writerows(_line(answer, now, unmask=unmask) for answer in stand)
                    written += len(stand)
    except OSError as error:
        if output is None:
            raise  # nobody reads on: gateway.cli.application knows
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    if not written:
        require_sender(wanted.system_id, config)
    if output is not None:
        say(f"written: {counted(written, 'answer')} to {visible(str(output))}")
    return ExitCode.FINE


def _line(answer: ConsentAnswer, now: datetime, *, unmask: bool) -> tuple[str, ...]:
    return (
        spelled(answer.msisdn) if unmask else masked(answer.msisdn),
        answer.scope or EVERY_SENDER_CELL,
        answer_cell(answer, now),
        answer.since.isoformat(),
        visible(answer.channel),
        visible(answer.evidence),
        "" if answer.until is None else answer.until.isoformat(),
    )
