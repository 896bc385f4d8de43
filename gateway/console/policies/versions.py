"""Versions of the policy put back, reloads that the gateway is asked for, and differences in rows.

Commands and pages use these: there is one way in which a policy comes into force.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.policy import KeywordList
from gateway.policy.bundle import Bundle
from gateway.runtime.clock import monotonic
from gateway.settings.bundles.archive import unpacked
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.difference import BundleDifference, ListDifference, settings_of
from gateway.settings.yaml import SettingsError
from gateway.systems.policy_history import PolicyRequest, PolicyStore, ReloadRequestState
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import counted, visible

MAX_NOTE_CHARS = 200
MAX_NUMBER = 2**63 - 1

_LOOK_EVERY_S = 0.1
_SHOWN_WORDS = 20
_NAMED = 10
_SEE_HISTORY = "`smsward policy history` shows what there is"


@dataclass(frozen=True, slots=True)
class ApprovedSwitch:
    """What two `persons` want: a bundle with this digest, which enforces these rules no more."""

    digest: str
    rules: frozenset[str]
    persons: str


async def files_of(store: PolicyStore, number: int) -> dict[str, bytes]:
    """Return the files of a version. Raises CommandError when they are not to be had."""
    # A number that no store could have given is unknown too.
    if not 1 <= number <= MAX_NUMBER or await store.version(number) is None:
        raise CommandError(f"there is no version {number} on record", advice=_SEE_HISTORY)
    archive = await store.archive_of(number)
    if not archive:
        raise CommandError(f"the files of version {number} were not kept", advice=_SEE_HISTORY)
    try:
        return unpacked(archive)
    except ValueError as error:
        raise CommandError(f"the files of version {number} cannot be used: it {error}") from error


def bundle_in(directory: Path) -> Bundle | None:
    """Return the bundle in a directory, None for one with faults."""
    try:
        return load_bundle(directory)
    except SettingsError:
        return None


async def refuse_to_lose_work(store: PolicyStore, directory: Path) -> None:
    """Raise CommandError when the directory holds what no version on record has."""
    (newest,) = await store.versions(limit=1)
    try:
        digest = (await asyncio.to_thread(load_bundle, directory)).digest
    except SettingsError:
        digest = "files with faults"
    if digest != newest.digest:
        raise CommandError(
            f"{directory} holds {digest}, which is not {newest.digest} of version {newest.number}:"
            " going back would overwrite changes that are not on record",
            advice="save them elsewhere, then add --force",
        )


async def ask_reload(store: PolicyStore, wanted: PolicyRequest, wait_s: float) -> PolicyRequest:
    """Ask for a reload; return the request as it stands when answered, or after `wait_s`."""
    number = await store.ask(wanted)
    deadline = monotonic() + wait_s
    while True:
        request = await store.request(number)
        if request is None:
            raise CommandError("the request is gone from the store")
        if request.state is not ReloadRequestState.OPEN or monotonic() >= deadline:
            return request
        await asyncio.sleep(_LOOK_EVERY_S)


def short_note(note: str) -> str:
    """Return a note as the history takes it: on one line, at most MAX_NOTE_CHARS characters."""
    return visible(note.strip())[:MAX_NOTE_CHARS]


def difference_rows(found: BundleDifference) -> list[tuple[str, str, str]]:
    """Return a difference as rows: +, - or ~, what it is about, and what changed."""
    rows = [("+", words.id, _size(words)) for words in found.lists_added]
    rows += [("-", words.id, _size(words)) for words in found.lists_removed]
    rows += [row for one in found.lists_changed for row in _list_rows(one)]
    rows += [("~", one.name, f"{one.old} → {one.new}") for one in found.settings]
    if found.cases_added:
        rows.append(("+", "selftest", counted(found.cases_added, "case")))
    if found.cases_removed:
        rows.append(("-", "selftest", counted(found.cases_removed, "case")))
    return rows


def _list_rows(one: ListDifference) -> Iterable[tuple[str, str, str]]:
    for setting in one.settings:
        yield "~", f"{one.id} {setting.name}", f"{setting.old} → {setting.new}"
    if one.added:
        yield "+", one.id, _some(one.added)
    if one.removed:
        yield "-", one.id, _some(one.removed)


def _size(words: KeywordList) -> str:
    said = {name.replace("_", " "): value for name, value in settings_of(words).items() if value}
    action = said.pop("action")
    told = (counted(len(words.words), "word"), *(f"{name} {value}" for name, value in said.items()))
    return f"the list: {action}, {', '.join(told)}"


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_SHOWN_WORDS])
    rest = len(words) - _SHOWN_WORDS
    return f"{counted(len(words), 'word')}: {shown}" + (f" and {rest} more" if rest > 0 else "")


def named_in_short(rules: Sequence[str]) -> str:
    """Return the first of some ids, and how many there are more."""
    more = f", … (+{len(rules) - _NAMED})" if len(rules) > _NAMED else ""
    return ", ".join(rules[:_NAMED]) + more
