from __future__ import annotations

import pytest

from tonnage.forecast.shell.script import read_script

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin", "HOME": "/root", "GPU": "1", "TWO": "a b", "EMPTY": ""}


def told(text: str, *, complete: bool = True) -> list[str]:
    """Return each command in one line: ``?`` before a conditional one, ``<>`` around words that are not known."""
    script = read_script(text, ENVIRONMENT, directory="/w", complete=complete, answers={"uname -m": "x86_64"})
    return [
        ("? " if each.conditional else "") + "|".join(w.text if w.known else f"<{w.text}>" for w in each.words)
        for each in script.commands
    ]


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("a b  'c d' \"e f\" g\\ h", ["a|b|c d|e f|g h"]),
        ("a $TWO \"$TWO\" '$TWO' x${GPU}y", ["a|a|b|a b|$TWO|x1y"]),
        ('a $EMPTY "$EMPTY" b', ["a||b"]),
        ('a ${U:-x y} ${U:-"p q"} ${GPU:+set} ${TWO%% *} ${TWO/b/c}', ["a|x|y|p|q|set|a|a|c"]),
        ("a ${GPU:0:1} ${#GPU} $((1 + 2))", ["a|<${GPU:0:1}>|<${#GPU}>|<$((1 + 2))>"]),
        ("a ~/x $'b\\tc'", ["a|/root/x|b\tc"]),
        ("a ~app/x ~root ~www-data '~app' \"~app/x\" x~app", ["a|/home/app/x|/root|/home/www-data|~app|~app/x|x~app"]),
        ("a --x=\"$TWO\"'z' ${NEW:=v}; b $NEW", ["a|--x=a bz|v", "b|v"]),
        ("X=1; Y=$X$X; a $Y; unset X; b $X.", ["a|11", "b|."]),
        ("X=$(date); a $X ${X:-b}", ["date", "a|<$X>|<${X:-b}>"]),
        ('a $(uname -m) "$(uname -m)"', ["a|x86_64|x86_64"]),
        ("a && b; c || d\ne", ["a", "b", "c", "? d", "e"]),
        ("true && a; false && b; true || c; false || d", ["true", "a", "false", "true", "false", "d"]),
        ('[ "$GPU" = 1 ] && a || b', ["a", "? b"]),
        ('[ "$GPU" != 1 ] && a || b', ["b"]),
        ("[ -f /x ] && a; test -d /y || b", ["? a", "test|-d|/y", "? b"]),
        ("[[ $TWO == a* && -n $GPU ]] && a", ["a"]),
        ('[ $GPU -ge 1 -a -z "$U" ] && a', ["a"]),
        ("if [ -z $GPU ]; then a; elif [ $GPU = 1 ]; then b; else c; fi", ["b"]),
        ("if x; then a; elif y; then b; else c; fi", ["x", "? a", "? y", "? b", "? c"]),
        ("if x; then V=1; else V=2; fi; a $V", ["x", "a|<$V>"]),
        ("if x; then V=1; else V=1; fi; a $V", ["x", "a|1"]),
        ("for i in 1 2; do a $i; done; for i in $(ls); do b $i; done", ["a|1", "a|2", "ls", "? b|<$i>"]),
        ("for f in *.txt; do a $f; done", ["? a|<*.txt>"]),
        ("while read x; do a $x; done", ["? read|x", "? a|<$x>"]),
        ("case $GPU in 0) a;; 1|2) b;; *) c;; esac", ["b"]),
        ("case $(x) in 0) a;; *) b;; esac", ["x", "? a", "? b"]),
        ("f() { a $1 \"$2\"; }; f x 'y z'; g", ["a|x|y z", "g"]),
        ("(X=1; a $X); b $X.", ["a|1", "b|."]),
        ("{ a; b; } && c", ["a", "b", "c"]),
        ("! a && b", ["a", "? b"]),
        ("exit 0; a", ["exit|0"]),
        ("if x; then exit 1; fi; a", ["x", "? exit|1", "a"]),
        ("bash -euxc 'a $GPU && b'; sh -c \"c $TWO\"", ["a|1", "b", "c|a|b"]),
        ('eval "a $GPU"', ["a|1"]),
        ("sudo -E -u me env -i A=1 nice -n 5 timeout 9 a b", ["a|b"]),
        ("command -v a; command b; exec c", ["command|-v|a", "b", "c"]),
        ("a # and why\n# nothing\nb", ["a", "b"]),
        ("a 2>&1 >/dev/null | b |& c", ["a", "b", "c"]),
        ("time a; a &", ["a", "a"]),
    ],
)
def test_commands_are_told_in_the_order_in_which_they_run(script: str, commands: list[str]) -> None:
    assert told(script) == commands


