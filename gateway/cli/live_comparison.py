"""The work of `smsward filter compare --live`: two models on the texts that come."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from gateway.cli.disputed_texts import disputed_texts
from gateway.cli.failure import CommandError, ExitCode
from gateway.cli.model_life import directory_of, in_words, short
from gateway.cli.plurals import counted
from gateway.cli.screen import print_json, print_table, say, warn
from gateway.filter.model_comparison import DISPUTED, ModelAgreement
from gateway.settings.gateway import GatewaySettings

_SHOWN_NAMES = 10
_MAX_CLASSES = 20
_NONE_DISPUTED = "there is no text that only one of them stops"
_NOT_ON_RECORD = "none of them is in the records: they hold texts where records.texts is true"


@dataclass(frozen=True, slots=True)
class _Live:
    """What a gateway wrote of its two models."""

    active: str
    shadow: str
    since: datetime
    at: datetime
    failed: int
    texts: dict[str, dict[str, int]]
    messages: dict[str, dict[str, int]]
    sampled: dict[str, list[str]]


def show_live(settings: GatewaySettings, *, with_texts: bool, as_json: bool) -> int:
    """Print what a running gateway last said of its two models; return the exit code.

    With `with_texts` what the records tell of the texts that they dispute.
    """
    models = directory_of(settings)
    with in_words(models):
        state, octets = models.state(), models.comparison()
    if not octets:
        raise CommandError(
            "no gateway has compared two models yet",
            advice="one must be in force and one in shadow: `smsward filter models`",
        )
    live = _live(octets)
    if (live.active, live.shadow) != (state.active, state.shadow):
        warn("these are not the models that stand now; a running gateway compares those soon")
    texts = disputed_texts(settings, live.sampled, live.since) if with_texts else None
    if as_json:
        more = {} if texts is None else {"texts": list(map(asdict, texts))}
        print_json({**json.loads(octets), **more})
        return ExitCode.FINE
    _print(live)
    if texts:
        rows = [
            (one.name, one.agreement.replace("_", " "), one.system_id, one.text) for one in texts
        ]
        print_table(("name", "stopped by", "SP", "text"), rows)
    elif with_texts:
        say(_NOT_ON_RECORD if any(live.sampled.values()) else _NONE_DISPUTED)
    return ExitCode.FINE


def _live(octets: bytes) -> _Live:
    """Return what the file says. Raises CommandError for one that no gateway wrote."""
    try:
        said = json.loads(octets)
        return _Live(
            active=str(said["active"]),
            shadow=str(said["shadow"]),
            since=_time(said["since"]),
            at=_time(said["at"]),
            failed=int(said["failed"]),
            texts=_counts(said["counts"]),
            messages=_counts(said["messages"]),
            sampled={one: list(map(str, said["sampled"][one])) for one in DISPUTED},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CommandError(
            "what a gateway said of its models cannot be read",
            advice="a running gateway writes it anew within ten seconds",
        ) from error


def _counts(said: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {
        str(name): {one: int(counts[one]) for one in ModelAgreement}
        for name, counts in list(said.items())[:_MAX_CLASSES]
    }


def _time(said: str) -> datetime:
    time = datetime.fromisoformat(said)
    if time.tzinfo is None:
        raise ValueError("a time without an offset")
    return time


def _print(live: _Live) -> None:
    rows = [
        (name, counted, *(str(counts[name][one]) for one in ModelAgreement))
        for name in live.texts
        for counted, counts in (("texts", live.texts), ("messages", live.messages))
    ]
    columns = ("class", "", *(one.replace("_", " ") for one in ModelAgreement))
    title = f"stopped by {short(live.active)} in force, {short(live.shadow)} in shadow"
    print_table(columns, rows, title=title)
    span = f"from {live.since.isoformat()} to {live.at.isoformat()}"
    say(f"texts that were new to the gateway, and all messages that had them, {span}")
    for one in DISPUTED:
        if live.sampled[one]:
            shown = " ".join(live.sampled[one][:_SHOWN_NAMES])
            say(f"{one.replace('_', ' ')}, some of them: {shown}")
    if live.failed:
        warn(f"the model in shadow failed on {counted(live.failed, 'text')}")
