"""The files of the policy on disk, drafts of them, and how a draft comes into force.

The directory of policies is the one truth that `smsward run` reads, also after a restart. A draft
stands in the store until it is checked, written there, and taken over by the gateway.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from gateway.console.policies.versions import (
    ApprovedSwitch,
    ask_reload,
    bundle_in,
    difference_rows,
    files_of,
    named_in_short,
    refuse_to_lose_work,
    short_note,
)
from gateway.domain.policy import Enforcement
from gateway.domain.records import NewAccess
from gateway.policy.bundle import Bundle
from gateway.records.archive import words_of
from gateway.settings import yaml
from gateway.settings.bundles.archive import restore, restored_bundle
from gateway.settings.bundles.bundle import load_proven
from gateway.settings.bundles.difference import difference, shrunk, switched_off
from gateway.settings.bundles.layers import stays_within
from gateway.settings.bundles.local_files import write_mode
from gateway.settings.directories import is_sample, stray_categories
from gateway.settings.yaml import Fault, SettingsError
from gateway.storage.journals import SqlJournals
from gateway.systems.policy_history import (
    PolicyDraft,
    PolicyRequest,
    PolicyStore,
    PolicyVersion,
    ReloadRequestState,
)
from gateway.terminal.failure import CommandError
from gateway.web.pages import marked

WAIT_S = 15.0
MAX_FILES = 2_000
MAX_DIFF_LINES = 1_000
CHANGED_SINCE = marked("the policy was changed since this was asked for: ask again")

_TEXTS = frozenset({".yaml", ".yml", ".txt"})
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_LAYER = rf"(?:(?:local\.d|override\.d|(?:postures|profiles)/{_NAME})/)?"
_FILE = (
    r"(?:(?:bundle|content|detectors|replies|selftest)\.yaml"
    rf"|(?:rules|calendars)/{_NAME}\.yaml|keywords/{_NAME}\.(?:yaml|txt))"
)
_IS_NEW = re.compile(_LAYER + _FILE)


class PolicyText(NamedTuple):
    """A file of the policy on disk. `digest` is its SHA-256, "" where there is no file yet."""

    name: str
    text: str
    digest: str


class LocatedFault(NamedTuple):
    """A fault of a bundle, with the name of its file in the bundle."""

    name: str
    line: int
    column: int
    problem: str


@dataclass(frozen=True, slots=True)
class DraftCheck:
    """What the drafts of a user come to.

    `digest` is that of the bundle that would be in force, "" where it has `faults`. `rows` say what
    its rules and lists say otherwise than those in force, `texts` the changed lines by file.
    `loss` says that much of it is gone, "" if not: it may be an accident. `switched_off` are rules
    and lists that would stop fewer messages, or none; None where those in force cannot be read.
    """

    faults: tuple[LocatedFault, ...]
    warnings: tuple[str, ...]
    digest: str
    rows: Sequence[tuple[str, str, str]]
    texts: Mapping[str, Sequence[str]]
    loss: str
    switched_off: tuple[str, ...] | None = ()


class WorkshopError(Exception):
    """An act on the policy was refused and changed nothing; the words are for a person.

    `is_conflict` says that somebody else was faster.
    """

    def __init__(self, problem: str, *, is_conflict: bool = False) -> None:
        super().__init__(problem)
        self.is_conflict = is_conflict


class SecondPersonError(WorkshopError):
    """A bundle that enforces `rules` no more needs a second person; `rows` say what it changes."""

    def __init__(
        self, digest: str, rules: tuple[str, ...], rows: Sequence[tuple[str, str, str]]
    ) -> None:
        super().__init__(
            f"it switches off what is enforced ({named_in_short(rules)}): that needs a second"
            " person, whom the pages of the console ask"
        )
        self.digest = digest
        self.rules = rules
        self.rows = rows


class PolicyWorkshop:
    """Edits the policy in `directory`. `store` has the drafts and asks the gateway.

    With `two_persons` what switches off a rule that is enforced comes into force only with their
    approval.
    Every call raises StoreUnavailable when the store does not answer.
    """

    def __init__(
        self,
        directory: Path,
        store: PolicyStore,
        journals: SqlJournals,
        utcnow: Callable[[], datetime],
        *,
        wait_s: float = WAIT_S,
        two_persons: bool = False,
    ) -> None:
        self.directory = directory
        self.is_shipped = is_sample(directory)
        self._store = store
        self._journals = journals
        self._utcnow = utcnow
        self._wait_s = wait_s
        self._two_persons = two_persons
        self._act = asyncio.Lock()
        self._load = asyncio.Lock()
        self._active: tuple[int, Bundle] | None = None

    # Files

    async def names(self) -> list[str]:
        """Return the names of all files that people edit, at most MAX_FILES."""
        return await asyncio.to_thread(_names_in, self.directory)

    async def file(self, name: str) -> PolicyText | None:
        """Return a file, empty for a new one; None for a name that is of no file of a policy.

        Raises WorkshopError for what is no text.
        """
        return await asyncio.to_thread(self._file, name)

    def _file(self, name: str) -> PolicyText | None:
        path = self.directory / name
        is_named = _IS_NEW.fullmatch(name) is not None
        is_there = name in _names_in(self.directory)
        if not (is_there or is_named) or not stays_within(self.directory, path):
            return None
        if not is_there:
            return PolicyText(name, "", "")
        try:
            octets = yaml.read_octets(path, yaml.MAX_OCTETS)
            return PolicyText(name, octets.decode(), sha256(octets).hexdigest())
        except (SettingsError, UnicodeDecodeError) as error:
            raise WorkshopError(f"{name} cannot be shown: {error}") from error

    # Drafts

    async def drafts_of(self, by: str) -> list[PolicyDraft]:
        """Return the drafts of a user."""
        return [one for one in await self._store.drafts() if one.by == by]

    async def drafts_of_others(self, by: str, name: str | None = None) -> list[PolicyDraft]:
        """Return the drafts of other users, of one file if it is named."""
        drafts = await self._store.drafts()
        return [one for one in drafts if one.by != by and name in (None, one.name)]

    async def save(self, by: str, name: str, text: str, base: str, revision: int) -> None:
        """Keep the text as the draft of a user.

        `base` and `revision` are those of the file and the draft that the user saw. Raises
        WorkshopError, a conflict, where either was changed since.
        """
        found = await self.file(name)
        if found is None:
            raise WorkshopError(f"{name} can be no file of a policy")
        if found.digest != base:
            raise WorkshopError(
                f"{name} was changed on disk since you began: {await self._changed_by()}",
                is_conflict=True,
            )
        if found.text == text and found.digest:
            await self._store.drop_drafts(by, {name: revision})
            return
        draft = PolicyDraft(by, name, base, revision + 1, text, self._utcnow())
        if not await self._store.save_draft(draft):
            raise WorkshopError(
                "you saved this draft elsewhere meanwhile, or have too many drafts",
                is_conflict=True,
            )

    async def drop(self, by: str, name: str) -> None:
        """Drop the draft that a user has of a file."""
        own = {one.name: one.revision for one in await self.drafts_of(by) if one.name == name}
        await self._store.drop_drafts(by, own)

    async def _changed_by(self) -> str:
        newest = await self._store.versions(limit=1)
        return f"the last version, {newest[0].number}, is of {newest[0].by}" if newest else ""

    # Check

    async def active(self) -> PolicyVersion | None:
        """Return the version in force, None before a gateway has run."""
        return next(iter(await self._store.versions(limit=1)), None)

    async def checked(self, drafts: Sequence[PolicyDraft]) -> DraftCheck:
        """Check the directory with these drafts in the place of their files."""
        async with self._load:
            before = await self._active_bundle()
            texts = {one.name: one.text for one in drafts}
            return await asyncio.to_thread(self._checked, texts, before)

    async def difference_to(self, number: int) -> Sequence[tuple[str, str, str]]:
        """Return what the version `number` says otherwise than the one in force."""
        async with self._load:
            before = await self._active_bundle()
            other = await self._bundle_of(number)
            return [] if before is None else difference_rows(difference(before, other))

    async def _bundle_of(self, number: int) -> Bundle:
        """Return the bundle of a version. Raises WorkshopError and CommandError."""
        found = await asyncio.to_thread(restored_bundle, await files_of(self._store, number))
        if found is None:
            raise WorkshopError(f"version {number} cannot be read by this program")
        return found

    async def bundle(self) -> Bundle | None:
        """Return the bundle in force, that on disk where none is on record; None for a faulty."""
        async with self._load:
            return await self._active_bundle()

    async def _active_bundle(self) -> Bundle | None:
        newest = await self.active()
        if newest is None or not newest.archive_octets:
            return await asyncio.to_thread(bundle_in, self.directory)
        if self._active is None or self._active[0] != newest.number:
            try:
                files = await files_of(self._store, newest.number)
            except CommandError:
                return None
            found = await asyncio.to_thread(restored_bundle, files)
            if found is None:
                return None
            self._active = newest.number, found
        return self._active[1]

    def _checked(self, texts: Mapping[str, str], before: Bundle | None) -> DraftCheck:
        changed = {name: self._changed_lines(name, text) for name, text in texts.items()}
        with self._laid_over(texts) as place:
            try:
                bundle = load_proven(place)
            except SettingsError as error:
                faults = tuple(_located(one, place) for one in error.faults)
                return DraftCheck(faults, (), "", (), changed, "")
            warnings = tuple(
                str(one).removeprefix(f"{place}/") for one in stray_categories(bundle, place)
            )
        rows = [] if before is None else difference_rows(difference(before, bundle))
        loss = None if before is None else shrunk(before, bundle)
        off = None if before is None else switched_off(before, bundle)
        return DraftCheck((), warnings, bundle.digest, rows, changed, loss or "", off)

    def _changed_lines(self, name: str, text: str) -> list[str]:
        found = self._file(name)
        before = "" if found is None else found.text
        lines = unified_diff(before.splitlines(), text.splitlines(), name, name, lineterm="")
        return list(lines)[2:MAX_DIFF_LINES]

    @contextmanager
    def _laid_over(self, texts: Mapping[str, str]) -> Iterator[Path]:
        """Give a copy of the directory with these texts in the place of their files."""
        with tempfile.TemporaryDirectory(prefix="smsward-") as directory:
            place = Path(directory)
            self.copy_to(place, texts)
            yield place

    def copy_to(self, place: Path, texts: Mapping[str, str]) -> None:
        """Copy the directory to `place`, with these texts in the place of their files."""
        shutil.copytree(self.directory, place, ignore=_hidden, dirs_exist_ok=True)
        for name, text in texts.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text, encoding="utf-8", newline="")

    # Activation

    async def activate(
        self,
        by: str,
        revisions: Mapping[str, int],
        reason: str,
        *,
        force: bool = False,
        approved: ApprovedSwitch | None = None,
    ) -> PolicyRequest:
        """Write the drafts of a user into the directory and have the gateway take them over.

        `revisions` are those that the user saw. Where the gateway refuses, the files are put back.
        Raises WorkshopError: drafts that changed since, files that were changed by others, faults;
        SecondPersonError where another person has to approve first.
        """
        async with self._act:
            drafts = await self.drafts_of(by)
            if not drafts or {one.name: one.revision for one in drafts} != revisions:
                raise WorkshopError("the drafts changed since you looked", is_conflict=True)
            self._refuse_shipped()
            await self._refuse_stale(drafts)
            check = await self.checked(drafts)
            if check.faults:
                raise WorkshopError("the drafts have faults")
            if check.loss and not force:
                raise WorkshopError(f"{check.loss}: say that it is meant")
            self._require_approval(check.digest, check.switched_off, approved, check.rows)
            actor = by if approved is None else approved.persons
            await self._note(actor, reason, f"policy {check.digest}")
            texts = {one.name: one.text for one in drafts}
            before = await asyncio.to_thread(self._write, texts)
            answered = await self._asked(actor, reason, force=force)
            if answered.state is ReloadRequestState.REFUSED:
                await asyncio.to_thread(self._put_back, before)
            else:
                await self._store.drop_drafts(by, revisions)
            return answered

    async def roll_back(
        self,
        by: str,
        number: int,
        reason: str,
        *,
        force: bool = False,
        approved: ApprovedSwitch | None = None,
    ) -> PolicyRequest:
        """Write the files of a version back and have the gateway take them over.

        Raises WorkshopError, also where the directory holds what was never in force and there is
        no `force`, and SecondPersonError where another person has to approve first.
        """
        async with self._act:
            self._refuse_shipped()
            try:
                files = await files_of(self._store, number)
                if not force:
                    await refuse_to_lose_work(self._store, self.directory)
                if self._two_persons:
                    self._require_approval(*await self._switched_off_by(number), approved)
                by = by if approved is None else approved.persons
                await self._note(by, reason, f"version {number}")
                await asyncio.to_thread(restore, self.directory, files)
            except CommandError as error:
                raise WorkshopError(str(error)) from error
            except (OSError, ValueError) as error:
                problem = f"{self.directory} cannot be written: {words_of(error)}"
                raise WorkshopError(problem) from error
            note = f"rollback to {number}: {reason}".removesuffix(": ")
            # Going back is a decision: a list that gets shorter by it is no accident.
            return await self._asked(by, note, force=True)

    async def _switched_off_by(self, number: int) -> tuple[str, tuple[str, ...] | None]:
        """Return the digest of a version, and what it stops no more, None where nothing tells."""
        async with self._load:
            before, other = await self._active_bundle(), await self._bundle_of(number)
        return other.digest, None if before is None else switched_off(before, other)

    def _require_approval(
        self,
        digest: str,
        rules: tuple[str, ...] | None,
        approved: ApprovedSwitch | None,
        rows: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        """Raise WorkshopError unless two persons want what needs two before it is in force."""
        if rules is None and self._two_persons:
            raise WorkshopError("the policy in force cannot be read by this program")
        if approved is None:
            if rules and self._two_persons:
                raise SecondPersonError(digest, rules, rows)
        elif digest != approved.digest or not approved.rules.issuperset(rules or ()):
            raise WorkshopError(CHANGED_SINCE, is_conflict=True)

    def _refuse_shipped(self) -> None:
        if self.is_shipped:
            raise WorkshopError(
                f"{self.directory} is shipped, and left as it is: copy it, and start the gateway"
                " with --policies DIR"
            )

    async def _refuse_stale(self, drafts: Sequence[PolicyDraft]) -> None:
        found = [(one, await self.file(one.name)) for one in drafts]
        stale = [one.name for one, file in found if file is None or file.digest != one.base]
        if stale:
            raise WorkshopError(
                f"changed on disk since you began: {', '.join(stale)}; {await self._changed_by()}",
                is_conflict=True,
            )

    async def _note(self, by: str, reason: str, about: str) -> None:
        """Note who writes files: the gateway that loads them may not run, or refuse them."""
        access = NewAccess(by, "policy write", reason, about, self._utcnow())
        await self._journals.note_access(access)

    async def _asked(self, by: str, note: str, *, force: bool) -> PolicyRequest:
        wanted = PolicyRequest(by, short_note(note), force, self._utcnow())
        try:
            return await ask_reload(self._store, wanted, self._wait_s)
        except CommandError as error:
            raise WorkshopError(str(error)) from error

    def _write(self, texts: Mapping[str, str]) -> dict[str, bytes | None]:
        """Write files, words before the lists that name them; return what was there before."""
        before: dict[str, bytes | None] = {}
        try:
            for name in sorted(texts, key=lambda name: (name.endswith(".yaml"), name)):
                path = self.directory / name
                before[name] = path.read_bytes() if path.exists() else None
                _replace(path, texts[name].encode())
        except OSError as error:
            self._put_back(before)
            raise WorkshopError(f"{error.filename}: {words_of(error)}") from error
        return before

    def _put_back(self, before: Mapping[str, bytes | None]) -> None:
        for name, octets in before.items():
            path = self.directory / name
            with suppress(OSError):
                if octets is None:
                    path.unlink(missing_ok=True)
                else:
                    _replace(path, octets)


def enforced(place: Path, rule: str) -> None:
    """Let a copy of a policy enforce a rule. Raises WorkshopError."""
    try:
        write_mode(place, rule, Enforcement.ENFORCE)
    except (SettingsError, OSError) as error:
        raise WorkshopError(str(error).replace(f"{place}/", "")) from error


def _names_in(directory: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        is_seen = path.suffix in _TEXTS and not any(one.startswith(".") for one in parts)
        if is_seen and path.is_file() and stays_within(directory, path):
            found.append("/".join(parts))
    return found[:MAX_FILES]


def _hidden(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(".") or name == "schemas"]


def _located(fault: Fault, place: Path) -> LocatedFault:
    is_inside = fault.path.is_relative_to(place)
    name = fault.path.relative_to(place).as_posix() if is_inside else fault.path.name
    return LocatedFault(name, fault.line, fault.column, fault.problem)


def _replace(path: Path, octets: bytes) -> None:
    """Write a file so that who reads meanwhile sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(octets)
    if path.exists():
        shutil.copymode(path, unfinished)
    unfinished.replace(path)
