"""What is decided on: messages by their ids, or all that is held of one campaign."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.cli.failure import misused
from gateway.cli.held_messages import campaign_id, number_of
from gateway.domain.quarantine import HoldState
from gateway.ports.quarantine import QuarantineStore

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
