import hashlib
import hmac
import json
from datetime import UTC, datetime

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.systems.optout_notices.model import Notice, NoticeBatch
from gateway.systems.optout_notices.service import body_of, signature_of

NOON = datetime(2025, 11, 25, 12, 0, tzinfo=UTC)
KEY = b"k" * 32
BATCH = NoticeBatch(
    7,
    (
        Notice(8613800138000, Answer.REFUSED, NOON, "营业厅", "sp1 10690001"),
        Notice(8613800138001, Answer.AGREED, NOON, "mo", EVERY_SENDER),
    ),
    is_last=False,
)


def test_an_sp_reads_who_said_what_to_whom_and_when() -> None:
    assert json.loads(body_of("sp1", BATCH)) == {
        "system_id": "sp1",
        "batch": 7,
        "is_last": False,
        "notices": [
            {
                "number": "8613800138000",
                "answer": "refused",
                "all_senders": False,
                "port": "10690001",
                "category": "",
                "since": "2025-11-25T12:00:00Z",
                "channel": "营业厅",
            },
            {
                "number": "8613800138001",
                "answer": "agreed",
                "all_senders": True,
                "port": "",
                "category": "",
                "since": "2025-11-25T12:00:00Z",
                "channel": "mo",
            },
        ],
    }


def test_the_same_batch_has_the_same_octets() -> None:
    assert body_of("sp1", BATCH) == body_of("sp1", BATCH)


def test_the_signature_covers_the_time_and_every_octet() -> None:
    expected = hmac.new(KEY, b'1764072000.{"a":1}', hashlib.sha256).hexdigest()

    assert signature_of(b'{"a":1}', KEY, 1764072000) == expected
    assert signature_of(b'{"a":2}', KEY, 1764072000) != expected
    assert signature_of(b'{"a":1}', KEY, 1764072001) != expected
    assert signature_of(b'{"a":1}', b"j" * 32, 1764072000) != expected
