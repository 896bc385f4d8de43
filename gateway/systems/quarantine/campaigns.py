"""Campaigns of held messages: which are open. Decisions on many messages at once, as a job."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.storage.database import SqlStore, added, newest
from gateway.storage.journals import note_access
from gateway.storage.tables import IS_CAMPAIGN, held_messages
from gateway.systems.quarantine.decisions import (
    UNDO_FOR,
    said_wrong,
)
from gateway.systems.quarantine.job_messages import (
    JobStep,
    dealt_among,
    job_of,
    keep_opinions,
    open_messages,
    put_into_job,
    sorted_out,
    take_step,
    undo_job,
)
from gateway.systems.quarantine.model import (
    MOST_CHOSEN,
    NewCampaignReview,
    NewChosenReview,
    NewReview,
    PersonDecision,
    ReviewJob,
    ReviewJobState,
    is_campaign_id,
)
from gateway.systems.quarantine.service import NotDone
from gateway.systems.quarantine.tables import (
    HELD_SINCE,
    IS_OPEN_JOB,
    IS_UNDECIDED,
    review_job_messages,
    review_jobs,
    subject_of,
)

# So many of the newest held messages are looked at for open campaigns.
CAMPAIGN_WINDOW = 20_000
# So many messages a job on a campaign moves in one commit.
JOB_STEP = 250

OTHER_COUNT = "another number of messages is held"
NOTHING_HELD = "nothing is held of it"
JOB_WAITS = "another decision on this campaign is not done yet"
UNKNOWN_JOB = "there is no such job"
NOT_YOUR_JOB = "only who decided may undo it, or who may decide on campaigns"

_ENDINGS = {
    ReviewJobState.WAITING: "",
    ReviewJobState.RUNNING: "it has taken effect",
    ReviewJobState.DONE: "it has taken effect",
    ReviewJobState.UNDONE: "it was undone before",
}
_held, _job = held_messages.c, review_jobs.c
_IS_HELD = _held.state == HoldState.HELD


@dataclass(frozen=True, slots=True)
class OpenCampaign:
    """What the newest held messages say of a campaign: how many of them, of how many SPs.

    `example` is the newest of them.
    """

    campaign: str
    messages: int
    senders: int
    first_at: datetime
    last_at: datetime
    example: HeldMessage


SECOND_PERSON = "a second person must approve so large a release: ask for it in the console"
FEWER_ALONE = "so many at once are released by two persons only: choose fewer"


@dataclass(frozen=True, slots=True)
class JobNotMade:
    """Nothing changed. `held` is how many messages of the campaign are held now.

    Of chosen messages it is 0, and `left` tells why of each.
    """

    held: int
    why: str
    left: tuple[NotDone, ...] = ()


class ChosenJob(NamedTuple):
    """A job on the chosen messages that could be decided on, and why the others were `left`."""

    job: ReviewJob
    left: tuple[NotDone, ...]


@dataclass(frozen=True, slots=True)
class JobNotUndone:
    """Nothing changed. `job` is as it stands, None for a number that was never given."""

    job: ReviewJob | None
    why: str


class CampaignStore(SqlStore):
    """Finds open campaigns and keeps jobs. Every call raises StoreUnavailable."""

    async def open_campaigns(
        self, limit: int = 50, least: int = 2, as_held: Sequence[int] = ()
    ) -> list[OpenCampaign]:
        """Return campaigns with `least` and more of the newest held messages, the largest first.

        At most CAMPAIGN_WINDOW messages are looked at; those on which a decision waits are left
        out, and those `as_held` count, which a second reviewer sees among the held ones.
        """
        some = sa.select(_held.message_id, _held.campaign, _held.system_id, _held.held_at)
        newest = (
            some.where(_IS_HELD, IS_CAMPAIGN, IS_UNDECIDED)
            .order_by(_held.message_id.desc())
            .limit(CAMPAIGN_WINDOW)
            .subquery()
        )
        dealt = some.where(IS_CAMPAIGN, _held.message_id.in_(as_held))
        window = sa.union_all(sa.select(newest), dealt).subquery()
        messages = sa.func.count().label("messages")
        query = (
            sa.select(
                window.c.campaign,
                messages,
                sa.func.count(window.c.system_id.distinct()).label("senders"),
                sa.func.min(window.c.held_at).label("first_at"),
                sa.func.max(window.c.held_at).label("last_at"),
                sa.func.max(window.c.message_id).label("newest"),
            )
            .group_by(window.c.campaign)
            .having(sa.func.count() >= least)
            .order_by(messages.desc(), sa.desc("newest"))
            .limit(limit)
        )
        rows = await self._database.rows(query)
        examples = {
            one.message_id: one
            for one in await self._database.records(
                HeldMessage,
                sa.select(held_messages).where(
                    _held.message_id.in_([row["newest"] for row in rows])
                ),
            )
        }
        return [
            OpenCampaign(
                row["campaign"],
                row["messages"],
                row["senders"],
                row["first_at"],
                row["last_at"],
                examples[row["newest"]],
            )
            for row in rows
            if row["newest"] in examples  # else it was deleted between the two looks
        ]

    async def held_of_each(
        self,
        campaign: str,
        rule: str = "",
        as_held: Sequence[int] = (),
        at: datetime | None = None,
    ) -> dict[str, int]:
        """Return how many messages of a campaign are held of each SP, and no decision waits on.

        With a `rule` only what an exception of it is about; see `is_excepted`. Those `as_held`
        count, which a second reviewer sees among the held ones. With `at` only what is held since
        then or before: a clock may have been set back.
        """
        count = sa.select(_held.system_id, sa.func.count().label("messages"))
        found = Counter[str]()
        for among in (None, as_held) if as_held else (None,):
            ours = open_messages(campaign, rule=rule, as_held=among)
            ours += [at >= HELD_SINCE] if at is not None and among is None else []
            for row in await self._database.rows(count.where(*ours).group_by(_held.system_id)):
                found[row["system_id"]] += row["messages"]
        return dict(found)

    async def held_of_campaign(
        self, campaign: str, at: datetime, as_held: Sequence[int] = ()
    ) -> int:
        """Return how many messages of a campaign are held of all SPs, as `held_of_each` does."""
        return sum((await self.held_of_each(campaign, as_held=as_held, at=at)).values())

    async def dealt_of(self, new: NewCampaignReview) -> tuple[int, ...]:
        """Return which of the messages `as_held` a decision on a campaign is on."""
        ours = open_messages(new.campaign, new.system_id, new.rule, new.as_held)
        query = sa.select(_held.message_id).where(*ours).order_by(_held.message_id)
        return tuple(row["message_id"] for row in await self._database.rows(query))

    async def add(
        self, new: NewCampaignReview, at: datetime, undo_for: timedelta
    ) -> ReviewJob | JobNotMade:
        """Keep a job, if `expected_count` messages are held and no other job is open.

        What is dealt to this person is counted among them, and gets an opinion.
        """
        ours = [*open_messages(new.campaign, new.system_id, new.rule), at >= HELD_SINCE]
        count = sa.select(
            sa.func.count().label("messages"), sa.func.max(_held.message_id).label("newest")
        ).where(*ours)
        others = sa.select(_job.number).where(IS_OPEN_JOB, _job.campaign == new.campaign)

        async def run(connection: AsyncConnection) -> ReviewJob | JobNotMade:
            found = (await connection.execute(count)).mappings().one()
            dealt = await dealt_among(connection, new, at)
            held = int(found["messages"]) + len(dealt)
            if (await connection.execute(others)).first() is not None:
                return JobNotMade(held, JOB_WAITS)
            if not held or held != new.expected_count:
                return JobNotMade(held, OTHER_COUNT if held else NOTHING_HELD)
            values = {
                **_job_values(new, at, undo_for),
                "campaign": new.campaign,
                "system_id": new.system_id,
                "rule": new.rule,
                "expected_count": held,
                "upto_id": found["newest"] or 0,
            }
            job = await job_of(connection, await added(connection, review_jobs, values))
            await keep_opinions(connection, job, dealt, new.second_reviewer)
            about = f"{_said_of(job)}, campaign {new.campaign}"
            about += f", rule {new.rule}" if new.rule else ""
            act = NewAccess(new.by, "quarantine campaign", job.why, about, at)
            await note_access(connection, act)
            return job

        return await self._database.writer.write(run)

    async def add_chosen(
        self, new: NewChosenReview, at: datetime, undo_for: timedelta
    ) -> ChosenJob | JobNotMade:
        """Keep a job on those of the chosen messages that can be decided on, if any can.

        What is dealt to this person as a second reviewer is counted in it, and gets an opinion.
        """

        async def run(connection: AsyncConnection) -> ChosenJob | JobNotMade:
            some = await sorted_out(connection, new, at)
            ids = [one.message_id for one in (*some.free, *some.dealt)]
            if not ids:
                return JobNotMade(0, some.left[0].why, some.left)
            values = {
                **_job_values(new, at, undo_for),
                "campaign": "",
                "system_id": "",
                "rule": "",
                "expected_count": len(ids),
                "upto_id": max(ids),
            }
            job = await job_of(connection, await added(connection, review_jobs, values))
            await put_into_job(connection, job, some)
            about = f"{_said_of(job)}, {min(ids)} to {max(ids)}"
            act = NewAccess(new.by, "quarantine chosen", job.why, about, at)
            await note_access(connection, act)
            return ChosenJob(job, some.left)

        return await self._database.writer.write(run, rows=len(new.chosen))

    async def end(
        self, number: int, by: str, at: datetime, *, of_others: bool
    ) -> ReviewJob | JobNotUndone:
        """Undo a job that waits; of another person only with `of_others`."""
        own = () if of_others else (_job.by == by,)
        statement = (
            sa.update(review_jobs)
            .where(_job.number == number, _job.state == ReviewJobState.WAITING, *own)
            .values(state=ReviewJobState.UNDONE, ended_at=at, outcome=f"undone by {by}")
        )
        exists = sa.select(_job.number).where(_job.number == number)

        async def run(connection: AsyncConnection) -> ReviewJob | JobNotUndone:
            is_done = (await connection.execute(statement)).rowcount == 1
            if (await connection.execute(exists)).first() is None:
                return JobNotUndone(None, UNKNOWN_JOB)
            found = await job_of(connection, number)
            if is_done:
                await undo_job(connection, found)
                of = f"campaign {found.campaign}" if found.campaign else "chosen messages"
                about = f"job {number}, {of}"
                await note_access(connection, NewAccess(by, "quarantine undo", "", about, at))
                return found
            return JobNotUndone(found, _ENDINGS[found.state] or NOT_YOUR_JOB)

        return await self._database.writer.write(run)

    async def advance(self, now: datetime, limit: int = JOB_STEP) -> JobStep | None:
        """Take one step of the oldest job that is due, in one commit; None where no job is due.

        A step moves the next messages and says so in the job: after the end of a process the
        job goes on where it stood, and no message is moved twice. Parts of a long message go
        together.
        """
        due = (
            sa.select(review_jobs)
            .where(IS_OPEN_JOB, _job.not_before <= now)
            .order_by(_job.not_before, _job.number)
            .limit(1)
        )
        # Usually nothing is due, and then the write lock is not needed.
        if not await self._database.rows(due):
            return None

        async def run(connection: AsyncConnection) -> JobStep | None:
            row = (await connection.execute(due)).mappings().one_or_none()
            return (
                None if row is None else await take_step(connection, ReviewJob(**row), now, limit)
            )

        return await self._database.writer.write(run, rows=2 * limit)

    async def forget(self, before: datetime) -> int:
        """Delete the jobs that ended before then; return how many."""
        return await self._database.change(sa.delete(review_jobs).where(_job.ended_at < before))

    async def job(self, number: int) -> ReviewJob | None:
        """Return a job, None for a number that was never given."""
        query = sa.select(review_jobs).where(_job.number == number)
        return await self._database.record(ReviewJob, query)

    async def job_on(self, held: HeldMessage) -> ReviewJob | None:
        """Return the open job that a message was chosen for, None without one."""
        own = review_job_messages.c.number == review_jobs.c.number
        query = (
            sa.select(review_jobs)
            .join(review_job_messages, own)
            .where(review_job_messages.c.subject == subject_of(held))
        )
        return await self._database.record(ReviewJob, query)

    async def latest(self, by: str | None = None, limit: int = 10) -> list[ReviewJob]:
        """Return the newest jobs, of a person or of all, newest first."""
        return await self._database.records(ReviewJob, newest(review_jobs, limit, by=by))


class CampaignDesk:
    """Decides on whole campaigns and on chosen messages; the caller checks who may do so.

    That is DECIDE_CAMPAIGN, and for chosen messages DECIDE_HELD. `mask` hides numbers in what
    people write; None for `most_released` releases any number of messages. Else of a campaign with
    more of them no part is released, either. Every call raises StoreUnavailable.
    """

    def __init__(
        self, store: CampaignStore, mask: Callable[[str], str], most_released: int | None = None
    ) -> None:
        self._store = store
        self._mask = mask
        self._most_released = most_released

    async def decide(
        self, new: NewCampaignReview, at: datetime, undo_for: timedelta = UNDO_FOR
    ) -> ReviewJob | JobNotMade:
        """Decide on all that is held of a campaign now; it waits for `undo_for`.

        What comes later stays held. Nothing is decided where another number of messages is held
        than was typed in: the person has not seen that. Raises ValueError for what `said_wrong`
        finds, and for a campaign that can be none.
        """
        _require_sound(new)
        if not is_campaign_id(new.campaign):
            raise ValueError("no id of a campaign")
        is_asked = self._most_released is not None
        count = self._store.held_of_campaign
        held = await count(new.campaign, at, new.as_held) if is_asked else 0
        if self._is_too_much(new.decision, max(held, new.expected_count)):
            return JobNotMade(held, SECOND_PERSON)
        masked = replace(new, reason=self._mask(new.reason), note=self._mask(new.note))
        return await self._store.add(masked, at, undo_for)

    async def decide_chosen(
        self, new: NewChosenReview, at: datetime, undo_for: timedelta = UNDO_FOR
    ) -> ChosenJob | JobNotMade:
        """Decide on chosen messages, each with all parts of a long one; it waits for `undo_for`.

        Those are left as they are that no longer stand as they were shown, that a decision waits
        on, or that another reviewer has; nothing is decided where all are. Raises ValueError for
        what `said_wrong` finds, and for another number than 1 to MOST_CHOSEN.
        """
        _require_sound(new)
        chosen = len(set(new.chosen))
        if not 0 < chosen <= MOST_CHOSEN:
            raise ValueError(f"1 to {MOST_CHOSEN} messages are decided on at once")
        if self._is_too_much(new.decision, chosen):
            return JobNotMade(0, FEWER_ALONE)
        masked = replace(new, reason=self._mask(new.reason), note=self._mask(new.note))
        return await self._store.add_chosen(masked, at, undo_for)

    def _is_too_much(self, decision: PersonDecision, count: int) -> bool:
        is_release = decision is PersonDecision.RELEASED
        return is_release and self._most_released is not None and count > self._most_released

    async def undo(
        self, number: int, by: str, at: datetime, *, may_undo_others: bool = False
    ) -> ReviewJob | JobNotUndone:
        """Undo a job that has not begun: all its messages are held as they were."""
        return await self._store.end(number, by, at, of_others=may_undo_others)


def _require_sound(new: NewCampaignReview | NewChosenReview) -> None:
    about = NewReview(0, new.decision, new.by, new.reason, new.note, new.category)
    if problem := said_wrong(about):
        raise ValueError(problem)


def _job_values(
    new: NewCampaignReview | NewChosenReview, at: datetime, undo_for: timedelta
) -> dict[str, object]:
    return {
        "decision": new.decision,
        "by": new.by,
        "reason": new.reason,
        "note": new.note,
        "category": new.category,
        "decided_at": at,
        "not_before": at + undo_for,
        "state": ReviewJobState.WAITING,
        "last_id": 0,
        "done": 0,
        "ended_at": None,
        "outcome": "",
    }


def _said_of(job: ReviewJob) -> str:
    return f"job {job.number}: {job.decision.value}, {job.expected_count} messages"
