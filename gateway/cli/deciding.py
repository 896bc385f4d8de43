"""Deciding on held messages: `smsward quarantine release` and `discard`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.failure import ExitCode, misused
from gateway.cli.person import acting
from gateway.cli.reviewing import described, number_of
from gateway.cli.screen import console, print_json, print_table, warn
from gateway.cli.storage import opened_store
from gateway.cli.verdict_keeping import learn_from_reviews
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sample import SampleLabel
from gateway.ports.quarantine import QuarantineStore
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.desk import Done, NotDone, Outcome, QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds

_LOOK_EVERY_S = 0.1
_MAX_IDS = 10_000
_UNDER_WAY = frozenset({HoldState.RELEASE_REQUESTED, HoldState.RELEASING})
# How a release may stand without anything having gone wrong: at night it waits for the morning.
_FINE = frozenset({HoldState.RELEASED, HoldState.DEFERRED, *_UNDER_WAY})


async def release_messages(
    settings: GatewaySettings,
    ids: Sequence[str],
    by: str | None,
    *,
    wait_s: float,
    as_json: bool,
) -> int:
    """Ask for the release of messages, wait for the end, print it; return the exit code."""
    numbers, name = _numbers(ids), acting(by)
    async with opened_store(settings) as stores:
        desk = _desk(stores.quarantine)
        outcomes = await _each(numbers, lambda one: desk.request_release(one, name, utcnow()))
        let_go = [one.message for one in outcomes if isinstance(one, Done)]
        await learn_from_reviews(settings, stores.samples, let_go, SampleLabel.HAM, name)
        asked = [held.message_id for held in let_go]
        ends = await _ends(stores.quarantine, asked, wait_s)
    _report([_end(outcome, ends) for outcome in outcomes], as_json=as_json)
    waiting = [held for held in ends.values() if held.state is HoldState.RELEASE_REQUESTED]
    if waiting:
        warn(
            f"{len(waiting)} still wait. Is a gateway running on this store, and has it a bind of"
            " their SP? They go out as soon as it has, unless they expire before."
        )
    deferred = [held for held in ends.values() if held.state is HoldState.DEFERRED]
    if deferred:
        warn(
            f"{len(deferred)} may not arrive at this hour. They go out by themselves at the time"
            " that `smsward quarantine list --state deferred` shows."
        )
    went_well = len(asked) == len(outcomes) and all(held.state in _FINE for held in ends.values())
    return ExitCode.FINE if went_well else ExitCode.FAILED


async def discard_messages(
    settings: GatewaySettings, ids: Sequence[str], by: str | None, *, as_json: bool
) -> int:
    """Discard messages, print what became of each; return the exit code."""
    numbers, name = _numbers(ids), acting(by)
    async with opened_store(settings) as stores:
        desk = _desk(stores.quarantine)
        outcomes = await _each(numbers, lambda one: desk.discard(one, name, utcnow()))
        dropped = [one.message for one in outcomes if isinstance(one, Done)]
        await learn_from_reviews(settings, stores.samples, dropped, SampleLabel.SPAM, name)
    _report([_end(outcome, {}) for outcome in outcomes], as_json=as_json)
    is_done = all(isinstance(outcome, Done) for outcome in outcomes)
    return ExitCode.FINE if is_done else ExitCode.FAILED


async def _each(numbers: Sequence[int], act: Callable[[int], Awaitable[Outcome]]) -> list[Outcome]:
    """Act on messages one by one; the parts that go with one are done with it."""
    outcomes: dict[int, Outcome] = {}
    for number in numbers:
        if number not in outcomes:
            outcome = outcomes[number] = await act(number)
            if isinstance(outcome, Done):
                outcomes |= {one.message_id: Done(one) for one in outcome.together}
    return list(outcomes.values())


def _desk(store: QuarantineStore) -> QuarantineDesk:
    # Nothing is put into quarantine here, so no id is ever issued.
    return QuarantineDesk(store, MessageIds(worker=0))


def _numbers(ids: Sequence[str]) -> list[int]:
    """Return the ids given, those on the standard input in place of a `-`, each once."""
    given: list[str] = []
    for one in ids:
        given.extend(sys.stdin.read().split() if one == "-" else (one,))
    numbers = list(dict.fromkeys(map(number_of, given)))
    if not numbers and "-" not in ids:  # a pipe that found nothing has nothing to be done
        raise misused("no id was given", "`smsward quarantine list` shows the ids")
    if len(numbers) > _MAX_IDS:
        raise misused(f"more than {_MAX_IDS} ids", "give them in several calls")
    return numbers


async def _ends(
    store: QuarantineStore, asked: Iterable[int], wait_s: float
) -> dict[int, HeldMessage]:
    """Return each message as it stands once its release has ended, or after `wait_s`."""
    left = set(asked)
    ends: dict[int, HeldMessage] = {}
    deadline = monotonic() + wait_s
    with _progress() as progress:
        task = progress.add_task("waiting for the gateway", total=len(left))
        while left:
            for number in sorted(left):
                held = await store.get(number)
                if held is not None:
                    ends[number] = held
                if held is None or held.state not in _UNDER_WAY:
                    left.discard(number)
                    progress.advance(task)
            if not left or monotonic() >= deadline:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
    return ends


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


def _end(outcome: Outcome, ends: dict[int, HeldMessage]) -> dict[str, object]:
    """Return what became of one message: done or not, and how it stands."""
    if isinstance(outcome, NotDone):
        state = outcome.state if outcome.state is not None else "unknown"
        return {
            "message_id": str(outcome.message_id),
            "done": False,
            "state": state,
            "note": outcome.why,
        }
    held = ends.get(outcome.message.message_id, outcome.message)
    return {"done": True, **described(held)}


def _report(ends: Sequence[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        print_json(ends)
        return
    columns = ("message_id", "state", "note")
    print_table(("id", "state", "note"), ([str(end[name]) for name in columns] for end in ends))
