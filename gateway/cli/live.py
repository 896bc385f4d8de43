"""`smsward status`, `reload` and `smsc`: how the running gateway stands, and orders to it."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from cyclopts import App, Parameter

from gateway.domain.live import LiveReload, LiveSmsc, LiveStatus
from gateway.terminal.failure import ExitCode, misused
from gateway.terminal.options import FLAG, AsJson, By, ConfigDirectory, acting
from gateway.terminal.screen import (
    counted,
    print_fields,
    print_json,
    print_listed,
    print_result,
    say,
    warn,
)

T = TypeVar("T")

smsc = App(name="smsc", help="SMSCs of the running gateway: list, drain, resume.", sort_key=7)

SmscName = Annotated[str, Parameter(name="NAME")]
Note = Annotated[str, Parameter(help="Why, for the journal.")]

_NOT_ASKED = "not asked yet"


def status(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Say how the running gateway stands: sessions, rates, windows, what waits, the SMSCs.

    Rates are of the last minute. The exit code is 1 where no gateway runs, and where one runs
    that is not ready: the checks of /readyz that fail are named.

    Example: smsward status --json
    """
    found = asked(config, "status", LiveStatus)
    if as_json:
        print_json(found)
    else:
        print_fields(_fields(found))
        for warning in found.warnings:
            warn(warning)
    return ExitCode.FINE if found.is_ready else ExitCode.FAILED


def reload(
    *,
    note: Annotated[str, Parameter(show_default=False, help="Why, for the history.")] = "",
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Have the running gateway read gateway.yaml, senders.yaml and its policies again.

    What changed is named, and what waits for a restart. A file with a fault changes nothing: the
    exit code is 1, and each fault is printed as file:line:col. Sessions stay.

    Example: smsward reload --note "new certificate"
    """
    from gateway.terminal.arguments import said

    done = asked(config, "reload", LiveReload, by=acting(by), note=said(note))
    if as_json:
        print_json(done)
    else:
        say(f"policy in force: {done.digest}")
        nothing = "as it was" if done.config.faults else "nothing new"
        say(f"gateway.yaml: {_listed(done.config.changed, 'in force now', nothing)}")
        if done.config.needs_restart:
            warn(_listed(done.config.needs_restart, "waits for a restart"))
    for fault in (*done.faults, *done.config.faults):
        warn(f"refused: {fault}")
    return ExitCode.FAILED if done.faults or done.config.faults else ExitCode.FINE


@smsc.command(name="list")
def list_smscs(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List the SMSCs of the running gateway: group, up or down since when, binds, drained or not.

    Example: smsward smsc list
    """
    smscs = asked(config, "status", LiveStatus).smscs
    rows = ((one.name, one.group, _smsc(one)) for one in smscs)
    print_listed(smscs, ("SMSC", "group", "stands"), rows, "no SMSCs", as_json=as_json)
    return ExitCode.FINE


@smsc.command
def drain(
    name: SmscName,
    /,
    *,
    note: Note,
    force: Annotated[
        bool, FLAG, Parameter(help="Also where no other SMSC of its group is up.")
    ] = False,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Send nothing more to an SMSC, and unbind from it once it has answered: for maintenance.

    Requests wait for that, and go on to other SMSCs of its group in their order. It holds until
    it is resumed, over restarts too.

    Example: smsward smsc drain a --note "new software"
    """
    order = {"name": name, "by": acting(by), "note": why(note), "force": force}
    done = asked(config, "smsc drain", str, **order)
    print_result({"smsc": done, "state": "draining"}, f"{done}: draining", as_json=as_json)
    return ExitCode.FINE


@smsc.command(name="resume")
def resume_smsc(
    name: SmscName,
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Bind at an SMSC again that was drained. Sessions that are elsewhere stay there.

    Example: smsward smsc resume a --note "done"
    """
    order = {"name": name, "by": acting(by), "note": why(note), "force": False}
    done = asked(config, "smsc resume", str, **order)
    print_result({"smsc": done, "state": "resumed"}, f"{done}: resumed", as_json=as_json)
    return ExitCode.FINE


def asked(config: ConfigDirectory, do: str, answer: type[T], **said: object) -> T:
    """Return what the gateway of a deployment answers, as gateway.terminal.control.ask does."""
    from gateway.terminal.control import ask
    from gateway.terminal.deployment import located_control

    return ask(located_control(config), do, answer, **said)


def why(note: str) -> str:
    """Return the reason for an order. Raises CommandError for none."""
    from gateway.terminal.arguments import said

    if not said(note):
        raise misused("--note: say why, for the journal that `smsward audit show` lists")
    return said(note)


def _fields(status: LiveStatus) -> Iterator[tuple[str, str]]:
    policy, models = status.policy, status.models
    standing = "degraded" if status.is_degraded else "ready"
    yield "gateway", standing if status.is_ready else f"NOT READY: {', '.join(status.failing)}"
    yield "runs since", f"{moment(status.since)} UTC, version {status.version}"
    refused = f"; {counted(policy.refused_faults, 'fault')} refused" * bool(policy.refused_faults)
    yield "policy", f"{policy.name} {policy.digest} since {moment(policy.since)} UTC{refused}"
    yield "posture", policy.posture
    model = f"{models.active[:12]} since {moment(models.since)} UTC" if models.active else "none"
    yield "model", f"{model}; REFUSED: {models.fault}" if models.fault else model
    total = sum(status.sessions.values())
    yield "sessions", f"{total}{_each(status.sessions, ': ')}"
    yield "windows", f"{status.window_used} of {status.window} in use"
    yield "per second", rates(status.per_s)
    yield "waiting", _each(status.backlog) or "nothing"
    for smsc in status.smscs:
        yield f"smsc {smsc.name} ({smsc.group})", _smsc(smsc)
    yield "read (s ago)", rates(status.read_s)


def _each(counts: Mapping[str, int], before: str = "") -> str:
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
    return f"{before}{listed}" if listed else ""


def _smsc(one: LiveSmsc) -> str:
    if one.is_up is None or one.since is None:
        return f"{one.address}, {_NOT_ASKED}"
    standing = "up" if one.is_up else "DOWN"
    standing = f"DRAINED, {standing}" if one.is_drained else standing
    return f"{one.address}, {standing} since {moment(one.since)} UTC, {counted(one.binds, 'bind')}"


def _listed(names: Sequence[str], what: str, nothing: str = "") -> str:
    return f"{what}: {', '.join(names)}" if names else nothing


def rates(counts: Mapping[str, float]) -> str:
    """Return rates or counts by what is counted."""
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())


def moment(at: datetime) -> str:
    """Return a time as tables show it."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
