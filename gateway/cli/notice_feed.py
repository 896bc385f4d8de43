"""The work of `smsward notices`: how far each SP has heard, and its feed by hand."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gateway.cli.consent_answers import senders_of
from gateway.cli.deployment import load_settings
from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.plurals import counted
from gateway.cli.screen import print_json, print_table, say, visible
from gateway.cli.storage import opened_store
from gateway.domain.msisdn import masked
from gateway.domain.notice import Notice, NoticeBatch, NoticeStanding
from gateway.domain.sender import Sender
from gateway.stores.open import Stores
from gateway.systems.notices.notice_batch import fields_of

_COLUMNS = ("SP", "by", "waiting since", "last taken", "failed in a row", "last failure")
_NOTICE_COLUMNS = ("number", "answer", "to", "since", "channel")
_EVERYONE = "(every sender)"


async def list_notices(config: Path, *, as_json: bool) -> int:
    """Print a line for each SP of senders.yaml; return the exit code."""
    senders = senders_of(config)
    if senders is None:
        raise misused("senders.yaml names the SPs", "repair it first; smsward check tells how")
    async with opened_store(load_settings(config)) as stores:
        found = [await _standing(stores, senders[name]) for name in sorted(senders)]
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, map(_row, found))
    else:
        say("there are no SPs in senders.yaml")
    return ExitCode.FINE


async def show_next(config: Path, system_id: str, *, unmask: bool, as_json: bool) -> int:
    """Print the next batch of one SP; return the exit code."""
    _check(config, system_id)
    async with opened_store(load_settings(config)) as stores:
        batch = await stores.notices.next_batch(system_id)
    if as_json:
        print_json(_described(system_id, batch, unmask=unmask))
    elif batch is None:
        say(f"{visible(system_id)} has heard of every answer on record")
    else:
        title = f"batch {batch.batch_id} for {system_id}"
        rows = (_notice_row(notice, unmask=unmask) for notice in batch.notices)
        print_table(_NOTICE_COLUMNS, rows, title=title)
        more = "nothing waits behind it" if batch.is_last else "more wait behind it"
        advice = f"smsward notices acknowledge {batch.batch_id} --system-id {system_id}"
        told = counted(len(batch.notices), "notice")
        say(f"{told}, {more}; once the SP has them: {advice}")
    return ExitCode.FINE


async def acknowledge_batch(config: Path, system_id: str, batch_id: int) -> int:
    """Note that one SP has taken a batch; return the exit code."""
    _check(config, system_id)
    async with opened_store(load_settings(config)) as stores:
        is_known = await stores.notices.acknowledge(system_id, batch_id)
        since = await stores.notices.waiting_since(system_id)
    if not is_known:
        raise CommandError(
            f"{system_id} was never given batch {batch_id}",
            advice=f"see what is next: smsward notices next --system-id {system_id}",
        )
    rest = "nothing else waits" if since is None else f"more waits since {_shown(since)}"
    say(f"batch {batch_id} is taken by {system_id}; {rest}")
    return ExitCode.FINE


def _check(config: Path, system_id: str) -> None:
    senders = senders_of(config)
    if senders is not None and system_id not in senders:
        raise misused(
            f"there is no sender {visible(system_id)} in senders.yaml",
            f"there are: {known(senders)}",
        )


async def _standing(stores: Stores, sender: Sender) -> dict[str, object]:
    standing = await stores.notices.standing_of(sender.system_id)
    since = await stores.notices.waiting_since(sender.system_id)
    return {
        "system_id": sender.system_id,
        "webhook": sender.webhook is not None,
        "waiting_since": since,
        "delivered_at": standing.delivered_at,
        "attempts": standing.attempts,
        "next_try_at": _next_try(standing),
        "failed_at": standing.failed_at,
        "failure": standing.failure,
    }


def _next_try(standing: NoticeStanding) -> datetime | None:
    return standing.next_try_at if standing.attempts else None


def _row(found: Mapping[str, object]) -> tuple[str, ...]:
    failure = f"{_cell(found['failed_at'])} {found['failure']}".strip()
    return (
        str(found["system_id"]),
        "webhook" if found["webhook"] else "feed",
        _cell(found["waiting_since"]),
        _cell(found["delivered_at"]),
        str(found["attempts"] or ""),
        failure,
    )


def _cell(at: object) -> str:
    return _shown(at) if isinstance(at, datetime) else ""


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _described(system_id: str, batch: NoticeBatch | None, *, unmask: bool) -> dict[str, object]:
    if batch is None:
        return {"system_id": system_id, "batch": None, "is_last": True, "notices": []}
    return {
        "system_id": system_id,
        "batch": batch.batch_id,
        "is_last": batch.is_last,
        "notices": [
            {**fields_of(notice), "number": _number(notice, unmask=unmask)}
            for notice in batch.notices
        ],
    }


def _notice_row(notice: Notice, *, unmask: bool) -> tuple[str, ...]:
    return (
        _number(notice, unmask=unmask),
        notice.answer,
        notice.scope or _EVERYONE,
        _shown(notice.since),
        notice.channel,
    )


def _number(notice: Notice, *, unmask: bool) -> str:
    return str(notice.msisdn) if unmask else masked(notice.msisdn)
