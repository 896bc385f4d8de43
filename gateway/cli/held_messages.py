"""Held messages: `smsward quarantine list` and `show`, and which of them are decided on."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway.console.held_review import masked_numbers, texts_of, texts_together
from gateway.domain.categories import CATEGORIES, category_of, covered_by
from gateway.domain.held_findings import told_items
from gateway.domain.msisdn import masked
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.stores import stores_of
from gateway.systems.quarantine.agreement.counts import AgreementStore, described_rate
from gateway.systems.quarantine.model import is_campaign_id, is_message_id
from gateway.systems.quarantine.service import HeldFilter, find_held
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.deployment import require_sender
from gateway.terminal.failure import CommandError, ExitCode, known, misused
from gateway.terminal.options import Selection, limited
from gateway.terminal.screen import (
    console,
    counted,
    masked_source,
    print_fields,
    print_json,
    print_listed,
    print_table,
    say,
    severity_of,
    shown_fields,
    told_category,
    visible,
)
from gateway.terminal.store import opened_store

# Nine columns of usual width stand side by side from here on.
_WIDE_COLUMNS = 150
_WIDE = ("id", "state", "SP", "from", "to", "reason", "rule", "about", "evidence")
_NARROW = ("SP\nstate", "from\nto", "reason, rule\nabout: evidence")
_HELD_AT, _DUE_AT = "held at (UTC)", "due at (UTC)"


async def list_messages(
    settings: GatewaySettings, selection: Selection, config: Path | None = None, *, as_json: bool
) -> int:
    """Print the held messages of `selection`; return the exit code."""
    limited(selection.limit, "--before ID gives the page after that ID")
    async with opened_store(settings, stores_of) as stores:
        found = await _found(stores.quarantine, selection)
        asked, counts = await _counts(stores.quarantine, selection)
    if not found:
        require_sender(selection.system_id, config)
        _require_category(selection.category)
    if as_json:
        print_json([described(held) for held in found])
        return ExitCode.FINE
    if found:
        _print_listed(found, when=_DUE_AT if selection.state is HoldState.DEFERRED else _HELD_AT)
    if asked is not None:
        say(f"asked for: {told_counts(asked) or 'none match'}")
    _say_whole(counts, "" if asked is None else "in the store: ")
    if len(found) == selection.limit:
        say(f"older ones: add --before {found[-1].message_id}")
    return ExitCode.FINE


_CAMPAIGNS = [
    "campaign",
    "messages",
    "senders",
    "first_at",
    "last_at",
    "reason",
    "rule",
    "category",
    "example",
]
_JOBS = ["number", "campaign", "decision", "by", "state", "done", "expected_count", "not_before"]


async def list_campaigns(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print the open campaigns, the largest first; return the exit code."""
    limited(limit, "what is decided on makes room for the others")
    async with opened_store(settings, stores_of) as stores:
        found = await stores.campaigns.open_campaigns(limit)
    described_ones = [
        {
            "campaign": one.campaign,
            "messages": one.messages,
            "senders": one.senders,
            "first_at": one.first_at.isoformat(timespec="seconds"),
            "last_at": one.last_at.isoformat(timespec="seconds"),
            "reason": one.example.reason,
            "rule": one.example.rule,
            "category": told_category(one.example.category),
            "example": str(one.example.message_id),
        }
        for one in found
    ]
    rows = [[str(one[name]) for name in _CAMPAIGNS] for one in described_ones]
    names = [name.replace("_", " ") for name in _CAMPAIGNS]
    print_listed(described_ones, names, rows, "no campaign is held", as_json=as_json)
    return ExitCode.FINE


