"""`smsward warnings sanctions`: the next step for each violation, decided and undone."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from gateway.domain.sanction import ReopeningTerms, Sanction, SanctionRefusal, SanctionState
from gateway.domain.warning import WarningNote
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory, acting, limited, person_here
from gateway.terminal.screen import (
    masked_source,
    print_fields,
    print_json,
    print_listed,
    print_result,
    say,
    shown_fields,
)

if TYPE_CHECKING:
    from gateway.systems.early_warnings.sanction_store import SanctionStore

    _Act: TypeAlias = Callable[[SanctionStore], Awaitable[Sanction | SanctionRefusal]]

_MAX_NOTE_CHARS = 1000
_MAX_DAYS = 366
_MAX_DAILY = 100_000_000
_COLUMNS = ("number", "SP", "port", "violation", "step", "state", "decided", "note")

Number = Annotated[int, Parameter(name="NUMBER", help="The number of a sanction, as listed.")]
Note = Annotated[str, Parameter(help="Why, for those who read it later.")]
By = Annotated[str | None, Parameter(help="Who decides; noted as said by your account.")]

sanction_commands = App(
    name="sanctions", help="Decide what follows violations (处罚), and reopen with two persons."
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ProbationTerms:
    """On which terms an SP sends again."""

    condition: Annotated[str, Parameter(help="What the SP must keep to.")]
    days: Annotated[int, Parameter(help="How long its messages are capped, 1 to 366.")] = 30
    daily_max: Annotated[int, Parameter(help="At most so many messages a day.")] = 10_000


@sanction_commands.command(name="list")
def list_sanctions(
    *,
    state: Annotated[SanctionState | None, Parameter(help="Only those in this state.")] = None,
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None,
    before: Annotated[int | None, Parameter(help="Only those older than this NUMBER.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List sanctions, the newest first. A gateway proposes one for each violation.

    Example: smsward warnings sanctions list --state proposed
    """
    from gateway.systems.early_warnings.sanction_store import SanctionStore
    from gateway.terminal.store import on_store

    limited(limit)
    found = on_store(
        config,
        SanctionStore,
        lambda store: store.find(system_id=system_id, state=state, before=before, limit=limit),
    )
    shown, rows = list(map(described_sanction, found)), map(_row, found)
    print_listed(shown, _COLUMNS, rows, "no such sanctions", as_json=as_json)
    if len(found) == limit and not as_json:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


@sanction_commands.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one sanction, with the terms on which somebody asks to reopen it.

    Example: smsward warnings sanctions show 3
    """
    from gateway.systems.early_warnings.sanction_store import SanctionStore
    from gateway.terminal.store import on_store

    one = on_store(config, SanctionStore, lambda store: store.get(number))
    if one is None:
        raise _refused(number, SanctionRefusal.MISSING, None)
    told = described_sanction(one)
    if as_json:
        print_json(told)
        return ExitCode.FINE
    reopening = told.pop("reopening") or {}
    told |= {f"reopening {name}": value for name, value in reopening.items()}
    shown = ((name, value) for name, value in told.items() if value not in {None, ""})
    print_fields((name.replace("_", " "), str(value)) for name, value in shown)
    return ExitCode.FINE


@sanction_commands.command
def apply(
    number: Number,
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Apply a proposed step: the SP is told, its port suspended, or all of it closed.

    A running gateway obeys within two seconds. Binds of a closed SP are answered ESME_RBINDFAIL.

    Example: smsward warnings sanctions apply 3 --note "no answer to three notices"
    """
    said = WarningNote(acting(by), utcnow(), _checked("--note", note))
    return _act(
        number,
        config,
        lambda store: store.decide(number, SanctionState.APPLIED, said),
        "applied",
        as_json=as_json,
    )


