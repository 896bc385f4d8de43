import pytest

from gateway.filter.classifier.score import TextClass, class_of
from gateway.filter.normalise.views import Views


@pytest.mark.parametrize(
    ("text", "is_port", "expected"),
    [
        ("您的快递到了", True, TextClass.PORT),
        ("晚上回家吃饭", False, TextClass.PERSON),
        ("Your parcel is here", True, TextClass.FOREIGN),
        ("Home at six", False, TextClass.FOREIGN),
        ("ＰＡＲＣＥＬ", True, TextClass.FOREIGN),
        ("", True, TextClass.FOREIGN),
    ],
)
def test_han_and_who_sent_it_decide_the_class(
    text: str, expected: TextClass, *, is_port: bool
) -> None:
    assert class_of(Views(text), is_port=is_port) is expected
