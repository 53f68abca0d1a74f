from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.sources.compose.nodes import Date, Documents, place_of, plain
from tonnage.sources.compose.yaml_text import read_documents, read_scalar, read_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("12", 12),
        ("-7", -7),
        ("0", 0),
        ("0444", 0o444),
        ("0o17", 15),
        ("0x1F", 31),
        ("08", 8.0),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("22:22", "22:22"),
        ("2026-11-23", Date("2026-11-23")),
        ("2026-11-23 1:02:03.5", Date("2026-11-23 1:02:03.5")),
        ("2026-02-29", "2026-02-29"),
        ("12e4567", "12e4567"),
        ("1__0", 10),
        ("0__7", 7),
        ("0b", "0b"),
        ("0X1F", 31),
        ("-0o7", -7),
        (".5_0", 0.5),
        ("._5", "._5"),
        ("_1", "_1"),
        ("1e400", "1e400"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 1.8446744073709552e19),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_scalar_means_what_it_means_to_compose(text: str, expected: object) -> None:
    value = read_scalar(text)

    assert (value, type(value)) == (expected, type(expected))


def test_quotes_and_an_explicit_tag_make_text() -> None:
    tree = read_yaml("a: '12'\nb: !!str 12\nc: |\n  12\nd: \"true\"\n", "f")

    assert plain(tree) == {"a": "12", "b": "12", "c": "12\n", "d": "true"}


def test_each_value_knows_its_line_and_a_value_in_a_mapping_the_line_of_its_key() -> None:
    tree = read_yaml("a:\n  b: 1\n\n  c:\n    - x\n    - y\n", "f.yaml")

    assert str(place_of(tree, "a", "b")) == "f.yaml:2"
    assert str(place_of(tree, "a", "c")) == "f.yaml:4"
    assert [entry.place.line for entry in tree.value["a"].value["c"].value] == [5, 6]


def test_own_keys_win_over_merged_ones_and_earlier_anchors_over_later_ones() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"

    assert plain(read_yaml(text, "f"))["c"] == {"x": 1, "y": 1, "z": 3}


def test_an_aliased_value_is_placed_where_the_alias_stands() -> None:
    tree = read_yaml("a: &a {x: 1}\n\nb: *a\n", "f")

    assert place_of(tree, "b").line == 3


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: [1\nb: 2\n", "not valid YAML", "f:2"),
        ("a: 1\na: 2\n", "stands twice", "f:2"),
        ("a: {b: 1, b: 1}\n", "stands twice", "f:1"),
        ("a: *nowhere\n", "not valid YAML", "f:1"),
        ("a: !!int x\n", "not valid YAML", "f:1"),
        ("a: !!binary x\n", "not valid YAML", "f:1"),
        ("1: x\n", "a key must be text, not the number 1", "f:1"),
        ("2026-11-23: x\n", "a key must be text, not the date", "f:1"),
        ("<<: {a: 1}\n<<: {b: 1}\n", "stands twice", "f:2"),
        ('a: "\\ud800"\n', "not valid YAML", "f:1"),
        ("-\tb\n", "not valid YAML", "f:1"),
        ("%YAML 1.2\n---\na: b\n", "not valid YAML", "f:1"),
        ("!reset\na: b\n", "the whole document is marked !reset", "f:1"),
        ("? [1]\n: x\n", "a key must be text", "f:1"),
        ("a: 1\n---\nb: 2\n", "not valid YAML", "f:3"),
        ("a: &a\n  b: *a\n", "inside its own anchor", "f:2"),
        ("a:\n  <<: 3\n", "'<<' merges mappings only", "f:2"),
    ],
)
def test_what_is_no_sound_yaml_is_refused_with_its_line(text: str, message: str, place: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read_yaml(text, "f")

    assert refused.value.place == place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\tb\t# c\n", {"a": "b"}),
        ("a: b\tc\n d\n", {"a": "b\tc d"}),
        ("a: |\t# c\n   x\n\n   y\n", {"a": "x\n\ny\n"}),
        ("a: >-\n x\n y\n\n z\n", {"a": "x y\nz"}),
        ('a: "it\\\'s \\\n  on"\n', {"a": "it's on"}),
        ("a: !secret 5\nb: !!binary aGk=\nc: !!int '5'\n", {"a": "5", "b": "hi", "c": 5}),
        ("{a: http://x:80, b: [c:d]}\n", {"a": "http://x:80", "b": ["c:d"]}),
        ("a: [!reset b, c]\nd: !reset e\n", {"a": ["c"]}),
        ("a: !override {b: !reset c}\n", {"a": {"b": "c"}}),
        ("a: 2026-11-23\n", {"a": "2026-11-23"}),
    ],
)
def test_yaml_is_read_as_compose_reads_it(text: str, expected: object) -> None:
    assert plain(read_yaml(text, "f")) == expected


def test_a_file_may_have_several_documents_with_anchors_in_common() -> None:
    found = read_documents("# c\n---\na: &x 1\n---\nb: *x\n", "f").value

    assert isinstance(found, Documents)
    assert [plain(each) for each in found] == [{"a": 1}, {"b": 1}]


def test_an_empty_document_is_nothing() -> None:
    assert read_yaml("# only a comment\n", "f").value is None