@sanction_commands.command
def dismiss(
    number: Number,
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Dismiss a proposed step: nothing follows, and it does not count for the next.

    Example: smsward warnings sanctions dismiss 3 --note "the rule was wrong"
    """
    said = WarningNote(acting(by), utcnow(), _checked("--note", note))
    return _act(
        number,
        config,
        lambda store: store.decide(number, SanctionState.DISMISSED, said),
        "dismissed",
        as_json=as_json,
    )


@sanction_commands.command
def reopen(
    number: Number,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why it may send again.")],
    terms: ProbationTerms,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Ask that a closed SP or suspended port sends again; another person must approve it.

    Each of the two calls from a login of their own: no --by is believed here. For some days the
    messages are capped; what is over the cap of a day is answered ESME_RTHROTTLED.

    Example: smsward warnings sanctions reopen 3 --reason "new owner" --condition "own lists only"
    """
    if not 1 <= terms.days <= _MAX_DAYS:
        raise misused(f"--days: 1 to {_MAX_DAYS}")
    if not 1 <= terms.daily_max <= _MAX_DAILY:
        raise misused(f"--daily-max: 1 to {_MAX_DAILY}")
    asked = ReopeningTerms(
        person_here("repeat it"),
        utcnow(),
        _checked("--reason", reason),
        _checked("--condition", terms.condition),
        terms.days,
        terms.daily_max,
    )
    return _act(
        number,
        config,
        lambda store: store.ask_reopening(number, asked),
        "one approval of two that it is reopened; `show` tells another person the terms",
        as_json=as_json,
    )


@sanction_commands.command
def approve(
    number: Number,
    /,
    *,
    terms: Annotated[str, Parameter(help="Which terms are approved, as `show` prints them.")],
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Approve the terms that another person asked for with `reopen`: the SP or port sends again.

    It is refused where other terms are asked for by now.

    Example: smsward warnings sanctions approve 3 --terms 9f2ab1c04d7e
    """
    by, at = person_here("repeat it"), utcnow()
    return _act(
        number,
        config,
        lambda store: store.approve_reopening(number, terms.strip(), by, at),
        "reopened",
        as_json=as_json,
    )


@sanction_commands.command
def decline(
    number: Number,
    /,
    *,
    note: Note,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Decline what another person asked for with `reopen`: the sanction stays.

    Example: smsward warnings sanctions decline 3 --note "the lists are the same"
    """
    said = WarningNote(person_here("repeat it"), utcnow(), _checked("--note", note))
    return _act(
        number,
        config,
        lambda store: store.decline_reopening(number, said),
        "not reopened",
        as_json=as_json,
    )


def _act(number: int, config: ConfigDirectory, act: "_Act", done: str, *, as_json: bool) -> int:
    """Do an act and print the sanction. Raises CommandError where it is refused."""
    from gateway.systems.early_warnings.sanction_store import SanctionStore
    from gateway.terminal.store import on_store

    async def run(store: SanctionStore) -> Sanction:
        after = await act(store)
        if isinstance(after, Sanction):
            return after
        raise _refused(number, after, await store.get(number))

    one = on_store(config, SanctionStore, run)
    line = f"sanction {number} ({one.step} of {one.system_id}): {done}"
    print_result(described_sanction(one), line, as_json=as_json)
    return ExitCode.FINE


def _refused(number: int, why: SanctionRefusal, one: Sanction | None) -> CommandError:
    match why:
        case SanctionRefusal.SAME_PERSON:
            said = "you asked for it: another person must approve or decline it"
        case SanctionRefusal.OTHER_CHANNEL:
            said = "it was asked for over the API or in the console: decide on it there"
        case SanctionRefusal.OTHER_TERMS:
            said = f"other terms are asked for: `smsward warnings sanctions show {number}`"
        case SanctionRefusal.ASKED:
            said = "somebody has asked for that already: approve or decline it"
        case SanctionRefusal.STATE if one is not None:
            asked = "" if one.reopening is None else ", and reopening it was asked for"
            said = f"sanction {number} ({one.step}) is {one.state}{asked}"
        case _:
            said = f"there is no sanction {number}"
    return CommandError(said, advice="`smsward warnings sanctions list` shows how they stand")


def _checked(name: str, words: str) -> str:
    found = words.strip()
    if not 0 < len(found) <= _MAX_NOTE_CHARS:
        raise misused(f"{name}: 1 to {_MAX_NOTE_CHARS} characters, without subscribers' numbers")
    return found


def described_sanction(one: Sanction) -> dict[str, Any]:
    """Return a sanction for programs; the port is masked where it is a person's number."""
    asked = one.reopening
    return {
        **shown_fields(one, "number warning system_id"),
        "port": masked_source(one.port),
        **shown_fields(one, "severity step state proposed_at decided_at decided_by note"),
        "reopening": asked
        and shown_fields(asked, "by at reason conditions days daily_max", terms=asked.digest),
        **shown_fields(one, "reopened_at reopened_by probation_until"),
    }


def _row(one: Sanction) -> tuple[str | tuple[str, ...], ...]:
    state: tuple[str, ...] = (one.state,)
    if one.state is SanctionState.APPLIED and one.reopening is not None:
        state = (one.state, f"reopening asked by {one.reopening.by}")
    if one.probation_until is not None:
        state = (one.state, f"capped until {one.probation_until:%Y-%m-%d}")
    decided = "" if one.decided_at is None else f"{one.decided_at:%Y-%m-%d %H:%M}"
    return (
        str(one.number),
        one.system_id,
        masked_source(one.port),
        (f"warning {one.warning}", one.severity),
        one.step,
        state,
        (decided, one.decided_by),
        one.note,
    )
