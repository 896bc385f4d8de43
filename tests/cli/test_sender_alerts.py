"""`smsward sender alerts`: what SPs are told of themselves, on record."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from subprocess import CompletedProcess

import pytest

from gateway.stores import Stores
from gateway.systems.sender_alerts import AlertKind, SenderAlert

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object]]], None]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENDING = SenderAlert("shop", AlertKind.ENDING, "licence", '{"what":"licence","days_left":7}', NOON)
SAID = '{"code":"W4","rule":"R40","port":"13911112222","severity":""}'
WARNING = SenderAlert("bank", AlertKind.WARNING, "17", SAID, NOON.replace(hour=13))


@pytest.fixture
def config(options: tuple[str, ...], in_store: InStore) -> tuple[str, ...]:
    """Return the option that names a deployment with two alerts, one of them told."""

    async def fill(stores: Stores) -> None:
        await stores.sender_alerts.add([ENDING, WARNING])
        await stores.sender_alerts.told([ENDING], NOON.replace(minute=1))

    in_store(fill)
    return options[:2]


def test_alerts_are_listed_with_when_their_sp_took_them(cli: Cli, config: tuple[str, ...]) -> None:
    shown = cli("sender", "alerts", *config).stdout
    own = json.loads(cli("sender", "alerts", "--system-id", "shop", "--json", *config).stdout)

    assert shown.index("bank") < shown.index("shop")
    assert "not yet" in shown
    assert "139****2222" in shown
    assert "13911112222" not in shown
    assert [(one["kind"], one["days_left"], one["told_at"][:16]) for one in own] == [
        ("ending", 7, "2026-05-01T12:01")
    ]


def test_a_limit_of_none_is_refused(cli: Cli, options: tuple[str, ...]) -> None:
    assert cli("sender", "alerts", "--limit", "0", *options[:2]).returncode == 2


def test_an_sp_without_alerts_has_none(cli: Cli, config: tuple[str, ...]) -> None:
    assert cli("sender", "alerts", "--system-id", "clinic", *config).stdout == "no alerts\n"
