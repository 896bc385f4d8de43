"""Whose messages the ids of SMSCs are: noted from answers, bounded, and never the wrong SP's."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.dataplane import part_table
from gateway.dataplane.part_table import SmscMessageIds
from gateway.domain.records import OutcomeRow, Row
from gateway.smpp.commands import CommandId
from tests.dataplane.conftest import World

SENDERS, SMSCS = ("sp1", "sp2", "sp3"), ("a", "b")
DAY_S = 86_400.0


def answered(
    system_id: str,
    message_id: bytes,
    status: int = 0,
    command_id: int = CommandId.SUBMIT_SM,
) -> OutcomeRow:
    return ("o", 1.0, (1, system_id, int(command_id)), 5, status, message_id, 9, "answered")


def noted(ids: SmscMessageIds, system_id: str, first: int, count: int, now: float = 0.0) -> None:
    ids.note("a", [answered(system_id, b"%d" % n) for n in range(first, first + count)], now)


@pytest.mark.parametrize(
    ("row", "owner"),
    [
        (answered("sp1", b"42"), "sp1"),
        (answered("sp1", b"42", command_id=CommandId.SUBMIT_MULTI), "sp1"),
        (answered("sp1", b"42", command_id=CommandId.DATA_SM), "sp1"),
        (answered("sp1", b"42", command_id=CommandId.QUERY_SM), ""),  # it repeats what was asked
        (answered("sp1", b"42", status=8), ""),
        (answered("sp1", b""), ""),
        (("e", 1.0, "operation", {}), ""),
    ],
)
def test_an_id_is_of_the_sp_with_the_message_that_was_taken_under_it(row: Row, owner: str) -> None:
    ids = SmscMessageIds()

    ids.note("a", [row], 0.0)

    assert ids.owner_of("a", b"42") == owner
    assert (ids.owner_of("b", b"42"), ids.owner_of("a", b"042")) == ("", "")
    assert ids.smscs_of("sp1", b"42") == ([owner and "a"] if owner else [])


@pytest.mark.parametrize("asked", [b"42", b"0042", b" 42 ", b"2A", b"2a", b"002a", b"0000000007"])
def test_an_id_in_another_spelling_is_still_anothers(asked: bytes) -> None:
    ids = SmscMessageIds()
    ids.note("a", [answered("sp2", one) for one in (b"42", b"2A", b"0000000007")], 0.0)

    assert ids.is_anothers("sp1", "a", asked)
    assert not ids.is_anothers("sp2", "a", asked)
    assert not ids.is_anothers("sp1", "b", asked)


def test_an_id_that_both_have_in_some_spelling_is_not_anothers_alone() -> None:
    ids = SmscMessageIds()
    ids.note("a", [answered("sp2", b"42"), answered("sp1", b"042")], 0.0)

    assert not ids.is_anothers("sp1", "a", b"42")


def test_who_has_most_makes_room() -> None:
    ids = SmscMessageIds(maximum=1_000)
    noted(ids, "sp1", 1, 1)

    for first in range(10_000, 15_000, 100):
        noted(ids, "sp2", first, 100)

    assert len(ids) <= 1_000
    assert ids.owner_of("a", b"1") == "sp1"
    assert ids.owner_of("a", b"14999") == "sp2"
    assert ids.owner_of("a", b"10000") == ""


def test_ids_go_after_three_days() -> None:
    ids = SmscMessageIds()
    noted(ids, "sp1", 1, 1)
    noted(ids, "sp1", 2, 1, now=2 * 3_600.0)

    ids.expire(3 * DAY_S)
    assert (ids.owner_of("a", b"1"), ids.owner_of("a", b"2")) == ("", "sp1")

    ids.expire(4 * DAY_S)
    assert (ids.owner_of("a", b"2"), len(ids)) == ("", 0)
    noted(ids, "sp1", 3, 1, now=5 * DAY_S)
    assert ids.owner_of("a", b"3") == "sp1"


def test_the_data_plane_lets_ids_go_with_all_else_that_is_too_old(world: World) -> None:
    world.plane.ids = SmscMessageIds()
    noted(world.plane.ids, "sp1", 1, 1)

    world.plane.expire(2 * DAY_S)
    kept = world.plane.ids.owner_of("a", b"1")
    world.plane.expire(4 * DAY_S)

    assert (kept, world.plane.ids.owner_of("a", b"1")) == ("sp1", "")


class Machine(RuleBasedStateMachine):
    """SPs get ids of two SMSCs, some of them more than once, and time goes by."""

    MAXIMUM = 60

    def __init__(self) -> None:
        super().__init__()
        self.ids = SmscMessageIds(self.MAXIMUM)
        self.now = 0.0
        self.owners: dict[tuple[str, bytes], tuple[str, float]] = {}

    @rule(
        smsc=st.sampled_from(SMSCS),
        answers=st.lists(
            st.tuples(st.sampled_from(SENDERS), st.integers(0, 200)), min_size=1, max_size=40
        ),
    )
    def note(self, smsc: str, answers: Iterable[tuple[str, int]]) -> None:
        given = [(system_id, b"%d" % number) for system_id, number in answers]
        self.ids.note(smsc, [answered(*one) for one in given], self.now)
        for system_id, message_id in given:
            self.owners[smsc, message_id] = system_id, self.now

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.now += hours * 3_600.0
        self.ids.expire(self.now)

    @invariant()
    def never_the_wrong_sp(self) -> None:
        for (smsc, message_id), (system_id, _) in self.owners.items():
            owner = self.ids.owner_of(smsc, message_id)
            assert owner in (system_id, "")
            assert smsc not in self.ids.smscs_of("sp4", message_id)
            if owner:
                assert smsc in self.ids.smscs_of(owner, message_id)
                assert self.ids.is_anothers("sp4", smsc, message_id)

    @invariant()
    def bounded_in_number(self) -> None:
        held = sum(map(len, self.ids._owners.values()))
        pages = [page for of in self.ids._pages.values() for page in of]
        assert held <= len(self.ids) == sum(len(page.ids) for page in pages)
        assert len(self.ids) <= self.MAXIMUM
        assert all(page in pages for page in self.ids._open.values())

    @precondition(lambda self: self.owners)
    @invariant()
    def bounded_in_time(self) -> None:
        for (smsc, message_id), (_, noted_at) in self.owners.items():
            if self.now - noted_at >= 4 * DAY_S:
                assert self.ids.owner_of(smsc, message_id) == ""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_table, "_PAGE_IDS", 8)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
