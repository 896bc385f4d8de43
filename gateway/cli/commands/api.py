"""`smsward api`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.commands.operate import Level
from gateway.cli.options import ConfigDirectory

api = App(name="api", sort_key=4)  # helped by what it does without a command


@api.default
def serve(
    *,
    config: ConfigDirectory = None,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Run the HTTP API (开放接口) for SPs and clerks, in the foreground.

    It takes refusals and agreements, and tells SPs of what subscribers said. A process of its
    own beside the gateway, on the same store; clients and address stand in api.yaml. SIGTERM
    and Ctrl-C stop it; SIGHUP and saved files reload clients and SPs.

    Example: smsward api --config /etc/smsward
    """
    from gateway.cli.api_serving import serve_from

    return serve_from(config, log_level)


@api.command
def new_token(
    *, name: Annotated[str, Parameter(help="What to call the client.")] = "client"
) -> int:
    """Print a fresh token, and the line for api.yaml that knows it. The token is kept nowhere.

    Example: smsward api new-token --name shop
    """
    from gateway.cli.token_making import print_token

    return print_token(name)