async def list_jobs(settings: GatewaySettings, limit: int, *, as_json: bool) -> int:
    """Print decisions on many messages, the newest first; return the exit code."""
    limited(limit, "older ones are done")
    async with opened_store(settings, stores_of) as stores:
        found = await stores.campaigns.latest(limit=limit)
    described_ones = [
        {
            "number": one.number,
            "campaign": one.campaign,
            "system_id": one.system_id,
            "rule": one.rule,
            "decision": one.decision.value,
            "by": one.by,
            "reason": one.reason,
            "note": one.note,
            "state": one.state.value,
            "done": one.done,
            "expected_count": one.expected_count,
            "not_before": one.not_before.isoformat(timespec="seconds"),
            "outcome": one.outcome,
        }
        for one in found
    ]
    rows = [[str(one[name]) for name in _JOBS] for one in described_ones]
    names = [name.replace("_", " ") for name in _JOBS]
    print_listed(described_ones, names, rows, "no job was made of a decision", as_json=as_json)
    return ExitCode.FINE


async def show_agreement(settings: GatewaySettings, days: int, *, as_json: bool) -> int:
    """Print how often reviewers agreed on what was dealt twice; return the exit code."""
    if not 1 <= days <= _LONGEST_DAYS:
        raise misused(f"--days: 1 to {_LONGEST_DAYS}")
    now = utcnow()
    since = now - timedelta(days=days)
    async with opened_store(settings, AgreementStore) as store:
        report = await store.report(since, now)
        apart = await store.disagreements(since, now, limit=TOGETHER)
    reviewers = [
        {
            "reviewer": one.reviewer,
            "dealt_first": one.dealt_first,
            **described_rate(one.rate),
            "released_alone": one.released_alone,
            "rejected_alone": one.rejected_alone,
        }
        for one in report.reviewers
    ]
    if as_json:
        print_json(
            {
                "since": since.isoformat(timespec="seconds"),
                "dealt": report.dealt,
                **{end.value: messages for end, messages in report.ends.items()},
                "rate": described_rate(report.rate),
                "reviewers": reviewers,
                "categories": [
                    {"category": category, **described_rate(rate)}
                    for category, rate in report.categories
                ],
                "disagreements": [
                    {
                        "message_id": str(one.held.message_id),
                        **{
                            which: {"by": each.by, "decision": each.decision, "note": each.why}
                            for which, each in (("first", one.first), ("second", one.second))
                        },
                    }
                    for one in apart
                ],
            }
        )
        return ExitCode.FINE
    names = list(reviewers[0]) if reviewers else []
    rows = [["" if one[name] is None else str(one[name]) for name in names] for one in reviewers]
    columns = [name.replace("_", " ") for name in names]
    print_listed(reviewers, columns, rows, "nothing was dealt twice", as_json=False)
    ends = {end.value: messages for end, messages in report.ends.items()}
    say(f"dealt twice: {counted(report.dealt, 'message')}; {told_counts(ends)}")
    return ExitCode.FINE


_LONGEST_DAYS = 366


async def show_message(
    settings: GatewaySettings, message_id: str, *, unmask: bool, as_json: bool
) -> int:
    """Print one held message with its text; return the exit code.

    The look is in the journal by now. Without `unmask` no number is seen, in the text neither.
    """
    number = number_of(message_id)
    async with opened_store(settings, stores_of) as stores:
        held = await stores.quarantine.get(number)
        parts = await stores.quarantine.parts_of(held.assembly if held is not None else 0)
    if held is None:
        raise CommandError(
            f"there is no message {message_id}", advice="`smsward quarantine list` shows the ids"
        )
    texts = texts_of(held)
    fields = described(held, unmask=unmask)
    if parts:
        texts = texts_together(parts) or texts
        fields["parts"] = [str(part.message_id) for part in parts]
    if not unmask:
        texts = tuple(map(masked_numbers, texts))
    if as_json:
        print_json({**fields, "text": texts[0], "other_readings": texts[1:]})
        return ExitCode.FINE
    shown = [(name.replace("_", " "), _shown(value)) for name, value in fields.items()]
    shown.append(("text", texts[0]))
    print_fields(shown + [("or read as", text) for text in texts[1:]])
    return ExitCode.FINE


def number_of(message_id: str) -> int:
    """Return an id as the store has it. Raises CommandError for what can be none."""
    if not is_message_id(message_id):
        raise misused(
            f"{message_id} is no id of a held message", "`smsward quarantine list` shows the ids"
        )
    return int(message_id)


