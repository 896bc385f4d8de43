"""`smsward backup` and `smsward restore`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.terminal.options import FLAG, USUAL_PLACES, AsJson, Directories

RecordsAt = Annotated[
    Path | None,
    Parameter(
        name="--records", show_default=False, help="The directory with copies of the records."
    ),
]


def backup(
    place: Annotated[
        Path,
        Parameter(
            name="FILE|DIR",
            help="Where it goes: a new file that ends with .tar, or else a new directory.",
        ),
    ],
    /,
    *,
    records: RecordsAt = None,
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Back up store, configuration, policies and models (备份) while the gateway runs.

    The store is copied as it is at one moment, without a lock that a message waits for; every
    page of the copy is checked, and the chains of its journals are. No key goes into a backup:
    files with keys are named, and must be kept elsewhere. Records are not in it: with --records
    each hour that is over is copied once into a directory that stays, sealed where there are keys,
    with a list of digests. Call it as the account of the gateway.

    Example: smsward backup /backup/smsward-2026-12-01.tar --config /etc/smsward

    Example: smsward backup /backup/smsward-2026-12-01.tar --records /backup/records
    """
    from gateway.cli.backups.backup_work import back_up
    from gateway.terminal.deployment import located_own

    return back_up(place, records, located_own(directories, "backup"), as_json=as_json)


def restore(  # noqa: PLR0913 - one for each option
    place: Annotated[Path, Parameter(name="FILE|DIR", help="The backup.")],
    /,
    *,
    directories: Directories = USUAL_PLACES,
    records: RecordsAt = None,
    check_only: Annotated[
        bool, FLAG, Parameter("--check", help="Only compare all of it with its digests.")
    ] = False,
    store_only: Annotated[
        bool,
        FLAG,
        Parameter("--store-only", help="Leave configuration, policies and models as they are."),
    ] = False,
    overwrite: Annotated[
        bool,
        FLAG,
        Parameter(help="Also where there is a store, which is kept beside, and other files."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Restore what `smsward backup` wrote (恢复), after its digests were compared.

    Files go where they came from, unless --config and --policies name other places; store and
    models go where gateway.yaml says. Keys are in no backup: put them back first. A store that
    some process has open is never touched. Messages that the gateway was about to send when
    the backup was made are in doubt then: they may have left since, and a person decides.
    With --records the hours that are missing come back from their copies, each compared first.

    Example: smsward restore /backup/smsward-2026-12-01.tar --config /etc/smsward
    """
    from gateway.cli.backups.restore_work import RestoreOrder, check_backup, restore_backup

    if check_only:
        return check_backup(place, records, as_json=as_json)
    order = RestoreOrder(
        directories.config,
        directories.policies,
        records,
        store_only=store_only,
        overwrite=overwrite,
    )
    return restore_backup(place, order, as_json=as_json)
