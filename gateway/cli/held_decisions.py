"""Decisions on held messages: `smsward quarantine release` and `discard`.

By the hundred, and nothing is kept of a hundred but its ids and counts: a campaign may be of any
size. What was decided is on record at once; after an interruption, call it again for the others.
"""

import asyncio
import sys
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.failure import ExitCode
from gateway.cli.message_selection import MessageSelection, SelectedMessages, by_the_hundred
from gateway.cli.outcomes import Outcomes
from gateway.cli.person import acting
from gateway.cli.progress import progress_bar
from gateway.cli.sample_writer import learn_from_reviews
from gateway.cli.screen import console, warn
from gateway.cli.storage import opened_store
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sample import SampleLabel
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.desk import QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds
from gateway.systems.quarantine.outcomes import ActResult, NotDone, Outcome

_LOOK_EVERY_S = 0.1
_UNDER_WAY = frozenset({HoldState.RELEASE_REQUESTED, HoldState.RELEASING})
# How a release may stand without anything having gone wrong: at night it waits for the morning.
_FINE = frozenset({HoldState.RELEASED, HoldState.DEFERRED, *_UNDER_WAY})


async def release_messages(
    settings: GatewaySettings,
    chosen: MessageSelection,
    by: str | None,
    *,
    wait_s: float,
    as_json: bool,
) -> int:
    """Ask for the release of messages, wait for the end, print it; return the exit code."""
    name, outcomes = acting(by), Outcomes(chosen.campaign, chosen.system_id)
    asked = array("q")
    async with opened_store(settings) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)

        async def ask(numbers: Sequence[int]) -> list[Outcome]:
            return await desk.request_release_each(numbers, name, utcnow())

        async for some in _each("asking for release", found, ask):
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
    settings: GatewaySettings, chosen: MessageSelection, by: str | None, *, as_json: bool
) -> int:
    """Discard messages, print what became of each; return the exit code."""
    name, outcomes = acting(by), Outcomes(chosen.campaign, chosen.system_id)
    async with opened_store(settings) as stores:
        desk, found = _desk(stores.quarantine), await chosen.found_in(stores.quarantine)

        async def drop(numbers: Sequence[int]) -> list[Outcome]:
            return await desk.discard_each(numbers, name, utcnow())

        async for some in _each("discarding", found, drop):
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
