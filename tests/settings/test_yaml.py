from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.settings import yaml
from gateway.settings.yaml import Mark, SettingsError

Write = Callable[[str, str], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

HERE = Path("some.yaml")


def value_of(text: str) -> yaml.Value:
    return yaml.compose(HERE, text.encode()).value


TRAPS = {
    "YAML 1.1 booleans": ["no", "NO", "on", "Off", "yes", "True", "FALSE"],
    "nulls": ["Null", "~"],
    "octal and lost zeros": ["00000", "0000", "0106", "010620", "010690", "0o17"],
    "sexagesimal": ["21:00", "08:00", "12:30", "106:20"],
    "other numbers": ["1_069", "0x10", "0b1", "1e3", "1.5e3", "+1", ".5", "1.", ".inf", ".nan"],
    "dates": ["2013-11-01", "2013-11-01T00:00:00Z"],
    "digits of an identifier": ["106900011234567890123", "１２"],
}


@pytest.mark.parametrize("written", [word for words in TRAPS.values() for word in words])
def test_a_plain_scalar_that_yaml_would_convert_stays_text(written: str) -> None:
    assert value_of(f"word: {written}") == {"word": written}
    assert value_of(f"[{written}]") == [written]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("10690001", 10690001),
        ("999999999999999999", 999999999999999999),
        ("0.5", 0.5),
        ("-12.25", -12.25),
    ],
)
def test_only_plain_numbers_true_false_and_null_are_more_than_text(
    written: str, meant: object
) -> None:
    value = value_of(f"word: {written}")

    assert isinstance(value, dict)
    assert value["word"] == meant
    assert type(value["word"]) is type(meant)


@pytest.mark.parametrize("written", ['"true"', "'null'", '"10690001"', "'0.5'", '""'])
def test_what_stands_in_quotes_is_text(written: str) -> None:
    assert value_of(f"word: {written}") == {"word": written[1:-1]}


def test_a_block_of_text_is_text() -> None:
    assert value_of("word: |\n  12\n") == {"word": "12\n"}


@pytest.mark.parametrize("key", ["no", "on", "1", "null", "0106", "<<", "true"])
def test_a_key_is_always_text(key: str) -> None:
    assert value_of(f"{key}: x") == {key: "x"}


def test_a_merge_key_merges_nothing() -> None:
    assert value_of("<<: {a: b}") == {"<<": {"a": "b"}}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_holds_null(text: str) -> None:
    assert value_of(text) is None


def test_every_value_and_key_keeps_its_line_and_column() -> None:
    document = yaml.compose(HERE, "# 说明\n示例: [甲, {乙: 丙}]\nb:\n  - c\n".encode())

    assert document.value == {"示例": ["甲", {"乙": "丙"}], "b": ["c"]}
    assert document.marks == {
        (): Mark(HERE, 2, 1),
        ("示例",): Mark(HERE, 2, 5),
        ("示例", 0): Mark(HERE, 2, 6),
        ("示例", 1): Mark(HERE, 2, 9),
        ("示例", 1, "乙"): Mark(HERE, 2, 13),
        ("b",): Mark(HERE, 4, 3),
        ("b", 0): Mark(HERE, 4, 5),
    }
    assert document.key_marks == {
        ("示例",): Mark(HERE, 2, 1),
        ("示例", 1, "乙"): Mark(HERE, 2, 10),
        ("b",): Mark(HERE, 3, 1),
    }


def test_a_byte_order_mark_moves_no_column() -> None:
    document = yaml.compose(HERE, b"\xef\xbb\xbfa: b\n")

    assert document.value == {"a": "b"}
    assert document.key_marks["a",] == Mark(HERE, 1, 1)


def test_a_fault_of_an_unknown_place_stands_at_the_deepest_known_one() -> None:
    document = yaml.compose(HERE, b"a:\n  - b: c\n")

    assert str(document.fault(("a", 0, "missing", 3), "is bad")) == "some.yaml:2:5 is bad"
    assert str(document.fault(("a", 0, "b"), "x", at_key=True)) == "some.yaml:2:5 x"
    assert str(document.fault(("a", 7), "x", at_key=True)) == "some.yaml:2:3 x"
    assert str(yaml.compose(HERE, b"").fault((), "x")) == "some.yaml:1:1 x"


def test_find_passes_over_what_has_another_shape() -> None:
    document = yaml.compose(HERE, b"senders: [{id: a}, {id: b, x: y}, 3, [id], {name: c}]\n")

    assert list(document.find("senders", "*", "id")) == [
        (("senders", 0, "id"), "a"),
        (("senders", 1, "id"), "b"),
    ]
    assert list(document.find("nobody", "*")) == []


BROKEN = {
    "open bracket": ("a: [b\nc: d\n", "2:2 did not find expected ',' or ']'"),
    "tab as indent": ("a:\n\tb: c\n", "2:1 found character that cannot start any token"),
    "wrong indent": ("a: b\n  c: d\n", "2:4 mapping values are not allowed in this context"),
    "open quote": ('a: "b\n', "2:1 found unexpected end of stream"),
    "anchor": ("a: &x [1]\n", "1:4 anchors are not accepted"),
    "anchor on a key": ("&x a: 1\n", "1:1 anchors are not accepted"),
    "alias": ("a: 1\nb: *x\n", "2:4 aliases are not accepted"),
    "alias as key": ("*x : 1\n", "1:1 aliases are not accepted"),
    "tag": ("a: !!str 1\n", "1:4 tags are not accepted"),
    "python tag": ("a:\n  !!python/object:os.system []\n", "2:3 tags are not accepted"),
    "bare tag": ("a: ! 1\n", "1:4 tags are not accepted"),
    "list as key": ("? [a]\n: b\n", "1:3 a key must be plain text"),
    "mapping as key": ("{{a: b}: c}\n", "1:2 a key must be plain text"),
    "two documents": ("a: 1\n---\nb: 2\n", "2:1 a second document in one file"),
    "control character": ("a: 1\nb: \x07\n", "2:4 control character"),
    "hidden byte order mark": ("a: b\ufeff\n", "1:5 control character"),
    "deep nest": ("[" * 40, "1:34 nested deeper than 32 levels"),
    "very deep nest": ("{a: " * 5000, "1:133 nested deeper than 32 levels"),
}


