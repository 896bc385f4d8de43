"""Pages: recorded traffic under a draft or another mode of a rule, and what rules found in it."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.console.policies.jobs import CommandJob, CommandJobs, JobRunningError, JobState
from gateway.console.policies.pages import (
    POLICIES,
    PolicyPages,
    SwitchApprovals,
    number_of,
    path_of,
    policy_pages,
    who,
)
from gateway.console.policies.workshop import PolicyWorkshop, WorkshopError, enforced
from gateway.domain.permissions import Permission
from gateway.policy.bundle import Rule
from gateway.runtime.clock import utcnow
from gateway.settings.bundles.difference import parameters_of
from gateway.settings.schema import is_id
from gateway.storage.journals import SqlJournals
from gateway.systems.policy_history import PolicyStore
from gateway.terminal.screen import visible
from gateway.web.pages import Templates, allowed, form_of, language_of, last_part, marked

REPLAY, RULES = "/policies/replay", "/policies/rules"
REPLAY_JOB, HITS_JOB = "replay", "hits"

_MOST_ROWS = 200
_MAX_CHARS = 64
_SPANS = {"1d": marked("1 day"), "7d": marked("7 days"), "30d": marked("30 days")}
_ACTIONS = {
    "forward": marked("forwarded"),
    "shadow": marked("forwarded, noted in shadow mode"),
    "reject": marked("rejected"),
    "throttle": marked("throttled"),
    "quarantine": marked("held"),
    "defer": marked("put off"),
}
_KEPT = {
    "malformed": marked("the record, or its message, cannot be read"),
    "key_missing": marked("sealed with a key that is not here"),
    "sender_gone": marked("its SP is not in senders.yaml any more"),
    "of_the_moment": marked("rate, overload or failure: how things stood then"),
    "text_not_kept": marked("stopped or noted for a text that was not kept"),
    "same_policy": marked("comes out otherwise under the very policy that judged it"),
}
_NO_SUCH = marked("The time, the SP or the rule cannot be meant: check the fields.")
_RUNS = marked("Another job runs: wait for its end, or stop it.")
_NO_CONFIG = marked("This console knows no configuration, and so no records.")


@dataclass(frozen=True, slots=True)
class ReplayQuery:
    """Which records are judged again, and by what; the times as the form has them, in UTC.

    `rule` limits what is told to that rule; `enforce` is "1" to let it stop messages.
    """

    since: str = ""
    until: str = ""
    system_id: str = ""
    rule: str = ""
    enforce: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether the command can be asked for this."""
        span = [_moment(one) for one in (self.since, self.until) if one]
        words = (self.system_id, self.rule)
        return (
            None not in span
            and all(one.isprintable() and len(one) <= _MAX_CHARS for one in words)
            and not any(one.startswith("-") for one in words)
            and (not self.rule or is_id(self.rule))
            and not (self.enforce and not self.rule)
        )

    def arguments(self) -> list[str]:
        """Return the options of the command."""
        found: list[str] = []
        for name, value in (("--since", self.since), ("--until", self.until)):
            moment = _moment(value) if value else None
            if moment is not None:
                found += [name, f"{moment:%Y-%m-%dT%H:%M:%S}"]
        for name, value in (("--sender", self.system_id), ("--rule", self.rule)):
            found += [name, value] if value else []
        return found

    @property
    def about(self) -> dict[str, str]:
        """Return what was asked for, without what was not."""
        found = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in found.items() if value}


