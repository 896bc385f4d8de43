"""`smsward explain`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from cyclopts import App

from gateway.cli.options import USUAL_PLACES, AsJson, Directories, Submit

explain = App(name="explain", help="Say what would be decided of a message, and why.", sort_key=4)


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
