"""`smsward reports`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.record_options import MASKED, By, UnmaskOptions
from gateway.cli.report_options import ALL_REPORTS, WantedReports

reports = App(
    name="reports",
    help="What the authority is told of prohibited content that was stopped (上报).",
    sort_key=5,
)


@reports.command(name="list")
def list_all(
    *,
    wanted: WantedReports = ALL_REPORTS,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List reports, the newest first. Numbers are masked, texts are left out.

    A running gateway adds one for each message that it stops for content of the category
    illegal or one below it: fraud, gambling, forged documents.

    Example: smsward reports list --state pending
    """
    import asyncio

    from gateway.cli.authority import list_reports
    from gateway.cli.deployment import load_settings

    return asyncio.run(list_reports(load_settings(config), wanted, limit, config, as_json=as_json))


@reports.command
def show(
    number: Annotated[int, Parameter(name="NO")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show one report. With --unmask and a --reason the whole number and the text as well.

    Example: smsward reports show 12 --unmask --reason "case 2013-118"
    """
    import asyncio

    from gateway.cli.authority import show_report
    from gateway.cli.deployment import load_settings
    from gateway.cli.unmask_reason import is_unmasked

    settings = load_settings(config)
    unmask = is_unmasked(settings, unmasking, "reports show", f"report {number}")
    return asyncio.run(show_report(settings, number, unmask=unmask, as_json=as_json))


@reports.command
def export(
    output: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    wanted: WantedReports = ALL_REPORTS,
    by: By = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Write reports as JSON for the authority, in a file for its owner alone.

    Each has the SHA-256 of its text, so that a text which is handed over another way can be
    told to be the one. Whole numbers and texts only with --unmask and a --reason.

    Example: smsward reports export reports.json --state pending --unmask --reason "monthly"
    """
    import asyncio

    from gateway.cli.authority import export_reports
    from gateway.cli.deployment import load_settings
    from gateway.cli.unmask_reason import is_unmasked

    settings = load_settings(config)
    about = f"{wanted.state or 'all'} reports of {wanted.system_id or 'any sender'}"
    unmask = is_unmasked(settings, unmasking, "reports export", about)
    return asyncio.run(export_reports(settings, wanted, output, by, unmask=unmask))


@reports.command
def sent(
    numbers: Annotated[list[int], Parameter(name="NO", negative="")],
    /,
    *,
    reference: Annotated[str, Parameter(help="The number under which the authority has it.")],
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note that the authority has reports. They stay on record.

    The exit code is 1 when one of them was not pending.

    Example: smsward reports sent 12 13 --reference "公网安(2025)77"
    """
    import asyncio

    from gateway.cli.authority import mark_sent
    from gateway.cli.deployment import load_settings

    return asyncio.run(mark_sent(load_settings(config), numbers, reference, by, as_json=as_json))
