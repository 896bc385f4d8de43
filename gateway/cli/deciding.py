"""Deciding on held messages: `smsward quarantine release` and `discard`."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.failure import ExitCode, misused
from gateway.cli.person import acting
from gateway.cli.progress import progress_bar
from gateway.cli.reviewing import campaign_id, described, number_of, told_counts
from gateway.cli.screen import console, print_json, print_table, say, warn
from gateway.cli.storage import opened_store
from gateway.cli.verdict_keeping import learn_from_reviews
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sample import SampleLabel
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.desk import Done, NotDone, Outcome, QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds

_LOOK_EVERY_S = 0.1
_MAX_IDS = 10_000
_MAX_OF_CAMPAIGN = 100_000
_AT_ONCE = 1000  # are read
_TOGETHER = 100  # are decided on
_UNDER_WAY = frozenset({HoldState.RELEASE_REQUESTED, HoldState.RELEASING})
_BY_ID = (HoldState.DEFERRED, HoldState.RELEASE_REQUESTED, HoldState.IN_DOUBT)
# How a release may stand without anything having gone wrong: at night it waits for the morning.
_FINE = frozenset({HoldState.RELEASED, HoldState.DEFERRED, *_UNDER_WAY})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is decided on: messages by their ids, or all that is held of one campaign.

    A campaign goes across SPs: with `system_id` only what that one sent is meant. Raises
    CommandError for neither and for both, and for what can be no id.
    """

    ids: Sequence[str]
    campaign: str | None = None
    system_id: str | None = None

    def __post_init__(self) -> None:
        if self.campaign is not None:
            campaign_id(self.campaign)
        if bool(self.ids) is (self.campaign is not None):
            raise misused(
                "give ids, or --campaign for all that is held of one",
                "`smsward quarantine list` shows the ids",
            )
        if self.system_id is not None and self.campaign is None:
            raise misused("--system-id goes with --campaign")

    async def numbers(self, store: QuarantineStore) -> list[int]:
        """Return the messages; of a campaign the newest, as they are at this moment.

        The oldest of them first: that is how they came, and they expire first.
        """
        if self.campaign is None:
            return _numbers(self.ids)
        numbers: list[int] = []
        while len(numbers) < _MAX_OF_CAMPAIGN:
            page = await store.find(
                state=HoldState.HELD,
                system_id=self.system_id,
                campaign=self.campaign,
                before_id=numbers[-1] if numbers else None,
                limit=_AT_ONCE,
            )
            numbers += [held.message_id for held in page]
            if len(page) < _AT_ONCE:
                break
        return sorted(numbers[:_MAX_OF_CAMPAIGN])

    async def left(self, store: QuarantineStore) -> dict[str, int]:
        """Return how many others of the campaign there are that are decided on by id alone."""
        if self.campaign is None:
            return {}
        counts = await store.count_by_state(system_id=self.system_id, campaign=self.campaign)
        return {state.value: counts[state] for state in _BY_ID if counts[state]}


async def release_messages(
    settings: GatewaySettings, chosen: Chosen, by: str | None, *, wait_s: float, as_json: bool
) -> int:
    """Ask for the release of messages, wait for the end, print it; return the exit code."""
    name = acting(by)
    async with opened_store(settings) as stores:
        desk, numbers = _desk(stores.quarantine), await chosen.numbers(stores.quarantine)
        left = await chosen.left(stores.quarantine)
        outcomes = await _each(
            "asking for release", numbers, lambda one: desk.request_release(one, name, utcnow())
        )
        let_go = [one.message for one in outcomes if isinstance(one, Done)]
        await learn_from_reviews(settings, stores.samples, let_go, SampleLabel.HAM, name)
        asked = [held.message_id for held in let_go]
        ends = await _ends(stores.quarantine, asked, wait_s)
    _report(chosen, [_end(outcome, ends) for outcome in outcomes], left, as_json=as_json)
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
    settings: GatewaySettings, chosen: Chosen, by: str | None, *, as_json: bool
) -> int:
    """Discard messages, print what became of each; return the exit code."""
    name = acting(by)
    async with opened_store(settings) as stores:
        desk, numbers = _desk(stores.quarantine), await chosen.numbers(stores.quarantine)
        left = await chosen.left(stores.quarantine)
        outcomes = await _each("discarding", numbers, lambda one: desk.discard(one, name, utcnow()))
        dropped = [one.message for one in outcomes if isinstance(one, Done)]
        await learn_from_reviews(settings, stores.samples, dropped, SampleLabel.SPAM, name)
    _report(chosen, [_end(outcome, {}) for outcome in outcomes], left, as_json=as_json)
    is_done = all(isinstance(outcome, Done) for outcome in outcomes)
    return ExitCode.FINE if is_done else ExitCode.FAILED


