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
        ("A=#c\n", {"A": ""}),
        ("A='x # $B'  # c\n", {"A": "x # $B"}),
        ('A="x\\n\\"y\\" \\$B"\n', {"A": 'x\n"y" $B'}),
        ("A=1\nB=${A}2$A\n", {"A": "1", "B": "121"}),
        ("B=${SET}\nSET=here\nC=${SET}\n", {"B": "outside", "SET": "here", "C": "outside"}),
        ("A='one\ntwo'\nB=3\n", {"A": "one\ntwo", "B": "3"}),
        ("SET\nNOT\n", {"SET": "outside", "NOT": None}),
        ("A: yaml\n", {"A": "yaml"}),
        ("A=a=b\n", {"A": "a=b"}),
        ("A=${NO:-d}\n", {"A": "d"}),
    ],
)
def test_a_file_of_variables_is_read(text: str, expected: dict[str, str | None]) -> None:
    assert read_dotenv(text, "f.env", {"SET": "outside"}) == expected


def test_a_raw_file_keeps_every_value_as_it_stands() -> None:
    assert read_dotenv("A='x' $B # c\n", "f.env", {"B": "no"}, raw=True) == {"A": "'x' $B # c"}


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("A=1\n\n=2\n", "sets no variable", "f.env:3"),
        ("two words\n", "sets no variable", "f.env:1"),
        ("A='one\ntwo'\nB='open\n", "is not closed", "f.env:3"),
        ("A=${B:?needed}\n", "required variable B", "f.env:1"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(text: str, message: str, place: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read_dotenv(text, "f.env", {})

    assert refused.value.place == place
