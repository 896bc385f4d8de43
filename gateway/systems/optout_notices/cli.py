"""`smsward notices`: how far each SP has heard of refusals, and its feed by hand."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.domain.sender import Sender
from gateway.runtime.clock import utcnow
from gateway.systems.optout_notices.model import Notice, NoticeBatch, NoticeStanding, NoticeStore
from gateway.systems.optout_notices.service import fields_of
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import MASKED, AsJson, ConfigDirectory, UnmaskOptions
from gateway.terminal.screen import counted, print_json, print_table, say, visible

_COLUMNS = ("SP", "by", "waiting since", "last taken", "failed in a row", "last failure")
_NOTICE_COLUMNS = ("number", "answer", "to", "since", "channel")
_EVERYONE = "(every sender)"

Opened: TypeAlias = AbstractAsyncContextManager[NoticeStore]
SystemId = Annotated[str, Parameter(help="The SP that hears, one of senders.yaml.")]

notices = App(
    name="notices",
    help="See whether SPs have heard of their subscribers' refusals (退订通知).",
    sort_key=6,
)


@notices.command(name="list")
def list_standings(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show for each SP since when refusals wait for it, and how its webhook fares.

    A refusal holds from the moment it is recorded, whether its SP has heard of it or not.

    Example: smsward notices list
    """
    import asyncio

    from gateway.terminal.deployment import config_of, senders_of

    directory = config_of(config)
    senders = senders_of(directory)
    if senders is None:
        raise misused("senders.yaml names the SPs", "repair it first; smsward check tells how")
    found = asyncio.run(_standings(_store(directory), senders))
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, map(_row, found))
    else:
        say("there are no SPs in senders.yaml")
    return ExitCode.FINE


@notices.command(name="next")
def next_batch(
    *,
    system_id: SystemId,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what an SP hears next. It is the same again until it is acknowledged.

    For an SP without a webhook and without the API: give it the numbers on paper or as a
    file, and acknowledge the batch then. Numbers are masked unless a reason is given.

    Example: smsward notices next --system-id sp1

    Example: smsward notices next --system-id sp1 --json --unmask --reason "monthly file"
    """
    import asyncio

    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked

    directory = config_of(config)
    about = f"the next refusals for {system_id}"
    unmask = is_unmasked(load_settings(directory), unmasking, "notices next", about)
    _check(directory, system_id)
    batch = asyncio.run(_next(_store(directory), system_id))
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


@notices.command
def acknowledge(
    batch: Annotated[int, Parameter(name="BATCH", help="The number of the batch.")],
    /,
    *,
    system_id: SystemId,
    config: ConfigDirectory = None,
) -> int:
    """Note that an SP has taken a batch: it hears of what comes after it from now on.

    Example: smsward notices acknowledge 7 --system-id sp1
    """
    import asyncio

    from gateway.terminal.deployment import config_of

    directory = config_of(config)
    _check(directory, system_id)
    is_known, since = asyncio.run(_acknowledge(_store(directory), system_id, batch))
    if not is_known:
        raise CommandError(
            f"{system_id} was never given batch {batch}",
            advice=f"see what is next: smsward notices next --system-id {system_id}",
        )
    rest = "nothing else waits" if since is None else f"more waits since {_shown(since)}"
    say(f"batch {batch} is taken by {system_id}; {rest}")
    return ExitCode.FINE


def _store(config: Path) -> Opened:
    """Return the notices of a deployment, to be opened."""
    from gateway.systems.optout_notices.sql import SqlNotices
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    return opened_store(load_settings(config), lambda database: SqlNotices(database, utcnow))


def _check(config: Path, system_id: str) -> None:
    from gateway.terminal.deployment import senders_of

    senders = senders_of(config)
    if senders is not None and system_id not in senders:
        raise misused(
            f"there is no sender {visible(system_id)} in senders.yaml",
            f"there are: {known(senders)}",
        )


async def _standings(store: Opened, senders: Mapping[str, Sender]) -> list[dict[str, object]]:
    async with store as feed:
        return [await _standing(feed, senders[name]) for name in sorted(senders)]


async def _next(store: Opened, system_id: str) -> NoticeBatch | None:
    async with store as feed:
        return await feed.next_batch(system_id)


async def _acknowledge(
    store: Opened, system_id: str, batch_id: int
) -> tuple[bool, datetime | None]:
    """Return whether there was such a batch, and since when more waits."""
    async with store as feed:
        is_known = await feed.acknowledge(system_id, batch_id)
        return is_known, await feed.waiting_since(system_id)


async def _standing(feed: NoticeStore, sender: Sender) -> dict[str, object]:
    standing = await feed.standing_of(sender.system_id)
    since = await feed.waiting_since(sender.system_id)
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
