"""`smsward demo`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import Parameter

from gateway.cli.options import AsJson


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

    from gateway.cli.failure import misused

    if not all(map(find_spec, ("smpplib", "aiosmpplib"))):
        raise misused("what the demo simulates with is missing: pip install 'smsward[demo]'")

    from gateway.cli.demo.show import Wishes, run_demo

    return asyncio.run(run_demo(Wishes(seconds, port, keep=keep, as_json=as_json)))
