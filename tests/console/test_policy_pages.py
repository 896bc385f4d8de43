"""The pages of the policy: files, drafts, mistakes at their place, activation, rollback, replay."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from gateway.app.policies import PolicyRequests
from gateway.console.policies.jobs import JobState
from gateway.domain.permissions import UserRole
from gateway.settings.bundles.archive import packed
from gateway.settings.bundles.bundle import read_bundle
from gateway.stores import Stores
from gateway.systems.approvals.service import TwoPersonRule
from gateway.systems.policy_history import (
    DRAFTS_KEPT,
    NewPolicyVersion,
    PolicyDraft,
    PolicyRequest,
    PolicyStore,
)
from tests.console.browsing import Site, post, sign_in
from tests.real_time import until
from tests.systems.users.people import NOON

FILE = "local.d/rules/mine.yaml"
MINE = """\
version: 1
rules:
  - id: R21
    mode: shadow
"""
FILES = {
    "bundle.yaml": "version: 1\nname: test\n",
    "rules/consent.yaml": """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
""",
    "keywords/fraud.yaml": (
        "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [代开发票, 免费领奖]\n"
    ),
    "keywords/.hidden.yaml": "secret",
    "notes.md": "not a policy",
}


@dataclass
class RunningGateway:
    """Takes over the policies of a directory as a gateway does, or refuses them."""

    store: PolicyStore
    directory: Path
    refusal: str = ""
    asked: list[PolicyRequest] = field(default_factory=list)

    async def record(self, by: str, note: str = "") -> str:
        read = read_bundle(self.directory)
        digest = read.bundle.digest
        new = NewPolicyVersion(digest, read.bundle.name, NOON, by, note, packed(read.files))
        await self.store.record(new)
        return digest

    async def take(self, request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        self.asked.append(request)
        if self.refusal:
            return "", (self.refusal,)
        return await self.record(request.by, request.note), ()


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "policies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "policies"


@pytest.fixture
def site(stores: Stores, policies: Path) -> Site:
    return Site(stores, policies=policies)


@pytest.fixture
async def running(
    stores: Stores, policies: Path, monkeypatch: pytest.MonkeyPatch
) -> RunningGateway:
    """A gateway that answers each request as soon as it is there."""
    found = RunningGateway(stores.policies, policies)
    await found.record("start")
    ask = PolicyStore.ask

    async def ask_and_answer(self: PolicyStore, request: PolicyRequest) -> int:
        number = await ask(self, request)
        await PolicyRequests(self, found.take).meet()
        return number

    monkeypatch.setattr(PolicyStore, "ask", ask_and_answer)
    return found


async def save(
    browser: httpx.AsyncClient, text: str, name: str = FILE, base: str = "", revision: int = 0
) -> httpx.Response:
    sent = {"text": text, "base": base, "revision": str(revision)}
    return await post(browser, f"/policies/edit/{name}", sent)


async def activate(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    sent = {f"revision:{FILE}": "1", "reason": "试运行", **fields}
    return await post(browser, "/policies/activate", sent)


# Looking


async def test_files_are_listed_and_shown_with_the_numbers_of_their_lines(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    listed = (await browser.get("/policies")).text
    shown = (await browser.get("/policies/files/rules/consent.yaml")).text

    assert 'href="/policies/files/rules/consent.yaml"' in listed
    assert ".hidden" not in listed
    assert "notes.md" not in listed
    assert 'id="L3"' in shown
    assert "  - id: R21" in shown
    assert "/policies/edit/" not in shown


@pytest.mark.parametrize(
    "name",
    [
        "../config/senders.yaml",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "keywords/.hidden.yaml",
        "notes.md",
        "rules/consent.yaml%00",
        "local.d%2F..%2Fbundle.yaml",
        "rules%5C..%5Cbundle.yaml",
    ],
)
async def test_no_path_leads_out_of_the_policy_or_to_what_is_none(
    browser: httpx.AsyncClient, site: Site, policies: Path, name: str
) -> None:
    await sign_in(browser, site)
    (policies.parent / "config").mkdir()
    (policies.parent / "config/senders.yaml").write_text("secret")

    read = await browser.get(f"/policies/files/{name}")
    written = await post(
        browser, f"/policies/edit/{name}", {"text": "x", "base": "", "revision": "0"}
    )

    assert read.status_code in {303, 404}
    assert "secret" not in read.text
    assert written.status_code in {404, 422}


async def test_a_link_out_of_the_directory_is_no_file_of_it(
    browser: httpx.AsyncClient, site: Site, policies: Path, tmp_path: Path
) -> None:
    await sign_in(browser, site)
    (tmp_path / "secret.yaml").write_text("secret: 1\n")
    (policies / "rules/linked.yaml").symlink_to(tmp_path / "secret.yaml")

    assert "linked.yaml" not in (await browser.get("/policies")).text
    assert (await browser.get("/policies/files/rules/linked.yaml")).status_code == 404
    assert (await browser.get("/policies/edit/rules/linked.yaml")).status_code == 404


# Editing


async def test_a_mistake_is_shown_at_its_line_and_column(
    browser: httpx.AsyncClient, site: Site, running: RunningGateway
) -> None:
    await sign_in(browser, site)

    answer = await save(browser, MINE.replace("shadow", "shadwo"))
    page = (await browser.get(answer.headers["location"])).text
    refused = await activate(browser)

    assert answer.status_code == 303
    assert f"{FILE}:4:11" in page
    assert 'data-line="4" data-column="11"' in page
    assert "    mode: shadwo" in page
    assert refused.status_code == 422
    assert running.asked == []


async def test_a_draft_is_in_force_nowhere_and_says_what_it_would_change(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)

    await save(browser, MINE.replace("\n", "\r\n"))
    page = (await browser.get("/policies/draft")).text

    assert not (policies / FILE).exists()
    assert "rules.R21.mode" in page
    assert "enforce → shadow" in page
    assert "+    mode: shadow" in page
    assert "This loss is meant" in page
    assert running.asked == []


async def test_text_and_names_are_shown_as_text(
    browser: httpx.AsyncClient, site: Site, policies: Path
) -> None:
    await sign_in(browser, site)
    attack = "</textarea><script>alert(1)</script>\u202e"
    (policies / "keywords/attack.txt").write_text(attack, encoding="utf-8")

    await save(browser, f"# {attack}\n{MINE}")
    pages = [
        (await browser.get(path)).text
        for path in (
            "/policies/files/keywords/attack.txt",
            f"/policies/edit/{FILE}",
            "/policies/draft",
        )
    ]

    assert all("<script>alert" not in page for page in pages)
    assert all("\u202e" not in pages[number] for number in (0, 2))


async def test_two_who_edit_one_file_are_told(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    name = "keywords/fraud.yaml"
    found = policies / name
    base = _digest(found)
    other = PolicyDraft("user: mei", name, base, 1, "version: 1\n", NOON)
    await site.stores.policies.save_draft(other)

    editor = (await browser.get(f"/policies/edit/{name}")).text
    found.write_text(FILES[name].replace("免费领奖", "代开发票点"), encoding="utf-8")
    await running.record("user: mei")
    late = await save(browser, FILES[name], name, base)
    again = await save(browser, FILES[name], name, _digest(found))

    assert "user: mei" in editor
    assert "has a draft of this file" in editor
    assert late.status_code == 409
    assert "is of user: mei" in late.text
    assert "免费领奖" in late.text
    assert again.status_code == 303


async def test_two_windows_of_one_user_do_not_overwrite_each_other(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await save(browser, MINE)

    late = await save(browser, MINE + "# 2\n")
    first = await save(browser, MINE + "# 3\n", revision=1)

    assert (late.status_code, first.status_code) == (409, 303)
    (draft,) = await site.stores.policies.drafts()
    assert (draft.revision, draft.text) == (2, MINE + "# 3\n")


async def test_a_draft_can_be_dropped_and_back_to_the_file_is_no_draft(
    browser: httpx.AsyncClient, site: Site, policies: Path
) -> None:
    await sign_in(browser, site)
    name = "rules/consent.yaml"
    base = _digest(policies / name)
    await save(browser, MINE)
    await save(browser, FILES[name] + "# x\n", name, base)

    await post(browser, f"/policies/drop/{FILE}")
    await save(browser, FILES[name], name, base, 1)

    assert await site.stores.policies.drafts() == []


async def test_a_user_has_so_many_drafts_at_most(stores: Stores) -> None:
    store = stores.policies
    for number in range(DRAFTS_KEPT):
        one = PolicyDraft("user: lin", f"local.d/rules/r{number}.yaml", "", 1, "", NOON)
        assert await store.save_draft(one)

    assert not await store.save_draft(PolicyDraft("user: lin", FILE, "", 1, "", NOON))
    assert await store.save_draft(PolicyDraft("user: mei", FILE, "", 1, "", NOON))


async def test_a_file_that_no_form_can_send_is_edited_on_the_machine(
    browser: httpx.AsyncClient, site: Site, policies: Path
) -> None:
    await sign_in(browser, site)
    (policies / "keywords/long.txt").write_text("词\n" * 40_000, encoding="utf-8")

    page = (await browser.get("/policies/files/keywords/long.txt")).text

    assert "too long for a form" in page
    assert (await browser.get("/policies/edit/keywords/long.txt")).status_code == 404


@pytest.mark.parametrize(("name", "status"), [(FILE, 303), ("mine.yaml", 422), ("../x.yaml", 422)])
async def test_a_new_file_has_a_name_that_the_policy_reads(
    browser: httpx.AsyncClient, site: Site, name: str, status: int
) -> None:
    await sign_in(browser, site)

    answer = await browser.get("/policies/new", params={"name": name})

    assert answer.status_code == status


# Activation


@pytest.mark.usefixtures("running")
async def test_an_activated_draft_is_on_disk_in_force_and_in_both_journals(
    browser: httpx.AsyncClient, site: Site, policies: Path
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    await save(browser, MINE)

    answer = await activate(browser, force="1")
    page = (await browser.get(answer.headers["location"])).text

    assert (policies / FILE).read_text(encoding="utf-8") == MINE
    newest, _ = await site.stores.policies.versions()
    assert (newest.by, newest.note) == ("user: lin", "试运行")
    assert newest.digest in page
    assert "The gateway has taken it over" in page
    force, written, *_ = await site.stores.journals.accesses()
    assert [one.action for one in (force, written)] == ["policy activate", "policy write"]
    assert {one.by for one in (force, written)} == {"user: lin"}
    assert {one.reason for one in (force, written)} == {"试运行"}
    assert written.about == f"policy {newest.digest}"
    assert await site.stores.policies.drafts() == []


async def test_what_the_gateway_refuses_is_put_back_and_stays_a_draft(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    running.refusal = "senders.yaml:3:1 <b>it</b> is faulty"
    await save(browser, MINE)

    answer = await activate(browser, force="1")
    page = (await browser.get(answer.headers["location"])).text

    assert not (policies / FILE).exists()
    assert "has refused it" in page
    assert "senders.yaml:3:1 &lt;b&gt;it&lt;/b&gt; is faulty" in page
    assert len(await site.stores.policies.drafts()) == 1
    assert len(await site.stores.policies.versions()) == 1


async def test_without_a_gateway_the_files_wait_for_one(
    browser: httpx.AsyncClient, site: Site, policies: Path
) -> None:
    await sign_in(browser, site)
    await save(browser, MINE)

    answer = await activate(browser, force="1")
    page = (await browser.get(answer.headers["location"])).text

    assert (policies / FILE).exists()
    assert "No gateway has answered yet" in page


async def test_a_loss_must_be_meant_and_a_reason_given(
    browser: httpx.AsyncClient, site: Site, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    await save(browser, MINE)

    lossy = await activate(browser)
    silent = await activate(browser, force="1", reason=" ")

    assert (lossy.status_code, silent.status_code) == (422, 422)
    assert "say that it is meant" in lossy.text
    assert "Say why" in silent.text
    assert running.asked == []


async def test_who_activates_what_another_changed_since_is_told(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    await save(browser, MINE)
    (policies / FILE).parent.mkdir(parents=True)
    (policies / FILE).write_text(MINE + "# of mei\n", encoding="utf-8")

    stale = await activate(browser, force="1")
    other = await post(browser, "/policies/activate", {f"revision:{FILE}": "9", "reason": "x"})

    assert (stale.status_code, other.status_code) == (409, 409)
    assert f"changed on disk since you began: {FILE}" in stale.text
    assert (policies / FILE).read_text(encoding="utf-8").endswith("# of mei\n")
    assert running.asked == []


async def test_a_rollback_writes_the_older_files_and_names_its_maker(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    await save(browser, MINE)
    await activate(browser, force="1")

    version = (await browser.get("/policies/versions/1")).text
    silent = await post(browser, "/policies/versions/1/rollback", {"reason": ""})
    answer = await post(browser, "/policies/versions/1/rollback", {"reason": "误拦"})
    page = (await browser.get(answer.headers["location"])).text

    assert "shadow → enforce" in version
    assert "/policies/versions/1/files/rules/consent.yaml" in version
    assert silent.status_code == 422
    assert not (policies / FILE).exists()
    newest, *_ = await site.stores.policies.versions()
    assert (newest.number, newest.by, newest.note) == (3, "user: lin", "rollback to 1: 误拦")
    assert "version" in page
    assert running.asked[-1].force


@asynccontextmanager
async def two_operators(site: Site) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Give the browsers of two operators, where a rule is switched off by two persons."""
    site.rule = TwoPersonRule(switch_rule_off=True)
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    headers = {"Accept-Language": "en"}
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://console", headers=headers) as one,
        httpx.AsyncClient(transport=transport, base_url="http://console", headers=headers) as two,
    ):
        await sign_in(one, site, UserRole.OPERATOR)
        await sign_in(two, site, UserRole.OPERATOR, name="wu")
        yield one, two


