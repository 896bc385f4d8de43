"""Answers go out as CSV: masked unless asked otherwise, for their owner alone."""

import asyncio
import io
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer, end_of
from gateway.stores import Stores
from gateway.systems.consent.cli.answers import ExportQuery, export_answers
from gateway.terminal.deployment import load_settings

Cli = Callable[..., CompletedProcess[str]]
WHY = ("--unmask", "--reason", "派单 12")

Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

MSISDN = 8613800138000
SINCE = datetime(2025, 11, 4, 1, 30, tzinfo=UTC)
GIVEN = [
    ConsentAnswer(MSISDN, EVERY_SENDER, Answer.REFUSED, SINCE, "mo"),
    ConsentAnswer(
        MSISDN,
        "shop",
        Answer.AGREED,
        SINCE + timedelta(microseconds=1),
        "信, 函",
        "77",
        end_of(date(2099, 12, 31)),
    ),
    ConsentAnswer(MSISDN + 1, "gone", Answer.REFUSED, SINCE, "cli"),
    ConsentAnswer(MSISDN + 2, "shop", Answer.AGREED, SINCE, "web", "78", end_of(SINCE.date())),
    ConsentAnswer(MSISDN + 3, "shop", Answer.ASSERTED, SINCE, "web", "79", end_of(SINCE.date())),
]
WHOLE = """\
number,system_id,answer,since,channel,evidence,until
8613800138000,*,refused,2025-11-04T01:30:00+00:00,mo,,
8613800138000,shop,agreed,2025-11-04T01:30:00.000001+00:00,"信, 函",77,2099-12-31T16:00:00+00:00
8613800138001,gone,refused,2025-11-04T01:30:00+00:00,cli,,
8613800138002,shop,ended,2025-11-04T01:30:00+00:00,web,78,2025-11-04T16:00:00+00:00
8613800138003,shop,asserted-ended,2025-11-04T01:30:00+00:00,web,79,2025-11-04T16:00:00+00:00
"""


@pytest.fixture
def consent(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda stores: stores.consent.record(GIVEN))

    def consent(*arguments: str) -> CompletedProcess[str]:
        return cli("consent", *arguments, "--config", str(deployment / "config"))

    return consent


def test_numbers_are_masked_unless_they_are_asked_for(consent: Command) -> None:
    ran = consent("export")

    assert ran.returncode == 0
    assert ran.stdout.splitlines()[1].startswith("138****8000,*,refused,")
    assert "3800138" not in ran.stdout
    assert consent("export", *WHY).stdout == WHOLE


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (("--system-id", "shop"), [2, 4, 5]),
        (("--answer", "agreed"), [2]),
        (("--answer", "asserted"), []),
        (("--all-senders",), [1]),
        (("--answer", "refused"), [1, 3]),
        (("--system-id", "shop", "--answer", "refused"), []),
    ],
)
def test_an_export_holds_what_was_asked_for(
    consent: Command, arguments: tuple[str, ...], lines: list[int]
) -> None:
    ran = consent("export", *WHY, *arguments)

    whole = WHOLE.splitlines()
    assert ran.stdout.splitlines() == [whole[0], *(whole[line] for line in lines)]


def test_a_file_of_numbers_is_its_owner_s_alone(consent: Command, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    ran = consent("export", *WHY, "-o", str(path))

    assert ran.stdout == f"written: 5 answers to {path}\n"
    assert path.read_text(encoding="utf-8") == WHOLE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_r26_what_is_exported_can_be_imported_and_is_worth_what_it_was(
    consent: Command, in_store: InStore, tmp_path: Path
) -> None:
    kept: list[ConsentAnswer] = []

    async def look(stores: Stores) -> None:
        kept.extend([one async for page in stores.consent_lists.listed() for one in page])

    path = tmp_path / "out.csv"
    consent("export", *WHY, "-o", str(path))
    (tmp_path / "var" / "smsward.db").unlink()
    in_store(lambda _stores: None)

    ran = consent("import", str(path))

    assert (ran.returncode, ran.stdout) == (0, "recorded: 5 answers; rejected: 0 lines\n")
    in_store(look)
    assert kept == GIVEN
    assert consent("export", *WHY).stdout == WHOLE


def test_a_place_that_cannot_be_written_is_said(consent: Command, tmp_path: Path) -> None:
    ran = consent("export", "-o", str(tmp_path / "none" / "out.csv"))

    assert ran.returncode == 1
    assert "cannot be written: No such file or directory" in ran.stderr


def test_two_scopes_at_once_are_a_misuse(consent: Command) -> None:
    assert consent("export", "--system-id", "shop", "--all-senders").returncode == 2


@pytest.mark.usefixtures("consent")
def test_a_reader_that_leaves_is_no_fault_of_a_file(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Left())

    with pytest.raises(BrokenPipeError):
        asyncio.run(
            export_answers(load_settings(deployment / "config"), ExportQuery(), None, unmask=False)
        )
