"""`smsward complaints import`: files of complaints."""

import csv
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.complaints.model import Complaint

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Kept = Callable[[], list[Complaint]]
Import = Callable[..., CompletedProcess[str]]

HEADER = "举报编号,被举报号码,短信内容,举报时间,举报人\n"
ROW = "B-{},106900010001,低息贷款，加微信{},2025/11/24 09:30,13800138000\n"
MAPPING = """\
version: 1
encoding: gb18030
time_format: "%Y/%m/%d %H:%M"
columns:
  {source_id: 举报编号, sender: 被举报号码, text: 短信内容, reported_at: 举报时间, reporter: 举报人}
"""


@pytest.fixture
def import_file(cli: Cli, deployment: Path, in_store: InStore) -> Import:
    in_store(lambda _stores: None)
    config = str(deployment / "config")
    return lambda *given: cli("complaints", "import", *map(str, given), "--config", config)


@pytest.fixture
def kept(in_store: InStore) -> Kept:
    def kept() -> list[Complaint]:
        found: list[Complaint] = []

        async def look(stores: Stores) -> None:
            found.extend(await stores.complaints.find(limit=2000))

        in_store(look)
        return found[::-1]

    return kept


@pytest.fixture
def of_12321(tmp_path: Path) -> Path:
    """A file of 521 complaints in GB 18030, among them two that cannot be taken."""
    rows = [ROW.format(number, number) for number in range(1, 520)]
    rows[9:9] = ["B-x,,低息贷款,2025/11/24 09:30,\n", "B-y,1069\n"]
    path = tmp_path / "12321.csv"
    path.write_bytes((HEADER + "".join(rows)).encode("gb18030"))
    (tmp_path / "map.yaml").write_text(MAPPING, encoding="utf-8")
    return path


def test_r81_a_file_of_12321_imported_twice_is_taken_once(
    import_file: Import, kept: Kept, of_12321: Path, tmp_path: Path
) -> None:
    given = (of_12321, "--source", "12321", "--mapping", tmp_path / "map.yaml")
    first = import_file(*given, "--rejects", tmp_path / "rejects.csv", "--json")
    before = kept()

    again = import_file(*given)

    told = json.loads(first.stdout)
    assert (first.returncode, again.returncode) == (1, 1)
    assert (told["new"], told["known"], told["rejected"]) == (519, 0, 2)
    assert "taken down: 0 complaints; on record already: 519; rejected: 2 lines" in again.stdout
    assert kept() == before
    assert len(before) == 519
    assert (before[0].source, before[0].source_id, before[0].text) == (
        "12321",
        "B-1",
        "低息贷款，加微信1",
    )


def test_r81_rejected_lines_are_told_with_line_and_reason(
    import_file: Import, of_12321: Path, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"

    import_file(
        of_12321, "--source", "12321", "--mapping", tmp_path / "map.yaml", "--rejects", rejects
    )

    with rejects.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["line", "reason"],
            ["11", "/sender Field required"],
            ["12", "has 2 columns, and the header 5"],
        ]
    assert rejects.stat().st_mode & 0o777 == 0o600


def test_ids_of_carriers_count_for_each_carrier(
    import_file: Import, kept: Kept, tmp_path: Path
) -> None:
    path = tmp_path / "complaints.jsonl"
    path.write_text(
        '{"source_id":"1","sender":"10690001","text":"spam","reported_at":"2025-11-24T09:30:00Z"}\n'
        '{"v":"1","u":"a/b/1","s":"10690001",'
        '"m":{"p":"sms","t":"2025-11-24T01:00:00Z","c":"spam"}}\n'
    )

    ran = [
        import_file(path, "--source", "carrier", "--carrier", carrier)
        for carrier in ("unicom", "telecom", "unicom")
    ]

    assert [one.returncode for one in ran] == [0, 0, 0]
    assert [one.source_id[:8] for one in kept()] == [
        "unicom:1",
        "unicom:m",
        "telecom:",
        "telecom:",
    ]


