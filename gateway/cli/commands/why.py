"""`smsward explain`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import USUAL_PLACES, AsJson, Directories, Submit

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
    pending: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="A consent request waits for an answer."),
    ] = False
    listed: Annotated[
        int | None, Parameter(help="How many items the last list had, if it is still valid.")
    ] = None
    file: Annotated[
        Path | None,
        Parameter(
            allow_leading_hyphen=True, help="Read replies from this file instead, - is stdin."
        ),
    ] = None


NO_REPLY = Mo()


@explain.command(name="submit")
def explain_submit(
    *, message: Submit, directories: Directories = USUAL_PLACES, as_json: AsJson = False
) -> int:
    """Judge one submit_sm with the policies on disk, without sending it.

    Every stage is run whatever the ones before found, and all findings are shown; the first
    that is not shadow decides. Answers of subscribers come from the gateway's store; rates
    are not known here. The exit code is 0 whatever the verdict.

    Example: smsward explain submit --system-id sp1 --from 10690001 --to 13800138000 --text "…"
    """
    import asyncio

    from gateway.cli.deployment import load_deployment, located
    from gateway.cli.explaining import explain_message

    deployment = load_deployment(*located(directories))
    return asyncio.run(explain_message(deployment, message, as_json=as_json))


@explain.command(name="mo")
def explain_mo(*, reply: Mo = NO_REPLY, as_json: AsJson = False) -> int:
    """Say what a subscriber's reply (MO) means: opt-out, list, confirmation, or nothing.

    With --file each line is one JSON object with a text and, as they apply, advertised,
    pending and listed; the answer is one JSON object a line.

    Example: smsward explain mo --from 13800138000 --to 10690001 --text R --advertised R
    """
    from gateway.cli.meaning import Question, explain_file, explain_reply

    question = Question(reply.text, reply.advertised, reply.pending, reply.listed)
    if reply.file is not None:
        return explain_file(reply.file, question)
    return explain_reply(question, reply.source, reply.destination, as_json=as_json)
