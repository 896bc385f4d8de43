"""Decisions on held messages: `smsward quarantine release` and `discard`, and what they teach."""

import asyncio
import sys
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.held_messages import (
    MessageSelection,
    SelectedMessages,
    by_the_hundred,
    described,
    number_of,
    told_counts,
)
from gateway.console.held_review import SampleWriter, masked_numbers
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import stores_of
from gateway.systems.learning.model import SampleLabel
from gateway.systems.quarantine.campaigns import CampaignDesk, JobNotMade
from gateway.systems.quarantine.decisions import NotUndone, ReviewDesk
from gateway.systems.quarantine.exceptions import LONGEST, ExceptionDesk, HoldException
from gateway.systems.quarantine.model import (
    MessageIds,
    NewCampaignReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
    ReviewJob,
)
from gateway.systems.quarantine.service import (
    OF_CAMPAIGN,
    OF_MESSAGE,
    ActResult,
    NotDone,
    Outcome,
    QuarantineDesk,
)
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.arguments import said
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import DecisionOptions, acting, limited
from gateway.terminal.screen import (
    console,
    counted,
    print_json,
    print_listed,
    print_table,
    progress_bar,
    say,
    warn,
)
from gateway.terminal.store import opened_store

_LOOK_EVERY_S = 0.1
_UNDER_WAY = frozenset({HoldState.RELEASE_REQUESTED, HoldState.RELEASING})
# How a release may stand without anything having gone wrong: at night it waits for the morning.
_FINE = frozenset({HoldState.RELEASED, HoldState.DEFERRED, *_UNDER_WAY})


async def release_messages(
    settings: GatewaySettings,
    chosen: MessageSelection,
    decided: DecisionOptions,
    *,
    wait_s: float,
    as_json: bool,
) -> int:
    """Ask for the release of messages, wait for the end, print it; return the exit code."""
    if decided.undo_for_s:
        return await _decide_later(
            settings, chosen, PersonDecision.RELEASED, decided, as_json=as_json
        )
    name, outcomes = acting(decided.by), Outcomes(chosen.campaign, chosen.system_id)
    why = said(decided.note)
    overruling = OF_MESSAGE if chosen.campaign is None else OF_CAMPAIGN
    asked = array("q")
    async with opened_store(settings, stores_of) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)
        samples = SampleWriter(stores.samples, warn, is_on=settings.learning.samples)
        async for some in _each(
            "asking for release",
            found,
            lambda numbers: desk.request_release_each(numbers, name, utcnow(), why, overruling),
        ):
            let_go = _done(some)
            await samples.learn_from_reviews(let_go, SampleLabel.HAM, name)
            asked.extend(held.message_id for held in let_go)
            outcomes.add(one for one in some if isinstance(one, NotDone))
        async for ended in _ends(stores.quarantine, asked, wait_s):
            outcomes.add(ended)
    outcomes.show(found.left, as_json=as_json)
    _warn_of_waiting(outcomes.states)
    went_well = not outcomes.not_done and outcomes.states.keys() <= _FINE
    return ExitCode.FINE if went_well else ExitCode.FAILED


async def discard_messages(
    settings: GatewaySettings, chosen: MessageSelection, decided: DecisionOptions, *, as_json: bool
) -> int:
    """Discard messages, print what became of each; return the exit code."""
    if decided.undo_for_s:
        return await _decide_later(
            settings, chosen, PersonDecision.REJECTED, decided, as_json=as_json
        )
    name, outcomes = acting(decided.by), Outcomes(chosen.campaign, chosen.system_id)
    why = said(decided.note)
    async with opened_store(settings, stores_of) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)
        samples = SampleWriter(stores.samples, warn, is_on=settings.learning.samples)
        async for some in _each(
            "discarding", found, lambda numbers: desk.discard_each(numbers, name, utcnow(), why)
        ):
            await samples.learn_from_reviews(_done(some), SampleLabel.SPAM, name)
            outcomes.add(some)
    outcomes.show(found.left, as_json=as_json)
    return ExitCode.FAILED if outcomes.not_done else ExitCode.FINE