def test_r88_five_reporters_in_a_file_suspend_the_port(
    import_file: Import, in_store: InStore, tmp_path: Path
) -> None:
    path, now = tmp_path / "complaints.jsonl", utcnow()
    rows = [
        {
            "source_id": f"{one}",
            "sender": "10690001",
            "text": "spam",
            "reporter": f"1380013800{one}",
        }
        for one in range(5)
    ]
    at = {"reported_at": now.isoformat()}
    path.write_text("".join(json.dumps(row | at) + "\n" for row in rows))
    suspended: list[str] = []

    async def look(stores: Stores) -> None:
        suspended.extend(one.port for one in await stores.suspended_ports.listed())

    ran = import_file(path, "--source", "12321")
    in_store(look)

    assert ran.returncode == 0
    assert suspended == ["10690001"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("gone.csv", "--source", "12321"), "there is no file"),
        (("{}", "--source", "carrier"), "--carrier goes with"),
        (("{}", "--source", "cs", "--carrier", "unicom"), "--carrier goes with"),
        (("{}", "--source", "carrier", "--carrier", "a b"), "--carrier: 1 to 32"),
        (("{}", "--source", "mo"), "--source"),
        (("{}", "--source", "12321", "--rejects", "{}"), "this is the file itself"),
        (("{}", "--source", "12321"), "the header is not utf-8"),
        (("{}", "--source", "12321", "--mapping", "{}"), "not UTF-8"),
    ],
)
def test_what_cannot_be_meant_takes_nothing(
    import_file: Import, kept: Kept, of_12321: Path, given: tuple[str, ...], said: str
) -> None:
    ran = import_file(*(one.format(of_12321) for one in given))

    assert ran.returncode == 2
    assert said in ran.stderr
    assert kept() == []


@pytest.fixture
def add(cli: Cli, deployment: Path, in_store: InStore) -> Import:
    in_store(lambda _stores: None)
    config = str(deployment / "config")

    def add(*given: str, text: str = "低息贷款\n") -> CompletedProcess[str]:
        return cli("complaints", "add", *given, "--config", config, stdin=text)

    return add


def test_r81_customer_service_takes_down_what_a_caller_says(
    add: Import, kept: Kept, in_store: InStore
) -> None:
    given = ("+86 1069-0001", "--reporter", "13800138000", "--category", "loan", "--id", "T-1")
    ran = add(*given, "--received-at", "2025-11-24T09:30+08:00", "--by", "wu", "--json")
    again = add(*given)
    journal: list[tuple[str, str, str]] = []

    async def look(stores: Stores) -> None:
        journal.extend((one.by, one.action, one.about) for one in await stores.journals.accesses())

    in_store(look)
    assert ran.returncode == 0, ran.stderr
    (one,) = kept()
    told = json.loads(ran.stdout)
    assert told == {
        "complaint": one.number,
        "state": "received",
        "new": True,
        "shielded": True,
    }
    assert (one.source, one.source_id, one.sender) == ("cs", "cs:T-1", "8610690001")
    assert (one.text, one.reporter, one.category) == ("低息贷款", 8613800138000, "loan")
    assert str(one.received_at) == "2025-11-24 01:30:00+00:00"
    assert one.by.startswith("wu (said by ")
    assert f"complaint {one.number} on record already" in again.stdout
    assert journal[-1] == (one.by, "complaints add", f"complaint {one.number}")


@pytest.mark.parametrize(
    ("given", "text", "said"),
    [
        (("10690001",), " \n", "text is empty"),
        (("10690001",), "x" * 65_001, "text "),
        (("no sender at all!",), "spam", "sender is neither digits"),
        (("10690001", "--reporter", "12"), "spam", "--reporter: 12 is no subscriber number"),
        (("10690001", "--category", "nothing"), "spam", "there is no such category"),
        (("10690001", "--received-at", "2090-01-01"), "spam", "--received-at must be a time"),
        (("10690001", "--id", "a b"), "spam", "--id "),
        (("10690001", "--file", "/nowhere"), "spam", "cannot be read"),
    ],
)
def test_what_is_no_complaint_of_a_caller_takes_nothing(
    add: Import, kept: Kept, given: tuple[str, ...], text: str, said: str
) -> None:
    ran = add(*given, text=text)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert kept() == []
