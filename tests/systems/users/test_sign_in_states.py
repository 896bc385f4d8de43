"""Sign-ins, sign-outs and acts of administrators, in any order, leave the right sessions open."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.domain.permissions import UserRole
from gateway.session.stranger_limits import EventQuota, Lockouts
from gateway.stores import open_store
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.service import UserDesk
from gateway.systems.users.sign_in import CodeGuesses, SignedIn, SignInDesk, SignInRefusal
from tests.systems.users.people import StillClock, code_of, enrolled

T = TypeVar("T")

LIMITS = SessionLimits(per_user=3)
NAMES = st.sampled_from(["lin", "wu"])
SECONDS = st.sampled_from([1, 31, 61, 600, 1799, 1800, 7200])


class SignIns(RuleBasedStateMachine):
    """Two users and an administrator; `open` is what must be open: token, user, since, seen."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = StillClock()
        self.stores = self.run(open_store("memory://"))
        self.desk = SignInDesk(
            self.stores.user_sessions,
            Lockouts(1000),
            self.clock.clocks,
            LIMITS,
            refusals=EventQuota(1000),
        )
        self.users = UserDesk(self.stores.users)
        self.people = {name: self.run(enrolled(self.stores, name)) for name in ("lin", "wu")}
        self.disabled: set[str] = set()
        self.used: dict[str, str] = {}
        self.open: dict[str, tuple[str, datetime]] = {}
        self.ended: set[str] = set()

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        closing = self.stores.close()
        assert isinstance(closing, Coroutine)
        self.run(closing)
        self.runner.close()

    def unlock(self) -> None:
        """Forget wrong codes: what locks has tests of its own."""
        self.desk._codes = CodeGuesses()

    def end(self, name: str) -> None:
        for token in [one for one, (of, _) in self.open.items() if of == name]:
            self.ended.add(token)
            del self.open[token]

    @rule(name=NAMES, seconds=st.sampled_from([0, 31, 61]), brings=st.booleans())
    def sign_in(self, name: str, seconds: int, brings: bool) -> None:  # noqa: FBT001
        self.wait(seconds)
        person = self.people[name]
        code = code_of(person.secret, self.clock.at)
        before = next(iter(self.open), "") if brings else ""
        found = self.run(self.desk.sign_in(person.attempt(code, session_token=before)))

        if name in self.disabled or self.used.get(name) == code:
            assert found is SignInRefusal.WRONG
            self.unlock()
            return
        assert isinstance(found, SignedIn)
        self.used[name] = code
        if before:
            self.ended.add(before)
            del self.open[before]
        own = [token for token, (of, _) in self.open.items() if of == name]
        for token in own[: max(0, len(own) - LIMITS.per_user + 1)]:
            self.ended.add(token)
            del self.open[token]
        assert found.session_token not in self.ended
        self.open[found.session_token] = name, self.clock.at

    @rule(name=NAMES)
    def sign_in_with_a_wrong_code(self, name: str) -> None:
        attempt = self.people[name].attempt("aaaa-aaaa-aaaa-aaaa")
        assert self.run(self.desk.sign_in(attempt)) is SignInRefusal.WRONG
        self.unlock()

    @rule()
    def sign_out(self) -> None:
        if self.open:
            token = next(iter(self.open))
            self.run(self.desk.sign_out(token))
            self.ended.add(token)
            del self.open[token]

    @rule(name=NAMES)
    def end_all(self, name: str) -> None:
        act = UserAct("root", self.clock.at)
        self.run(self.stores.user_sessions.end_all(name, act))
        self.end(name)

    @rule(name=NAMES, role=st.sampled_from([UserRole.VIEWER, UserRole.AUDITOR]))
    def give_role(self, name: str, role: UserRole) -> None:
        user = self.run(self.stores.users.get(name))
        assert user is not None
        if user.grant.role is not role:
            self.run(self.users.give_role(name, role, UserAct("root", self.clock.at)))
            self.end(name)

    @rule(name=NAMES)
    def disable_or_enable(self, name: str) -> None:
        act = UserAct("root", self.clock.at)
        if name in self.disabled:
            self.run(self.users.enable(name, act))
            self.disabled.remove(name)
        else:
            self.run(self.users.disable(name, act))
            self.disabled.add(name)
            self.end(name)

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds)
        for token, (_, since) in list(self.open.items()):
            # Nobody uses a session here: what is seen is looked at by administrators only.
            if self.clock.at - since >= LIMITS.idle:
                self.ended.add(token)
                del self.open[token]
        if seconds > LIMITS.idle.total_seconds():
            self.run(self.stores.user_sessions.forget(self.clock.at, LIMITS))

    @invariant()
    def what_is_open_is_open_and_nothing_else_is(self) -> None:
        sessions = self.stores.user_sessions
        for name in self.people:
            found = self.run(sessions.sessions_of(name, self.clock.at, LIMITS))
            own = sorted(since for of, since in self.open.values() if of == name)
            assert sorted(one.created_at for one in found) == own

    @invariant()
    def no_ended_token_opens_anything(self) -> None:
        for token in list(self.ended)[-3:]:
            assert self.run(self.desk.session_of(token)) is None


TestSignIns = SignIns.TestCase
# Not shrunk: each step hashes and commits, and a failure would take minutes to be told.
TestSignIns.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, phases=[Phase.reuse, Phase.generate]
)
