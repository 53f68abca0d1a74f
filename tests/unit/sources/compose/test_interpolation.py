from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.model.stack import Place
from tonnage.sources.compose.variables import substitute

VARIABLES = {"A": "x", "EMPTY": "", "_under1": "u", "DOLLAR": "$A"}


def put(text: str) -> str:
    return substitute(text, VARIABLES, Place("compose.yaml", 7), lambda _name, _place: None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A", "x"),
        ("$A.b", "x.b"),
        ("${A}b", "xb"),
        ("$_under1-", "u-"),
        ("${A:-d}", "x"),
        ("${A-d}", "x"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-}", ""),
        ("${A:+y}", "y"),
        ("${A+y}", "y"),
        ("${EMPTY:+y}", ""),
        ("${EMPTY+y}", "y"),
        ("${NO:+y}", ""),
        ("${NO+y}", ""),
        ("${A:?m}", "x"),
        ("${EMPTY?m}", ""),
        ("${NO:-${ALSO:-${A}}}", "x"),
        ("${NO:-a}b}", "ab}"),
        ("${NO:-a:-b}", "a:-b"),
        ("${NO:-$A$A}", "xx"),
        ("$$A", "$A"),
        ("$$$A", "$x"),
        ("$${A}", "${A}"),
        ("${NO:-$$}", "$"),
        ("$DOLLAR", "$A"),
        ("ümlaut $A", "ümlaut x"),
        ("$", "$"),
        ("^a$", "^a$"),
        ("$1 $(x) $%", "$1 $(x) $%"),
        ("$$$", "$$"),
        ("${NO:-x$(d)}", "x$(d)"),
        ('${A:-{"k":1}}', "x"),
        ('${NO:-{"k":1}}', '{"k":1}'),
        ("${NO+{x}}y", "y"),
        ("${NO:-{}}", "{}"),
        ("${NO:-{a}", "{a"),
        ("${NO:-a}${A}b}", "axb}"),
    ],
)
def test_variables_are_put_in_as_the_specification_says(text: str, expected: str) -> None:
    assert put(text) == expected


@pytest.mark.parametrize(
    "text", ["${", "${A", "${}", "${1}", "${A!x}", "${A b}", "${NO:-${A}", "${NO:-a\nb}", "${A:-${}"]
)
def test_a_dollar_sign_that_begins_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="begins no variable") as refused:
        put(text)

    assert refused.value.place == "compose.yaml:7"


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("${NO:?give it}", "the required variable NO is not set", "give it"),
        ("${NO?}", "the required variable NO is not set", ""),
        ("${EMPTY:?not ${A}}", "the required variable EMPTY is empty", "not x"),
    ],
)
def test_a_required_variable_that_is_missing_is_refused_with_its_own_words(text: str, what: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        put(text)

    assert (refused.value.what, refused.value.why, refused.value.place) == (what, why, "compose.yaml:7")


def test_a_variable_that_is_not_set_is_told_and_becomes_nothing() -> None:
    told: list[str] = []

    text = substitute("[$NO][${NO2}][${NO3:-}]", {}, Place("f", 1), lambda name, place: told.append(f"{place} {name}"))

    assert text == "[][][]"
    assert told == ["f:1 NO", "f:1 NO2"]


def test_what_a_default_requires_is_required_where_it_is_not_used_and_what_it_puts_in_is_not_missed() -> None:
    told: list[str] = []
    with pytest.raises(UsageError, match="the required variable NO is not set"):
        put("${A:-${NO:?asked}}")

    text = substitute("${A:-$NO}", VARIABLES, Place("f", 1), lambda name, _place: told.append(name))

    assert (text, told) == ("x", [])
