"""Decisions on held messages: `smsward quarantine release` and `discard`, and what is learnt."""

import asyncio
import re
import sys
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.held_messages import (
    MessageSelection,
    SelectedMessages,
    by_the_hundred,
    described,
    texts_of,
    texts_together,
    told_counts,
)
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import OF_CONTENT
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import stores_of
from gateway.systems.learning.model import SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
from gateway.systems.learning.sql import SampleStore
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, NotDone, Outcome, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.arguments import said
from gateway.terminal.failure import ExitCode
from gateway.terminal.options import DecisionOptions, acting
from gateway.terminal.screen import (
    console,
    counted,
    print_json,
    print_table,
    progress_bar,
    say,
    warn,
)
from gateway.terminal.store import opened_store

_AT_ONCE = 500
# SMS ports, and the short codes of services and carriers as they are or with a few digits more.
# All else may be a person's: mobile and fixed lines, here or abroad, with or without their plus.
_PORT = re.compile(r"106[0-9]{2,17}|9[56][0-9]{3,6}|1[0-2][0-9]{3,6}")


async def learn_from_reviews(
    settings: GatewaySettings,
    samples: SampleStore,
    messages: Iterable[HeldMessage],
    label: SampleLabel,
    by: str,
) -> None:
    """Keep what a reviewer decided of messages that ports sent and that content held.

    What was held for another reason says nothing of its words; what a person wrote to another
    is on record with its words nowhere (R70). The parts of a long message are one text. Never
    fails: the decision stands, and what was not kept is warned of.
    """
    now = utcnow()
    together: dict[int, list[HeldMessage]] = {}
    for held in messages:
        # A campaign is held for whom it reaches, and its words may be anybody's.
        if held.reason in OF_CONTENT and _is_from_port(held.source):
            together.setdefault(held.assembly or held.message_id, []).append(held)
    verdicts = [
        PersonVerdict(
            _text_of(parts),
            label,
            parts[0].category,
            SampleSource.REVIEW,
            parts[0].system_id,
            now,
            by,
        )
        for parts in together.values()
    ]
    await _keep(settings, samples, verdicts)


async def learn_from_reports(
    settings: GatewaySettings, samples: SampleStore, reports: Iterable[AuthorityReport], by: str
) -> None:
    """Keep that somebody found messages to be what the authority must be told of; as above."""
    now = utcnow()
    verdicts = [
        PersonVerdict(
            report.text,
            SampleLabel.SPAM,
            report.category,
            SampleSource.REPORT,
            report.system_id,
            now,
            by,
        )
        for report in reports
        if _is_from_port(report.source)
    ]
    await _keep(settings, samples, verdicts)


async def _keep(
    settings: GatewaySettings, samples: SampleStore, verdicts: Sequence[PersonVerdict]
) -> None:
    if not settings.learning.samples:
        return
    found = [sample for verdict in verdicts if (sample := learnt_from(verdict)) is not None]
    learnt = list({sample.digest: sample for sample in found}.values())
    try:
        for at in range(0, len(learnt), _AT_ONCE):
            await samples.keep(learnt[at : at + _AT_ONCE])
    except StoreUnavailable as error:
        warn(f"the decision stands, but not every text was kept to learn from: {error}")


def _is_from_port(source: str) -> bool:
    return _PORT.fullmatch(source) is not None


def _text_of(parts: Sequence[HeldMessage]) -> str:
    if len(parts) > 1:
        texts = texts_together(sorted(parts, key=lambda held: held.part))
        if texts:
            return texts[0]
    return parts[0].joined or texts_of(parts[0])[0]


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
    name, outcomes = acting(decided.by), Outcomes(chosen.campaign, chosen.system_id)
    why = said(decided.note)
    asked = array("q")
    async with opened_store(settings, stores_of) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)
        async for some in _each(
            "asking for release",
            found,
            lambda numbers: desk.request_release_each(numbers, name, utcnow(), why),
        ):
            let_go = _done(some)
            await learn_from_reviews(settings, stores.samples, let_go, SampleLabel.HAM, name)
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
    name, outcomes = acting(decided.by), Outcomes(chosen.campaign, chosen.system_id)
    why = said(decided.note)
    async with opened_store(settings, stores_of) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)
        async for some in _each(
            "discarding", found, lambda numbers: desk.discard_each(numbers, name, utcnow(), why)
        ):
            await learn_from_reviews(settings, stores.samples, _done(some), SampleLabel.SPAM, name)
            outcomes.add(some)
    outcomes.show(found.left, as_json=as_json)
    return ExitCode.FAILED if outcomes.not_done else ExitCode.FINE


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
