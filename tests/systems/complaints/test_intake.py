"""Complaints that others bring: our JSON and MARS v1, whatever they send."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.complaints.intake import (
    MAX_ID_CHARS,
    ItemOrigin,
    ItemRejectedError,
    complaint_of,
    sender_of,
)
from gateway.systems.complaints.model import (
    MAX_ATTACHMENTS,
    MAX_TEXT_CHARS,
    ComplaintSource,
    NewComplaint,
    faults_of,
)

NOW = datetime(2025, 11, 25, 12, tzinfo=UTC)
ORIGIN = ItemOrigin((ComplaintSource.CLIENT,), "app", NOW)
SUBSCRIBER = 8613800138000
DIGEST = "9c1e" * 16


def form(**changes: Any) -> dict[str, Any]:
    """Return a complaint in our own JSON; None leaves a field out."""
    whole = {
        "source_id": "r-1",
        "sender": "106900010001",
        "text": "低息贷款，加微信",
        "reported_at": "2025-11-25T19:30:00+08:00",
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def mars(**changes: Any) -> dict[str, Any]:
    """Return a complaint in MARS v1; `p`, `t` and `c` belong to its message."""
    message = {"p": "sms", "t": "2025-11-25T11:15:22Z", "c": "Claim your prize"}
    whole: dict[str, Any] = {"v": "1", "u": "ExampleOrg/Messages/2.3-alpha", "s": "+447700900123"}
    for name, value in changes.items():
        (message if name in message else whole)[name] = value
    return whole | {"m": message}


def problems(item: object, origin: ItemOrigin = ORIGIN) -> list[str]:
    """Return the places of what is wrong."""
    with pytest.raises(ItemRejectedError) as caught:
        complaint_of(item, origin)
    return [fault.pointer for fault in caught.value.faults]


def test_r81_our_json_becomes_a_complaint() -> None:
    item = form(
        received_at="2025-11-25T19:00:00+08:00",
        reporter="13800138000",
        category="贷款",
        attachments=[DIGEST],
    )

    assert complaint_of(item, ORIGIN) == NewComplaint(
        source=ComplaintSource.CLIENT,
        source_id="app:r-1",
        reported_at=datetime(2025, 11, 25, 11, 30, tzinfo=UTC),
        sender="106900010001",
        text="低息贷款，加微信",
        reporter=SUBSCRIBER,
        received_at=datetime(2025, 11, 25, 11, 0, tzinfo=UTC),
        category="loan",
        attachments=(DIGEST,),
        by="app",
    )


def test_r81_mars_v1_becomes_a_complaint() -> None:
    new = complaint_of(mars(r="+8613800138000", d="SPAM", p="SMS"), ORIGIN)

    assert (new.sender, new.text, new.reporter) == (
        "447700900123",
        "Claim your prize",
        SUBSCRIBER,
    )
    assert (new.received_at, new.reported_at) == (
        datetime(2025, 11, 25, 11, 15, 22, tzinfo=UTC),
        NOW,
    )
    assert new.source_id.startswith("app:mars-")


def test_r81_the_same_mars_report_has_the_same_id_and_another_has_not() -> None:
    first, again = (
        complaint_of(mars(), ORIGIN),
        complaint_of(mars(u="ExampleOrg/Messages/3"), ORIGIN),
    )
    others = [
        mars(t="2025-11-25T11:15:23Z"),
        mars(s="12345"),
        mars(c="x"),
        mars(r="+8613800138000"),
    ]

    ids = {complaint_of(item, ORIGIN).source_id for item in others}

    assert first.source_id == again.source_id
    assert len(ids | {first.source_id}) == 1 + len(others)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('Content-Type: text/plain; charset="UTF-8"\r\n\r\nBuy here', "Buy here"),
        ("content-type: text/plain\nContent-Transfer-Encoding: 8bit\n\nBuy\n\nhere", "Buy\n\nhere"),
        ("Content-Type: free of charge", "Content-Type: free of charge"),
    ],
)
def test_a_mime_head_of_plain_text_is_dropped(content: str, text: str) -> None:
    assert complaint_of(mars(c=content), ORIGIN).text == text


@pytest.mark.parametrize("reporter", ["3f11961ff9b2c08d" * 4, "user1@example.net", "device 7"])
def test_a_reporter_of_mars_who_is_no_number_is_not_kept(reporter: str) -> None:
    assert complaint_of(mars(r=reporter), ORIGIN).reporter is None


@pytest.mark.parametrize(
    ("item", "pointers"),
    [
        (mars(d="legit"), ["/d"]),
        (mars(p="mms"), ["/m/p"]),
        (mars(t="2025-11-25T11:15:22+08:00"), ["/m/t"]),
        (mars(t="2025-13-25T11:15:22Z"), ["/m/t"]),
        (mars(t="2035-11-25T11:15:22Z"), ["/received_at"]),
        (mars(s="example1@example.com"), ["/s"]),
        (mars(v="2"), ["/v"]),
        (mars(u="Messages"), ["/u"]),
        (mars(i="1"), ["/i"]),
        (mars(c=" "), ["/m/c"]),
        (mars(c="Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"), ["/m/c"]),
        (mars(c="Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nQQ=="), ["/m/c"]),
        ({"v": "1"}, ["/u", "/s", "/m"]),
    ],
)
def test_what_of_mars_is_not_taken_is_told_by_its_place(item: object, pointers: list[str]) -> None:
    assert problems(item) == pointers


@pytest.mark.parametrize(
    ("item", "pointers"),
    [
        (form(sender=None), ["/sender"]),
        (form(sender="user@example.com"), ["/sender"]),
        (form(sender="1" * 21), ["/sender"]),
        (form(text=None), ["/text"]),
        (form(text=" \n"), ["/text"]),
        (form(text="长" * (MAX_TEXT_CHARS + 1)), ["/text"]),
        (form(source_id=""), ["/source_id"]),
        (form(source_id="r" * (MAX_ID_CHARS + 1)), ["/source_id"]),
        (form(source_id="r 1"), ["/source_id"]),
        (form(source_id=17), ["/source_id"]),
        (form(reported_at=None), ["/reported_at"]),
        (form(reported_at="2025-11-25 11:00"), ["/reported_at"]),
        (form(reported_at="2027-11-25T11:00:00Z"), ["/reported_at"]),
        (form(received_at="1989-11-25T11:00:00Z"), ["/received_at"]),
        (form(reporter="12"), ["/reporter"]),
        (form(reporter=13800138000), ["/reporter"]),
        (form(category="weather"), ["/category"]),
        (form(source="12321"), ["/source"]),
        (form(source="me"), ["/source"]),
        (form(attachments=["9c1e"]), ["/attachments/0"]),
        (form(attachments=[DIGEST] * (MAX_ATTACHMENTS + 1)), ["/attachments"]),
        (form(**{"13800138000": 1}), [""]),
        ([form()], [""]),
        (None, [""]),
    ],
)
def test_r81_what_is_wrong_with_an_item_is_told_by_its_place(
    item: object, pointers: list[str]
) -> None:
    assert problems(item) == pointers


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("106575550000", "106575550000"),
        ("+86 138-0013-8000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("１０６５７５５５００００", "106575550000"),
        ("+44 7700 900123", "447700900123"),
        ("AD-LOANCO", "AD-LOANCO"),
        (" 12321 ", "12321"),
        ("a.b@example.com", None),
        ("示例商城", None),
        ("", None),
        ("1" * 400, None),
    ],
)
def test_a_sender_is_read_as_the_records_have_it(written: str, sender: str | None) -> None:
    assert sender_of(written) == sender


def test_who_brings_complaints_of_several_sources_says_which() -> None:
    sources = ComplaintSource.CUSTOMER_SERVICE, ComplaintSource.AUTHORITY
    clerk = ItemOrigin(sources, "12321 desk", NOW)
    said = ItemOrigin(sources, "12321 desk", NOW, source=ComplaintSource.AUTHORITY)

    assert problems(form(), clerk) == ["/source"]
    assert complaint_of(form(source="cs"), clerk).source_id == "12321 desk:r-1"
    # 12321 gives one id to everybody who passes its complaints on.
    assert complaint_of(form(), said).source_id == "r-1"
    assert complaint_of(mars(), said).source is ComplaintSource.AUTHORITY


def test_the_subscriber_of_a_session_is_the_reporter_and_nobody_else() -> None:
    proved = ItemOrigin((ComplaintSource.CLIENT,), "app", NOW, reporter=SUBSCRIBER)

    assert complaint_of(form(), proved).reporter == SUBSCRIBER
    assert complaint_of(mars(), proved).reporter == SUBSCRIBER
    assert problems(form(reporter="13900139000"), proved) == ["/reporter"]


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert problems(form(text="a\ud83d")) == ["/text"]
    assert problems(mars(r="a\ud83d")) == ["/r"]


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["13800138000", "1", "sms", "spam", "2025-11-24T00:00:00Z", DIGEST])
    | st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
SURROGATES = st.text(st.characters(categories=["Cs", "L"]), max_size=6)
of_ours = st.dictionaries(st.sampled_from([*form(), "reporter", "category", "x"]), values)
of_mars = st.dictionaries(st.sampled_from([*"vuirsdptc"]), values)
near_ours = of_ours.map(lambda some: form(**some))
near_mars = of_mars.map(lambda some: mars(**some))


@given(
    values | of_ours | near_ours | near_mars | st.builds(lambda text: form(text=text), SURROGATES)
)
def test_any_value_is_a_complaint_that_may_be_taken_or_is_rejected(item: object) -> None:
    try:
        new = complaint_of(item, ORIGIN)
    except ItemRejectedError as error:
        assert error.faults
        assert "13800138000" not in str(error)
    else:
        assert not faults_of(new, NOW)
        assert new.sender
        assert new.text.encode()
        assert new.reported_at <= NOW + timedelta(days=1)
