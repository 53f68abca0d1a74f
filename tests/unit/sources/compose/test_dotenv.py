from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.sources.compose.variables import read_dotenv


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1\r\nB=2", {"A": "1", "B": "2"}),
        ("  export A = 1 \n", {"A": "1"}),
        ("# c\n\nA=1 # c\nB=1#c\n", {"A": "1", "B": "1#c"}),
        ("A=#ff8800\n", {"A": "#ff8800"}),
        ("A= # c\n", {"A": "# c"}),
        ("A=1\t# c\n", {"A": "1\t# c"}),
        ("A=pa$!w\n", {"A": "pa$!w"}),
        ("A=a\\$SET\n", {"A": "a\\outside"}),
        ("A='it\\'s'\n", {"A": "it's"}),
        ('A="\\0101\\q\\08"\n', {"A": "A\\q\\8"}),
        ('A="1\r\n2"\r\nB=3\r\n', {"A": "1\r\n2", "B": "3"}),
        ("9A=1\né=2\n=3\n", {"9A": "1", "é": "2", "": "3"}),
        ('A="x" B=2 # c\n', {"A": "x", "B": "2"}),
        ("A=1\nLAST", {"A": "1", "": "LAST"}),
        ("A='x # $B'  # c\n", {"A": "x # $B"}),
        ('A="x\\n\\"y\\" \\$B"\n', {"A": 'x\n"y" $B'}),
        ("A=1\nB=${A}2$A\n", {"A": "1", "B": "121"}),
        ("B=${SET}\nSET=here\nC=${SET}\n", {"B": "outside", "SET": "here", "C": "outside"}),
        ("A='one\ntwo'\nB=3\n", {"A": "one\ntwo", "B": "3"}),
        ("SET\nNOT\n", {"SET": "outside"}),
        ("A: yaml\n", {"A": "yaml"}),
        ("A=a=b\n", {"A": "a=b"}),
        ("A=${NO:-d}\n", {"A": "d"}),
    ],
)
def test_a_file_of_variables_is_read(text: str, expected: dict[str, str]) -> None:
    assert read_dotenv(text, "f.env", {"SET": "outside"}) == expected


def test_a_raw_file_keeps_every_value_as_it_stands() -> None:
    assert read_dotenv("A='x' $B # c\n", "f.env", {"B": "no"}, raw=True) == {"A": "'x' $B # c"}


def test_values_of_the_caller_come_first_then_those_of_the_file_then_those_of_earlier_ones() -> None:
    text = "A=file\nB=file\nP=$A\nQ=$B\nR=$C\nC\n"

    found = read_dotenv(text, "f.env", {"A": "caller"}, earlier={"A": "earlier", "B": "earlier", "C": "earlier"})

    assert found == {"A": "file", "B": "file", "P": "caller", "Q": "file", "R": "earlier"}


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("A=1\n\n!=2\n", "sets no variable", "f.env:3"),
        ("a#b\n", "sets no variable", "f.env:1"),
        ("two words\n", "sets no variable", "f.env:1"),
        ("A='one\ntwo'\nB='open\n", "is not closed", "f.env:3"),
        ("A=${B:?needed}\n", "required variable B", "f.env:1"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(text: str, message: str, place: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read_dotenv(text, "f.env", {})

    assert refused.value.place == place