async def approve(browser: httpx.AsyncClient, site: Site, number: int) -> str:
    """Approve a request, and return the page of approvals."""
    request = await site.stores.approvals.get(number)
    assert request is not None
    await post(browser, f"/approvals/{number}/approve", {"digest": request.digest})
    return (await browser.get("/approvals")).text


async def test_a_rule_is_switched_off_by_two_persons(
    site: Site, policies: Path, running: RunningGateway
) -> None:
    async with two_operators(site) as (browser, other):
        await save(browser, MINE)

        asked = await activate(browser, force="1")
        before = (policies / FILE).exists(), running.asked[:]
        page = await approve(other, site, 1)

    assert (asked.headers["location"], before) == ("/approvals", (False, []))
    assert f"R21: changed in {FILE}" in page
    assert "the gateway has taken it over: request 1" in page
    newest, *_ = await site.stores.policies.versions()
    assert (newest.by, newest.note) == ("user: lin (approved by user: wu)", "试运行")
    assert (policies / FILE).read_text(encoding="utf-8") == MINE
    assert await site.stores.policies.drafts() == []


async def test_the_second_person_sees_all_that_would_stop_less_and_what_changes(
    site: Site, policies: Path, running: RunningGateway
) -> None:
    rule = FILES["rules/consent.yaml"]
    many = [rule.split("rules:\n")[1].replace("R21", f"X{number}") for number in range(10, 24)]
    (policies / "rules/consent.yaml").write_text(rule + "".join(many), encoding="utf-8")
    await running.record("more")
    ids = ["R21", *(f"X{number}" for number in range(10, 24))]
    modes = "".join(f"  - id: {one}\n    mode: shadow\n" for one in ids)
    async with two_operators(site) as (browser, other):
        await save(browser, f"version: 1\nrules:\n{modes}")
        await activate(browser, force="1")
        page = (await other.get("/approvals")).text
        await post(browser, "/policies/versions/1/rollback", {"reason": "误拦", "force": "1"})
        of_rollback = (await other.get("/approvals")).text

    assert [one for one in ids if f"<bdi>{one}</bdi>" not in page] == []
    assert "~ rules.X23.mode enforce → shadow" in page
    assert 'href="/policies/versions/1"' in of_rollback