def test_a_variable_that_may_come_from_an_unknown_base_is_not_known() -> None:
    assert told("a $U $GPU", complete=False) == ["a|<$U>|1"]
    script = read_script("a ${U:-x}", {}, complete=False, unset=["U"])
    assert [word.text for word in script.commands[0].words] == ["a", "x"]


def test_what_is_exported_or_written_before_a_command_is_given_to_it() -> None:
    commands = read_script("A=1; export B=2; C=3 x; env D=4 y; A=5 GPU=6; z", ENVIRONMENT).commands
    given = [{name: each.environment.get(name) for name in ("A", "B", "C", "D", "GPU")} for each in commands]
    assert given == [
        {"A": None, "B": "2", "C": "3", "D": None, "GPU": "1"},
        {"A": None, "B": "2", "C": None, "D": "4", "GPU": "1"},
        {"A": None, "B": "2", "C": None, "D": None, "GPU": "6"},
    ]


def test_directories_are_followed_as_far_as_they_are_known() -> None:
    commands = read_script("cd /a && b; (cd c; d); e; cd ..; f; cd $(g); h; cd /i; j", {}, directory="/w").commands
    places = {each.program: each.working_directory for each in commands if each.program != "cd"}
    assert places == {"b": "/a", "d": "/a/c", "e": "/a", "f": "/", "g": "/", "h": "", "j": "/i"}


def test_a_virtual_environment_that_is_gone_into_is_first_on_the_path() -> None:
    command = read_script(". venv/bin/activate && pip x", {"PATH": "/bin"}, directory="/w").commands[-1]
    assert command.environment["VIRTUAL_ENV"] == "/w/venv"
    assert command.environment["PATH"] == "/w/venv/bin:/bin"


def test_redirections_belong_to_the_command_that_they_stand_at() -> None:
    commands = read_script("a && b | c > out 2>> /err; { d; e; } < in", {}, directory="/w").commands
    assert [[(r.operator, r.path, r.descriptor) for r in each.redirections] for each in commands] == [
        [],
        [],
        [(">", "/w/out", None), (">>", "/err", 2)],
        [("<", "/w/in", None)],
        [("<", "/w/in", None)],
    ]


def test_here_documents_are_given_with_what_stands_behind_them() -> None:
    text = "cat <<A > /x && b\nn $GPU\nA\ncat <<'B' | c\n$GPU\nB\nsh <<-C\n\td\n\tC\ne <<< \"f $GPU\"\n"
    script = read_script(text, ENVIRONMENT)
    assert told(text) == ["cat", "b", "cat", "c", "d", "e"]
    assert [each.redirections[0].text for each in script.commands if each.redirections] == ["n 1\n", "$GPU\n", "f 1"]
    assert [(each.pipe_from, each.pipe_to) for each in script.commands][2:4] == [(None, 3), (2, None)]


def test_commands_know_where_they_are_written() -> None:
    text = "ä; b && \\\n  sh -c 'c; d'\n"
    commands = read_script(text, {}).commands
    assert [text[each.offset :][:2] for each in commands] == ["ä;", "b ", "sh", "sh"]


def test_what_is_no_shell_script_is_told_and_the_rest_still_read() -> None:
    script = read_script("a\nif b; then\nc d", {})
    assert script.broken
    assert "a" in {each.program for each in script.commands}


def test_stopping_on_errors_is_told() -> None:
    assert read_script("set -eux; a", {}).stops_on_error
    assert not read_script("set -x; a", {}).stops_on_error


def test_the_exec_form_is_one_command_unless_it_starts_a_shell() -> None:
    assert [word.text for word in read_script(["a", "$B", "c d"], {}).commands[0].words] == ["a", "$B", "c d"]
    assert len(read_script(["/bin/sh", "-ec", "a; b"], {}).commands) == 2
