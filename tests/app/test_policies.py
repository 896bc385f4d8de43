"""Reloading: all of it or nothing, and never by accident."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import ref

import pytest

from gateway.app import policies
from gateway.app.gateway import Gateway
from gateway.policy.ruleset import RuleSet
from gateway.smpp.text import readings
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"
FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [{}]\n"


def fraud(tmp_path: Path, *words: str) -> None:
    path = tmp_path / "policies/keywords/fraud.yaml"
    path.write_text(FRAUD.format(", ".join(words)), encoding="utf-8")


def events(log: LogLines) -> list[object]:
    return [line["event"] for line in log if str(line["event"]).startswith(("policy", "bundle"))]


async def test_new_words_judge_from_the_next_message_on(
    start: Start, attach: Attach, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    before = await esme.submit(SOURCE, DESTINATION, "免费领奖")
    digest = gateway.plane.rules.digest

    fraud(tmp_path, "代开发票", "免费领奖")
    faults = await gateway.reload()
    after = await esme.submit(SOURCE, DESTINATION, "免费领奖")

    assert faults == ()
    assert before.is_ok
    assert after.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert gateway.plane.rules.digest != digest
    assert events(log) == ["policy.reloaded"]


SERVICES = """\
version: 1
services:
  - {{system_id: {system_id}, id: weather, name: 天气, port: "10690001", order_words: [DY天气],
     price_fen: 500}}
