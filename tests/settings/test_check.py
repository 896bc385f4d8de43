from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.settings.directories import check

Write = Callable[[str, str], Path]
WriteBundle = Callable[[Mapping[str, str]], Path]


def test_all_faults_of_a_deployment_come_at_once(
    write: Write, bundle: WriteBundle, tmp_path: Path
) -> None:
    write("config/gateway.yaml", "version: 1\nlisteners: []\nsmscs: []\n")
    write("config/senders.yaml", "version: 1\nsender: []\n")
    write("config/services.yaml", "version: 1\nservices: 5\n")
    write("config/linkage.yaml", "version: 2\n")
    policies = bundle({"content.yaml": "version: 1\nunreadable: yes\n"})

    faults = check(tmp_path / "config", policies)

    assert [
        (str(fault.path.relative_to(tmp_path)), fault.line, fault.column) for fault in faults
    ] == [
        ("config/gateway.yaml", 2, 12),
        ("config/gateway.yaml", 3, 8),
        ("config/senders.yaml", 1, 1),
        ("config/senders.yaml", 2, 1),
        ("config/services.yaml", 2, 11),
        ("config/linkage.yaml", 1, 1),
        ("config/linkage.yaml", 1, 1),
        ("config/linkage.yaml", 1, 1),
        ("config/linkage.yaml", 1, 10),
        ("policies/content.yaml", 2, 13),
    ]


def test_directories_that_are_not_there_are_named(tmp_path: Path) -> None:
    faults = check(tmp_path / "config", tmp_path / "policies")

    assert [fault.path.name for fault in faults] == [
        "gateway.yaml",
        "senders.yaml",
        "bundle.yaml",
    ]
