"""`smsward consent audit`: are the consents that SPs assert true? (R26)."""

# ruff: noqa: PLC0415 - see gateway.terminal

import csv
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.consent import Answer
from gateway.domain.msisdn import masked
from gateway.runtime.clock import utcnow
from gateway.systems.consent.cli import consent
from gateway.systems.consent_audits.model import (
    AuditItem,
    AuditOutcome,
    ConsentAudit,
    ItemProof,
    NewConsentAudit,
    share_proven,
)
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import (
    FLAG,
    MASKED,
    AsJson,
    By,
    ConfigDirectory,
    UnmaskOptions,
    acting,
    limited,
)
from gateway.terminal.screen import (
    counted,
    print_json,
    print_listed,
    print_table,
    private_file,
    progress_bar,
    say,
    shown_fields,
    visible,
    warn,
)

_MAX_SAMPLE = 10_000
_MAX_SEED = 2**63 - 1
_WORDS = {
    AuditOutcome.NOTED: "noted as not proven; the asserted answer stands (--revoke takes it back)",
    AuditOutcome.AGREED: "proven: the answer counts as agreed",
    AuditOutcome.REVOKED: "not proven: the asserted answer is taken back",
    AuditOutcome.OVERTAKEN: "noted; the subscriber has said something else since, which stands",
}
_AUDIT_COLUMNS = (
    *("no", "SP", "drawn at (UTC)", "by", "sample", "of", "open", "proven", "unproven"),
    "share proven (95 %)",
)
_ITEM_COLUMNS = ("item", "number", "asserted since (UTC)", "channel", "state", "note", "by")
_CSV_COLUMNS = ("audit", "item", "number", "since", "channel", "state", "note", "answered_by")

audit = App(name="audit", help="Sample what SPs only assert, and ask for proof (抽查).")
consent.command(audit)