async def _decide_later(
    settings: GatewaySettings,
    chosen: MessageSelection,
    decision: PersonDecision,
    decided: DecisionOptions,
    *,
    as_json: bool,
) -> int:
    """Decide on messages, to take effect after a time; print it, return the exit code."""
    if chosen.campaign is not None:
        raise misused("--undo-for goes with ids")
    review = NewReview(0, decision, acting(decided.by), note=said(decided.note))
    undo_for = timedelta(seconds=decided.undo_for_s)
    answers: list[ReviewDecision | NotDone] = []
    async with opened_store(settings, stores_of) as stores:
        desk = ReviewDesk(stores.reviews, masked_numbers)
        async for page in (await chosen.found_in(stores.quarantine)).pages:
            for number in page:
                new = replace(review, message_id=number)
                answers.append(await desk.decide(new, utcnow(), undo_for))
    _print_reviews(answers, as_json=as_json)
    return ExitCode.FAILED if any(isinstance(one, NotDone) for one in answers) else ExitCode.FINE


async def undo_decisions(
    settings: GatewaySettings, ids: Sequence[str], by: str | None, *, as_json: bool
) -> int:
    """Undo the decisions that wait on messages, print what became of each; return the exit code.

    Who is on this machine may undo those of others.
    """
    answers: list[ReviewDecision | NotDone] = []
    async with opened_store(settings, stores_of) as stores:
        desk = ReviewDesk(stores.reviews, masked_numbers)
        async for page in (await MessageSelection(ids).found_in(stores.quarantine)).pages:
            found = {one.message_id: one for one in await stores.quarantine.get_many(page)}
            answers.extend([await _undone(desk, one, found.get(one), acting(by)) for one in page])
    _print_reviews(answers, as_json=as_json)
    return ExitCode.FAILED if any(isinstance(one, NotDone) for one in answers) else ExitCode.FINE


async def undo_job(settings: GatewaySettings, number: int, by: str | None, *, as_json: bool) -> int:
    """Undo a decision on a campaign, print what became of it; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        desk = CampaignDesk(stores.campaigns, masked_numbers)
        end = await desk.undo(number, acting(by), utcnow(), may_undo_others=True)
    is_done = isinstance(end, ReviewJob)
    why = end.outcome if isinstance(end, ReviewJob) else end.why
    if as_json:
        print_json({"number": number, "done": is_done, "note": why})
    else:
        say(f"job {number}: {why}")
    return ExitCode.FINE if is_done else ExitCode.FAILED


async def add_exception(
    settings: GatewaySettings,
    message_id: str,
    decided: DecisionOptions,
    days: int,
    *,
    are_held_released: bool,
    as_json: bool,
) -> int:
    """Make an exception of what a message is, print it; return the exit code.

    With `are_held_released` a job releases what is held of it by now; else it is counted.
    """
    note, now = said(decided.note), utcnow()
    if not note:
        raise misused("--note: say why, for those who read the list of exceptions")
    if not 1 <= days <= LONGEST.days:
        raise misused(f"--days: 1 to {LONGEST.days}")
    number = number_of(message_id)
    async with opened_store(settings, stores_of) as stores:
        held = await stores.quarantine.get(number)
        if held is None:
            raise CommandError(
                f"there is no message {message_id}",
                advice="`smsward quarantine list` shows the ids",
            )
        desk = ExceptionDesk(stores.exceptions, masked_numbers)
        made = await desk.add(held, acting(decided.by), note, now, now + timedelta(days=days))
        if isinstance(made, NotDone):
            raise CommandError(f"no exception was made: {made.why}")
        each = await stores.campaigns.held_of_each(made.campaign, made.rule)
        count, job = each.get(made.system_id, 0), None
        if are_held_released and count:
            new = NewCampaignReview(
                *(made.campaign, PersonDecision.RELEASED, acting(decided.by), count),
                *(made.system_id, "", note, "", made.rule),
            )
            job = await CampaignDesk(stores.campaigns, masked_numbers).decide(new, now)
    _print_exceptions([made], now, as_json=as_json)
    return _say_of_held(count, job)


def _say_of_held(count: int, job: ReviewJob | JobNotMade | None) -> int:
    """Say what becomes of what is held already of an exception; return the exit code."""
    if isinstance(job, ReviewJob):
        warn(f"job {job.number} releases {counted(job.expected_count, 'message')} held by now")
    elif isinstance(job, JobNotMade):
        warn(f"what is held by now stays held: {job.why}")
        return ExitCode.FAILED
    elif count:
        warn(f"{counted(count, 'message')} of it stay held: --held releases them, too")
    return ExitCode.FINE


async def list_exceptions(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print exceptions, the newest first; return the exit code."""
    limited(limit, "older ones have ended")
    async with opened_store(settings, stores_of) as stores:
        found = await stores.exceptions.listed(limit)
    _print_exceptions(found, utcnow(), as_json=as_json)
    return ExitCode.FINE