async def _each(
    doing: str, numbers: Sequence[int], act: Callable[[int], Awaitable[Outcome]]
) -> list[Outcome]:
    """Act on messages, so many in one commit; the parts that go with one are done with it."""
    outcomes: dict[int, Outcome] = {}
    with progress_bar() as progress:
        task = progress.add_task(doing, total=len(numbers))
        for at in range(0, len(numbers), _TOGETHER):
            some = [one for one in numbers[at : at + _TOGETHER] if one not in outcomes]
            try:
                settled = await _all(map(act, some))
            except StoreUnavailable:
                done = sum(isinstance(one, Done) for one in outcomes.values())
                warn(f"the store failed after {done} of {len(numbers)}: call again for the others")
                raise
            for number, outcome in zip(some, settled, strict=True):
                if isinstance(outcome, Done):
                    outcomes |= {one.message_id: Done(one) for one in outcome.together}
                else:  # unless another part has taken it along
                    outcomes.setdefault(number, outcome)
            progress.update(task, completed=at + _TOGETHER)
    return list(outcomes.values())


async def _all(acts: Iterable[Awaitable[Outcome]]) -> list[Outcome]:
    """Wait for all; what went wrong with one is raised only then, and the others stand."""
    settled = await asyncio.gather(*acts, return_exceptions=True)
    for one in settled:
        if isinstance(one, BaseException):
            raise one
    return [one for one in settled if not isinstance(one, BaseException)]


def _desk(store: QuarantineStore) -> QuarantineDesk:
    # Nothing is put into quarantine here, so no id is ever issued.
    return QuarantineDesk(store, MessageIds(worker=0))


def _numbers(ids: Sequence[str]) -> list[int]:
    """Return the ids given, those on the standard input in place of a `-`, each once.

    None where a pipe found nothing: then there is nothing to be done.
    """
    given: list[str] = []
    for one in ids:
        given.extend(sys.stdin.read().split() if one == "-" else (one,))
    numbers = list(dict.fromkeys(map(number_of, given)))
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
            for number, held in (await _found(store, sorted(left))).items():
                if held is not None:
                    ends[number] = held
                if held is None or held.state not in _UNDER_WAY:
                    left.discard(number)
                    progress.advance(task)
            if not left or monotonic() >= deadline:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
    return ends


async def _found(store: QuarantineStore, numbers: Sequence[int]) -> dict[int, HeldMessage | None]:
    """Return each message as it stands, None for one that is not there any more."""
    found: dict[int, HeldMessage | None] = dict.fromkeys(numbers)
    for at in range(0, len(numbers), _AT_ONCE):
        some = await store.get_many(numbers[at : at + _AT_ONCE])
        found |= {held.message_id: held for held in some}
    return found


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
            "system_id": "",
            "state": state,
            "note": outcome.why,
        }
    held = ends.get(outcome.message.message_id, outcome.message)
    return {"done": True, **described(held)}


def _report(
    chosen: Chosen,
    ends: Sequence[dict[str, object]],
    left: Mapping[str, int],
    *,
    as_json: bool,
) -> None:
    if chosen.campaign is not None:
        _report_campaign(chosen.campaign, ends, left, as_json=as_json)
    elif as_json:
        print_json(ends)
    else:
        columns = ("message_id", "state", "note")
        print_table(("id", "state", "note"), ([str(end[name]) for name in columns] for end in ends))


def _report_campaign(
    campaign: str,
    ends: Sequence[dict[str, object]],
    left: Mapping[str, int],
    *,
    as_json: bool,
) -> None:
    """Print how many messages of each SP came to what: nobody reads ten thousand lines."""
    counts = Counter(
        (bool(end["done"]), str(end["system_id"]), str(end["state"]), str(end["note"]))
        for end in ends
    ).most_common()
    if as_json:
        outcomes = [
            {"messages": count, "done": done, "system_id": sp, "state": state, "note": note}
            for (done, sp, state, note), count in counts
        ]
        print_json(
            {"campaign": campaign, "messages": len(ends), "outcomes": outcomes, "left": left}
        )
        return
    if ends:
        rows = ((str(count), sp, state, note) for (_, sp, state, note), count in counts)
        print_table(("messages", "SP", "state", "note"), rows)
    say(f"{len(ends)} messages of campaign {campaign}" + ("" if ends else " are held"))
    if left:
        say(f"left as they are: {told_counts(left)}; decide on them by id")
    if len(ends) >= _MAX_OF_CAMPAIGN:
        say("that is as many as one call takes: call again for the rest")
