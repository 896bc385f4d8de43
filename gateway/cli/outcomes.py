"""What became of the messages that were decided on: gathered, counted, and printed."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.cli.held_messages import described, told_counts
from gateway.cli.plurals import counted
from gateway.cli.screen import print_json, print_table, say
from gateway.domain.quarantine import HoldState
from gateway.systems.quarantine.outcomes import ActResult, NotDone, Outcome


class Outcomes:
    """Lists messages, and counts those of a campaign: there may be any number of them."""

    def __init__(self, campaign: str | None, system_id: str | None = None) -> None:
        self.not_done = 0
        self.states: Counter[HoldState] = Counter()  # of what was done
        self._campaign = campaign
        self._of_sp = f" of {system_id}" if system_id else ""
        self._counts: Counter[tuple[bool, str, str, str]] = Counter()
        self._listed: dict[int, dict[str, object]] = {}

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take what has become of some messages."""
        for outcome in outcomes:
            if isinstance(outcome, NotDone):
                self.not_done += 1
            else:
                self.states[outcome.message.state] += 1
            if self._campaign is None:
                self._listed[_id_of(outcome)] = _described(outcome)
            else:
                self._counts[_kind_of(outcome)] += 1

    def show(self, left: Mapping[str, int], *, as_json: bool) -> None:
        """Print each message, oldest first, or how many of each SP in a campaign came to what."""
        if self._campaign is not None:
            self._show_campaign(self._campaign, left, as_json=as_json)
            return
        ends = [end for _, end in sorted(self._listed.items())]
        if as_json:
            print_json(ends)
            return
        columns = ("message_id", "state", "note")
        print_table(("id", "state", "note"), ([str(end[name]) for name in columns] for end in ends))

    def _show_campaign(self, campaign: str, left: Mapping[str, int], *, as_json: bool) -> None:
        counts, messages = self._counts.most_common(), self._counts.total()
        if as_json:
            outcomes = [
                {"messages": count, "done": done, "system_id": sp, "state": state, "note": note}
                for (done, sp, state, note), count in counts
            ]
            print_json(
                {"campaign": campaign, "messages": messages, "outcomes": outcomes, "left": left}
            )
            return
        if messages:
            rows = ((str(count), sp, state, note) for (_, sp, state, note), count in counts)
            print_table(("messages", "SP", "state", "note"), rows)
        say(
            f"{counted(messages, 'message')}{self._of_sp} of campaign {campaign}"
            + ("" if messages else " are held")
        )
        if left:
            say(f"left as they are: {told_counts(left)}; decide on them by id")


def _id_of(outcome: Outcome) -> int:
    return outcome.message.message_id if isinstance(outcome, ActResult) else outcome.message_id


def _kind_of(outcome: Outcome) -> tuple[bool, str, str, str]:
    """Return whether it was done, the SP, the state and the note."""
    if isinstance(outcome, NotDone):
        return False, "", outcome.state or "unknown", outcome.why
    held = outcome.message
    return True, held.system_id, held.state, held.note


def _described(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, ActResult):
        return {"done": True, **described(outcome.message)}
    done, system_id, state, note = _kind_of(outcome)
    return {
        "message_id": str(outcome.message_id),
        "done": done,
        "system_id": system_id,
        "state": state,
        "note": note,
    }