def _moment(text: str) -> datetime | None:
    """Return a time in UTC, or None; one without an offset is taken to be in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _for_input(text: str) -> str:
    """Return a time as an input of the page has it."""
    found = _moment(text) if text else None
    return text if found is None else f"{found:%Y-%m-%dT%H:%M}"


@dataclass(frozen=True, slots=True)
class ReplayPages:
    """Answers the requests of people who try a policy on records. `config` has gateway.yaml."""

    workshop: PolicyWorkshop
    jobs: CommandJobs
    templates: Templates
    config: Path | None

    async def form(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the form, filled with what the address says, and the job of before."""
        query = _query_of(request.query_params)
        if not query.is_sound:
            problem, status = problem or _NO_SUCH, 422
        bundle = await self.workshop.bundle()
        values = {
            "query": query,
            "since": _for_input(query.since),
            "until": _for_input(query.until),
            "rules": [] if bundle is None else [rule.id for rule in bundle.rules],
            "drafts": await self.workshop.drafts_of(who(request.state.user)),
            "path_of": path_of,
            "last": self.jobs.newest(REPLAY_JOB),
            "active": await self.workshop.active(),
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "policies/replay.html", values, status)

    async def started(self, request: Request) -> Response:
        """Start a replay of the user's drafts, and lead to it."""
        given, by = await form_of(request), who(request.state.user)
        query = _query_of(given)
        if not query.is_sound or self.config is None:
            return await self.form(request, _NO_CONFIG if query.is_sound else _NO_SUCH, 422)
        drafts = {one.name: one.text for one in await self.workshop.drafts_of(by)}
        directory = await asyncio.to_thread(tempfile.mkdtemp, prefix="smsward-")
        done = partial(shutil.rmtree, directory, ignore_errors=True)
        try:
            await asyncio.to_thread(self.workshop.copy_to, Path(directory), drafts)
            if query.enforce:
                await asyncio.to_thread(enforced, Path(directory), query.rule)
        except (WorkshopError, OSError) as error:
            done()
            return await self.form(request, str(error), 422)
        arguments = ["policy", "replay", directory, "--config", str(self.config)]
        arguments += ["--json", "--progress", *query.arguments()]
        active = await self.workshop.active()
        if "against" in given and active is not None and active.archive_octets:
            arguments += ["--old", str(active.number)]
        about = query.about | ({"drafts": ", ".join(sorted(drafts))} if drafts else {})
        return await self._start(request, REPLAY_JOB, arguments, about, done)

    async def _start(
        self,
        request: Request,
        kind: str,
        arguments: Sequence[str],
        about: Mapping[str, str],
        done: Any = bool,
    ) -> Response:
        try:
            job = self.jobs.start(kind, who(request.state.user), arguments, about, done)
        except JobRunningError:
            show = self.form if kind == REPLAY_JOB else self.rules
            return await show(request, _RUNS, 409)
        where = f"{REPLAY}/{job.number}" if kind == REPLAY_JOB else RULES
        return RedirectResponse(where, status_code=303)

    async def job(self, request: Request, number: int) -> Response:
        """Return how far a replay is, and what came of it."""
        return self._shown(request, self._found(number), "policies/replay_job.html")

    async def state(self, request: Request, number: int) -> Response:
        """Return the same as a part of the page."""
        found = self._found(number)
        answer = self._shown(request, found, "policies/replay_result.html")
        return answer if found.state is JobState.RUNNING else last_part(answer)

    def _found(self, number: int) -> CommandJob:
        found = self.jobs.get(number)
        if found is None or found.kind != REPLAY_JOB:
            raise HTTPException(404)
        return found

    def _shown(self, request: Request, found: CommandJob, name: str) -> Response:
        answer = found.answer
        again = {name: value for name, value in found.about.items() if name != "drafts"}
        values = {
            "job": found,
            "state": _STATES[found.state],
            "is_running": found.state is JobState.RUNNING,
            "is_finished": found.state is JobState.FINISHED,
            "about": {_ABOUT[key]: visible(value) for key, value in found.about.items()},
            "problem": visible(found.problem.replace("\n", " · ")),
            "answer": answer,
            "by_action": [
                (self._said(request, row["old"]), self._said(request, row["new"]), row["count"])
                for row in answer.get("by_action", ())
            ],
            "by_rule": [self._rule_row(request, row) for row in answer.get("by_rule", ())],
            "by_sender": _sender_rows(answer),
            "kept": [
                (self.templates.said(request, _KEPT.get(why, why)), count)
                for why, count in answer.get("not_judged", {}).items()
            ],
            "again": f"{REPLAY}?{urlencode(again)}",
            "may_stop": found.by == who(request.state.user),
        }
        return self.templates.page(request, name, values)

    def _said(self, request: Request, action: str) -> str:
        return self.templates.said(request, _ACTIONS.get(action, action))

    def _rule_row(self, request: Request, row: Mapping[str, Any]) -> dict[str, object]:
        old, new = row["old"] or {}, row["new"] or {}
        return {
            "old": self._said(request, old.get("action", "")),
            "old_rule": visible(old.get("rule", "")),
            "new": self._said(request, new.get("action", "")),
            "new_rule": visible(new.get("rule", "")),
            "count": row["count"],
            "samples": row["samples"],
        }

    async def stopped(self, request: Request, number: int) -> Response:
        """End a replay of this user."""
        found = self.jobs.get(number)
        if found is None or found.by != who(request.state.user):
            raise HTTPException(404)
        await self.jobs.stop(number)
        return RedirectResponse(f"{REPLAY}/{number}", status_code=303)

    # Rules and what they found

    async def rules(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return every rule, beside it what it found in the records when that was counted last."""
        bundle, job = await self.workshop.bundle(), self.jobs.newest(HITS_JOB)
        counted = {} if job is None else {one["rule"]: one for one in job.answer.get("rules", ())}
        language = language_of(request)
        lists = () if bundle is None else bundle.keyword_lists
        values = {
            "rules": [] if bundle is None else [_rule(one, language) for one in bundle.rules],
            "lists": [(one.id, str(one.action), one.category, len(one.words)) for one in lists],
            "hits": counted,
            "job": job,
            "is_running": job is not None and job.state is JobState.RUNNING,
            "messages": 0 if job is None else job.answer.get("messages", 0),
            "spans": {span: self.templates.said(request, word) for span, word in _SPANS.items()},
            "span": job.about["since"] if job else "7d",
            "may_replay": request.state.user.may(Permission.READ_RECORDS),
            "replay": REPLAY,
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "policies/rules.html", values, status)

    async def counted(self, request: Request) -> Response:
        """Count in the records what rules found."""
        span = (await form_of(request)).get("since", "")
        if span not in _SPANS or self.config is None:
            return await self.rules(request, _NO_CONFIG if span in _SPANS else _NO_SUCH, 422)
        arguments = ["policy", "hits", "--since", span, "--config", str(self.config), "--json"]
        return await self._start(request, HITS_JOB, arguments, {"since": span})


@dataclass(frozen=True, slots=True)
class PolicyTools:
    """What pages of the policy work with. `config` has gateway.yaml; None where none is known."""

    store: PolicyStore
    workshop: PolicyWorkshop
    jobs: CommandJobs
    config: Path | None

    @classmethod
    def on(
        cls,
        store: PolicyStore,
        journals: SqlJournals,
        policies: Path,
        config: Path | None,
        jobs: CommandJobs,
        *,
        two_persons: bool = False,
    ) -> "PolicyTools":
        """Return the tools for the policy in a directory."""
        workshop = PolicyWorkshop(policies, store, journals, utcnow, two_persons=two_persons)
        return cls(store, workshop, jobs, config)


def policy_routers(
    tools: PolicyTools, templates: Templates, approvals: SwitchApprovals | None = None
) -> tuple[APIRouter, APIRouter]:
    """Return all pages of the policy."""
    return (
        replay_pages(ReplayPages(tools.workshop, tools.jobs, templates, tools.config)),
        policy_pages(PolicyPages(tools.workshop, tools.store, templates, approvals)),
    )


def replay_pages(pages: ReplayPages) -> APIRouter:
    """Return the pages of replays and hits. Only who may read records may replay them."""
    router = APIRouter(include_in_schema=False)
    may_read = allowed(POLICIES.permission)
    may_replay = allowed(Permission.READ_RECORDS)

    @router.get(REPLAY, dependencies=[may_read, may_replay])
    async def form(request: Request) -> Response:
        return await pages.form(request)

    @router.post(REPLAY, dependencies=[may_read, may_replay])
    async def started(request: Request) -> Response:
        return await pages.started(request)

    @router.get(REPLAY + "/{number}", dependencies=[may_read, may_replay])
    async def job(request: Request, number: str) -> Response:
        return await pages.job(request, number_of(number))

    @router.get(REPLAY + "/{number}/state", dependencies=[may_read, may_replay])
    async def state(request: Request, number: str) -> Response:
        return await pages.state(request, number_of(number))

    @router.post(REPLAY + "/{number}/stop", dependencies=[may_read, may_replay])
    async def stopped(request: Request, number: str) -> Response:
        return await pages.stopped(request, number_of(number))

    @router.get(RULES, dependencies=[may_read])
    async def rules(request: Request) -> Response:
        return await pages.rules(request)

    @router.post(RULES + "/hits", dependencies=[may_read])
    async def counted(request: Request) -> Response:
        return await pages.counted(request)

    return router


_STATES = {
    JobState.RUNNING: marked("running"),
    JobState.FINISHED: marked("finished"),
    JobState.FAILED: marked("failed"),
    JobState.STOPPED: marked("ended early"),
}
_ABOUT = {
    "since": marked("from (UTC)"),
    "until": marked("until (UTC)"),
    "system_id": marked("SP"),
    "rule": marked("Rule"),
    "enforce": marked("The rule stops messages"),
    "drafts": marked("Drafts"),
}


def _query_of(given: Mapping[str, str]) -> ReplayQuery:
    names = [field.name for field in fields(ReplayQuery)]
    return ReplayQuery(**{name: given.get(name, "").strip() for name in names})


def _sender_rows(answer: Mapping[str, Any]) -> list[tuple[str, int, int, int]]:
    rows = [
        (visible(system_id), one["changed"], one["stopped"], one["passed"])
        for system_id, one in answer.get("by_sender", {}).items()
    ]
    return sorted(rows, key=lambda row: -row[1])[:_MOST_ROWS]


def _rule(rule: Rule, language: str) -> dict[str, object]:
    return {
        "id": rule.id,
        "title": rule.title.zh if language == "zh" else rule.title.en,
        "article": rule.article,
        "mode": str(rule.mode),
        "action": str(rule.action),
        "overrides": [(one.port or one.sender, str(one.mode)) for one in rule.overrides],
        "parameters": list(parameters_of(rule).items()),
    }