async def revoke_exception(
    settings: GatewaySettings, number: int, by: str | None, *, as_json: bool
) -> int:
    """End an exception; return the exit code."""
    async with opened_store(settings, stores_of) as stores:
        desk = ExceptionDesk(stores.exceptions, masked_numbers)
        is_done = await desk.revoke(number, acting(by), utcnow())
    if as_json:
        print_json({"number": number, "revoked": is_done})
    else:
        say(f"exception {number}: " + ("revoked" if is_done else "none of this number is in force"))
    return ExitCode.FINE if is_done else ExitCode.FAILED


def _print_exceptions(found: Sequence[HoldException], now: datetime, *, as_json: bool) -> None:
    described_ones = [
        {
            "number": one.number,
            "rule": one.rule,
            "system_id": one.system_id,
            "campaign": one.campaign,
            "until": one.until.isoformat(timespec="seconds"),
            "in_force": one.is_in_force(now),
            "by": one.by,
            "note": one.note,
            "revoked_by": one.revoked_by,
        }
        for one in found
    ]
    names = list(described_ones[0]) if described_ones else []
    rows = [[str(value) for value in one.values()] for one in described_ones]
    columns = [name.replace("_", " ") for name in names]
    print_listed(described_ones, columns, rows, "there is no exception", as_json=as_json)


async def _undone(
    desk: ReviewDesk, number: int, held: HeldMessage | None, by: str
) -> ReviewDecision | NotDone:
    if held is None:
        return NotDone(number, None, "there is no such message")
    waiting = await desk.waiting_on(held)
    if waiting is None:
        return NotDone(number, held.state, "no decision on it waits")
    undone = await desk.undo(waiting.number, by, utcnow(), may_undo_others=True)
    if isinstance(undone, NotUndone):  # the gateway was faster
        return NotDone(number, held.state, undone.why)
    return replace(undone, message_id=number)


def _print_reviews(answers: Sequence[ReviewDecision | NotDone], *, as_json: bool) -> None:
    described = [
        {
            "message_id": str(one.message_id),
            "done": isinstance(one, ReviewDecision),
            "decision": one.decision.value if isinstance(one, ReviewDecision) else "",
            "state": one.state.value if one.state is not None else "unknown",
            "not_before": (
                one.not_before.isoformat(timespec="seconds")
                if isinstance(one, ReviewDecision)
                else ""
            ),
            "note": one.outcome if isinstance(one, ReviewDecision) else one.why,
        }
        for one in answers
    ]
    names = ("message_id", "decision", "state", "not_before", "note")
    rows = [[str(one[name]) for name in names] for one in described]
    print_listed(described, ["id", *names[1:]], rows, "nothing to do", as_json=as_json)


async def _each(
    doing: str, found: SelectedMessages, act: Callable[[Sequence[int]], Awaitable[list[Outcome]]]
) -> AsyncIterator[list[Outcome]]:
    """Act on messages by the hundred; the parts that go with one are done with it."""
    done = 0
    along: set[int] = set()  # parts that stand further down, and have gone with an earlier one
    with progress_bar() as progress:
        task = progress.add_task(doing, total=found.messages)
        try:
            async for page in found.pages:
                some = await act([one for one in page if one not in along])
                settled = _done(some)
                done += len(settled)
                along |= {one.message_id for one in settled}
                along = {one for one in along if one > page[-1]}
                yield some
                progress.advance(task, len(page))
        except StoreUnavailable:
            warn(f"the store failed after {done} of {found.messages}: call again for the others")
            raise


def _done(outcomes: Sequence[Outcome]) -> list[HeldMessage]:
    return [one.message for one in outcomes if isinstance(one, ActResult)]


