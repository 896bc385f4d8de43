"""`smsward run`, `smsward check` and `smsward demo`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gateway.terminal.options import USUAL_PLACES, AsJson, Directories

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
    from gateway.terminal.deployment import located_own

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
    from gateway.terminal.deployment import located

    return _check(*located(directories), as_json=as_json)


def demo(
    *,
    seconds: Annotated[float, Parameter(help="How long there is traffic.")] = 10,
    keep: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Go on until Ctrl-C; policies may be edited meanwhile.",
        ),
    ] = False,
    port: Annotated[int, Parameter(help="Where SPs bind; a free one when it is taken.")] = 2775,
    as_json: AsJson = False,
) -> int:
    """Show a gateway at work: an SMSC, three SPs and live traffic, all on loopback.

    A bank sends codes and notices, a retailer adverts that some subscribers refused, and a
    spammer what it hopes to get past the filter. At the end everything the SPs were told is
    compared with what the SMSC got and what is in quarantine; the exit code is 1 unless it
    agrees. Configuration, policies, store and records stay in a temporary directory. Needs the
    extra `demo`.

    Example: smsward demo --keep
    """
    import asyncio
    from importlib.util import find_spec

    from gateway.terminal.failure import misused

    if not all(map(find_spec, ("smpplib", "aiosmpplib"))):
        raise misused("what the demo simulates with is missing: pip install 'smsward[demo]'")

    from gateway.cli.demo.show import Wishes, run_demo

    return asyncio.run(run_demo(Wishes(seconds, port, keep=keep, as_json=as_json)))


def _check(config: Path, policies: Path, *, as_json: bool) -> int:
    from gateway.cli.config_check import check_deployment

    return check_deployment(config, policies, as_json=as_json)