async def test_a_rollback_that_switches_a_list_off_needs_two_persons(
    site: Site, policies: Path, running: RunningGateway
) -> None:
    found = policies / "keywords/fraud.yaml"
    found.write_text(FILES["keywords/fraud.yaml"].replace("reject", "shadow"), encoding="utf-8")
    await running.record("watch first")
    found.write_text(FILES["keywords/fraud.yaml"] + "# now\n", encoding="utf-8")
    await running.record("enforce")

    async with two_operators(site) as (browser, other):
        same = await post(browser, "/policies/versions/1/rollback", {"reason": "x"})
        asked = await post(browser, "/policies/versions/2/rollback", {"reason": "误拦"})
        before = found.read_text(encoding="utf-8")
        page = await approve(other, site, 1)

    assert same.headers["location"] == "/policies/requests/1"
    assert (asked.headers["location"], before) == ("/approvals", FILES["keywords/fraud.yaml"])
    # No list and no content.yaml: what cannot be read passes.
    assert "K-FRAUD, content.yaml unreadable: version 2 is put back" in page
    assert "action: shadow" in found.read_text(encoding="utf-8")
    newest, *_ = await site.stores.policies.versions()
    assert newest.by == "user: lin (approved by user: wu)"


@pytest.mark.parametrize("changed", ["draft", "file"])
async def test_what_is_approved_is_what_was_asked_for(
    site: Site, policies: Path, running: RunningGateway, changed: str
) -> None:
    async with two_operators(site) as (browser, other):
        await save(browser, MINE)
        await activate(browser, force="1")
        if changed == "draft":
            await save(browser, MINE + "# and more\n", revision=1)
        else:
            found = policies / "keywords/fraud.yaml"
            text = FILES["keywords/fraud.yaml"].replace("免费", "免 费")
            found.write_text(text, encoding="utf-8")
        page = await approve(other, site, 1)

    assert "could not be done" in page
    assert "changed since" in page
    assert not (policies / FILE).exists()
    assert running.asked == []


