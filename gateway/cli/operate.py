"""`smsward run` and `smsward check`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.cli.options import USUAL_PLACES, AsJson, Directories

Level = Literal["debug", "info", "warning", "error"]


def run(
    *,
    directories: Directories = USUAL_PLACES,
    check_only: Annotated[
        bool,
        Parameter(
            "--check", negative="", show_default=False, help="Only read everything, as check does."
        ),
    ] = False,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Run the gateway in the foreground.

    SIGTERM and Ctrl-C drain: what is under way is answered, both sides are unbound, and the
    exit code is 0; a second one stops at once. SIGHUP and saved files reload policies and
    senders; with a fault in them the old ones stay in force.

    Example: smsward run --config /etc/smsward --policies /etc/smsward/policies
    """
    from gateway.cli.deployment import located_own

    config, policies, are_shipped = located_own(directories, "run")
    if check_only:
        return _check(config, policies, as_json=False)
    from gateway.app.startup_log import tell_directories
    from gateway.runtime.logging import LogLevel, configure_logging

    events = configure_logging(level=LogLevel(log_level))
    tell_directories(config, policies, are_shipped=are_shipped)
    # Behind the first line, for it takes seconds.
    from gateway.app import run as app

    return app.run(config, policies, lambda: events.unlisted)


def check(*, directories: Directories = USUAL_PLACES, as_json: AsJson = False) -> int:
    """Read configuration and policies, and print every fault as file:line:col.

    Nothing is started and nothing changed. The exit code is 2 when there is a fault.

    Example: smsward check --config config --policies policies
    """
    from gateway.cli.deployment import located

    return _check(*located(directories), as_json=as_json)


def _check(config: Path, policies: Path, *, as_json: bool) -> int:
    from gateway.cli.config_check import check_deployment

    return check_deployment(config, policies, as_json=as_json)
