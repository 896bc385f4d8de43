import re
from enum import IntEnum
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import EventDict

from gateway.runtime.masking import (
    SECRET_KEYS,
    WHOLE_KEYS,
    describe_error,
    mask_values,
    masked_text,
)

NUMBER = re.compile(r"\d{8,}")

words = st.text(max_size=12) | st.from_regex(
    r"[^0-9]?(\+|00)?86?1[3-9]\d{9}[^0-9]?", fullmatch=True
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | words
    | words.map(lambda text: text.encode("utf-8", "surrogatepass"))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def cleaned(**event: object) -> EventDict:
    return dict(mask_values(None, "info", event))


@given(st.dictionaries(words.filter(lambda key: key not in WHOLE_KEYS), values, max_size=5))
def test_no_run_of_eight_digits_survives_whatever_is_logged(event: dict[str, object]) -> None:
    line = orjson.dumps(mask_values(None, "info", event)).decode()

    assert not NUMBER.search(line)


@pytest.mark.parametrize(
    ("logged", "written"),
    [
        ("13800138000", "138****8000"),
        ("from +8613800138000 to 10690001", "from +138****8000 to ******01"),
        (13800138000, "138****8000"),
        (-13800138000, "-138****8000"),
        (13800138000.0, "138****8000"),
        (b"\xff13800138000", "ÿ138****8000"),
        (["13800138000", {"to": ("13800138000",)}], ["138****8000", {"to": ["138****8000"]}]),
        ({"13800138000": 1}, {"138****8000": 1}),
        (9_999_999, 9_999_999),
        (0.123456789, 0.123),
        ("1234567", "1234567"),
        ("ESME_ROK", "ESME_ROK"),
        (True, True),
        (None, None),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_masked_wherever_it_stands(logged: object, written: object) -> None:
    assert cleaned(value=logged)["value"] == written


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_a_text_or_a_secret_is_dropped_at_any_depth(key: str) -> None:
    event = mask_values(None, "info", {key: "x", "inner": {key: "x", "kept": 1}, "kept": 2})

    assert event == {"inner": {"kept": 1}, "kept": 2}


@pytest.mark.parametrize("key", sorted(WHOLE_KEYS))
def test_our_own_names_for_things_stay_whole(key: str) -> None:
    assert cleaned(**{key: "1069000112345"}) == {key: "1069000112345"}
    assert cleaned(**{key: 8000000000000000001}) == {key: 8000000000000000001}


def test_a_path_is_written_as_text() -> None:
    assert cleaned(path=Path("var/cdr-20130930-10.jsonl"))["path"] == "var/cdr-20130930-10.jsonl"


def test_an_enum_is_written_as_its_value() -> None:
    class Status(IntEnum):
        OK = 0

    assert orjson.dumps(cleaned(status=Status.OK)) == b'{"status":0}'


def test_a_line_stays_short_whatever_is_logged() -> None:
    deep: object = "end"
    for _ in range(100):
        deep = [deep]

    line = orjson.dumps(cleaned(text_like="x" * 10_000, many=list(range(1000)), deep=deep))

    assert len(line) < 2000


def test_lone_surrogates_do_not_break_the_line() -> None:
    assert orjson.dumps(cleaned(path="\ud800", value="\udfff")) == b'{"path":"?","value":"?"}'


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert cleaned(system_id=b"a\x1b[2J\n", value="\x9b2J") == {
        "system_id": "a?[2J?",
        "value": "?2J",
    }


def test_full_width_digits_are_digits() -> None:
    assert not NUMBER.search(masked_text("请回复１３８００１３８０００"))


class TestErrors:
    def test_a_system_error_speaks_for_itself(self) -> None:
        error = FileNotFoundError(2, "No such file or directory")

        event = describe_error(None, "error", {"exc_info": error})

        assert event["error"] == "FileNotFoundError"
        assert event["said"] == "[Errno 2] No such file or directory"

    def test_a_foreign_error_may_quote_a_text_and_is_not_quoted(self) -> None:
        try:
            int("尊敬的用户")
        except ValueError as error:
            event = describe_error(None, "error", {"exc_info": error})
        else:
            pytest.fail("no error")

        assert event["error"] == "ValueError"
        assert "尊敬的用户" not in str(event)
        (frame,) = event["frames"]
        assert re.fullmatch(r"runtime/test_masking\.py:\d+ test_a_foreign_error\w+", frame)

    def test_the_error_being_handled_is_taken_when_none_is_given(self) -> None:
        error = ConnectionError("reset")
        error.__cause__ = KeyError("cause")
        try:
            raise error
        except ConnectionError:
            event = describe_error(None, "error", {"exc_info": True})

        assert (event["error"], event["said"], event["cause"]) == (
            "ConnectionError",
            "reset",
            "KeyError",
        )

    @pytest.mark.parametrize("given_error", [None, False, True])
    def test_without_an_error_nothing_is_added(self, *, given_error: bool | None) -> None:
        event = describe_error(None, "info", {"event": "x", "exc_info": given_error})

        assert event == {"event": "x"}
