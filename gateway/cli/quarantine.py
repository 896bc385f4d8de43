"""`smsward quarantine`; `preferences holds`: what subscribers hold; `filter feedback`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.runtime.clock import utcnow
from gateway.systems.learning.cli import filter_commands
from gateway.systems.preferences.cli import preferences
from gateway.terminal.failure import ExitCode
from gateway.terminal.options import (
    EVERYTHING,
    FLAG,
    MASKED,
    NOT_NEGATIVE,
    NOT_SAID_WHY,
    AsJson,
    ConfigDirectory,
    DecisionOptions,
    Selection,
    UnmaskOptions,
    ids_or_stdin,
)
from gateway.terminal.screen import print_listed

_HOLD_COLUMNS = ("", "id", "from", "held at (UTC)", "until (UTC)")

quarantine = App(
    name="quarantine",
    help="Look through the messages that are held (隔离区), and decide on them.",
    sort_key=5,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Whole:
    """The campaign that is decided on as a whole."""

    campaign: Annotated[
        str | None,
        Parameter(help="In place of ids: all that is held of this campaign, by its id."),
    ] = None
    system_id: Annotated[str | None, Parameter(help="Of the campaign only what this SP sent.")] = (
        None
    )


NO_CAMPAIGN = Whole()


Limit = Annotated[int, Parameter(help="At most so many.")]

Ids = Annotated[
    list[str] | None,
    Parameter(
        name="ID",
        allow_leading_hyphen=True,
        converter=ids_or_stdin,
        negative="",
        help="Ids, or - to read stdin.",
    ),
]


@quarantine.command(name="list")
async def list_held(
    *, selection: Selection = EVERYTHING, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List held messages, the newest first. Subscribers' numbers are masked.

    What only waits for the hours in which it may arrive is listed with --state deferred.

    Example: smsward quarantine list --state held --limit 20

    Example: smsward quarantine list --campaign c0f1e2d3c4b5a6978
    """
    from gateway.cli.held_messages import list_messages
    from gateway.terminal.deployment import load_settings

    return await list_messages(load_settings(config), selection, config, as_json=as_json)


