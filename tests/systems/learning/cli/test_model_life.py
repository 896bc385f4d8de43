"""Models installed, tried in shadow, promoted and rolled back, as people do it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.filter.classifier.linear import BUCKETS, SIGNS, Calibration, LinearModel
from gateway.filter.classifier.model import ClassModel, Model
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import Comparison, ModelAgreement, TextClass
from gateway.runtime.file_lock import FileLock
from gateway.settings.gateway import LearningSettings
from gateway.systems.learning.cli.model_life import directory_of
from gateway.systems.learning.model_directory import STATE, ModelDirectory
from gateway.terminal.deployment import load_settings
from gateway.terminal.failure import CommandError
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]

OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))


def octets_of(score: float, key: Ed25519PrivateKey | None = None) -> bytes:
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    weights[-1] = score
    one = ClassModel(LinearModel(weights, Calibration(1.0, 0.0)), ())
    return write_model(Model({TextClass.PORT: one}, None, {"limits": "of this test"}), key)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return the files of three models; the last is signed."""
    directory = tmp_path_factory.mktemp("trained")
    found = {}
    for name, octets in {
        "first": octets_of(1),
        "second": octets_of(2),
        "signed": octets_of(3, OURS),
    }.items():
        found[name] = directory / f"{name}.npz"
        found[name].write_bytes(octets)
    return found


@pytest.fixture
def models(deployment: Path) -> ModelDirectory:
    """Give the deployment a directory of models; return it."""
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"learning: {{starter: false, models: {deployment}/var/models}}\n")
    (deployment / "var").mkdir()
    return ModelDirectory(deployment / "var/models")


@pytest.fixture
def ask(cli: Cli, deployment: Path, models: ModelDirectory) -> Cli:
    """Return what asks about the models of that deployment."""
    assert not models.path.exists()
    return lambda *words: cli("filter", *words, "--config", str(deployment / "config"))