UNREAD = {"no archive": b"?", "another program's": packed({"bundle.yaml": b"version: 99"})}


@pytest.mark.parametrize("archive", UNREAD.values(), ids=UNREAD)
async def test_where_the_policy_in_force_cannot_be_read_nothing_is_activated(
    site: Site, policies: Path, running: RunningGateway, archive: bytes
) -> None:
    async with two_operators(site) as (browser, other):
        await save(browser, MINE)
        await activate(browser, force="1")
        unread = NewPolicyVersion("f" * 12, "cn", NOON, "user: wu", "", archive)
        await site.stores.policies.record(unread)
        alone = await activate(browser, force="1")
        page = await approve(other, site, 1)

    assert alone.status_code == 422
    assert "the policy in force cannot be read by this program" in alone.text
    assert "could not be done" in page
    assert (running.asked, (policies / FILE).exists()) == ([], False)


async def test_an_approved_switch_fails_where_its_request_to_the_gateway_is_gone(
    site: Site, running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_store: PolicyStore, _number: int) -> None:
        return None

    async with two_operators(site) as (browser, other):
        await save(browser, MINE)
        await activate(browser, force="1")
        monkeypatch.setattr(PolicyStore, "request", gone)
        page = await approve(other, site, 1)

    assert "could not be done" in page
    assert "the request is gone from the store" in page
    assert len(running.asked) == 1