@quarantine.command
async def campaigns(
    *, limit: Limit = 50, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List the largest campaigns that are held: how many messages, of how many SPs, since when.

    Counted are the newest 20 000 held messages, without those on which a decision waits.

    Example: smsward quarantine campaigns --limit 10
    """
    from gateway.cli.held_messages import list_campaigns
    from gateway.terminal.deployment import load_settings

    return await list_campaigns(load_settings(config), limit, as_json=as_json)


@quarantine.command
async def jobs(
    *, limit: Limit = 20, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List decisions of the console on many messages, the newest first, with their progress.

    Example: smsward quarantine jobs --json
    """
    from gateway.cli.held_messages import list_jobs
    from gateway.terminal.deployment import load_settings

    return await list_jobs(load_settings(config), limit, as_json=as_json)


@quarantine.command
async def show(
    message_id: Annotated[str, Parameter(name="ID")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    r"""Show one held message: its text, why it is held, and what was done about it.

    Characters that cannot be seen are written out, as \u200b: words are hidden with them.
    Numbers are masked, those in the text too, unless --unmask is given with a --reason. That
    somebody looked is journaled either way.

    Example: smsward quarantine show 81764072000000001000

    Example: smsward quarantine show 81764072000000001000 --unmask --reason "case 2013-118"
    """
    from gateway.cli.held_messages import number_of, show_message
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked

    settings, about = load_settings(config), f"message {number_of(message_id)}"
    unmask = await is_unmasked(settings, unmasking, "quarantine show", about, always=True)
    return await show_message(settings, message_id, unmask=unmask, as_json=as_json)


@quarantine.command
async def release(
    ids: Ids = None,
    /,
    *,
    whole: Whole = NO_CAMPAIGN,
    decided: DecisionOptions = NOT_SAID_WHY,
    wait_s: Annotated[
        float,
        Parameter("--wait", validator=NOT_NEGATIVE, help="Wait so many seconds for the end."),
    ] = 5,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Let messages go, and wait for what becomes of them.

    The running gateway judges each again, for its addressee may have refused meanwhile, and
    submits the octets it came with. It needs a bind of the SP. While there is none, or no
    gateway, the message stays release_requested and goes out later. Outside the hours in which
    it may arrive it becomes deferred until they begin. The exit code is 1 when
    one of the messages could not be asked for, or did not go out.

    Example: smsward quarantine release 8176404480000000000 --by lin --note "asked the bank"

    Example: smsward quarantine release --campaign c0f1e2d3c4b5a6978 --system-id shop

    Example: smsward quarantine release 8176404480000000000 --undo-for 30
    """
    from gateway.cli.held_decisions import release_messages
    from gateway.cli.held_messages import MessageSelection
    from gateway.terminal.deployment import load_settings, warn_of_one_person

    chosen = MessageSelection(ids or [], whole.campaign, whole.system_id)
    settings = load_settings(config)
    code = await release_messages(settings, chosen, decided, wait_s=wait_s, as_json=as_json)
    if whole.campaign is not None:
        warn_of_one_person(config, "release_campaign_above")
    return code


@quarantine.command
async def discard(
    ids: Ids = None,
    /,
    *,
    whole: Whole = NO_CAMPAIGN,
    decided: DecisionOptions = NOT_SAID_WHY,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Drop messages for good. Their SP gets a receipt REJECTD if it asked for one.

    Example: smsward quarantine discard 8176404480000000000 --by lin

    Example: smsward quarantine discard --campaign c0f1e2d3c4b5a6978 --note "fraud, case 12"
    """
    from gateway.cli.held_decisions import discard_messages
    from gateway.cli.held_messages import MessageSelection
    from gateway.terminal.deployment import load_settings

    chosen = MessageSelection(ids or [], whole.campaign, whole.system_id)
    settings = load_settings(config)
    return await discard_messages(settings, chosen, decided, as_json=as_json)


@quarantine.command
async def undo(
    ids: Ids = None,
    /,
    *,
    job: Annotated[
        int | None, Parameter(help="In place of ids: a decision on a campaign, by its number.")
    ] = None,
    by: Annotated[
        str | None, Parameter(help="Who undoes it; noted as said by your account.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Undo decisions that wait to take effect: the messages are held again as they were.

    Decisions of the console wait ten seconds, those of commands as long as --undo-for says. The
    exit code is 1 when no decision waits on one of the messages, or the gateway was faster.

    Example: smsward quarantine undo 8176404480000000000 --by lin

    Example: smsward quarantine undo --job 12
    """
    from gateway.cli.held_decisions import undo_decisions, undo_job
    from gateway.terminal.deployment import load_settings

    if job is not None and not ids:
        return await undo_job(load_settings(config), job, by, as_json=as_json)
    return await undo_decisions(load_settings(config), ids or [], by, as_json=as_json)


@quarantine.command(name="except")
async def make_exception(  # noqa: PLR0913 - the parameters of the command
    message_id: Annotated[str, Parameter(name="ID")],
    /,
    *,
    days: Annotated[int, Parameter(help="For so many days.")] = 30,
    by: Annotated[
        str | None, Parameter(help="Who makes it; noted as said by your account.")
    ] = None,
    note: Annotated[str, Parameter(show_default=False, help="Why; must be said.")] = "",
    held: Annotated[bool, FLAG, Parameter(help="Release what is held of it by now, too.")] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Release from now on what the rule that holds a message holds of its SP and its campaign.

    The running gateway releases such messages within seconds, unless another rule would hold or
    refuse them, too. The campaign may be of any size. The message itself, and others that are held
    by now, are released with --held only, as a job that begins after ten seconds.

    Example: smsward quarantine except 8176404480000000000 --days 30 --note "the bank's own notice"

    Example: smsward quarantine except 8176404480000000000 --held --note "the bank's own notice"
    """
    from gateway.cli.held_decisions import add_exception
    from gateway.terminal.deployment import load_settings

    settings, decided = load_settings(config), DecisionOptions(by, note)
    return await add_exception(
        settings, message_id, decided, days, are_held_released=held, as_json=as_json
    )


@quarantine.command
async def exceptions(
    *, limit: Limit = 50, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List exceptions, the newest first: what is released by itself, until when, and why.

    Example: smsward quarantine exceptions --json
    """
    from gateway.cli.held_decisions import list_exceptions
    from gateway.terminal.deployment import load_settings

    return await list_exceptions(load_settings(config), limit, as_json=as_json)


@quarantine.command
async def revoke(
    number: Annotated[int, Parameter(help="The number of the exception.")],
    /,
    *,
    by: Annotated[
        str | None, Parameter(help="Who revokes it; noted as said by your account.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """End an exception: what its rule holds waits for people again.

    Example: smsward quarantine revoke 3 --by lin
    """
    from gateway.cli.held_decisions import revoke_exception
    from gateway.terminal.deployment import load_settings

    return await revoke_exception(load_settings(config), number, by, as_json=as_json)


@quarantine.command
async def agreement(
    *,
    days: Annotated[int, Parameter(help="Of what was dealt twice in so many days.")] = 30,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show how often reviewers agree on messages that were dealt to two of them.

    Two percent of what one reviewer of the console decided on, or so many as review.dealt_twice
    says, are shown to a second one as if still held. Of each reviewer: how many were compared, the
    share of agreement with its bounds (95 % confidence), Cohen's kappa, and how many this one
    released, or rejected, alone. The JSON has categories and the last disagreements, too.

    Example: smsward quarantine agreement --days 90
    """
    from gateway.cli.held_messages import show_agreement
    from gateway.terminal.deployment import load_settings

    return await show_agreement(load_settings(config), days, as_json=as_json)


@preferences.command
async def holds(
    number: Annotated[str, Parameter(help="The subscriber's number.")],
    /,
    *,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List the messages that nothing but a subscriber's own preferences holds.

    They are the subscriber's to let go, by writing 查拦截 and 放行 1 to the service code. What a
    policy holds is not among them: smsward quarantine list shows that. A long message has
    several ids; smsward quarantine show ID prints a text.

    Example: smsward preferences holds 13800138000
    """
    from gateway.app.event_dispatch import own_holds_in
    from gateway.stores import stores_of
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    settings, msisdn = load_settings(config), subscriber_of(number)
    async with opened_store(settings, stores_of) as stores:
        found = await own_holds_in(stores).list_own(msisdn, utcnow())
    told = masked(msisdn)
    described = [
        {
            # Text: programs that read JSON numbers as floats would round it.
            "message_ids": [str(one) for one in own.message_ids],
            "source": own.source,
            "held_at": own.held_at.isoformat(timespec="seconds"),
            "expires_at": own.expires_at.isoformat(timespec="seconds"),
        }
        for own in found
    ]
    rows = [
        (
            str(place),
            tuple(str(one) for one in own.message_ids),
            own.source,
            *(f"{at:%Y-%m-%d %H:%M:%S}" for at in (own.held_at, own.expires_at)),
        )
        for place, own in enumerate(found, 1)
    ]
    shown, nothing = {"number": told, "holds": described}, f"nothing waits for {told}"
    print_listed(shown, _HOLD_COLUMNS, rows, nothing, as_json=as_json, title=told)
    return ExitCode.FINE


@filter_commands.command
async def feedback(
    *,
    since: Annotated[
        str, Parameter(help="So long back, as 24h or 7d, or from a time on, as 2025-11-25T08:00.")
    ] = "30d",
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what people overruled: how many held messages they released, and what to do.

    Counted by the rule or list that held them, by each word of a list, and by ten percent of the
    scores of the classifier. What a subscriber or an SP decided does not count.

    Example: smsward filter feedback --since 30d
    """
    from gateway.cli.policy_advice import show_feedback
    from gateway.terminal.arguments import moment_since
    from gateway.terminal.deployment import load_settings

    return await show_feedback(load_settings(config), moment_since(since), as_json=as_json)
