"""What of others the pages use lies unchanged beside them, with its licence."""

import hashlib
import json
from importlib.resources import files

VENDOR = files("gateway.console") / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))


def test_each_file_is_the_one_that_was_published() -> None:
    for package in MANIFEST:
        for file in package["files"]:
            octets = (VENDOR / file["name"]).read_bytes()
            assert hashlib.sha256(octets).hexdigest() == file["sha256"], file["name"]


def test_each_has_its_licence() -> None:
    for package in MANIFEST:
        text = (VENDOR / package["licence_file"]).read_text(encoding="utf-8")
        assert "Permission" in text, package["name"]


def test_nothing_lies_there_that_the_manifest_does_not_name() -> None:
    named = {file["name"] for package in MANIFEST for file in package["files"]}
    named |= {package["licence_file"] for package in MANIFEST} | {"manifest.json"}

    assert {one.name for one in VENDOR.iterdir()} == named
