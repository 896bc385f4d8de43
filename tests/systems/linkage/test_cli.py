"""`smsward linkage`: members, and what they have signed, on the command line."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption

from gateway.domain.linkage import EventRefusal, MemberRegistry
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.linkage.encrypted_text import encrypt_text
from gateway.systems.linkage.envelope import event_in
from gateway.systems.linkage.model import EventDraft, EventType, LinkageEvent, number_hash
from gateway.systems.linkage.pair_keys import PairKeys
from gateway.systems.linkage.service import LinkageInbox
from tests.systems.linkage.conftest import DATA, NOW, PEM, Node, dispatched

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
NUMBER = 8613800138000
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]


@pytest.fixture
def linkage(cli: Cli, config: Path) -> Command:
    return lambda *arguments: cli("linkage", *arguments, "--config", str(config))


@pytest.fixture
def event(tmp_path: Path, nodes: dict[str, Node]) -> Path:
    (tmp_path / "event.json").write_bytes(nodes["a"].signer.sign_event(dispatched(time=utcnow())))
    return tmp_path / "event.json"


def test_members_are_listed_with_the_state_of_their_keys(linkage: Command) -> None:
    shown = json.loads(linkage("members", "--json").stdout)
    table = linkage("members").stdout

    assert [(one["name"], one["role"]) for one in shown] == [
        ("a", "node"),
        ("b", "node"),
        ("hub", "hub"),
    ]
    assert [key["state"] for one in shown for key in one["keys"]] == ["valid"] * 3
    assert [key["state"] for one in shown for key in one["agreement_keys"]] == ["valid"] * 3
    assert "b (own)" in table
    assert "agrees" in table


def test_an_event_is_verified(linkage: Command, event: Path) -> None:
    ran = linkage("verify", str(event))
    shown = json.loads(linkage("verify", str(event), "--json").stdout)

    assert ran.returncode == 0
    assert "smsward.case.dispatched" in ran.stdout
    assert (shown["ok"], shown["member"], shown["case"]) == (True, "a", "case-7")
    assert shown["data"]["port"] == "10690001"


def test_an_event_that_was_changed_is_refused_by_name(linkage: Command, event: Path) -> None:
    outer = json.loads(event.read_bytes())
    event.write_text(json.dumps(outer | {"payload": "e30"}), encoding="utf-8")

    ran, said = linkage("verify", str(event)), linkage("verify", str(event), "--json")

    assert (ran.returncode, said.returncode) == (1, 1)
    assert "refused: wrong_signature" in ran.stderr
    assert json.loads(said.stdout) == {"ok": False, "reason": "wrong_signature", "detail": ""}


def test_a_file_that_is_not_there_is_said(linkage: Command) -> None:
    ran = linkage("verify", "none.json")

    assert ran.returncode == 1
    assert "none.json cannot be read" in ran.stderr


def test_without_linkage_yaml_the_commands_say_what_is_missing(cli: Cli, deployment: Path) -> None:
    ran = cli("linkage", "members", "--config", str(deployment / "config"))

    assert ran.returncode == 1
    assert "linkage.yaml" in ran.stderr


def test_faults_of_linkage_yaml_are_named(linkage: Command, config: Path) -> None:
    (config / "linkage.yaml").write_text("version: 2\n", encoding="utf-8")

    ran = linkage("members")

    assert ran.returncode == 2
    assert "linkage.yaml:1:10 version: must be 1" in ran.stderr


def test_the_inbox_and_its_gaps_are_listed(
    linkage: Command, in_store: InStore, nodes: dict[str, Node]
) -> None:
    a, b = nodes["a"], nodes["b"]
    registry = MemberRegistry("b", (a.member, b.member))
    event = dispatched(sequence=3)

    async def take(stores: Stores) -> None:
        inbox = LinkageInbox(stores.linkage_inbox, registry, b.signer)
        await inbox.take(a.signer.sign_event(event), a.member, NOW, NOW)

    in_store(take)
    (shown,) = json.loads(linkage("inbox", "--case", "case-7", "--json").stdout)
    (gap,) = json.loads(linkage("inbox", "--gaps", "--json").stdout)

    assert (shown["id"], shown["sequence"], shown["is_applied"]) == ("e-1", 3, False)
    assert (gap["first_missing"], gap["highest"]) == (1, 3)
    assert "case-7" in linkage("inbox").stdout
    assert "case-7" in linkage("inbox", "--gaps").stdout
    assert "no events" in linkage("inbox", "--case", "other").stdout


@pytest.fixture
def at_hub(linkage: Command, config: Path, nodes: dict[str, Node]) -> Command:
    """Return the command at the node of the hub."""
    hub, file = nodes["hub"], config / "linkage.yaml"
    for name, key in (("b.pem", hub.private), ("b-agrees.pem", hub.agreements[0])):
        (config / name).write_bytes(key.private_bytes(*PEM, NoEncryption()))
    file.write_text(file.read_text(encoding="utf-8").replace("own: b", "own: hub"), "utf-8")
    return linkage


def test_r84_a_hub_supervises_a_case(at_hub: Command, in_store: InStore) -> None:
    in_store(lambda _stores: None)
    given = ("a.7", "b", "--due", "2026-12-10", "--note", "of 13800138000, twice")

    ran = at_hub("supervise", *given, "--json")
    again = at_hub("supervise", "a.7", "b")

    assert (ran.returncode, again.returncode) == (0, 0), ran.stderr + again.stderr
    assert json.loads(ran.stdout).items() >= {"case": "a.7", "member": "b"}.items()
    events: list[LinkageEvent] = []

    async def read(stores: Stores) -> None:
        rows = await stores.linkage_outbox.listed()
        found = [event_in(one.envelope.encode()) for one in reversed(rows)]
        events.extend(one for one in found if not isinstance(one, EventRefusal))

    in_store(read)
    shown = [(one.type, one.subject, one.recipient, one.sequence, one.data) for one in events]
    supervised = EventType.SUPERVISED
    assert shown == [
        (supervised, "a.7", "b", 1, {"note": "of ***, twice", "due": "2026-12-10T00:00:00+00:00"}),
        (supervised, "a.7", "b", 2, {"note": ""}),
    ]


@pytest.mark.parametrize(
    ("case", "member", "why"),
    [
        ("a.7", "hub", "is no other member"),
        ("a.7", "c", "is no other member"),
        ("c.7", "b", "CASE is the name of a member"),
        ("a", "b", "CASE is the name of a member"),
        ("a.x", "b", "CASE is the name of a member"),
    ],
)
def test_what_is_no_case_of_a_member_is_not_supervised(
    at_hub: Command, case: str, member: str, why: str
) -> None:
    ran = at_hub("supervise", case, member)

    assert ran.returncode == 2
    assert why in ran.stderr


def test_only_a_hub_supervises(linkage: Command) -> None:
    ran = linkage("supervise", "a.7", "a")

    assert ran.returncode == 2
    assert "b is no hub in linkage.yaml" in ran.stderr


def test_dead_letters_are_listed_and_resent(
    linkage: Command, in_store: InStore, nodes: dict[str, Node]
) -> None:
    b = nodes["b"]

    async def fill(stores: Stores) -> None:
        store = stores.linkage_outbox
        for at in (1, 2):
            draft = EventDraft(f"e-{at}", EventType.DISPATCHED, "case-7", "a", DATA)
            await store.add(draft, b.signer, b.member.source, NOW)
            await store.bury((await store.listed())[0], "key_revoked")

    in_store(fill)
    dead = json.loads(linkage("outbox", "--state", "dead", "--json").stdout)
    one = json.loads(linkage("resend", "1", "--json").stdout)
    rest = linkage("resend", "--all")

    assert [(row["number"], row["said"]) for row in dead] == [
        (2, "key_revoked"),
        (1, "key_revoked"),
    ]
    assert one == {"resent": 1}
    assert rest.stdout == "1 event will be sent again\n"
    assert "waiting" in linkage("outbox").stdout


@pytest.mark.parametrize("given", [(), ("1", "--all")])
def test_what_is_to_be_resent_is_said_in_one_way(linkage: Command, given: tuple[str, ...]) -> None:
    assert linkage("resend", *given).returncode == 2


def test_nothing_is_resent_with_a_key_that_is_not_on_the_list(
    linkage: Command, config: Path, nodes: dict[str, Node]
) -> None:
    path = config / "linkage.yaml"
    text = path.read_text(encoding="utf-8")
    own = b64encode(nodes["b"].key.public).decode()
    path.write_text(text.replace(own, "A" * 43 + "="), encoding="utf-8")

    ran = linkage("resend", "--all")

    assert ran.returncode == 1
    assert "is no valid key of b" in ran.stderr


@pytest.fixture
def hashed(in_store: InStore, nodes: dict[str, Node]) -> str:
    """Let a send a case about a number to b; return what a calls it."""
    members = tuple(one.member for one in nodes.values())
    key = PairKeys(MemberRegistry("a", members), nodes["a"].agreements).in_use(members[1], NOW)
    assert key is not None
    data = {name: value for name, value in DATA.items() if name != "port"}
    data |= {"sender_hash": number_hash(key.secret, NUMBER), "hash_keys": list(key.kids)}
    data["encrypted_text"] = encrypt_text("恭喜中奖", "a.7", members[1].agreement_keys[0])
    envelope = nodes["a"].signer.sign_event(dispatched(subject="a.7", data=data, time=NOW))
    inbox_of = partial(
        LinkageInbox, registry=MemberRegistry("b", members), signer=nodes["b"].signer
    )

    async def take(stores: Stores) -> None:
        taken = await inbox_of(stores.linkage_inbox).take(envelope, members[0], NOW, NOW)
        assert isinstance(taken, bytes)

    in_store(take)
    return "a.7"


def test_r84_the_number_of_a_hash_is_found_in_a_list_and_shown_masked(
    linkage: Command, hashed: str, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text("13800138001\n\n+8613800138000\n", encoding="ascii")

    ran = linkage("find-number", hashed, "--numbers", str(path), "--json")
    none = linkage("find-number", hashed)

    assert json.loads(ran.stdout) == {"case": "a.7", "number": "138****8000"}
    assert (ran.returncode, none.returncode) == (0, 1)
    assert "none of the numbers here is it" in none.stdout


def test_r84_a_whole_number_is_shown_for_a_reason_that_is_journaled(
    linkage: Command, hashed: str, tmp_path: Path, in_store: InStore
) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text(f"{NUMBER}\n", encoding="ascii")
    options = ("--numbers", str(path), "--unmask", "--reason", "case a.7")

    ran = linkage("find-number", hashed, *options)

    assert str(NUMBER) in ran.stdout
    noted: list[tuple[str, str, str]] = []

    async def look(stores: Stores) -> None:
        found = await stores.journals.accesses(limit=5)
        noted.extend((one.action, one.reason, one.about) for one in found)

    in_store(look)
    assert noted == [("linkage find-number", "case a.7", "a.7")]


def test_r85_the_text_of_a_case_is_of_the_member_whose_case_it_is(
    linkage: Command, hashed: str, in_store: InStore, nodes: dict[str, Node]
) -> None:
    members = tuple(one.member for one in nodes.values())
    forged = encrypt_text("假的", "a.7", members[1].agreement_keys[0])
    event = dispatched(
        subject="a.7",
        source="urn:smsward:member:hub",
        data=DATA | {"encrypted_text": forged},
        time=NOW,
    )
    envelope = nodes["hub"].signer.sign_event(event)

    async def take(stores: Stores) -> None:
        registry = MemberRegistry("b", members)
        inbox = LinkageInbox(stores.linkage_inbox, registry=registry, signer=nodes["b"].signer)
        assert isinstance(await inbox.take(envelope, members[2], NOW, NOW), bytes)

    in_store(take)

    assert "恭喜中奖" in linkage("text", hashed).stdout


def test_r85_a_look_at_the_text_of_a_case_is_journaled(
    linkage: Command, hashed: str, in_store: InStore
) -> None:
    masked = linkage("text", hashed, "--json")
    whole = linkage("text", hashed, "--unmask", "--reason", "case a.7")
    none = linkage("text", "a.8")

    assert json.loads(masked.stdout)["case"] == "a.7"
    assert "恭喜中奖" in whole.stdout
    assert (none.returncode, none.stdout) == (1, "")
    noted: list[tuple[str, str]] = []

    async def look(stores: Stores) -> None:
        noted.extend((one.action, one.about) for one in await stores.journals.accesses(limit=5))

    in_store(look)
    assert noted == [("linkage text", "a.7")] * 2


@pytest.mark.parametrize(
    ("case", "line", "said"),
    [
        ("a.8", "13800138000", "no such case has come"),
        ("a.7", "13800138000\nx", "numbers.txt, line 2: no number"),
    ],
)
def test_a_number_that_cannot_be_looked_for_says_why(
    linkage: Command, hashed: str, tmp_path: Path, case: str, line: str, said: str
) -> None:
    assert hashed
    path = tmp_path / "numbers.txt"
    path.write_text(line, encoding="ascii")

    ran = linkage("find-number", case, "--numbers", str(path))

    assert ran.returncode != 0
    assert said in ran.stderr
