"""The work of `smsward preferences holds`: what a subscriber's own preferences hold (R50)."""

from datetime import datetime

from gateway.app.own_holds import own_holds_in
from gateway.cli.failure import ExitCode
from gateway.cli.screen import print_json, print_table, say
from gateway.cli.storage import opened_store
from gateway.cli.subscriber import subscriber_of
from gateway.domain.msisdn import masked
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.quarantine.own_holds import OwnHold

_COLUMNS = ("", "id", "from", "held at (UTC)", "until (UTC)")


async def list_own_holds(settings: GatewaySettings, number: str, *, as_json: bool) -> int:
    """Print what waits for a subscriber, the newest first; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        own = await own_holds_in(stores).list_own(msisdn, utcnow())
    if as_json:
        print_json({"number": masked(msisdn), "holds": [_described(one) for one in own]})
    elif own:
        print_table(_COLUMNS, (_row(*each) for each in enumerate(own, 1)), title=masked(msisdn))
    else:
        say(f"nothing waits for {masked(msisdn)}")
    return ExitCode.FINE


def _described(own: OwnHold) -> dict[str, object]:
    return {
        # Text: programs that read JSON numbers as floats would round it.
        "message_ids": [str(one) for one in own.message_ids],
        "source": own.source,
        "held_at": own.held_at.isoformat(timespec="seconds"),
        "expires_at": own.expires_at.isoformat(timespec="seconds"),
    }


def _row(place: int, own: OwnHold) -> tuple[str | tuple[str, ...], ...]:
    ids = tuple(str(one) for one in own.message_ids)
    return (str(place), ids, own.source, _when(own.held_at), _when(own.expires_at))


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
