from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.model.forecast.dockerfile import Flag
from tonnage.sources.dockerfile.parser import read_dockerfile

BASE = "FROM example.org/base:1\n"


def failing(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_dockerfile(text, "deploy/Dockerfile")
    return caught.value


def test_directives_are_read_and_lines_counted() -> None:
    read = read_dockerfile("# escape=`\n# Syntax = example.org/frontend:1 \n# note\nFROM a`\n  AS b\nRUN dir c:\\\n")
    assert (read.escape, read.syntax) == ("`", "example.org/frontend:1")
    assert read.stages[0].name == "b"
    assert read.stages[0].opening.end_line == 5
    assert read.stages[0].instructions[0].text == "dir c:\\"


def test_a_comment_ends_the_directives() -> None:
    assert read_dockerfile("# a note\n# escape=`\nFROM a\n").escape == "\\"


def test_comments_and_empty_lines_inside_an_instruction_are_left_out() -> None:
    read = read_dockerfile(f"{BASE}RUN one && \\\n  # why\n\n\ttwo \\  \n&& three\nUSER me\n")
    run, user = read.stages[0].instructions
    assert run.text.split() == ["one", "&&", "two", "&&", "three"]
    assert (run.line, run.end_line, user.line) == (2, 6, 7)
    assert [line for _, line in run.line_starts] == [2, 5, 6]


def test_two_escape_characters_at_the_end_continue_nothing() -> None:
    read = read_dockerfile(f"{BASE}RUN echo a\\\\\nUSER me\n")
    assert [each.keyword for each in read.stages[0].instructions] == ["RUN", "USER"]


def test_windows_line_ends_and_a_byte_order_mark_are_no_text() -> None:
    read = read_dockerfile("\ufeffFROM a\r\nRUN x \\\r\n y\r\n")
    assert read.stages[0].base == "a"
    assert read.stages[0].instructions[0].text.split() == ["x", "y"]


def test_heredocs_are_taken_with_their_bodies() -> None:
    text = f"{BASE}RUN cat <<'A' >/a <<-B\n  x $y\nA\n\tz\n\tB\nCOPY <<C <<\"D\" /etc/\nc\nC\nd\nD\nUSER me\n"
    run, copy, user = read_dockerfile(text).stages[0].instructions
    assert [(each.name, each.body, each.expands, each.line) for each in run.heredocs] == [
        ("A", "  x $y\n", False, 3),
        ("B", "z\n", True, 5),
    ]
    assert [(each.name, each.expands) for each in copy.heredocs] == [("C", True), ("D", False)]
    assert (run.end_line, copy.line, user.line) == (6, 7, 12)


def test_what_only_looks_like_a_heredoc_is_none() -> None:
    read = read_dockerfile(f'{BASE}RUN echo $((1<<2)) "<<EOF" it\\\'s\nENV A=<<B\nUSER me\n')
    assert [len(each.heredocs) for each in read.stages[0].instructions] == [0, 0, 0]


def test_flags_are_parted_from_the_rest() -> None:
    read = read_dockerfile(
        f'{BASE}RUN --mount=type=cache,target=/c --mount=type=tmpfs,target="/t t" --network=none a --b\n'
    )
    run = read.stages[0].instructions[0]
    assert run.flags == (
        Flag("mount", "type=cache,target=/c"),
        Flag("mount", "type=tmpfs,target=/t t"),
        Flag("network", "none"),
    )
    assert run.body == "a --b"


def test_both_forms_are_told_apart() -> None:
    read = read_dockerfile(f'{BASE}RUN ["a", "b c"]\nRUN [ -f x ] && y\nCOPY ["a b", "/c"]\nCMD ["x"\n')
    assert [each.words for each in read.stages[0].instructions] == [("a", "b c"), None, ("a b", "/c"), None]


def test_what_onbuild_keeps_is_an_instruction_of_its_own() -> None:
    read = read_dockerfile(f"{BASE}ONBUILD RUN --network=none make \\\n all\n")
    trigger = read.stages[0].instructions[0].trigger
    assert trigger is not None
    assert (trigger.keyword, trigger.body.split(), trigger.flags) == (
        "RUN",
        ["make", "all"],
        (Flag("network", "none"),),
    )


def test_stages_are_parted_and_named() -> None:
    read = read_dockerfile("ARG A=1\nFROM a AS Build\nRUN x\nFROM --platform=linux/arm64 build\nFROM scratch\n")
    assert [(each.index, each.name, each.base, each.platform) for each in read.stages] == [
        (0, "build", "a", ""),
        (1, "", "build", "linux/arm64"),
        (2, "", "scratch", ""),
    ]
    assert [each.keyword for each in read.globals] == ["ARG"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", None, "no instructions"),
        ("# nothing\n", None, "no instructions"),
        ("ARG A=1\n", 1, "no FROM"),
        ("RUN x\nFROM a\n", 1, "RUN stands before any FROM"),
        (f"{BASE}RUUN x\n", 2, "no instruction RUUN"),
        (f"{BASE}\n\npip install x\n", 4, "no instruction PIP"),
        (f"{BASE}COPY --form=a b c\n", 2, "COPY has no flag --form"),
        (f"{BASE}USER --x me\n", 2, "USER has no flag --x"),
        (f"{BASE}COPY --from=a --from=b c d\n", 2, "--from stands twice"),
        (f"{BASE}COPY a\n", 2, "COPY needs a source and a destination"),
        ("FROM a b c\n", 1, "FROM takes an image"),
        ("FROM a AS 1x\n", 1, "1x is not a valid stage name"),
        (f"{BASE}ENV A\n", 2, "ENV A has no value"),
        (f"{BASE}ENV A=1 B\n", 2, "B in ENV has no ="),
        (f"{BASE}ENV A=x \\\n  y z\n", 2, "y in ENV has no ="),
        (f"{BASE}LABEL =x\n", 2, "LABEL has a value without a name"),
        (f"{BASE}ARG =x\n", 2, "ARG has a value without a name"),
        (f"{BASE}WORKDIR\n", 2, "WORKDIR says nothing more"),
        (f"{BASE}SHELL bash\n", 2, "SHELL takes a list"),
        (f'{BASE}CMD ["a", 1]\n', 2, "members that are not text"),
        (f"{BASE}RUN <<EOF\na\n", 2, "the here-document <<EOF has no end"),
        (f"{BASE}ONBUILD FROM x\n", 2, "ONBUILD FROM is not allowed"),
        (f"{BASE}ONBUILD RUUN x\n", 2, "no instruction RUUN"),
        ("# escape=x\nFROM a\n", 1, "the escape character x is not allowed"),
        ("# escape=`\n# escape=`\nFROM a\n", 2, "escape stands twice"),
    ],
)
def test_what_no_builder_accepts_is_refused_at_its_line(text: str, line: int | None, what: str) -> None:
    error = failing(text)
    assert what in error.what
    assert error.place == ("deploy/Dockerfile" if line is None else f"deploy/Dockerfile:{line}")
    assert error.todo
    assert error.exit_code == 2


def test_a_misspelt_instruction_is_suggested_with_its_text() -> None:
    assert "RUN pip install x" in failing(f"{BASE}RUNN pip install x\n").todo


def test_a_frontend_of_its_own_may_know_more_flags() -> None:
    read = read_dockerfile(f"# syntax=example.org/frontend\n{BASE}COPY --novel=1 a b\n")
    assert read.stages[0].instructions[0].flag("novel") == "1"
