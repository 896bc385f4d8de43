"""`smsward consent audit`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.audit_options import (
    ALL_AUDITS,
    NOTHING_FOUND,
    TABLE,
    AuditFilter,
    DrawOptions,
    ItemFile,
    ItemProofOptions,
)
from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.record_options import MASKED, UnmaskOptions

audit = App(name="audit", help="Sample what SPs only assert, and ask for proof (抽查).")

Number = Annotated[int, Parameter(name="NO")]


@audit.command(name="draw")
def draw_sample(
    *,
    drawing: DrawOptions,
    file: ItemFile = TABLE,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Draw a sample of an SP's asserted answers at random, and keep it with its seed.

    Numbers are masked, unless --unmask is given with a --reason: the SP needs them whole to
    look for its proofs.

    Example: smsward consent audit draw --system-id sp1 --sample 50

    Example: smsward consent audit draw --system-id sp1 --csv sample.csv --unmask --reason "audit"
    """
    import asyncio

    from gateway.cli.consent_audit import draw_audit
    from gateway.cli.deployment import config_of, load_settings
    from gateway.cli.unmask_reason import is_unmasked

    directory = config_of(config)
    settings = load_settings(directory)
    about = f"a sample of {drawing.sample} of {drawing.system_id}"
    unmask = is_unmasked(settings, unmasking, "consent audit draw", about)
    return asyncio.run(draw_audit(settings, directory, drawing, file, unmask=unmask))


@audit.command
def show(
    number: Number,
    /,
    *,
    file: ItemFile = TABLE,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Show an audit with its items. Numbers are masked, unless --unmask comes with a --reason.

    Example: smsward consent audit show 3
    """
    import asyncio

    from gateway.cli.consent_audit import show_audit
    from gateway.cli.deployment import load_settings
    from gateway.cli.unmask_reason import is_unmasked

    settings = load_settings(config)
    unmask = is_unmasked(settings, unmasking, "consent audit show", f"audit {number}")
    return asyncio.run(show_audit(settings, number, file, unmask=unmask))


@audit.command(name="list")
def list_all(
    *, listed: AuditFilter = ALL_AUDITS, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List audits, the newest first, with the share that was proven.

    In brackets stands between which the share of all asserted answers most likely lies.

    Example: smsward consent audit list --system-id sp1
    """
    import asyncio

    from gateway.cli.consent_audit import list_audits
    from gateway.cli.deployment import load_settings

    settings = load_settings(config)
    return asyncio.run(list_audits(settings, listed, config, as_json=as_json))


@audit.command
def answer(
    number: Number,
    /,
    *,
    item: Annotated[int, Parameter(help="Which item of the audit.")],
    findings: ItemProofOptions = NOTHING_FOUND,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note what the SP could show for one item. Once: it cannot be changed.

    With proof the answer counts as agreed, as of the day that the SP asserts. Without, it stays
    asserted, or with --revoke counts as refused. What the subscriber has said since stands in
    either case.

    Example: smsward consent audit answer 3 --item 7 --proven --evidence "form 117, signed"

    Example: smsward consent audit answer 3 --item 8 --unproven --revoke
    """
    import asyncio

    from gateway.cli.consent_audit import answer_item
    from gateway.cli.deployment import load_settings

    settings = load_settings(config)
    return asyncio.run(answer_item(settings, number, item, findings, as_json=as_json))
