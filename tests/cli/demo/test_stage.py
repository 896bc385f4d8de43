import socket
import stat
import tempfile
from pathlib import Path

import pytest

from gateway.cli.demo.cast import Stage, build_stage, usable_port
from simulators.traffic import PERSONAS, SPAM_PHRASES


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return build_stage(0, 2776)


def test_the_files_of_the_demo_are_a_sound_deployment(stage: Stage) -> None:
    deployment = stage.load()

    assert deployment.settings.listeners[0].address == stage.esme_side
    assert deployment.settings.smscs[0].address.port == 2776
    assert deployment.settings.records.directory == stage.directory / "var" / "cdr"
    assert set(deployment.senders) == {p.system_id for p in PERSONAS.values()} | {"guest"}


def test_every_persona_owns_the_ports_it_has_on_file(stage: Stage) -> None:
    senders = stage.load().senders

    for persona in PERSONAS.values():
        owned = {
            (port.number, port.extension_digits, port.purpose.value)
            for port in senders[persona.system_id].ports
        }
        assert owned == {
            (port.number, port.extension_digits, port.purpose) for port in persona.ports
        }


def test_all_that_the_spammer_offers_is_on_a_list(stage: Stage) -> None:
    lists = stage.load().bundle.keyword_lists

    words = {word for one in lists if one.category == "demo" for word in one.words}
    assert words == set(SPAM_PHRASES)
    assert stage.keywords.is_file()


def test_what_a_list_of_the_demo_says_of_the_shipped_one_beside_it_is_true(stage: Stage) -> None:
    lists = stage.load().bundle.keyword_lists
    (fraud,) = [set(one.words) for one in lists if one.id == "K-FRAUD"]

    for one in lists:
        if one.category == "demo":
            file = stage.keywords.with_name(f"{one.id.lower()}.yaml").read_text(encoding="utf-8")
            assert ("fraud.yaml" in file) is bool(fraud & set(one.words))


def test_the_demo_is_nobody_elses_business(stage: Stage) -> None:
    assert stat.S_IMODE(stage.directory.stat().st_mode) == 0o700


def test_a_port_that_is_free_is_taken() -> None:
    port = usable_port(0)

    assert usable_port(port) == port


def test_another_port_is_taken_when_somebody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]

        assert usable_port(taken) != taken