"""


async def test_r24_a_reload_takes_new_services_over_and_leaves_the_old_for_faulty_ones(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    path = tmp_path / "config/services.yaml"

    def is_offered() -> bool:
        return gateway.policies.catalogue.ordered_by("sp1", "10690001", "dy天气") is not None

    assert not is_offered()
    path.write_text(SERVICES.format(system_id="sp1"), encoding="utf-8")
    assert await gateway.reload() == ()
    assert is_offered()
    path.write_text(SERVICES.format(system_id="sp9"), encoding="utf-8")
    (fault,) = await gateway.reload()

    assert "services.yaml:3:17 there is no such sender in senders.yaml" in fault
    assert is_offered()
    path.unlink()
    assert await gateway.reload() == ()
    assert not is_offered()


async def test_a_reload_of_the_same_files_changes_nothing(start: Start, log: LogLines) -> None:
    gateway = await start()
    rules = gateway.plane.rules

    assert await gateway.reload() == ()

    assert gateway.plane.rules is rules
    assert events(log) == ["policy.unchanged"]


async def test_one_fault_anywhere_leaves_everything_as_it_was(
    start: Start, attach: Attach, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    rules = gateway.plane.rules
    fraud(tmp_path, "免费领奖", "代开发票")
    (tmp_path / "policies/content.yaml").write_text("version: 1\nunreadable: no\n")
    (tmp_path / "config/senders.yaml").write_text("version: 1\nsenders: 5\n")

    faults = await gateway.reload()
    answer = await esme.submit(SOURCE, DESTINATION, "免费领奖")

    assert [fault for fault in faults if "content.yaml:2:" in fault]
    assert [fault for fault in faults if "senders.yaml:2:" in fault]
    assert answer.is_ok
    assert gateway.plane.rules is rules
    assert events(log) == ["policy.refused"]


REFUSAL = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
"""
RULES = "rules/consent.yaml"
MORE = "rules/more.yaml"
HOURS = REFUSAL.replace("R21", "R40").replace("opt_out", 'outside_window\n    open: ["8-21"]')
TWICE = "    overrides: [{sender: a, mode: off}, {sender: a, mode: shadow}]\n"
# What is wrong, the file that says so, and the beginning of what is said of it.
BROKEN = {
    "a number where text is": (RULES, REFUSAL.replace("test", "21"), ":6:14 R21.article: must be"),
    "a typo in a key": (RULES, f"{REFUSAL}    modus: off\n", ":8:5 R21.modus: unknown key"),
    "a typo in a value": (RULES, REFUSAL.replace("enforce", "enforced"), ":7:11 R21.mode:"),
    "an unknown check": (RULES, REFUSAL.replace("opt_out", "opt"), ":4:12 R21.check:"),
    "a wrong type": (RULES, REFUSAL.replace("{zh: 拒收, en: Refusal}", "拒收"), ":5:12 R21.title:"),
    "an empty list": (RULES, "version: 1\nrules: []\n", ":2:8 rules:"),
    "an empty file": (RULES, "", ":1:1 must be a mapping"),
    "a repeated key": (RULES, f"{REFUSAL}    mode: off\n", ":8:5 repeated key"),
    "a bad time": (MORE, HOURS, ":5:12 R40.open[0].hours: must be two times in one text"),
    "contradictory overrides": (RULES, REFUSAL + TWICE, ":8:50 overrides: contradicts"),
    "a rule twice": (MORE, REFUSAL, ":3:9 R21: stands in consent.yaml line 3 already"),
    "a profile that is not there": (
        "local.d/bundle.yaml",
        "version: 1\nprofile: a\n",
        ":2:10 profile: there is no profiles/a",
    ),
    "a list that names itself": (
        "keywords/fraud.yaml",
        f"{FRAUD.format('代开发票')}file: fraud.yaml\n",
        ":6:7 names itself",
    ),
    "a change of a rule that there is not": (
        "local.d/rules/mine.yaml",
        "version: 1\nrules: [{id: R2I, mode: off}]\n",
        ":2:9 R2I.check: is missing",
    ),
    "a replacement of nothing": ("override.d/rules/no.yaml", REFUSAL, ":1:1 replaces nothing"),
    "anchors": (RULES, f"a: &a [x]\nb: [*a, *a]\n{REFUSAL}", ":1:4 anchors are not accepted"),
    "a deep nest": (RULES, f"version: 1\nrules: {'[' * 99}{']' * 99}\n", ":2:40 nested deeper"),
    "what is no YAML": (RULES, "version: 1\nrules: [\n", ":3:1 did not find"),
    "a file that is read no more": ("consent.yaml", "version: 1\n", ":1:1 consent.yaml is no more"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_after_a_broken_bundle_the_old_one_answers(
    start: Start, attach: Attach, tmp_path: Path, log: LogLines, broken: tuple[str, str, str]
) -> None:
    gateway = await start({f"policies/{RULES}": REFUSAL})
    esme = await attach(gateway)
    rules = gateway.plane.rules
    name, text, said = broken
    path = tmp_path / "policies" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

    faults = await gateway.reload(force=True)
    stopped = await esme.submit(SOURCE, DESTINATION, "代开发票")
    passed = await esme.submit(SOURCE, DESTINATION, "您好")

    assert [fault for fault in faults if fault.startswith(f"{path}{said}")]
    assert gateway.plane.rules is rules
    assert stopped.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert passed.is_ok
    assert events(log) == ["policy.refused"]


LOST = {
    "a rule that is enforced no more": (
        REFUSAL.replace("enforce", "shadow"),
        "R21 was enforced and is shadow; `smsward policy reload --force` takes it anyway",
    ),
    "a rule that is gone": (
        REFUSAL.replace("R21", "R99"),
        (
            "1 of 1 rules are gone; R21 was enforced and is gone;"
            " `smsward policy reload --force` takes it anyway"
        ),
    ),
}


@pytest.mark.parametrize(("text", "said"), LOST.values(), ids=LOST)
async def test_rules_that_were_lost_need_somebody_s_word(
    start: Start, tmp_path: Path, log: LogLines, text: str, said: str
) -> None:
    gateway = await start({f"policies/{RULES}": REFUSAL})
    rules = gateway.plane.rules
    (tmp_path / "policies" / RULES).write_text(text, encoding="utf-8")

    faults = await gateway.reload()
    stays = gateway.plane.rules is rules
    forced = await gateway.reload(force=True)

    assert faults == (said,)
    assert stays
    assert forced == ()
    assert events(log) == ["policy.refused", "policy.reloaded"]


async def test_octets_that_are_no_text_leave_the_old_policy(
    start: Start, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    rules = gateway.plane.rules
    (tmp_path / "policies/rules/more.yaml").write_bytes("规则".encode("gb18030"))

    (fault,) = await gateway.reload()

    assert fault.endswith("rules/more.yaml:1:1 not UTF-8")
    assert gateway.plane.rules is rules
    assert events(log) == ["policy.refused"]


async def test_a_list_that_lost_most_of_its_words_needs_somebody_s_word(
    start: Start, attach: Attach, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    fraud(tmp_path, "代开发票", "免费领奖", "百家乐")
    assert await gateway.reload() == ()
    esme = await attach(gateway)
    fraud(tmp_path, "代开发票")

    (fault,) = await gateway.reload()
    refused = await esme.submit(SOURCE, DESTINATION, "百家乐")
    forced = await gateway.reload(force=True)
    passed = await esme.submit(SOURCE, DESTINATION, "百家乐")

    assert "K-FRAUD lost 2 of 3 words" in fault
    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert forced == ()
    assert passed.is_ok
    assert events(log) == ["policy.reloaded", "policy.refused", "policy.reloaded"]


async def test_nothing_is_left_of_the_rules_before_a_reload(start: Start, tmp_path: Path) -> None:
    gateway = await start()
    before, index = ref(gateway.plane.rules), ref(gateway.plane.rules.scan.index)
    memory = gateway.plane.rules.scan
    memory.scan([(8, "您好".encode("utf-16-be"))], readings)
    fraud(tmp_path, "代开发票", "免费领奖")

    assert await gateway.reload() == ()

    assert before() is None
    assert memory.look_up(8, "您好".encode("utf-16-be")) is None
    del memory
    assert index() is None


async def test_a_reload_of_other_senders_alone_forgets_no_text(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    gateway.plane.rules.scan.scan([(8, "您好".encode("utf-16-be"))], readings)
    path = tmp_path / "config/senders.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("window: ", "window: 1"))
    rules = gateway.plane.rules

    assert await gateway.reload() == ()

    assert gateway.plane.rules is not rules
    assert gateway.plane.rules.scan.look_up(8, "您好".encode("utf-16-be")) is not None


async def test_a_policy_that_opened_is_complained_of_loudly(
    start: Start, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    for name in ("rules/consent.yaml", "content.yaml", "keywords/fraud.yaml", "keywords/loan.yaml"):
        (tmp_path / "policies" / name).unlink()

    await gateway.reload(force=True)

    assert events(log) == ["policy.reloaded", "bundle.open"]
    assert log[-1]["level"] == "warning"


async def test_a_sender_that_is_removed_has_to_leave(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    gateway = await start()
    gone, stays = await attach(gateway), await attach(gateway, "sp2")
    path = tmp_path / "config/senders.yaml"
    head, _, kept = path.read_text(encoding="utf-8").partition("  - system_id: sp2")
    path.write_text(head.partition("  - ")[0] + "  - system_id: sp2" + kept, encoding="utf-8")

    await gateway.reload()

    assert header_of(await gone.next_pdu()).command_id == CommandId.UNBIND
    await gone.lost()
    assert (await stays.submit("10690002", DESTINATION, "验证码 1234")).is_ok
    assert gateway.session_counts() == {"sp2": 1}


async def test_a_reload_tells_of_the_sample_s_password(
    start: Start, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    sample = Path(__file__).parents[2] / "config/senders.yaml"
    (tmp_path / "config/senders.yaml").write_bytes(sample.read_bytes())

    assert await gateway.reload(force=True) == ()

    (exposed,) = [line for line in log if line["event"] == "senders.exposed"]
    assert exposed["senders"] == ["bank1", "sp1"]


async def test_a_suspended_sender_s_messages_are_refused_and_its_session_stays(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    path = tmp_path / "config/senders.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    name: 示例商城\n", "    name: 示例商城\n    state: suspended\n"),
        encoding="utf-8",
    )

    await gateway.reload()
    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert not answer.is_ok
    assert header_of(await esme.request(builders.enquire_link(99))).command_status == 0


async def test_a_new_window_holds_at_once(
    start: Start, attach: Attach, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    path = tmp_path / "config/senders.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("window: 200", "window: 2"), encoding="utf-8")
    smsc.behaviour = Behaviour(hold_answers=True)

    await gateway.reload()
    waiting = asyncio.gather(esme.submit_many(["您好"] * 5, window=5))
    await smsc.received(2)
    await esme.request(builders.enquire_link(900))
    assert smsc.counters.messages == 2
    smsc.behaviour = Behaviour()
    smsc.release_answers()
    (answers,) = await waiting

    assert all(answer.is_ok for answer in answers)


async def test_reloads_that_come_together_are_done_one_by_one(
    start: Start, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start()
    fraud(tmp_path, "代开发票", "免费领奖")

    outcomes = await asyncio.gather(*(gateway.reload() for _ in range(3)))

    assert outcomes == [(), (), ()]
    assert events(log) == ["policy.reloaded", "policy.unchanged", "policy.unchanged"]


async def test_what_is_under_way_during_a_reload_is_neither_lost_nor_doubled(
    start: Start, attach: Attach, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    texts = [f"第{number}条" for number in range(2000)]

    sending = asyncio.gather(esme.submit_many(texts, window=20))
    for number in range(5):
        await smsc.received(300 * (number + 1))
        fraud(tmp_path, "代开发票", f"词语{number}")
        assert await gateway.reload(force=True) == ()
    (answers,) = await sending

    assert all(answer.is_ok for answer in answers)
    assert [entry.octets.decode("utf-16-be") for entry in smsc.journal] == texts


async def test_without_directories_there_is_nothing_to_reload(start: Start, log: LogLines) -> None:
    gateway = await start()
    bare = Gateway(gateway.settings, gateway.policies.senders, gateway.plane.rules.bundle)

    assert await bare.reload() == ()

    assert events(log) == ["policy.unchanged"]


async def test_r04_a_reload_takes_a_new_table_of_provinces_and_leaves_the_old_for_a_faulty_one(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    heads = tmp_path / "config" / "provinces.csv"

    heads.write_text("1380013,北京\n", encoding="utf-8")
    assert await gateway.reload() == ()
    heads.write_text("1380013\n", encoding="utf-8")
    (fault,) = await gateway.reload()

    assert "provinces.csv:1:1 names no province" in fault
    assert gateway._knowledge.provinces.province_of(8613800138000) == "北京"


async def test_rules_that_judge_no_more_or_were_refused_end_off_the_loop(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selftest = "version: 1\ncases:\n  - {text: 代开发票, expect: reject, list: K-FRAUD}\n"
    gateway = await start({"policies/selftest.yaml": selftest})
    ended: list[bool] = []

    class Watched(RuleSet):
        def __del__(self) -> None:
            ended.append(threading.current_thread() is threading.main_thread())

    monkeypatch.setattr(policies, "RuleSet", Watched)
    for words, faults in ((("代开发票", "免费领奖"), 0), (("免费领奖",), 1), (("代开发票",), 0)):
        fraud(tmp_path, *words)
        assert len(await gateway.reload(force=True)) == faults

    # Those that were refused, and then those before the last.
    assert ended == [False, False]