def campaign_id(said: str) -> str:
    """Return the id of a campaign. Raises CommandError for what can be none."""
    if not is_campaign_id(said):
        raise misused(
            "--campaign: no id of a campaign",
            "`smsward quarantine show ID` shows the campaign of a message",
        )
    return said


def described(held: HeldMessage, *, unmask: bool = False) -> dict[str, object]:
    """Return what is shown of a message, its text left out."""
    return shown_fields(
        held,
        "message_id state note decision system_id source destination reason rule category severity"
        " rule_severity rule_owner score campaign evidence found overruled digest held_at due_at"
        " expires_at receipt_asked receipt smsc_message_id",
        message_id=str(held.message_id),  # which a program may round as a JSON number
        decision=held.decision if unmask else masked_numbers(held.decision),
        source=held.source if unmask else masked_source(held.source),
        destination=held.destination if unmask else masked(held.destination),
        severity=severity_of(held.category),
        rule_severity=held.severity,
        rule_owner=held.owner,
        evidence=held.evidence if unmask else masked_numbers(held.evidence),
        found=_told(held.found, unmask=unmask),
        overruled=_told(held.overruled, unmask=unmask),
    )


def _told(lines: str, *, unmask: bool) -> list[str]:
    """Return what holds a message, or was overruled, as rule and what it found."""
    told = [": ".join(filter(None, one)) for one in told_items(lines)]
    return told if unmask else list(map(masked_numbers, told))


def told_counts(counts: Mapping[HoldState, int] | Mapping[str, int]) -> str:
    """Return how many messages stand in each state, in words; "" where there are none."""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


async def _found(store: QuarantineStore, selection: Selection) -> list[HeldMessage]:
    """Return what was selected. What waits for its hour is no work: it must be asked for."""
    wanted = HeldFilter(
        state=selection.state,
        system_id=selection.system_id,
        campaign=campaign_id(selection.campaign) if selection.campaign else None,
        category=selection.category or None,
    )
    before_id = number_of(selection.before) if selection.before else None
    return await find_held(store, wanted, before_id, selection.limit)


async def _counts(
    store: QuarantineStore, selection: Selection
) -> tuple[dict[HoldState, int] | None, dict[HoldState, int]]:
    """Return how many messages of each state were asked for, None for all, and how many are."""
    counts = await store.count_by_state()
    scope = (selection.system_id, selection.campaign, selection.category)
    if selection.state is None and not any(scope):
        return None, counts
    asked = await store.count_by_state(
        system_id=selection.system_id,
        campaign=selection.campaign or None,
        categories=covered_by(selection.category) if selection.category else None,
    )
    wanted = selection.state
    return {state: asked[state] for state in HoldState if wanted in (None, state)}, counts


def _say_whole(counts: dict[HoldState, int], before: str) -> None:
    waiting = counts.pop(HoldState.DEFERRED)
    say(before + (told_counts(counts) or "no messages"))
    if waiting:
        say(f"{waiting} deferred, which wait for their hour and for nobody: --state deferred")


def _require_category(word: str | None) -> None:
    """Raise CommandError for what is of no tree, where no list of an operator is about it."""
    if word and category_of(word) is None:
        raise misused(
            f"--category: there is no {visible(word)}, and no such message is about it",
            known((one.id for one in CATEGORIES), maximum=len(CATEGORIES)),
        )


def _print_listed(found: Sequence[HeldMessage], *, when: str) -> None:
    """Print one line for each message, or two where the screen is too narrow for one."""
    if console().width >= _WIDE_COLUMNS:
        print_table((*_WIDE, when), ((*_row(held), _when(held, when)) for held in found))
    else:
        columns = (f"id\n{when}", *_NARROW)
        print_table(columns, (_narrow_row(held, _when(held, when)) for held in found))


