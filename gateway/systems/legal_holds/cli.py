"""`smsward records hold`: what may not be purged, for a case or an authority."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import asdict, replace
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.runtime.clock import utcnow
from gateway.systems.legal_holds.model import LIFT_GRACE, LegalHold
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, By, ConfigDirectory, Period, acting
from gateway.terminal.screen import print_json, print_result, print_table, say

_COLUMNS = ("no", "from", "to", "of", "reason", "reference", "by", "state")


hold = App(name="hold", help="Keep records from being purged (司法保全).")


@hold.command
def add(
    *,
    period: Period,
    reason: Annotated[str, Parameter(help="Why, for example fraud under investigation.")],
    reference: Annotated[str, Parameter(help="The number of the case or of the letter.")],
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Keep the records and held messages of a period from being purged, until lifted.

    Example: smsward records hold add --from 2013-09-01 --to 2013-10-01
    --number 13800138000 --reason fraud --reference "case 2013-118"
    """
    from gateway.systems.legal_holds.sql import LegalHolds
    from gateway.terminal.arguments import said, scope_of
    from gateway.terminal.store import on_store

    scope, why, of = scope_of(period), said(reason), said(reference)
    if not why or not of:
        raise misused("--reason and --reference: must not be empty")
    new = LegalHold(
        scope.since, scope.until, scope.system_id, scope.msisdn, why, of, acting(by), utcnow()
    )
    number = on_store(config, LegalHolds, lambda holds: holds.add(new))
    until = f"nothing of it is purged until `smsward records hold lift {number}`"
    shown = _described(replace(new, number=number))
    print_result(shown, f"held: number {number}; {until}", as_json=as_json)
    return ExitCode.FINE


@hold.command(name="list")
def list_all(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List holds, the newest first, those that were lifted too. Numbers are masked.

    Example: smsward records hold list --json
    """
    from gateway.systems.legal_holds.sql import LegalHolds
    from gateway.terminal.store import on_store

    holds = on_store(config, LegalHolds, LegalHolds.listed)
    if as_json:
        print_json([_described(one) for one in holds])
    elif holds:
        print_table(_COLUMNS, map(_row, holds))
    else:
        say("no holds")
    return ExitCode.FINE


@hold.command
def lift(
    number: Annotated[int, Parameter(name="NO")],
    /,
    *,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """End a hold. What only it kept goes with the first purge a day later.

    Example: smsward records hold lift 3
    """
    from gateway.systems.legal_holds.sql import LegalHolds
    from gateway.terminal.store import on_store

    name, now = acting(by), utcnow()
    if not on_store(config, LegalHolds, lambda holds: holds.lift(number, name, now)):
        raise CommandError(
            f"there is no hold {number} in force", advice="`smsward records hold list` lists them"
        )
    shown = {"number": number, "lifted_at": now, "lifted_by": name, "kept_until": now + LIFT_GRACE}
    line = f"lifted: what it kept goes {LIFT_GRACE.days} day from now at the earliest"
    print_result(shown, line, as_json=as_json)
    return ExitCode.FINE


def _described(hold: LegalHold) -> dict[str, object]:
    number = None if hold.msisdn is None else masked(hold.msisdn)
    shown = {"number": hold.number} | asdict(hold)
    shown |= {"subscriber": number, "in_force": hold.is_in_force(utcnow())}
    del shown["msisdn"]
    return shown


def _row(hold: LegalHold) -> tuple[str, ...]:
    of = [hold.system_id or "", "" if hold.msisdn is None else masked(hold.msisdn)]
    since = hold.lifted_at
    return (
        str(hold.number),
        f"{hold.since:%Y-%m-%d %H:%M}",
        f"{hold.until:%Y-%m-%d %H:%M}",
        " ".join(filter(None, of)) or "(everything)",
        hold.reason,
        hold.reference,
        hold.by,
        "in force" if since is None else f"lifted {since:%Y-%m-%d %H:%M} by {hold.lifted_by}",
    )