@pytest.mark.usefixtures("running")
async def test_what_stops_more_needs_one_person(site: Site, policies: Path) -> None:
    name = "keywords/fraud.yaml"
    more = FILES[name].replace("免费领奖]", "免费领奖, 刷单返利]")
    base = sha256((policies / name).read_bytes()).hexdigest()

    async with two_operators(site) as (browser, _):
        await save(browser, more, name, base)
        fields = {f"revision:{name}": "1", "reason": "新骗术"}
        answer = await post(browser, "/policies/activate", fields)

    assert answer.headers["location"] == "/policies/requests/1"
    assert await site.stores.approvals.listed() == []


async def test_a_rollback_loses_no_work_that_was_never_in_force(
    browser: httpx.AsyncClient, site: Site, policies: Path, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    found = policies / "keywords/fraud.yaml"
    found.write_text(FILES["keywords/fraud.yaml"].replace("免费", "免 费"), encoding="utf-8")
    await running.record("file change")
    found.write_text(FILES["keywords/fraud.yaml"] + "# 未生效\n", encoding="utf-8")

    kept = await post(browser, "/policies/versions/1/rollback", {"reason": "x"})
    text = found.read_text(encoding="utf-8")
    lost = await post(browser, "/policies/versions/1/rollback", {"reason": "x", "force": "1"})

    assert (kept.status_code, lost.status_code) == (409, 303)
    assert text.endswith("# 未生效\n")
    assert found.read_text(encoding="utf-8") == FILES["keywords/fraud.yaml"]


@pytest.mark.usefixtures("running")
async def test_a_file_of_an_older_version_can_be_read(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    shown = await browser.get("/policies/versions/1/files/keywords/fraud.yaml")
    missing = [
        (await browser.get(f"/policies/versions/{path}")).status_code
        for path in ("1/files/none.yaml", "2", "0", "x", "9" * 40, "2/files/bundle.yaml")
    ]

    assert "代开发票" in shown.text
    assert missing == [404] * 6


async def test_shipped_policies_are_looked_at_and_not_changed(stores: Stores) -> None:
    async with client_of(Site(stores)) as browser:
        listed = (await browser.get("/policies")).text
        refused = await post(browser, "/policies/versions/1/rollback", {"reason": "x"})

    assert "cannot be changed here" in listed
    assert refused.status_code == 404


# Replays and hits


ANSWER = """
import sys, json
print("50/100", file=sys.stderr, flush=True)
print(json.dumps({
    "judged": 3, "changed": 2, "would_be_stopped": 2, "would_pass": 0, "without_text": 1,
    "by_action": [{"old": "shadow", "new": "reject", "count": 2}],
    "by_rule": [{"old": {"action": "shadow", "rule": "R21"}, "new": {"action": "reject",
        "rule": "R21"}, "count": 2, "samples": [{"file": "h.jsonl", "line": 1,
        "at": "2025-11-25T12:00:00Z", "system_id": "<b>shop", "destination": "138****8000"}]}],
    "by_sender": {"shop": {"changed": 2, "stopped": 2, "passed": 0}},
    "not_judged": {"of_the_moment": 4}, "warnings": sys.argv[1:],
    "messages": 7, "rules": [{"rule": "R21", "found": 5, "would_stop": 4, "stopped": 1}],
}))
"""
SLOW = "import time; time.sleep(600)"
BROKEN = "import sys; print('no records', file=sys.stderr); sys.exit(2)"


async def ended(site: Site, kind: str) -> None:
    job = site.jobs.newest(kind)
    assert job is not None
    await until(lambda: job.state is not JobState.RUNNING)


def programmed(site: Site, program: str, tmp_path: Path) -> None:
    site.jobs._command = (sys.executable, "-c", program)
    site.config = tmp_path


@asynccontextmanager
async def client_of(
    site: Site, role: UserRole = UserRole.ADMIN
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as browser:
        browser.headers["Accept-Language"] = "en"
        await sign_in(browser, site, role)
        yield browser


@pytest.mark.usefixtures("running")
async def test_a_replay_counts_what_would_change_by_verdict_and_rule(
    site: Site, tmp_path: Path
) -> None:
    programmed(site, ANSWER, tmp_path)
    async with client_of(site) as browser:
        await save(browser, MINE)
        query = "since=2025-11-25T00:00%2B08:00&system_id=shop&rule=R21"
        form = (await browser.get(f"/policies/replay?{query}")).text
        sent = {"since": "2025-11-24T16:00", "system_id": "shop", "rule": "R21", "against": "1"}
        answer = await post(browser, "/policies/replay", sent)
        await ended(site, "replay")
        page = (await browser.get(answer.headers["location"])).text
        state = await browser.get(answer.headers["location"] + "/state")

    assert 'value="2025-11-24T16:00"' in form
    assert answer.headers["location"] == "/policies/replay/1"
    for word in (
        "forwarded, noted in shadow mode",
        "138****8000",
        "&lt;b&gt;shop",
        "rate, overload",
    ):
        assert word in page
    assert state.headers["hx-reswap"] == "outerHTML"
    assert "hx-get" not in state.text
    job = site.jobs.get(1)
    assert job is not None
    asked = job.answer["warnings"]
    assert asked[:2] == ["policy", "replay"]
    assert asked[3:] == [
        *("--config", str(tmp_path), "--json", "--progress", "--since", "2025-11-24T16:00:00"),
        *("--sender", "shop", "--rule", "R21", "--old", "1"),
    ]
    assert await asyncio.to_thread(Path(asked[2]).exists) is False
    assert (job.done, job.total) == (50, 100)


@pytest.mark.usefixtures("running")
async def test_a_replay_is_of_the_drafts_and_of_a_rule_that_stops(
    site: Site, tmp_path: Path
) -> None:
    kept = "import sys, json, pathlib; p = pathlib.Path(sys.argv[3]); print(json.dumps({'warnings':"
    programmed(site, f"{kept} [x.read_text() for x in sorted(p.rglob('*.yaml'))]}}))", tmp_path)
    async with client_of(site) as browser:
        await save(browser, "# 草稿\nversion: 1\nname: test\n", "local.d/bundle.yaml")
        await post(browser, "/policies/replay", {"rule": "R21", "enforce": "1"})
        await ended(site, "replay")
        await save(browser, MINE)
        refused = await post(browser, "/policies/replay", {"rule": "R21", "enforce": "1"})

    job = site.jobs.newest("replay")
    assert job is not None
    texts = job.answer["warnings"]
    assert any('"mode": "enforce"' in text for text in texts)
    assert any("# 草稿" in text for text in texts)
    assert refused.status_code == 422
    assert "local.d/rules/" in refused.text


@pytest.mark.parametrize(
    "fields",
    [
        {"since": "yesterday"},
        {"system_id": "--old"},
        {"rule": "../../x"},
        {"enforce": "1"},
        {"system_id": "x" * 65},
        {"rule": "\u202e"},
    ],
)
async def test_what_no_replay_can_be_asked_is_refused(
    site: Site, tmp_path: Path, fields: dict[str, str]
) -> None:
    programmed(site, ANSWER, tmp_path)
    async with client_of(site) as browser:
        answer = await post(browser, "/policies/replay", fields)

    assert answer.status_code == 422
    assert site.jobs.newest("replay") is None


async def test_one_job_runs_at_a_time_and_can_be_stopped_by_who_started_it(
    site: Site, tmp_path: Path
) -> None:
    programmed(site, SLOW, tmp_path)
    async with client_of(site) as browser:
        started = await post(browser, "/policies/replay", {})
        page = (await browser.get(started.headers["location"])).text
        second = await post(browser, "/policies/replay", {})
        third = await post(browser, "/policies/rules/hits", {"since": "7d"})
        stopped = await post(browser, "/policies/replay/1/stop")
        after = (await browser.get(stopped.headers["location"])).text

    assert 'hx-trigger="every 1s"' in page
    assert (second.status_code, third.status_code) == (409, 409)
    assert "ended early" in after


async def test_a_replay_that_fails_says_why(site: Site, tmp_path: Path) -> None:
    programmed(site, BROKEN, tmp_path)
    async with client_of(site) as browser:
        answer = await post(browser, "/policies/replay", {})
        await ended(site, "replay")
        page = (await browser.get(answer.headers["location"])).text
        missing = (await browser.get("/policies/replay/7")).status_code

    assert "no records" in page
    assert missing == 404


@pytest.mark.usefixtures("running")
async def test_hits_stand_beside_each_rule(site: Site, tmp_path: Path) -> None:
    programmed(site, ANSWER, tmp_path)
    async with client_of(site, UserRole.VIEWER) as browser:
        before = (await browser.get("/policies/rules")).text
        await post(browser, "/policies/rules/hits", {"since": "1d"})
        await ended(site, "hits")
        after = (await browser.get("/policies/rules")).text
        wrong = await post(browser, "/policies/rules/hits", {"since": "9 years"})

    assert "Refusal" in before
    assert '<td class="sw-number">5</td><td class="sw-number">4</td>' in after
    assert "K-FRAUD" in after
    assert wrong.status_code == 422


# Who


@pytest.mark.parametrize(
    ("role", "looks", "changes", "replays"),
    [
        (UserRole.ADMIN, 200, 303, 200),
        (UserRole.OPERATOR, 200, 303, 200),
        (UserRole.SENIOR_REVIEWER, 200, 403, 200),
        (UserRole.REVIEWER, 200, 403, 200),
        (UserRole.AUDITOR, 200, 403, 200),
        (UserRole.VIEWER, 200, 403, 403),
        (UserRole.SENDER, 403, 403, 403),
    ],
)
@pytest.mark.usefixtures("running")
async def test_each_role_does_what_it_may(
    browser: httpx.AsyncClient,
    site: Site,
    role: UserRole,
    looks: int,
    changes: int,
    replays: int,
) -> None:
    await sign_in(browser, site, role, system_id="shop" if role is UserRole.SENDER else "")

    looked = [
        (await browser.get(path)).status_code
        for path in (
            "/policies",
            "/policies/files/bundle.yaml",
            "/policies/rules",
            "/policies/versions/1",
            "/policies/versions/1/files/bundle.yaml",
        )
    ]
    replay = (await browser.get("/policies/replay")).status_code
    changed = [
        (await save(browser, MINE)).status_code,
        (await activate(browser, force="1")).status_code,
        (await post(browser, "/policies/versions/1/rollback", {"reason": "x"})).status_code,
        (await post(browser, f"/policies/drop/{FILE}")).status_code,
    ]
    edits = [
        (await browser.get(path)).status_code
        for path in ("/policies/draft", f"/policies/edit/{FILE}")
    ]

    assert looked == [looks] * 5
    assert changed == [changes] * 4
    assert replay == replays
    assert edits == [200 if changes == 303 else 403] * 2


async def test_a_get_changes_nothing_nor_does_another_site(
    browser: httpx.AsyncClient, site: Site, running: RunningGateway
) -> None:
    await sign_in(browser, site)
    paths = ("/policies/activate", "/policies/versions/1/rollback", f"/policies/edit/{FILE}")

    got = [(await browser.get(path)).status_code for path in paths[:2]]
    foreign = [
        (await post(browser, path, {"reason": "x"}, {"Sec-Fetch-Site": "cross-site"})).status_code
        for path in paths
    ]

    assert got == [404, 404]
    assert foreign == [403] * 3
    assert running.asked == []


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