def digest_of(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def states(ask: Cli) -> dict[str, str]:
    return {one["digest"]: one["state"] for one in json.loads(ask("models", "--json").stdout)}


def test_a_model_lives_from_shadow_to_force_and_back(ask: Cli, files: Mapping[str, Path]) -> None:
    first, second = (digest_of(files[name]) for name in ("first", "second"))

    installed = ask("install", str(files["first"]), "--note", "of November", "--by", "lin")
    promoted = ask("promote", "--by", "wu")
    again = ask("install", str(files["second"]))
    promoted_again = ask("promote")
    assert states(ask) == {second: "active", first: "former"}
    back = ask("rollback", "--note", "held honest banks", "--by", "wu")

    ran = (installed, promoted, again, promoted_again, back)
    assert [one.returncode for one in ran] == [0] * 5
    assert f"in shadow: {first[:12]}; a running gateway takes it" in installed.stdout
    assert "no model in force to compare it with" in installed.stdout
    assert "smsward filter compare --live" in again.stdout
    assert f"in force: {second[:12]}" in promoted_again.stdout
    assert f"in force again: {first[:12]}" in back.stdout
    assert states(ask) == {first: "active", second: "former"}


def test_before_the_first_promotion_no_model_was_in_force(
    ask: Cli, files: Mapping[str, Path]
) -> None:
    ask("install", str(files["first"]))
    ask("promote")

    ran = ask("rollback")
    told = json.loads(ask("rollback", "--json").stdout or "null")

    assert "there is no model in force any more" in ran.stdout
    assert told is None
    assert "there is no model in force" in ask("rollback").stderr


def test_the_history_says_who_did_what_and_why(ask: Cli, files: Mapping[str, Path]) -> None:
    ask("install", str(files["first"]), "--note", "of November", "--by", "lin")
    ask("promote", "--by", "wu")

    told = json.loads(ask("models", "--history", "--json").stdout)

    assert [(one["number"], one["act"], one["by"], one["note"]) for one in told] == [
        (2, "promote", acting("wu"), ""),
        (1, "install", acting("lin"), "of November"),
    ]
    assert {one["digest"] for one in told} == {digest_of(files["first"])}
    assert datetime.fromisoformat(told[0]["at"]).tzinfo is not None
    shown = ask("models", "--history").stdout
    assert "of November" in shown
    assert "promote" in shown


def test_people_see_how_models_stand(
    ask: Cli, files: Mapping[str, Path], models: ModelDirectory
) -> None:
    assert f"no model is installed in {models.path}" in ask("models").stdout
    assert "nothing was done to models yet" in ask("models", "--history").stdout
    ask("install", str(files["first"]), "--note", "of November\u200b")

    shown = ask("models").stdout

    assert "shadow" in shown
    assert digest_of(files["first"])[:12] in shown
    assert "of November\\u200b" in shown


def test_the_model_in_shadow_is_taken_out_alone(ask: Cli, files: Mapping[str, Path]) -> None:
    ask("install", str(files["first"]))
    ask("promote")
    ask("install", str(files["second"]))

    told = json.loads(ask("rollback", "--shadow", "--json").stdout)

    assert told == {"active": digest_of(files["first"]), "shadow": None}
    again = ask("rollback", "--shadow")
    assert (again.returncode, "there is no model in shadow" in again.stderr) == (1, True)
    ask("install", str(files["second"]))
    assert "there is no model in shadow any more" in ask("rollback", "--shadow").stdout


def test_programs_hear_what_became_of_a_model(ask: Cli, files: Mapping[str, Path]) -> None:
    digest = digest_of(files["first"])

    installed = json.loads(ask("install", str(files["first"]), "--by", "lin", "--json").stdout)
    promoted = json.loads(ask("promote", "--by", "wu", "--json").stdout)

    assert (installed["digest"], installed["state"], installed["by"]) == (
        digest,
        "shadow",
        acting("lin"),
    )
    assert (promoted["digest"], promoted["state"], promoted["by"]) == (
        digest,
        "active",
        acting("wu"),
    )
    ask("install", str(files["second"]))
    ask("promote")
    back = json.loads(ask("rollback", "--json").stdout)
    assert (back["digest"], back["state"]) == (digest, "active")


def test_a_broken_model_is_refused_with_its_fault_and_the_old_one_stays(
    ask: Cli, files: Mapping[str, Path], tmp_path: Path
) -> None:
    ask("install", str(files["first"]))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(files["second"].read_bytes()[:-50])

    ran = ask("install", str(broken))

    assert ran.returncode == 1
    assert f"{broken}: file: it is cut short" in ran.stderr
    assert "nothing was changed" in ran.stderr
    assert states(ask) == {digest_of(files["first"]): "shadow"}


def test_a_file_that_is_not_there_is_named(ask: Cli, tmp_path: Path) -> None:
    ran = ask("install", str(tmp_path / "none.npz"))

    assert ran.returncode == 1
    assert f"{tmp_path}/none.npz: No such file or directory" in ran.stderr


def test_with_trusted_keys_only_what_they_signed_is_installed(
    ask: Cli, files: Mapping[str, Path], deployment: Path
) -> None:
    unsigned = ask("install", str(files["first"]))
    public = deployment / "model.pub"
    public.write_bytes(
        OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    config = deployment / "config/gateway.yaml"
    config.write_text(config.read_text().replace("models: ", f"trusted_keys: [{public}], models: "))

    refused = ask("install", str(files["second"]))
    taken = ask("install", str(files["signed"]))

    assert "names no key to be signed with" in unsigned.stderr
    assert "signature.npy: the model is not signed" in refused.stderr
    assert (taken.returncode, taken.stderr) == (0, "")
    public.write_text("no key any more")
    assert "learning.trusted_keys[0]: holds no public Ed25519 key" in ask("models").stderr


@pytest.mark.parametrize(("text", "problem"), [(None, "No such file"), ("no key", "no public key")])
def test_a_trusted_key_that_has_gone_since_is_told(
    deployment: Path, text: str | None, problem: str
) -> None:
    settings = load_settings(deployment / "config")
    key = deployment / "model.pub"
    if text is not None:
        key.write_text(text)

    with pytest.raises(CommandError, match=problem):
        directory_of(replace(settings, learning=LearningSettings(trusted_keys=(key,))))


def test_a_deployment_that_is_somewhere_else_is_not_made_here(
    cli: Cli, deployment: Path, files: Mapping[str, Path]
) -> None:
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"learning: {{models: {deployment}/nowhere/models}}\n")

    ran = cli("filter", "install", str(files["first"]), "--config", str(deployment / "config"))

    assert ran.returncode == 1
    assert "call this from the directory it runs in" in ran.stderr
    assert not (deployment / "nowhere").exists()


def test_a_state_that_nobody_can_read_is_told_with_what_to_do(
    ask: Cli, files: Mapping[str, Path], models: ModelDirectory
) -> None:
    ask("install", str(files["first"]))
    (models.path / STATE).write_text("{}")

    ran = ask("promote")

    assert ran.returncode == 1
    assert "models.json: file: it is no mapping" in ran.stderr
    assert "put a copy of that file back" in ran.stderr


def test_two_do_not_change_the_models_at_once(
    ask: Cli, files: Mapping[str, Path], models: ModelDirectory
) -> None:
    ask("install", str(files["first"]))
    other = FileLock.whole(models.path / STATE)

    ran = ask("promote")
    other.release()

    assert ran.returncode == 1
    assert "another command is changing the models" in ran.stderr


def live(comparison: Comparison, **changes: object) -> bytes:
    about = {"since": "2013-11-26T12:00:00+00:00", "at": "2013-11-26T13:00:00+00:00"}
    return json.dumps({**about, **comparison.as_json(), **changes}).encode()


@pytest.fixture
def compared(ask: Cli, files: Mapping[str, Path]) -> Comparison:
    """Put one model in force and one in shadow; return a comparison of theirs."""
    ask("install", str(files["first"]))
    ask("promote")
    ask("install", str(files["second"]))
    comparison = Comparison(digest_of(files["first"]), digest_of(files["second"]))
    for number in range(3):
        comparison.note(TextClass.PORT, ModelAgreement.BOTH, lambda: "")
        comparison.note(
            TextClass.PORT, ModelAgreement.ONLY_SHADOW, partial("{:016x}".format, number)
        )
        for _ in range(20):
            comparison.note_message(TextClass.PORT, ModelAgreement.ONLY_SHADOW)
    return comparison


def test_what_a_gateway_counted_of_two_models_is_shown(
    ask: Cli, models: ModelDirectory, compared: Comparison
) -> None:
    compared.failed = 4
    models.write_comparison(live(compared))

    ran = ask("compare", "--live")

    assert ran.returncode == 0
    rows = [line.split() for line in ran.stdout.splitlines() if "port" in line]
    counts = [[word for word in row if word.isdigit()] for row in rows]
    assert counts == [["0", "3", "0", "3"], ["0", "0", "0", "60"]]
    assert "only shadow, some of them: 0000000000000000 0000000000000001" in ran.stdout
    assert "only active, some" not in ran.stdout
    assert "from 2013-11-26T12:00:00+00:00 to 2013-11-26T13:00:00+00:00" in ran.stdout
    assert "the model in shadow failed on 4 texts" in ran.stderr
    told = json.loads(ask("compare", "--live", "--json").stdout)
    assert told["counts"]["port"]["only_shadow"] == 3
    assert told["messages"]["port"]["only_shadow"] == 60


def test_a_comparison_of_other_models_is_said_to_be_one(
    ask: Cli, models: ModelDirectory, compared: Comparison
) -> None:
    models.write_comparison(live(compared))
    ask("promote")

    assert "these are not the models that stand now" in ask("compare", "--live").stderr


def test_before_a_gateway_has_compared_there_is_nothing_to_show(ask: Cli) -> None:
    ran = ask("compare", "--live")

    assert ran.returncode == 1
    assert "no gateway has compared two models yet" in ran.stderr


@pytest.mark.parametrize(
    "octets",
    [
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b"[" * 100_000,
        live(Comparison("a", "b"), counts=[]),
        live(Comparison("a", "b"), messages=None),
        live(Comparison("a", "b"), counts={"port": {}}),
        live(Comparison("a", "b"), counts={"port": None}),
        live(Comparison("a", "b"), sampled={}),
        live(Comparison("a", "b"), failed="many"),
        live(Comparison("a", "b"), since="yesterday"),
        live(Comparison("a", "b"), at="2013-11-26T13:00:00"),
    ],
)
def test_a_comparison_that_no_gateway_wrote_is_refused(
    ask: Cli, models: ModelDirectory, octets: bytes
) -> None:
    models.write_comparison(octets)

    ran = ask("compare", "--live")

    assert ran.returncode == 1
    assert "cannot be read" in ran.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "name two models"),
        (("one.npz",), "name two models"),
        (("--live", "one.npz"), "--live compares the models that are installed"),
        (("--live", "--data", "dev.tsv"), "--live compares the models that are installed"),
        (("one.npz", "two.npz", "--texts"), "--texts goes with --live"),
    ],
)
def test_a_comparison_is_of_two_models_or_of_those_that_are_installed(
    ask: Cli, words: tuple[str, ...], problem: str
) -> None:
    ran = ask("compare", *words)

    assert ran.returncode == 2
    assert problem in ran.stderr
