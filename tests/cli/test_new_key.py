from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.settings.credentials import load_keys

Cli = Callable[..., CompletedProcess[str]]


def test_a_new_key_is_a_line_of_a_file_of_keys(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(cli("keys", "new").stdout + cli("keys", "new", "--id", "k2").stdout)
    path.chmod(0o600)

    keys = load_keys(str(path))

    assert keys.keys() == {"k1", "k2"}
    assert {len(key) for key in keys.values()} == {64}
    assert keys["k1"] != keys["k2"]


@pytest.mark.parametrize("name", ["", "K1", "k:1", "a" * 17])
def test_an_id_that_no_token_can_carry_is_refused(cli: Cli, name: str) -> None:
    ran = cli("keys", "new", "--id", name)

    assert ran.returncode == 2
    assert ran.stdout == ""