@pytest.mark.parametrize(("text", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read_names_the_place(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        yaml.compose(HERE, text.encode())

    assert str(raised.value) == f"some.yaml:{fault}"


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    laughs = "a: &a [ha, ha]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )

    with pytest.raises(SettingsError, match=r"some\.yaml:1:4 anchors are not accepted"):
        yaml.compose(HERE, laughs.encode())


def test_octets_that_are_not_utf8_are_named_by_place() -> None:
    with pytest.raises(SettingsError) as raised:
        yaml.compose(HERE, b"\xef\xbb\xbfa: b\n\xe7\xa4\xba: \xca\xc7\n")

    assert str(raised.value) == "some.yaml:2:4 not UTF-8"


def test_more_values_than_any_policy_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "_MAX_VALUES", 4)

    assert value_of("[a, b, c]") == ["a", "b", "c"]
    with pytest.raises(SettingsError, match=r"some\.yaml:1:11 more than 4 values in one file"):
        value_of("[a, b, c, d]")


def test_repeated_keys_are_all_found_and_the_first_counts() -> None:
    document = yaml.compose(HERE, b"a: {b: 1, b: 2}\nc: 3\na: {d: 4}\nno: 5\n'no': 6\n")

    assert document.value == {"a": {"b": 1}, "c": 3, "no": 5}
    assert [str(fault) for fault in document.faults] == [
        "some.yaml:1:11 repeated key 'b' (first in line 1)",
        "some.yaml:3:1 repeated key 'a' (first in line 1)",
        "some.yaml:5:1 repeated key 'no' (first in line 4)",
    ]


def test_load_refuses_repeated_keys(write: Write, faults_of: FaultsOf) -> None:
    path = write("some.yaml", "a: 1\na: 2\n")

    assert faults_of(lambda: yaml.load(path)) == [
        "some.yaml:2:1 repeated key 'a' (first in line 1)"
    ]


def test_load_returns_the_document(write: Write) -> None:
    path = write("some.yaml", "a: 1\n")

    assert yaml.load(path) == yaml.Document(
        path, {"a": 1}, {(): Mark(path, 1, 1), ("a",): Mark(path, 1, 4)}, {("a",): Mark(path, 1, 1)}
    )


def test_a_file_past_four_mebibytes_is_refused(write: Write, faults_of: FaultsOf) -> None:
    path = write("some.yaml", "#" * (yaml.MAX_OCTETS + 1))

    assert faults_of(lambda: yaml.load(path)) == ["some.yaml:1:1 is larger than 4194304 octets"]


def test_the_pure_python_parser_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("yaml.CSafeLoader")

    document = yaml.compose(HERE, "示例: [no, {b: 0106}]\n".encode())

    assert document.value == {"示例": ["no", {"b": "0106"}]}
    assert document.marks["示例", 1, "b"] == Mark(HERE, 1, 14)


YAML_LIKE = st.text(st.sampled_from("ab01:-[]{}#&*!|>'\"%@,?. \n\t\\xu示\ufeff\x00"), max_size=60)


@given(st.one_of(st.text(max_size=80), YAML_LIKE))
@example('a: "\\ud800"')
@example("%YAML 9.9\n---\na")
@example("%TAG ! x:\n---\n!a b")
@example("a: \x85\u2028b: 1")
def test_any_text_is_a_document_or_a_settings_error(text: str) -> None:
    try:
        document = yaml.compose(HERE, text.encode("utf-8", "surrogatepass"))
    except SettingsError as error:
        assert error.faults
    else:
        assert all(mark.line > 0 and mark.column > 0 for mark in document.marks.values())
        assert_known(document, (), document.value)


@given(st.binary(max_size=80))
def test_any_octets_are_a_document_or_a_settings_error(octets: bytes) -> None:
    try:
        document = yaml.compose(HERE, octets)
    except SettingsError as error:
        assert error.faults
    else:
        assert_known(document, (), document.value)


def assert_known(document: yaml.Document, where: yaml.Where, value: yaml.Value) -> None:
    """Check that every value of `document` has its mark, and every key its own."""
    if where or value is not None:
        assert where in document.marks
    if isinstance(value, dict):
        for key, below in value.items():
            assert (*where, key) in document.key_marks
            assert_known(document, (*where, key), below)
    if isinstance(value, list):
        for index, below in enumerate(value):
            assert_known(document, (*where, index), below)


SCALARS = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(10**17), 10**17),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc示", min_size=1), inner)
)


@given(TREES)
def test_what_json_writes_is_read_as_it_was(tree: yaml.Value) -> None:
    written = json_of(tree)

    assert yaml.compose(HERE, written.encode()).value == tree


def json_of(tree: yaml.Value) -> str:
    """Write `tree` as JSON that is YAML too: every text in quotes, a space after colons."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{json_of(k)}: {json_of(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(json_of, tree)) + "]"
    if isinstance(tree, str):
        return '"' + tree.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "null" if tree is None else str(tree).lower()
