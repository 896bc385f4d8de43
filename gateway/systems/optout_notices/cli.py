"""`smsward notices`: how far each SP has heard of refusals, and its feed by hand."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.domain.sender import Sender
from gateway.systems.optout_notices.model import Notice, NoticeBatch, NoticeStanding
from gateway.terminal.failure import CommandError, ExitCode, known, misused, run_async
from gateway.terminal.options import MASKED, AsJson, ConfigDirectory, UnmaskOptions
from gateway.terminal.screen import (
    counted,
    print_json,
    print_listed,
    print_result,
    print_table,
    say,
    visible,
)

_COLUMNS = ("SP", "by", "waiting since", "last taken", "failed in a row", "last failure")
_NOTICE_COLUMNS = ("number", "answer", "to", "since", "channel")
_EVERYONE = "(every sender)"

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
    from gateway.systems.optout_notices.sql import NoticeStore
    from gateway.terminal.deployment import config_of, senders_of
    from gateway.terminal.store import on_store

    directory = config_of(config)
    senders = senders_of(directory)
    if senders is None:
        raise misused("senders.yaml names the SPs", "repair it first; smsward check tells how")

    async def run(store: NoticeStore) -> list[dict[str, object]]:
        return [
            _described_standing(
                senders[name], await store.standing_of(name), await store.waiting_since(name)
            )
            for name in sorted(senders)
        ]

    found = on_store(directory, NoticeStore, run)
    nothing = "there are no SPs in senders.yaml"
    print_listed(found, _COLUMNS, map(_row, found), nothing, as_json=as_json)
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
    from gateway.systems.optout_notices.sql import NoticeStore
    from gateway.terminal.deployment import config_of, load_settings
    from gateway.terminal.store import is_unmasked, on_store

    directory = config_of(config)
    about = f"the next refusals for {system_id}"
    unmask = run_async(is_unmasked(load_settings(directory), unmasking, "notices next", about))
    _check(directory, system_id)
    batch = on_store(directory, NoticeStore, lambda store: store.next_batch(system_id))
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
    as_json: AsJson = False,
) -> int:
    """Note that an SP has taken a batch: it hears of what comes after it from now on.

    Example: smsward notices acknowledge 7 --system-id sp1
    """
    from gateway.systems.optout_notices.sql import NoticeStore
    from gateway.terminal.deployment import config_of
    from gateway.terminal.store import on_store

    directory = config_of(config)
    _check(directory, system_id)

    async def run(store: NoticeStore) -> tuple[bool, datetime | None]:
        is_known = await store.acknowledge(system_id, batch)
        return is_known, await store.waiting_since(system_id)

    is_known, since = on_store(directory, NoticeStore, run)
    if not is_known:
        raise CommandError(
            f"{system_id} was never given batch {batch}",
            advice=f"see what is next: smsward notices next --system-id {system_id}",
        )
    rest = "nothing else waits" if since is None else f"more waits since {_shown(since)}"
    shown = {"system_id": system_id, "batch": batch, "waiting_since": since}
    line = f"batch {batch} is taken by {system_id}; {rest}"
    print_result(shown, line, as_json=as_json)
    return ExitCode.FINE


def _check(config: Path, system_id: str) -> None:
    from gateway.terminal.deployment import senders_of

    senders = senders_of(config)
    if senders is not None and system_id not in senders:
        raise misused(
            f"there is no sender {visible(system_id)} in senders.yaml",
            f"there are: {known(senders)}",
        )


def _described_standing(
    sender: Sender, standing: NoticeStanding, since: datetime | None
) -> dict[str, object]:
    """Return how far an SP has heard; `since` is when the first answer came that waits for it."""
    return {
        "system_id": sender.system_id,
        "webhook": sender.webhook is not None,
        "waiting_since": since,
        "delivered_at": standing.delivered_at,
        "attempts": standing.attempts,
        "next_try_at": standing.next_try_at if standing.attempts else None,
        "failed_at": standing.failed_at,
        "failure": standing.failure,
    }


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
    from gateway.systems.optout_notices.service import fields_of

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
