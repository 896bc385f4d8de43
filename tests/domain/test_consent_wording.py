"""What a request for consent must say before it may be filed (D14 art. 5, R23)."""

import pytest

from gateway.domain.filings import Template, TemplateKind, problems_of, request_problems

WHOLE = "春晓书店想每月给您发两条新书短信，为期一年，回复Y同意"


def lacks(text: str) -> list[str]:
    """Return what each problem is about, in a word."""
    words = {"about": "what", "often": "often", "long": "long", "reply": "reply"}
    return [
        name
        for problem in request_problems(text)
        for word, name in words.items()
        if f" {word}" in problem
    ]


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        "橙子商城想每月给您发两条新品短信，为期一年，回复Y同意。",
        "回复Y同意接收{1}的优惠，每月两条，为期一年。",
        "想每周给您发{1}条楼盘信息，期限{2}个月，同意请回“是”，拒绝请回“否”",
        "新店开业当天的活动安排发您一条，一次为限，愿意请回复：同意",
        "每三个月一条车险报价，有效期至2027年底，确认请答复 确认",
        "May we text you offers twice a month for one year? Reply YES to agree",
        "Ｒｅｐｌｙ　Ｙ for weekly deals until December",
    ],
)
def test_r23_a_request_that_says_all_it_must_may_be_filed(text: str) -> None:
    assert list(request_problems(text)) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("想每月给您发两条短信，为期一年，回复Y同意", ["what"]),
        ("想给您发新书短信，为期一年，回复Y同意", ["often"]),
        ("想每月给您发两条新书短信，回复Y同意", ["long"]),
        ("每三个月给您发新书短信，回复Y同意", ["long"]),
        ("想每月给您发两条新书短信，为期一年", ["reply"]),
        ("想每月给您发两条新书短信，为期一年，不同意回复N", ["reply"]),
        ("想每月给您发两条新书短信，为期一年，回复young", ["reply"]),
        ("想每月给您发两条新书短信，为期一年，不回复视为同意", ["reply"]),
        ("您好，欢迎光临", ["what", "often", "long", "reply"]),
        ("Reply YES for offers", ["often", "long"]),
    ],
)
def test_r23_a_request_that_leaves_something_out_is_refused_with_all_of_it(
    text: str, missing: list[str]
) -> None:
    assert lacks(text) == missing


def test_r23_only_a_request_for_consent_must_say_so_much() -> None:
    advert = Template("shop", "T1", TemplateKind.COMMERCIAL, "新书上架，欢迎光临")

    assert problems_of(advert) == ()
    assert len(problems_of(Template("shop", "T1", TemplateKind.CONSENT_REQUEST, advert.text))) == 3