def _narrow_row(held: HeldMessage, moment: str) -> tuple[tuple[str, str], ...]:
    message_id, state, system_id, source, destination, reason, rule, about, evidence = _row(held)
    return (
        (message_id, moment),
        (system_id, state),
        (source, destination),
        (f"{reason} {rule}", f"{about}: {evidence}" if about else evidence),
    )


def _row(held: HeldMessage) -> tuple[str, ...]:
    return (
        str(held.message_id),
        held.state,
        held.system_id,
        masked_source(held.source),
        masked(held.destination),
        held.reason,
        held.rule,
        told_category(held.category),
        masked_numbers(held.evidence) + _told_list(held),
    )


def _told_list(held: HeldMessage) -> str:
    """Return how grave the list or rule takes it, and who answers for that."""
    said = ", ".join(filter(None, (held.severity, held.owner)))
    return f" ({said})" if said else ""


def _when(held: HeldMessage, when: str) -> str:
    moment = held.due_at if when == _DUE_AT else held.held_at
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


# So many are read, decided on and told of at a time, however many there are.
TOGETHER = 100

_MAX_IDS = 10_000
_BY_ID = (HoldState.DEFERRED, HoldState.RELEASE_REQUESTED, HoldState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class SelectedMessages:
    """How many messages there are, and their ids by the hundred, each once, oldest first.

    `left` counts by state the others of the campaign, which are decided on by id alone.
    """

    messages: int
    pages: AsyncIterator[Sequence[int]]
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MessageSelection:
    """The choice as it was made on the command line.

    A campaign goes across SPs: with `system_id` only what that one sent is meant. Raises
    CommandError for neither and for both, and for what can be no id.
    """

    ids: Sequence[str]
    campaign: str | None = None
    system_id: str | None = None

    def __post_init__(self) -> None:
        if self.campaign is not None:
            campaign_id(self.campaign)
        if bool(self.ids) is (self.campaign is not None):
            raise misused(
                "give ids, or --campaign for all that is held of one",
                "`smsward quarantine list` shows the ids",
            )
        if self.system_id is not None and self.campaign is None:
            raise misused("--system-id goes with --campaign")

    async def found_in(self, store: QuarantineStore) -> SelectedMessages:
        """Return the messages; of a campaign those that are held at this moment.

        What is held of it from now on is left out: of a flood there would be no end.
        """
        if self.campaign is None:
            numbers = _numbers(self.ids)
            return SelectedMessages(len(numbers), _pages_of(numbers), {})
        sp, campaign = self.system_id, self.campaign
        counts = await store.count_by_state(system_id=sp, campaign=campaign)
        newest = await store.find(state=HoldState.HELD, system_id=sp, campaign=campaign, limit=1)
        pages = self._held(store, campaign, max((one.message_id for one in newest), default=0))
        left = {state.value: counts[state] for state in _BY_ID if counts[state]}
        return SelectedMessages(counts[HoldState.HELD], pages, left)

    async def _held(
        self, store: QuarantineStore, campaign: str, newest: int
    ) -> AsyncIterator[Sequence[int]]:
        last = 0
        while last < newest:
            found = await store.held_of(
                campaign, system_id=self.system_id, after_id=last, limit=TOGETHER
            )
            page = [number for number in found if number <= newest]
            if not page:  # others have decided on the rest
                return
            last = page[-1]
            yield page


def by_the_hundred(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield `numbers` in pieces of TOGETHER."""
    for at in range(0, len(numbers), TOGETHER):
        yield numbers[at : at + TOGETHER]


async def _pages_of(numbers: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    for page in by_the_hundred(numbers):
        yield page


def _numbers(ids: Sequence[str]) -> list[int]:
    """Return the ids given, those on the standard input in place of a `-`, each once.

    None where a pipe found nothing: then there is nothing to be done.
    """
    given: list[str] = []
    for one in ids:
        given.extend(sys.stdin.read().split() if one == "-" else (one,))
    numbers = sorted(set(map(number_of, given)))
    if len(numbers) > _MAX_IDS:
        raise misused(f"more than {_MAX_IDS} ids", "give them in several calls")
    return numbers
