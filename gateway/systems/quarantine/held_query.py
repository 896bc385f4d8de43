"""Which held messages a page lists, as its address says it, and the addresses of other pages."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from urllib.parse import urlencode

from gateway.domain.quarantine import HoldState
from gateway.systems.quarantine.model import is_campaign_id, is_message_id, lowest_id_at
from gateway.systems.quarantine.service import HeldFilter

HELD_PATH = "/quarantine"
LIST_PATH = f"{HELD_PATH}/messages"
ANY = "any"
_MAX_FILTER_CHARS = 64
_MAX_TOKEN_CHARS = 43
_MOST_SEARCHES = 1_000


@dataclass(frozen=True, slots=True)
class HeldQuery:
    """What a list shows.

    `since` and `until` are days, UTC, both included. `to` stands for a number that was searched
    for: no number is in an address. `escalated` is "yes" for what waits for a senior reviewer.
    `top` is the newest id when the list was opened, and what came later is not in it; `before` is
    the id that its page begins after.
    """

    state: str = HoldState.HELD.value
    system_id: str = ""
    source: str = ""
    rule: str = ""
    category: str = ""
    campaign: str = ""
    since: str = ""
    until: str = ""
    escalated: str = ""
    to: str = ""
    top: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any message can fit."""
        words = (self.system_id, self.source, self.rule, self.category)
        return (
            self.state in {ANY, *HoldState}
            and all(word.isprintable() and len(word) <= _MAX_FILTER_CHARS for word in words)
            and (not self.campaign or is_campaign_id(self.campaign))
            and all(not day or _day_of(day) is not None for day in (self.since, self.until))
            and self.escalated in {"", "yes"}
            and len(self.to) <= _MAX_TOKEN_CHARS
            and all(not one or is_message_id(one) for one in (self.top, self.before))
        )

    @property
    def wanted(self) -> HeldFilter:
        """Return what the store is asked for, without the number."""
        since, until = _day_of(self.since), _day_of(self.until)
        return HeldFilter(
            None if self.state == ANY else HoldState(self.state),
            self.system_id or None,
            self.campaign or None,
            self.category or None,
            is_undecided=self.state == HoldState.HELD,
            is_escalated=self.escalated == "yes",
            source=self.source or None,
            rule=self.rule or None,
            from_id=None if since is None else _lowest_id(since),
            below_id=None if until is None else _lowest_id(until + timedelta(days=1)),
        )

    @property
    def is_searched(self) -> bool:
        """Tell whether the list is of anything but what a link of the pages leads to."""
        return replace(self, campaign="", escalated="", top="", before="") != HeldQuery()

    def path(self, *parts: object, **more: str) -> str:
        """Return the address of the list, or of what lies below /quarantine, with this query."""
        usual, own = asdict(HeldQuery()), asdict(self)
        fields = {name: value for name, value in own.items() if value != usual[name]} | more
        where = "/".join((HELD_PATH, *map(str, parts))) if parts else LIST_PATH
        return f"{where}?{urlencode(fields)}" if fields else where


def held_query(given: Mapping[str, str]) -> HeldQuery:
    """Return what the fields of an address ask for, sound or not."""
    usual = asdict(HeldQuery())
    return HeldQuery(**{name: given.get(name, value).strip() for name, value in usual.items()})


class NumberSearches:
    """Numbers that people search for, each under a token of its own: addresses hold no number.

    They are kept in memory, the last thousand; a restart forgets them.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, str], int] = OrderedDict()

    def keep(self, by: str, msisdn: int) -> str:
        """Return a token that stands for a number, for this person alone."""
        token = token_urlsafe(12)
        self._found[by, token] = msisdn
        if len(self._found) > _MOST_SEARCHES:
            self._found.popitem(last=False)
        return token

    def find(self, by: str, token: str) -> int | None:
        """Return the number that a token stands for, None for an unknown one."""
        return self._found.get((by, token))


def _day_of(text: str) -> datetime | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


_FIRST_DAY, _LAST_DAY = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _lowest_id(at: datetime) -> int:
    return lowest_id_at(int(at.timestamp() * 1000))
