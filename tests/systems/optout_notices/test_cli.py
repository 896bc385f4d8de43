import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.runtime.clock import utcnow
from gateway.stores import Stores

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Write = Callable[[str, str], None]

NUMBER, MASKED = "8613800138000", "138****8000"
MSISDN = int(NUMBER)


@pytest.fixture
def notices(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)

    def notices(*arguments: str) -> CompletedProcess[str]:
        return cli("notices", *arguments, "--config", str(deployment / "config"))

    return notices


@pytest.fixture
def refuse(in_store: InStore) -> Callable[..., None]:
    """Record refusals of so many subscribers by a clerk of the hall."""

    def refuse(scope: str = "shop", count: int = 1) -> None:
        answers = [
            ConsentAnswer(MSISDN + place, scope, Answer.REFUSED, utcnow(), "hall")
            for place in range(count)
        ]
        in_store(lambda stores: stores.consent.record(answers))

    return refuse


def test_r36_an_sp_is_given_its_refusals_by_hand_until_they_are_acknowledged(
    notices: Command, refuse: Callable[..., None]
) -> None:
    refuse(count=501)

    first = notices("next", "--system-id", "shop")
    again = notices("next", "--system-id", "shop")
    taken = notices("acknowledge", "1", "--system-id", "shop")
    second = notices("next", "--system-id", "shop")

    assert again.stdout == first.stdout
    assert "batch 1 for shop" in first.stdout
    assert "500 notices, more wait behind it" in first.stdout
    assert "smsward notices acknowledge 1 --system-id shop" in first.stdout
    assert "batch 1 is taken by shop; more waits since" in taken.stdout
    assert "1 notice, nothing waits behind it" in second.stdout
    assert "hall" in second.stdout


def test_who_has_heard_of_all_is_said_to(notices: Command, refuse: Callable[..., None]) -> None:
    refuse()
    notices("next", "--system-id", "shop")

    taken = notices("acknowledge", "1", "--system-id", "shop")
    rest = notices("next", "--system-id", "shop")
    in_json = notices("next", "--system-id", "shop", "--json")

    assert taken.stdout == "batch 1 is taken by shop; nothing else waits\n"
    assert rest.stdout == "shop has heard of every answer on record\n"
    assert json.loads(in_json.stdout) == {
        "system_id": "shop",
        "batch": None,
        "is_last": True,
        "notices": [],
    }


def test_r73_numbers_are_masked_unless_a_reason_is_given(
    notices: Command, refuse: Callable[..., None], in_store: InStore
) -> None:
    refuse(EVERY_SENDER)
    refuse("shop")
    accesses: list[object] = []

    async def look(stores: Stores) -> None:
        accesses.extend(await stores.journals.accesses())

    table = notices("next", "--system-id", "shop")
    masked = notices("next", "--system-id", "shop", "--json")
    refused = notices("next", "--system-id", "shop", "--unmask")
    whole = notices(
        "next", "--system-id", "shop", "--json", "--unmask", "--reason", "file for shop"
    )
    in_store(look)

    assert MASKED in table.stdout
    assert "(every sender)" in table.stdout
    assert not re.search("[0-9]{11}", table.stdout)
    [notice, _] = json.loads(masked.stdout)["notices"]
    assert (notice["number"], notice["all_senders"]) == (MASKED, True)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert json.loads(whole.stdout)["notices"][0]["number"] == NUMBER
    assert len(accesses) == 1


def test_a_batch_that_is_taken_is_told_to_programs(
    notices: Command, refuse: Callable[..., None]
) -> None:
    refuse()
    notices("next", "--system-id", "shop")

    ran = notices("acknowledge", "1", "--system-id", "shop", "--json")

    assert json.loads(ran.stdout) == {"system_id": "shop", "batch": 1, "waiting_since": None}


def test_a_batch_that_was_never_given_is_not_acknowledged(
    notices: Command, refuse: Callable[..., None]
) -> None:
    refuse()

    ran = notices("acknowledge", "3", "--system-id", "shop")

    assert ran.returncode == 1
    assert "shop was never given batch 3" in ran.stderr
    assert "smsward notices next --system-id shop" in ran.stderr


@pytest.mark.parametrize("command", [("next",), ("acknowledge", "1")])
def test_an_sp_that_there_is_not_hears_nothing(notices: Command, command: tuple[str, ...]) -> None:
    ran = notices(*command, "--system-id", "shpo")

    assert ran.returncode == 2
    assert "there is no sender shpo in senders.yaml" in ran.stderr
    assert "there are: gone, shop" in ran.stderr


def test_the_list_tells_who_waits_and_whose_webhook_fails(
    notices: Command, refuse: Callable[..., None], in_store: InStore, write: Write
) -> None:
    key = "0123456789abcdef0123456789abcdef"
    webhook = f'{{url: "http://127.0.0.1:9/", key: "plain:{key}"}}'
    write(
        "config/senders.yaml",
        "version: 1\nallow_plain_passwords: true\nsenders:\n"
        f'  - {{system_id: shop, password: "plain:secret", webhook: {webhook}}}\n'
        '  - {system_id: bank, password: "plain:secret"}\n',
    )
    refuse()
    at = utcnow()

    async def fail(stores: Stores) -> None:
        await stores.notices.note_failure(
            "shop", "HTTP 503", at=at, next_try_at=at + timedelta(seconds=1)
        )

    in_store(fail)
    table = notices("list")
    bank, shop = json.loads(notices("list", "--json").stdout)

    assert "HTTP 503" in table.stdout
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in table.stdout
    assert key not in table.stdout
    assert (shop["system_id"], shop["webhook"], shop["attempts"]) == ("shop", True, 1)
    assert shop["waiting_since"] is not None
    assert (shop["failure"], shop["delivered_at"]) == ("HTTP 503", None)
    assert bank == {
        "system_id": "bank",
        "webhook": False,
        "waiting_since": None,
        "delivered_at": None,
        "attempts": 0,
        "next_try_at": None,
        "failed_at": None,
        "failure": "",
    }


def test_without_sps_there_is_nothing_to_list(notices: Command, write: Write) -> None:
    write("config/senders.yaml", "version: 1\nsenders: []\n")

    assert notices("list").stdout == "there are no SPs in senders.yaml\n"


def test_senders_that_cannot_be_read_are_to_be_repaired_first(
    notices: Command, write: Write
) -> None:
    write("config/senders.yaml", "version: 2\n")

    ran = notices("list")

    assert ran.returncode == 2
    assert "smsward check tells how" in ran.stderr
