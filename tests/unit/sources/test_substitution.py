from __future__ import annotations

import pytest

from tonnage.sources.substitution import Lexer, SubstitutionError

VALUES = {"A": "hello", "EMPTY": "", "PATH": "a/b/c.tar.gz", "STAR": "a*c"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("plain", "plain"),
        ("$A", "hello"),
        ("${A}x", "hellox"),
        ("$Ax", ""),
        ("$A-$A", "hello-hello"),
        ("'$A'", "$A"),
        ('"$A"', "hello"),
        (r"\$A", "$A"),
        (r'"\$A"', "$A"),
        (r'"a\b"', r"a\b"),
        (r"a\b", "ab"),
        (r'"a\"b"', 'a"b'),
        ("$", "$"),
        ("a$", "a$"),
        ("$1", ""),
        ("$.", "$."),
        ("${U:-none}", "none"),
        ("${U-none}", "none"),
        ("${EMPTY:-none}", "none"),
        ("${EMPTY-none}", ""),
        ("${U:-$A}", "hello"),
        ("${U:-${EMPTY:-x}}", "x"),
        ("${A:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${U+set}", ""),
        ("${A:?must}", "hello"),
        ("${U:-'a b'}", "a b"),
        ("${PATH#*/}", "b/c.tar.gz"),
        ("${PATH##*/}", "c.tar.gz"),
        ("${PATH%.*}", "a/b/c.tar"),
        ("${PATH%%.*}", "a/b/c"),
        ("${PATH#x}", "a/b/c.tar.gz"),
        (r"${STAR#a\*}", "c"),
        ("${PATH/b/x}", "a/x/c.tar.gz"),
        ("${A//l/L}", "heLLo"),
        ("${A/l*/L}", "heL"),
        ("${A/?/J}", "Jello"),
    ],
)
def test_a_word_means_what_it_means_to_the_builder(word: str, meant: str) -> None:
    assert Lexer().expand(word, VALUES) == meant


@pytest.mark.parametrize(
    "word",
    ["${A", "${}", "${:x}", "${{A}}", "'open", '"open', "${A:=x}", "${A^^}", "${U?gone}", "${EMPTY:?}", "${A#\\x}"],
)
def test_what_the_builder_refuses_is_refused(word: str) -> None:
    with pytest.raises(SubstitutionError):
        Lexer().expand(word, VALUES)


def test_words_are_cut_after_variables_are_put_in() -> None:
    values = {"TWO": "a b", "NONE": ""}
    assert Lexer().words("$TWO \"$TWO\" 'c d' $NONE e\\ f", values) == ("a", "b", "a b", "c d", "e f")


def test_another_escape_character_leaves_the_backslash_alone() -> None:
    assert Lexer(escape="`").expand(r"c:\x`$A", VALUES) == r"c:\x$A"


def test_what_is_shown_to_people_keeps_quotes_and_unset_variables() -> None:
    shown = Lexer(raw_quotes=True, raw_escapes=True, keep_unset=True).expand(r'"$A" $U ${U:-x} \n', VALUES)
    assert shown == r'"hello" $U ${U:-x} \n'
