"""The work of `smsward records hold`: what may not be purged, for a case or an authority."""

from dataclasses import asdict

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.person import acting
from gateway.cli.record_options import Period
from gateway.cli.record_scopes import said, scope_of
from gateway.cli.screen import print_json, print_table, say
from gateway.cli.storage import opened_store
from gateway.domain.msisdn import masked
from gateway.domain.privacy import LIFT_GRACE, LegalHold, NewLegalHold
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings

_COLUMNS = ("no", "from", "to", "of", "reason", "reference", "by", "state")


async def add_hold(
    settings: GatewaySettings, period: Period, reason: str, reference: str, by: str | None
) -> int:
    """Keep a new hold; return the exit code."""
    scope, why, of = scope_of(period), said(reason), said(reference)
    if not why or not of:
        raise misused("--reason and --reference: must not be empty")
    hold = NewLegalHold(
        scope.since, scope.until, scope.system_id, scope.msisdn, why, of, acting(by), utcnow()
    )
    async with opened_store(settings) as stores:
        number = await stores.legal_holds.add(hold)
    say(
        f"held: number {number}; nothing of it is purged until `smsward records hold lift {number}`"
    )
    return ExitCode.FINE


async def lift_hold(settings: GatewaySettings, number: int, by: str | None) -> int:
    """End a hold; return the exit code."""
    async with opened_store(settings) as stores:
        is_lifted = await stores.legal_holds.lift(number, acting(by), utcnow())
    if not is_lifted:
        raise CommandError(
            f"there is no hold {number} in force", advice="`smsward records hold list` lists them"
        )
    say(f"lifted: what it kept goes {LIFT_GRACE.days} day from now at the earliest")
    return ExitCode.FINE


async def list_holds(settings: GatewaySettings, *, as_json: bool) -> int:
    """Print all holds, the newest first; return the exit code."""
    async with opened_store(settings) as stores:
        holds = await stores.legal_holds.listed()
    if as_json:
        print_json([_described(hold) for hold in holds])
    elif holds:
        print_table(_COLUMNS, map(_row, holds))
    else:
        say("no holds")
    return ExitCode.FINE


def _described(hold: LegalHold) -> dict[str, object]:
    number = None if hold.msisdn is None else masked(hold.msisdn)
    shown = asdict(hold) | {"subscriber": number, "in_force": hold.is_in_force(utcnow())}
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