class Outcomes:
    """Lists messages, and counts those of a campaign: there may be any number of them."""

    def __init__(self, campaign: str | None, system_id: str | None = None) -> None:
        self.not_done = 0
        self.states: Counter[HoldState] = Counter()  # of what was done
        self._campaign = campaign
        self._of_sp = f" of {system_id}" if system_id else ""
        self._counts: Counter[tuple[bool, str, str, str]] = Counter()
        self._listed: dict[int, dict[str, object]] = {}

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take what has become of some messages."""
        for outcome in outcomes:
            if isinstance(outcome, NotDone):
                self.not_done += 1
            else:
                self.states[outcome.message.state] += 1
            if self._campaign is None:
                self._listed[_id_of(outcome)] = _described(outcome)
            else:
                self._counts[_kind_of(outcome)] += 1

    def show(self, left: Mapping[str, int], *, as_json: bool) -> None:
        """Print each message, oldest first, or how many of each SP in a campaign came to what."""
        if self._campaign is not None:
            self._show_campaign(self._campaign, left, as_json=as_json)
            return
        ends = [end for _, end in sorted(self._listed.items())]
        if as_json:
            print_json(ends)
            return
        columns = ("message_id", "state", "note")
        print_table(("id", "state", "note"), ([str(end[name]) for name in columns] for end in ends))

    def _show_campaign(self, campaign: str, left: Mapping[str, int], *, as_json: bool) -> None:
        counts, messages = self._counts.most_common(), self._counts.total()
        if as_json:
            outcomes = [
                {"messages": count, "done": done, "system_id": sp, "state": state, "note": note}
                for (done, sp, state, note), count in counts
            ]
            print_json(
                {"campaign": campaign, "messages": messages, "outcomes": outcomes, "left": left}
            )
            return
        if messages:
            rows = ((str(count), sp, state, note) for (_, sp, state, note), count in counts)
            print_table(("messages", "SP", "state", "note"), rows)
        say(
            f"{counted(messages, 'message')}{self._of_sp} of campaign {campaign}"
            + ("" if messages else " are held")
        )
        if left:
            say(f"left as they are: {told_counts(left)}; decide on them by id")


def _desk(store: QuarantineStore) -> QuarantineDesk:
    # Nothing is put into quarantine here, so no id is ever issued.
    return QuarantineDesk(store, MessageIds(worker=0))


async def _ends(
    store: QuarantineStore, asked: Sequence[int], wait_s: float
) -> AsyncIterator[list[Outcome]]:
    """Yield how messages stand once their release has ended, or after `wait_s`."""
    deadline = monotonic() + wait_s
    with _progress() as progress:
        task = progress.add_task("waiting for the gateway", total=len(asked))
        for some in by_the_hundred(asked):
            found = await store.get_many(some)
            while any(held.state in _UNDER_WAY for held in found) and monotonic() < deadline:
                await asyncio.sleep(_LOOK_EVERY_S)
                found = await store.get_many(some)
            gone = set(some).difference(held.message_id for held in found)
            yield [*map(ActResult, found), *(NotDone(one, None, "it is gone") for one in gone)]
            progress.advance(task, len(some))


def _warn_of_waiting(states: Counter[HoldState]) -> None:
    if waiting := states[HoldState.RELEASE_REQUESTED]:
        warn(
            f"{waiting} still wait. Is a gateway running on this store, and has it a bind of"
            " their SP? They go out as soon as it has, unless they expire before."
        )
    if deferred := states[HoldState.DEFERRED]:
        warn(
            f"{deferred} may not arrive at this hour. They go out by themselves at the time"
            " that `smsward quarantine list --state deferred` shows."
        )


def _progress() -> Progress:
    """Return a spinner on the standard error, which only a terminal shows."""
    screen = console(sys.stderr)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )


def _id_of(outcome: Outcome) -> int:
    return outcome.message.message_id if isinstance(outcome, ActResult) else outcome.message_id


def _kind_of(outcome: Outcome) -> tuple[bool, str, str, str]:
    """Return whether it was done, the SP, the state and the note."""
    if isinstance(outcome, NotDone):
        return False, "", outcome.state or "unknown", outcome.why
    held = outcome.message
    return True, held.system_id, held.state, held.note


def _described(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, ActResult):
        return {"done": True, **described(outcome.message)}
    done, system_id, state, note = _kind_of(outcome)
    return {
        "message_id": str(outcome.message_id),
        "done": done,
        "system_id": system_id,
        "state": state,
        "note": note,
    }
