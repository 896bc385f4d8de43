"""What changes what is on file: import, remove, export."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.filings import Filing, Licence, Signature
from gateway.settings.filings import load_filings
from gateway.stores import Stores
from gateway.systems.filings.filing_table import days_left

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
OnFile = Callable[[], tuple[Filing, ...]]

FILE = """\
version: 1
senders:
  - system_id: shop
    licence: {number: 粤B2-20200001, valid_until: 2099-12-31}
    signatures:
      - {name: 示例商城}
      - {name: 示例会员, sources: ["1069000112"]}
    templates:
      - {id: T-001, kind: verification, text: "您的验证码{1}，5分钟内有效。", max_variable: 8}
    scopes:
      - {port: "10690002", province: 福建}
    approvals:
      - port: "10690002"
        reference: 应急〔2026〕1号
        valid_from: 2026-01-01
        valid_until: 2099-12-31
"""


@pytest.fixture
def config(options: tuple[str, ...], in_store: InStore) -> tuple[str, ...]:
    """Return the option that names the configuration of a gateway that has run before."""
    in_store(lambda _stores: None)
    return options[:2]


@pytest.fixture
def file(write: Write, deployment: Path) -> str:
    write("filings.yaml", FILE)
    return str(deployment / "filings.yaml")


@pytest.fixture
def on_file(in_store: InStore) -> OnFile:
    """Return a function that reads what is on file."""

    def on_file() -> tuple[Filing, ...]:
        found: list[Filing] = []

        async def look(stores: Stores) -> None:
            found.extend(await stores.filings.all_filings())

        in_store(look)
        return tuple(found)

    return on_file


def test_an_import_files_all_and_says_what_was_added(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile
) -> None:
    done = cli("filings", "import", file, *config)

    assert done.returncode == 0
    assert "filed: 6 added, 0 changed, 0 unchanged" in done.stdout
    assert "示例会员" in done.stdout
    assert len(on_file()) == 6


def test_an_import_that_changes_nothing_says_so(
    cli: Cli, config: tuple[str, ...], file: str
) -> None:
    cli("filings", "import", file, *config)

    done = cli("filings", "import", file, *config)

    assert done.stdout == "filed: 0 added, 0 changed, 6 unchanged\n"


def test_a_dry_run_files_nothing(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile
) -> None:
    done = cli("filings", "import", file, "--dry-run", *config)

    assert "would be filed: 6 added" in done.stdout
    assert on_file() == ()


def test_a_second_import_says_what_it_changed_and_from_what(
    cli: Cli, config: tuple[str, ...], file: str, write: Write
) -> None:
    cli("filings", "import", file, *config)
    write("filings.yaml", FILE.replace("福建", "广东").replace('["1069000112"]', "[]"))

    done = cli("filings", "import", file, "--json", *config)

    told = json.loads(done.stdout)
    assert (told["dry_run"], told["added"], told["unchanged"]) == (False, [], 4)
    assert told["changed"] == [
        {"system_id": "shop", "kind": "signature", "name": "示例会员", "was": "sources 1069000112"},
        {"system_id": "shop", "kind": "scope", "name": "10690002", "was": "province 福建"},
    ]


def test_a_change_from_nothing_is_told_as_such(
    cli: Cli, config: tuple[str, ...], file: str, write: Write
) -> None:
    write("filings.yaml", FILE.replace('["1069000112"]', "[]"))
    cli("filings", "import", file, *config)
    write("filings.yaml", FILE)

    done = cli("filings", "import", file, *config)

    assert "sources none" in done.stdout


def test_what_a_file_does_not_name_stays(
    cli: Cli, config: tuple[str, ...], file: str, in_store: InStore, on_file: OnFile
) -> None:
    other = Signature("gone", "别家商城")
    in_store(lambda stores: stores.filings.put([other]))

    cli("filings", "import", file, *config)

    assert other in on_file()


def test_every_fault_is_told_with_its_place_and_nothing_is_filed(
    cli: Cli, config: tuple[str, ...], file: str, write: Write, on_file: OnFile
) -> None:
    broken = FILE.replace("示例商城", "客服通知").replace("码{1}", "码{1}{2}").replace("福建", '""')
    write("filings.yaml", broken)

    done = cli("filings", "import", file, *config)

    assert done.returncode == 2
    places = [line for line in done.stderr.splitlines() if "filings.yaml:" in line]
    assert [line.rpartition("filings.yaml:")[2].split(" ")[0] for line in places] == [
        "6:16",
        "9:47",
        "11:38",
    ]
    assert on_file() == ()


@pytest.mark.parametrize(
    "case",
    [
        ("system_id: shop", "system_id: shup", "no such sender"),
        ('"1069000112"', '"1065512345"', "no source of shop"),
        ('port: "10690002", province', 'port: "10690009", province', "no port of shop"),
    ],
)
def test_nothing_is_filed_for_an_sp_or_a_port_that_is_not_in_senders_yaml(
    cli: Cli, config: tuple[str, ...], file: str, write: Write, case: tuple[str, str, str]
) -> None:
    before, after, problem = case
    write("filings.yaml", FILE.replace(before, after))

    done = cli("filings", "import", file, *config)

    assert done.returncode == 2
    assert problem in done.stderr


def test_r06_a_source_that_is_bound_already_refuses_the_whole_import(
    cli: Cli, config: tuple[str, ...], file: str, in_store: InStore, on_file: OnFile
) -> None:
    bound = Signature("shop", "先来商城", ("1069000112",))
    in_store(lambda stores: stores.filings.put([bound]))

    done = cli("filings", "import", file, *config)

    assert done.returncode == 2
    assert "1069000112 belongs to the signature" in done.stderr
    assert on_file() == (bound,)


@pytest.mark.parametrize(
    ("days", "said"), [(30, "ends in 30 days"), (0, "ends today"), (-2, "ended 2 days ago")]
)
def test_r01_a_licence_that_ends_within_thirty_days_is_warned_of(
    cli: Cli, config: tuple[str, ...], file: str, write: Write, days: int, said: str
) -> None:
    until = _today() + timedelta(days=days)
    write("filings.yaml", FILE.replace("2099-12-31}\n    signatures", f"{until}}}\n    signatures"))

    done = cli("filings", "import", file, *config)

    assert done.returncode == 0
    assert f"the licence 粤B2-20200001 of shop {said}" in done.stderr


def test_of_a_long_import_the_first_changes_are_shown(
    cli: Cli, config: tuple[str, ...], file: str, write: Write
) -> None:
    names = "".join(f"      - {{name: 示例{number}店}}\n" for number in range(60))
    write("filings.yaml", FILE.replace("      - {name: 示例商城}\n", names))

    done = cli("filings", "import", file, *config)

    assert "and 15 more" in done.stdout


def test_what_is_named_is_removed(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile
) -> None:
    cli("filings", "import", file, *config)

    named = ("--signature", "示例商城", "--template", "T-001", "--scope", "10690002")
    done = cli("filings", "remove", "shop", *named, *config)

    assert "removed from shop: signature 1, template 1, scope 1" in done.stdout
    assert {type(one).__name__ for one in on_file()} == {"Licence", "Signature", "Approval"}


def test_what_is_removed_is_told_to_programs(cli: Cli, config: tuple[str, ...], file: str) -> None:
    cli("filings", "import", file, *config)

    done = cli("filings", "remove", "shop", "--signature", "示例商城", "--json", *config)

    assert json.loads(done.stdout) == {"system_id": "shop", "removed": {"signature": 1}}


def test_a_licence_and_an_approval_are_removed_by_option(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile
) -> None:
    cli("filings", "import", file, *config)

    cli("filings", "remove", "shop", "--licence", "--approval", "应急〔2026〕1号", *config)

    assert {type(one).__name__ for one in on_file()} == {"Signature", "Template", "PortScope"}


def test_all_is_removed_when_asked_for(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile
) -> None:
    cli("filings", "import", file, *config)

    assert cli("filings", "remove", "shop", "--all", *config).returncode == 0
    assert on_file() == ()


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ((), "say what to remove"),
        (("--signature", "没有"), "there is no signature 没有 on file"),
        (("--template", "T-9"), "there are: T-001"),
    ],
)
def test_what_is_not_on_file_is_not_removed(
    cli: Cli, config: tuple[str, ...], file: str, named: tuple[str, ...], problem: str
) -> None:
    cli("filings", "import", file, *config)

    done = cli("filings", "remove", "shop", *named, *config)

    assert done.returncode == 2
    assert problem in done.stderr


def test_an_sp_without_a_licence_has_none_to_remove(
    cli: Cli, config: tuple[str, ...], in_store: InStore
) -> None:
    in_store(lambda stores: stores.filings.put([Signature("shop", "示例商城")]))

    assert cli("filings", "remove", "shop", "--licence", *config).returncode == 2


def test_what_is_exported_can_be_imported_again(
    cli: Cli, config: tuple[str, ...], file: str, on_file: OnFile, tmp_path: Path
) -> None:
    cli("filings", "import", file, *config)
    out = tmp_path / "out.yaml"

    done = cli("filings", "export", "-o", str(out), *config)

    assert "written: 6 filings" in done.stdout
    assert set(load_filings(out)) == set(on_file())


def test_an_export_of_one_sp_goes_to_the_standard_output(
    cli: Cli, config: tuple[str, ...], in_store: InStore
) -> None:
    licences = [
        Licence("shop", "粤B2-1", date(2027, 1, 1)),
        Licence("gone", "粤B2-2", date(2027, 1, 1)),
    ]
    in_store(lambda stores: stores.filings.put(licences))

    done = cli("filings", "export", "--sender", "shop", *config)

    assert "粤B2-1" in done.stdout
    assert "粤B2-2" not in done.stdout


def test_a_place_that_cannot_be_written_is_told(
    cli: Cli, config: tuple[str, ...], tmp_path: Path
) -> None:
    done = cli("filings", "export", "-o", str(tmp_path / "no" / "out.yaml"), *config)

    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_an_sp_with_nothing_on_file_is_told_beside_those_that_have(
    cli: Cli, config: tuple[str, ...], file: str
) -> None:
    cli("filings", "import", file, *config)

    done = cli("filings", "export", "--sender", "shup", *config)

    assert done.returncode == 1
    assert "on file are those of: shop" in done.stderr


def _today() -> date:
    return date(2030, 1, 1) - timedelta(days=days_left(date(2030, 1, 1)))
