"""`smsward explain`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.sender import BindType
from gateway.terminal.failure import misused
from gateway.terminal.options import (
    FLAG,
    USUAL_PLACES,
    AsJson,
    ConfigDirectory,
    Directories,
    Lang,
    Submit,
)

explain = App(name="explain", help="Say what would be decided of a message, and why.", sort_key=4)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Mo:
    """The reply that is asked about, or a file of replies, and what came before it."""

    source: Annotated[str, Parameter("--from", help="The subscriber that sends it.")] = ""
    destination: Annotated[str, Parameter("--to", help="The port it is sent to.")] = ""
    text: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="What the subscriber writes.")
    ] = None
    advertised: Annotated[
        str | None, Parameter(help="What the last message from that port said to reply to opt out.")
    ] = None
    pending: Annotated[bool, FLAG, Parameter(help="A consent request waits for an answer.")] = False
    listed: Annotated[
        int | None, Parameter(help="How many items the last list had, if it is still valid.")
    ] = None
    file: Annotated[
        Path | None,
        Parameter(
            allow_leading_hyphen=True, help="Read replies from this file instead, - is stdin."
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class BindQuestion:
    """The bind that is asked about."""

    system_id: Annotated[str, Parameter(help="The SP that binds.")]
    peer: Annotated[str, Parameter(help="The IP address that it binds from.")] = "127.0.0.1"
    bind_type: Annotated[BindType, Parameter("--type", help="What it binds as: tx, rx or trx.")] = (
        BindType.TRX
    )
    at: Annotated[
        datetime | None, Parameter(help="When, as 2025-11-25T22:30+08:00; now unless said.")
    ] = None


NO_REPLY = Mo()


@explain.command(name="submit")
async def explain_submit(
    *,
    message: Submit,
    views: Annotated[
        bool,
        FLAG,
        Parameter(
            help="Show what was read of the text: every reading in each view that is searched."
        ),
    ] = False,
    lang: Lang = "en",
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Judge one submit_sm with the policies on disk, without sending it.

    Every rule is asked, also after one has decided, and all findings are shown, each with
    the article it rests on; the first that is not shadow decides. Answers and preferences of
    the subscriber and what the SP has filed come from the gateway's store; rates and
    frequencies are not known here. The exit code is 0 for every verdict.

    Example: smsward explain submit --system-id sp1 --from 10690001 --to 13800138000 --text "…"

    Example: smsward policy explain --system-id sp1 --from 10690001 --to 13800138000 --text "…" --views
    """  # noqa: E501
    from gateway.cli.explain_submit import explain_message
    from gateway.terminal.deployment import load_deployment, located

    deployment = load_deployment(*located(directories))
    return await explain_message(deployment, message, lang=lang, as_json=as_json, with_views=views)


@explain.command(name="bind")
async def explain_bind(
    *,
    bind: BindQuestion,
    lang: Lang = "en",
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Say whether an SP would get in with the right password, and what stands against it.

    Its state, licence (R01), addresses and bind types are looked at; how many binds it has
    and who is locked out is known to the running gateway only.

    Example: smsward explain bind --system-id sp1 --peer 203.0.113.7 --type tx
    """
    from gateway.cli.explain_peers import explain_admission
    from gateway.terminal.deployment import load_deployment, located

    deployment = load_deployment(*located(directories))
    asked = (bind.system_id, bind.peer, bind.bind_type)
    return await explain_admission(deployment, asked, bind.at, lang=lang, as_json=as_json)


@explain.command(name="mo")
def explain_mo(
    *,
    reply: Mo = NO_REPLY,
    lang: Lang = "en",
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Say what a subscriber's reply (MO) means: opt-out, list, confirmation, or nothing.

    With --config it also tells whether it orders one of the services there, and what the
    carrier's own codes make of it. With --file each line is one JSON object with a text and,
    as they apply, advertised, pending and listed; the answer is one JSON object a line.

    Example: smsward explain mo --from 13800138000 --to 10690001 --text R --advertised R
    """
    from gateway.cli.explain_peers import explain_file, explain_reply
    from gateway.policy.replies import MoContext

    before = MoContext(reply.advertised, reply.pending, reply.listed)
    if reply.file is not None:
        if reply.text is not None or before != MoContext():
            raise misused("--file: what came before a reply stands in its line, not in options")
        if config is not None:
            raise misused("--config goes with one --text, not with --file")
        return explain_file(reply.file)
    if reply.text is None:
        raise misused("there is no --text", "give --text, or --file for many at once")
    route = (reply.source, reply.destination)
    return explain_reply(reply.text, before, route, config, lang=lang, as_json=as_json)
