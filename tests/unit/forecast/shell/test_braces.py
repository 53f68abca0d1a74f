"""What bash prints for words with braces; recorded with ``echo`` of bash 5.2 and dash 0.5.12."""

from __future__ import annotations

import pytest

from tonnage.forecast.shell.braces import sh_expands
from tonnage.forecast.shell.script import read_script
from tonnage.model.forecast.base_image import Distribution

BASH = {
    "/in/{one,two}.bin": "/in/one.bin /in/two.bin",
    "{a,b}/{x,y}": "a/x a/y b/x b/y",
    "a{1..3}b": "a1b a2b a3b",
    "{c..a}": "c b a",
    "{01..10..3}": "01 04 07 10",
    "{-1..1}": "-1 0 1",
    "{a,{b,c}}d": "ad bd cd",
    '"{a,b}"': "{a,b}",
    "\\{a,b\\}": "{a,b}",
    "${x}{a,b}": "p,qa p,qb",
    "{$x,b}": "p,q b",
    "'a'{b,\"c d\"}": "ab ac d",
    "x{,.bak}": "x x.bak",
    "{} {a} {a {a.b}": "{} {a} {a {a.b}",
}


def words(written: str, shell: str, *, of_sh: bool | None = False) -> list[str]:
    (command,) = read_script(f"echo {written}", {"x": "p,q"}, shell=shell, of_sh=of_sh).commands
    return [word.text if word.known else "unknown" for word in command.words[1:]]


@pytest.mark.parametrize("written", BASH)
def test_bash_makes_several_words_of_braces(written: str) -> None:
    assert " ".join(words(written, "bash")) == BASH[written]


def test_the_shell_of_debian_leaves_them() -> None:
    assert words("/in/{one,two}.bin {1..3}", "sh") == ["/in/{one,two}.bin", "{1..3}"]


def test_which_shell_sh_is_decides() -> None:
    assert words("{a,b}", "sh", of_sh=True) == ["a", "b"]
    assert words("{a,b} {}", "sh", of_sh=None) == ["unknown", "{}"]
    assert words("{a,b}", "dash", of_sh=True) == ["{a,b}"]
    found = [sh_expands(Distribution(name=name)) for name in ("debian", "alpine", "rocky", "unheard-of")]
    assert (*found, sh_expands(None)) == (False, False, True, None, None)


def test_a_word_of_a_million_words_is_unknown() -> None:
    assert words("{1..1000000} {0..9}{0..9}{0..9}", "bash") == ["unknown", "unknown"]
    deep = "{" * 5000
    assert words(f"{deep}a,b{'}' * 5000}", "bash") == [f"{deep[1:]}{each}{'}' * 4999}" for each in "ab"]
    assert words(f"{'{a,' * 300}b{'}' * 300}", "bash") == ["unknown"]


def test_each_script_is_read_by_its_own_shell() -> None:
    files = {"/a.sh": "#!/usr/bin/env bash\necho {a,b}", "/b.sh": "echo {a,b}"}
    script = "bash -c 'echo {a,b}'; sh -c 'echo {a,b}'; /a.sh; /b.sh; . /b.sh; bash /b.sh"
    found = [
        [word.text for word in command.words[1:]]
        for command in read_script(script, {}, shell="sh", files=files.get).commands
    ]
    one, two = ["{a,b}"], ["a", "b"]
    assert found == [two, one, two, one, one, two]


def test_a_loop_over_letters_turns_for_each() -> None:
    script = read_script('for each in {a..c}; do cp in "/out/$each/"; done', {}, shell="bash")
    assert [command.words[2].text for command in script.commands] == ["/out/a/", "/out/b/", "/out/c/"]
