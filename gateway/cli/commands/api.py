"""`smsward api`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.commands.operate import Level
from gateway.cli.options import USUAL_PLACES, AsJson, Directories
from gateway.domain.api_client import ApiRole, RefusalChannel

api = App(name="api", sort_key=4)  # helped by what it does without a command


@api.default
def serve(
    *,
    directories: Directories = USUAL_PLACES,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Run the HTTP API (开放接口) for SPs and clerks, in the foreground.

    It takes refusals and agreements, and tells SPs of what subscribers said. A process of its
    own beside the gateway, on the same store; clients and address stand in api.yaml. SIGTERM
    and Ctrl-C stop it; SIGHUP and saved files reload clients and SPs, and the hours in which
    the policy lets subscribers be asked.

    Example: smsward api --config /etc/smsward --policies /etc/smsward/policies
    """
    from gateway.cli.api_process import serve_from
    from gateway.cli.deployment import located_own

    return serve_from(located_own(directories, "api"), log_level)


@api.command
def new_token(
    *,
    name: Annotated[str, Parameter(help="What to call the client.")] = "client",
    role: Annotated[
        ApiRole, Parameter(help="What it is for: an SP, a clerk, the subscribers' app.")
    ] = ApiRole.SP,
    system_id: Annotated[str | None, Parameter(help="The SP that a client of role sp is.")] = None,
    channel: Annotated[
        list[RefusalChannel] | None,
        Parameter(negative="", help="A way whose refusals a clerk may record; hall unless said."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print a fresh token, and the line for api.yaml that knows it. The token is kept nowhere.

    Example: smsward api new-token --name shop --system-id sp1

    Example: smsward api new-token --name 营业厅 --role clerk --channel hall --json
    """
    from gateway.cli.new_token import print_token

    return print_token(name, role, system_id, channel or (), as_json=as_json)
