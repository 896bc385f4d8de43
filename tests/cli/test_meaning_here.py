"""`smsward explain mo --config`: what one deployment makes of a reply."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]

SERVICES = """\
version: 1
services:
  - {system_id: shop, id: weather, name: 天气, port: "10690001", order_words: [DY天气],
     price_fen: 500}
"""
HUB = "hub: {codes: ['10086']}\n"


@pytest.fixture
def explain(cli: Cli, deployment: Path, write: Write) -> Callable[..., CompletedProcess[str]]:
    """Return a function that asks about one reply under the deployment."""
    path = deployment / "config" / "gateway.yaml"
    write("config/gateway.yaml", path.read_text(encoding="utf-8") + HUB)
    write("config/services.yaml", SERVICES)

    def explain(text: str, to: str, *more: str) -> CompletedProcess[str]:
        config = ("--config", str(deployment / "config"))
        return cli("explain", "mo", "--to", to, f"--text={text}", *config, *more)

    return explain


@pytest.mark.parametrize(
    ("text", "to", "rule", "en", "zh"),
    [
        ("dy天气", "1069000112", "R24", "orders 天气 5元/月 (shop weather); counts", "须再次确认"),
        ("屏蔽 房产", "10086", "R51", "sets a preference: block category", "设置接收偏好"),
        ("取消屏蔽 房产", "10086", "R51", "takes a preference back", "取消接收偏好"),
        ("我的屏蔽", "10086", "R51", "asks for the preferences", "查询接收偏好"),
        ("屏蔽", "10086", "R51", "is unclear", "不明确"),
        ("查拦截", "10086", "R50", "asks what their own rules hold", "查询按本人设置拦截的短信"),
        ("放行 1,3", "10086", "R50", "lets held messages go: 1, 3", "放行被拦截的短信：1, 3"),
        ("删除 2", "10086", "R50", "drops held messages: 2", "删除被拦截的短信：2"),
    ],
)
def test_what_the_deployment_makes_of_a_reply_is_told_with_its_rule(
    explain: Callable[..., CompletedProcess[str]], text: str, to: str, rule: str, en: str, zh: str
) -> None:
    said: dict[str, Any] = json.loads(explain(text, to, "--json").stdout)
    english, chinese = explain(text, to).stdout, explain(text, to, "--lang", "zh").stdout

    assert said["intent"] == "none"
    assert said["here"]["rule"] == rule
    assert said["here"]["source"]
    assert en in said["here"]["said"]["en"]
    assert zh in said["here"]["said"]["zh"]
    assert rule in english
    assert en in english
    assert zh in chinese
    assert zh not in english


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("TD", "10690001"),
        ("屏蔽 房产", "10690001"),
        ("放行 1", "10690001"),
        ("DY天气", "10086"),
        ("DY天气", "10690002"),
        ("DY天气", "95588"),
        ("您好", "10086"),
    ],
)
def test_what_has_no_meaning_of_its_own_there_is_not_told(
    explain: Callable[..., CompletedProcess[str]], text: str, to: str
) -> None:
    assert json.loads(explain(text, to, "--json").stdout)["here"] is None
    assert "here" not in explain(text, to).stdout


def test_faults_of_the_configuration_are_named_by_their_place(
    explain: Callable[..., CompletedProcess[str]], write: Write
) -> None:
    write("config/services.yaml", SERVICES.replace("shop", "nobody"))

    ran = explain("DY天气", "10690001")

    assert ran.returncode == 2
    assert "services.yaml:3:17 " in ran.stderr


def test_a_file_of_replies_is_no_question_to_one_deployment(cli: Cli, deployment: Path) -> None:
    ran = cli("explain", "mo", "--file", "-", "--config", str(deployment / "config"))

    assert ran.returncode == 2
    assert "--config" in ran.stderr


def test_without_a_configuration_it_is_said_what_one_would_add(cli: Cli) -> None:
    ran = cli("explain", "mo", "--to", "10690001", "--text", "DY天气")

    assert ran.returncode == 0
    assert "add --config" in ran.stdout
    assert "add --config" not in cli("explain", "mo", "--text", "TD", "--json").stdout


@pytest.mark.parametrize(
    ("text", "scope", "en", "zh"),
    [
        ("TD", "shop 10690001", "refuses port 10690001 of shop", "拒收 shop 的端口 10690001"),
        ("TD贷款", "shop #loan", "refuses category loan of shop", "拒收 shop 的类别 loan"),
        ("00000", "shop", "refuses shop", "拒收 shop"),
        ("STOPALL", "shop", "refuses shop", "拒收 shop"),
    ],
)
def test_r22_what_the_ledger_then_holds_is_as_the_policies_at_hand_say(  # noqa: PLR0913, PLR0917 - a table
    explain: Callable[..., CompletedProcess[str]],
    deployment: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    scope: str,
    en: str,
    zh: str,
) -> None:
    write("policies/replies.yaml", "version: 1\nscope: port\n")
    monkeypatch.chdir(deployment)

    said = json.loads(explain(text, "1069000112", "--json").stdout)

    assert said["ledger"] == {"scope": scope, "answer": "refused"}
    assert en in " ".join(explain(text, "1069000112").stdout.split())
    assert zh in " ".join(explain(text, "1069000112", "--lang", "zh").stdout.split())
