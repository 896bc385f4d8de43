"""The services that SPs offer, as a process without their passwords knows them."""

from pathlib import Path

import pytest

from gateway.settings.services import load_offered
from gateway.settings.yaml import SettingsError

SENDERS = """\
version: 1
senders:
  - {system_id: sp1, name: 示例商城, password: "env:NOT_SET_HERE"}
  - {system_id: sp2, password: "env:NOT_SET_HERE"}
"""
SERVICES = """\
version: 1
services:
  - {system_id: sp1, id: weather, name: 天气, port: "10690001", price_fen: 500, order_words: [DY]}
  - {system_id: sp2, id: jokes, name: 笑话, port: "10690002", price_fen: 300, order_words: [XH]}
"""


def test_services_bear_their_sps_names_though_the_passwords_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "senders.yaml").write_text(SENDERS, encoding="utf-8")
    (tmp_path / "services.yaml").write_text(SERVICES, encoding="utf-8")

    offered = load_offered(tmp_path)

    assert [(one.id, one.terms.sender_name) for one in offered] == [
        ("weather", "示例商城"),
        ("jokes", "sp2"),
    ]


def test_without_the_file_nothing_is_on_offer(tmp_path: Path) -> None:
    (tmp_path / "senders.yaml").write_text("version: 1\nsenders: [sp1]\n", encoding="utf-8")

    assert load_offered(tmp_path) == ()


def test_faults_of_the_services_are_told(tmp_path: Path) -> None:
    (tmp_path / "senders.yaml").write_text(SENDERS, encoding="utf-8")
    (tmp_path / "services.yaml").write_text("version: 1\nservices: 7\n", encoding="utf-8")

    with pytest.raises(SettingsError):
        load_offered(tmp_path)
