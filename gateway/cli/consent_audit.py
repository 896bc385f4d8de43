"""The work of `smsward consent audit`: are the consents that SPs assert true? (R26)."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gateway.cli.audit_options import AuditFilter, DrawOptions, ItemFile, ItemProofOptions
from gateway.cli.audit_views import (
    described,
    described_item,
    print_audits,
    print_items,
    write_items,
)
from gateway.cli.consent_answers import senders_of
from gateway.cli.failure import CommandError, ExitCode, known, misused
from gateway.cli.known_sender import require_sender
from gateway.cli.person import acting
from gateway.cli.progress import progress_bar
from gateway.cli.record_scopes import said
from gateway.cli.screen import print_json, say, warn
from gateway.cli.storage import opened_store
from gateway.domain.audit import AuditItem, ConsentAudit, NewConsentAudit
from gateway.domain.consent import Answer
from gateway.domain.msisdn import masked
from gateway.ports.audits import ConsentAudits
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.systems.consent.audit_item import AuditDesk, AuditOutcome, ItemProof
from gateway.systems.consent.audit_sample import draw

_MAX_SAMPLE = 10_000
_MAX_SEED = 2**63 - 1
_MAX_LISTED = 10_000
_WORDS = {
    AuditOutcome.NOTED: "noted as not proven; the asserted answer stands (--revoke takes it back)",
    AuditOutcome.AGREED: "proven: the answer counts as agreed",
    AuditOutcome.REVOKED: "not proven: the asserted answer is taken back",
    AuditOutcome.OVERTAKEN: "noted; the subscriber has said something else since, which stands",
}


async def draw_audit(
    settings: GatewaySettings, config: Path, drawing: DrawOptions, file: ItemFile, *, unmask: bool
) -> int:
    """Draw a sample of an SP's asserted answers and keep it; return the exit code."""
    _check(drawing, config)
    seed = secrets.randbelow(_MAX_SEED) if drawing.seed is None else drawing.seed
    async with opened_store(settings) as stores:
        asserted = stores.consent_lists.listed(scope=drawing.system_id, answer=Answer.ASSERTED)
        with progress_bar() as progress:
            task = progress.add_task("answers looked at", total=None)
            sample = await draw(
                asserted, drawing.sample, seed, lambda count: progress.advance(task, count)
            )
        if not sample.items:
            raise CommandError(
                f"{drawing.system_id} asserts nothing: no answer is without evidence",
                advice="`smsward consent export --answer asserted` lists what is asserted",
            )
        size = len(sample.items)
        audit = NewConsentAudit(
            drawing.system_id, utcnow(), acting(drawing.by), seed, size, sample.population
        )
        number = await stores.consent_audits.keep(audit, sample.items)
        kept = await _audit(stores.consent_audits, number)
    if not file.as_json:
        say(f"drawn: audit {number}, {size} of {sample.population}, seed {seed}")
    _show(kept, sample.items, file, unmask=unmask)
    return ExitCode.FINE


async def show_audit(
    settings: GatewaySettings, number: int, file: ItemFile, *, unmask: bool
) -> int:
    """Print an audit with its items; return the exit code."""
    async with opened_store(settings) as stores:
        audit = await _audit(stores.consent_audits, number)
        items = await stores.consent_audits.items_of(number)
    if not (file.as_json or file.csv is not None):
        print_audits([audit])
    _show(audit, items, file, unmask=unmask)
    return ExitCode.FINE


async def list_audits(
    settings: GatewaySettings, listed: AuditFilter, config: Path | None, *, as_json: bool
) -> int:
    """Print the audits, the newest first, with the share that was proven; return the exit code."""
    if not 1 <= listed.limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}", "--before NO gives the page after that one")
    async with opened_store(settings) as stores:
        audits = await stores.consent_audits.listed(**asdict(listed))
    if not audits:
        require_sender(listed.system_id, config)
    if as_json:
        print_json([described(audit) for audit in audits])
    elif audits:
        print_audits(audits)
    else:
        say("no audits")
    return ExitCode.FINE


async def answer_item(
    settings: GatewaySettings, number: int, item: int, findings: ItemProofOptions, *, as_json: bool
) -> int:
    """Note what the SP could show for one item; return the exit code."""
    shown = _shown(findings)
    async with opened_store(settings) as stores:
        audit = await _audit(stores.consent_audits, number)
        asked = await stores.consent_audits.item_of(number, item)
        if asked is None:
            raise CommandError(
                f"audit {number} has no item {item}",
                advice=f"`smsward consent audit show {number}` lists those it has",
            )
        outcome = await AuditDesk(stores.consent_audits, stores.consent).answer(audit, asked, shown)
        audit = await _audit(stores.consent_audits, number)
    if outcome is AuditOutcome.ANSWERED_BEFORE:
        raise CommandError(f"item {item} was answered before: nothing is changed")
    if as_json:
        print_json({"item": item, "outcome": outcome, "audit": described(audit)})
    else:
        say(f"item {item} ({masked(asked.msisdn)}) {_WORDS[outcome]}")
        say(f"{audit.tally.open} of {audit.size} still open")
    return ExitCode.FINE


def _check(drawing: DrawOptions, config: Path) -> None:
    if not 1 <= drawing.sample <= _MAX_SAMPLE:
        raise misused(f"--sample: 1 to {_MAX_SAMPLE}")
    if drawing.seed is not None and not 0 <= drawing.seed <= _MAX_SEED:
        raise misused(f"--seed: 0 to {_MAX_SEED}")
    senders = senders_of(config)
    if senders is not None and drawing.system_id not in senders:
        warn(f"there is no sender {drawing.system_id} in senders.yaml; there are: {known(senders)}")


def _shown(findings: ItemProofOptions) -> ItemProof:
    """Return what was found. Raises CommandError for findings that contradict themselves."""
    if findings.proven is findings.unproven:
        raise misused("give either --proven or --unproven")
    note = said(findings.evidence)
    if findings.proven and not note:
        raise misused(
            "--proven needs --evidence", "what proves it: message ids, or the digest of a document"
        )
    if findings.proven and findings.revoke:
        raise misused("--revoke goes with --unproven")
    by, at = acting(findings.by), utcnow()
    return ItemProof(is_proven=findings.proven, note=note, by=by, at=at, revokes=findings.revoke)


def _show(audit: ConsentAudit, items: Sequence[AuditItem], file: ItemFile, *, unmask: bool) -> None:
    if file.csv is not None:
        write_items(file.csv, audit, items, unmask=unmask)
    if file.as_json:
        shown = [described_item(item, unmask=unmask) for item in items]
        print_json({**described(audit), "items": shown})
    elif file.csv is None:
        print_items(items, unmask=unmask)
        if audit.tally.open and not unmask:
            say('whole numbers, to ask the SP for proof: --unmask --reason "…", which is journaled')


async def _audit(audits: ConsentAudits, number: int) -> ConsentAudit:
    audit = await audits.get(number)
    if audit is None:
        raise CommandError(
            f"there is no audit {number}", advice="`smsward consent audit list` lists them"
        )
    return audit