Number = Annotated[int, Parameter(name="NO")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class DrawOptions:
    """Which sample is to be drawn."""

    system_id: Annotated[str, Parameter(help="The SP whose asserted answers are sampled.")]
    sample: Annotated[int, Parameter(help="How many to draw, at random.")] = 50
    seed: Annotated[
        int | None,
        Parameter(help="Draw as an earlier audit with this seed did; a new one unless said."),
    ] = None
    by: By = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audits to list."""

    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    before: Annotated[int | None, Parameter(help="Only those older than this number.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


ALL_AUDITS = AuditFilter()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ItemFile:
    """Where the items go: a table unless said."""

    csv: Annotated[
        Path | None, Parameter(help="Write the items as CSV, in a file for its owner alone.")
    ] = None
    as_json: AsJson = False


TABLE = ItemFile()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class ItemProofOptions:
    """What the SP could show for one item."""

    proven: Annotated[bool, FLAG, Parameter(help="There is proof: see --evidence.")] = False
    unproven: Annotated[bool, FLAG, Parameter(help="There is no proof.")] = False
    evidence: Annotated[
        str,
        Parameter(show_default=False, help="What proves it; or what was shown that does not."),
    ] = ""
    revoke: Annotated[
        bool, FLAG, Parameter(help="Without proof: count it as refused from now on.")
    ] = False
    by: By = None


NOTHING_FOUND = ItemProofOptions()


@audit.command(name="draw")
async def draw_sample(
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
    from gateway.stores import stores_of
    from gateway.systems.consent_audits.service import draw
    from gateway.terminal.deployment import config_of, load_settings, senders_of
    from gateway.terminal.store import is_unmasked, opened_store

    directory = config_of(config)
    settings = load_settings(directory)
    about = f"a sample of {drawing.sample} of {drawing.system_id}"
    unmask = await is_unmasked(settings, unmasking, "consent audit draw", about)
    if not 1 <= drawing.sample <= _MAX_SAMPLE:
        raise misused(f"--sample: 1 to {_MAX_SAMPLE}")
    if drawing.seed is not None and not 0 <= drawing.seed <= _MAX_SEED:
        raise misused(f"--seed: 0 to {_MAX_SEED}")
    senders = senders_of(directory)
    if senders is not None and drawing.system_id not in senders:
        warn(f"there is no sender {drawing.system_id} in senders.yaml; there are: {known(senders)}")
    seed = secrets.randbelow(_MAX_SEED) if drawing.seed is None else drawing.seed
    async with opened_store(settings, stores_of) as stores:
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
        kept = _there(await stores.consent_audits.get(number), number)
    if not file.as_json:
        say(f"drawn: audit {number}, {size} of {sample.population}, seed {seed}")
    _show_items(kept, sample.items, file, unmask=unmask)
    return ExitCode.FINE


@audit.command
async def show(
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
    from gateway.stores import stores_of
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked, opened_store

    settings = load_settings(config)
    unmask = await is_unmasked(settings, unmasking, "consent audit show", f"audit {number}")
    async with opened_store(settings, stores_of) as stores:
        audit = _there(await stores.consent_audits.get(number), number)
        items = await stores.consent_audits.items_of(number)
    if not (file.as_json or file.csv is not None):
        print_table(_AUDIT_COLUMNS, [_audit_row(audit)])
    _show_items(audit, items, file, unmask=unmask)
    return ExitCode.FINE


@audit.command(name="list")
async def list_all(
    *, listed: AuditFilter = ALL_AUDITS, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List audits, the newest first, with the share that was proven.

    In brackets stands between which the share of all asserted answers most likely lies.

    Example: smsward consent audit list --system-id sp1
    """
    from gateway.stores import stores_of
    from gateway.terminal.deployment import load_settings, require_sender
    from gateway.terminal.store import opened_store

    settings = load_settings(config)
    limited(listed.limit, "--before NO gives the page after that one")
    async with opened_store(settings, stores_of) as stores:
        audits = await stores.consent_audits.listed(**asdict(listed))
    if not audits:
        require_sender(listed.system_id, config)
    shown, rows = list(map(_described, audits)), map(_audit_row, audits)
    print_listed(shown, _AUDIT_COLUMNS, rows, "no audits", as_json=as_json)
    return ExitCode.FINE


@audit.command
async def answer(
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
    from gateway.stores import stores_of
    from gateway.systems.consent_audits.service import AuditDesk
    from gateway.terminal.arguments import said
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    settings = load_settings(config)
    proof = _proof(findings, said(findings.evidence))
    async with opened_store(settings, stores_of) as stores:
        audits = stores.consent_audits
        audit = _there(await audits.get(number), number)
        asked = await audits.item_of(number, item)
        if asked is None:
            raise CommandError(
                f"audit {number} has no item {item}",
                advice=f"`smsward consent audit show {number}` lists those it has",
            )
        outcome = await AuditDesk(audits, stores.consent).answer(audit, asked, proof)
        audit = _there(await audits.get(number), number)
    if outcome is AuditOutcome.ANSWERED_BEFORE:
        raise CommandError(f"item {item} was answered before: nothing is changed")
    if as_json:
        print_json({"item": item, "outcome": outcome, "audit": _described(audit)})
    else:
        say(f"item {item} ({masked(asked.msisdn)}) {_WORDS[outcome]}")
        say(f"{audit.tally.open} of {audit.size} still open")
    return ExitCode.FINE


def _proof(findings: ItemProofOptions, note: str) -> ItemProof:
    """Return what was found. Raises CommandError for findings that contradict themselves."""
    if findings.proven is findings.unproven:
        raise misused("give either --proven or --unproven")
    if findings.proven and not note:
        raise misused(
            "--proven needs --evidence", "what proves it: message ids, or the digest of a document"
        )
    if findings.proven and findings.revoke:
        raise misused("--revoke goes with --unproven")
    by, at = acting(findings.by), utcnow()
    return ItemProof(is_proven=findings.proven, note=note, by=by, at=at, revokes=findings.revoke)


def _show_items(
    audit: ConsentAudit, items: Sequence[AuditItem], file: ItemFile, *, unmask: bool
) -> None:
    """Print the items, or write them as CSV, for their owner alone. Raises CommandError."""
    if file.csv is not None:
        with private_file(file.csv, is_whole=unmask) as lines:
            table = csv.writer(lines, lineterminator="\n")
            table.writerow(_CSV_COLUMNS)
            for item in items:
                number, name, _, *said = _item_row(item, unmask=unmask)
                since = item.since.isoformat()
                table.writerow((audit.number, number, name, since, *map(visible, said)))
        say(f"written: {counted(len(items), 'item')} to {visible(str(file.csv))}")
    if file.as_json:
        shown = [_described_item(item, unmask=unmask) for item in items]
        print_json({**_described(audit), "items": shown})
    elif file.csv is None:
        print_table(_ITEM_COLUMNS, (_item_row(item, unmask=unmask) for item in items))
        if audit.tally.open and not unmask:
            say('whole numbers, to ask the SP for proof: --unmask --reason "…", which is journaled')


def _there(audit: ConsentAudit | None, number: int) -> ConsentAudit:
    if audit is None:
        raise CommandError(
            f"there is no audit {number}", advice="`smsward consent audit list` lists them"
        )
    return audit


def _described(audit: ConsentAudit) -> dict[str, object]:
    share = share_proven(audit.tally)
    return shown_fields(
        audit,
        "number system_id drawn_at by seed size population",
        seed=str(audit.seed),  # programs that read JSON numbers as floats would round it
        **audit.tally._asdict(),
        share_proven=share._asdict() if share is not None else None,
    )


def _described_item(item: AuditItem, *, unmask: bool) -> dict[str, object]:
    names = "item number since channel state note answered_at answered_by"
    return shown_fields(item, names, number=_number(item, unmask=unmask))


def _audit_row(audit: ConsentAudit) -> tuple[str, ...]:
    share, tally = share_proven(audit.tally), audit.tally
    return (
        str(audit.number),
        audit.system_id,
        f"{audit.drawn_at:%Y-%m-%d %H:%M}",
        audit.by,
        str(audit.size),
        str(audit.population),
        *map(str, tally),
        "" if share is None else f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%})",
    )


def _item_row(item: AuditItem, *, unmask: bool) -> tuple[str, ...]:
    return (
        str(item.item),
        _number(item, unmask=unmask),
        f"{item.since:%Y-%m-%d %H:%M}",
        item.channel,
        item.state,
        item.note,
        item.answered_by,
    )


def _number(item: AuditItem, *, unmask: bool) -> str:
    return str(item.msisdn) if unmask else masked(item.msisdn)
