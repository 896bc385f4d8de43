"""What the gateway is built from and runs on is pinned, and its bill of materials is whole."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("requirements-demo.lock", "requirements-otel.lock")
LOCKS = ("requirements.lock", *EXTRAS, "requirements-build.lock")
PIN = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
LOCK = """\
attrs==25.1.0 \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:11
typing-extensions==4.15.0 ; python_full_version >= '3.8' \\
    --hash=sha256:22 \\
    --hash=sha256:33
"""


@pytest.fixture(scope="module")
def check_sbom() -> ModuleType:
    """Return the tool as a module: it belongs to no package."""
    spec = importlib.util.spec_from_file_location("check_sbom", ROOT / "tools/check_sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(name: str) -> list[str]:
    return PIN.findall((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    entries = re.split(r"\n(?! )", (ROOT / name).read_text(encoding="utf-8").strip())

    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert len(entries) == len(pins(name))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (EXTRAS[0], {"smpplib", "aiosmpplib"}),
        (EXTRAS[1], {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"}),
    ],
)
def test_a_gateway_runs_without_what_only_an_extra_needs(name: str, wanted: set[str]) -> None:
    extra = set(pins(name))

    assert wanted <= extra
    assert not extra & set(pins("requirements.lock"))


def test_what_builds_the_wheel_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {re.split("[<>=]", one)[0] for one in project["build-system"]["requires"]}

    assert names <= set(pins("requirements-build.lock"))


def test_the_image_is_built_on_one_base_that_a_digest_names() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)

    assert set(bases) == {"${PYTHON}"}
    assert re.search(r"^ARG PYTHON=\S+:3\.13-slim-trixie@sha256:[0-9a-f]{64}$", text, re.MULTILINE)


def test_of_a_lock_the_pins_of_this_machine_count(check_sbom: ModuleType) -> None:
    assert check_sbom.pins_of(LOCK) == {("attrs", "25.1.0"), ("typing-extensions", "4.15.0")}


@pytest.mark.parametrize(("version", "code"), [("4.15.0", 0), ("4.14.0", 1)])
def test_a_pin_that_the_bill_of_materials_lacks_is_told(
    check_sbom: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    code: int,
) -> None:
    bom, lock = tmp_path / "sbom.json", tmp_path / "requirements.lock"
    components = [
        {"name": "attrs", "version": "25.1.0"},
        {"name": "typing_extensions", "version": version},
    ]
    bom.write_text(json.dumps({"components": components}), encoding="utf-8")
    lock.write_text(LOCK, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["check_sbom.py", str(bom), str(lock)])

    assert check_sbom.main() == code
