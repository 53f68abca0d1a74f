from __future__ import annotations

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from tonnage.errors import UsageError
from tonnage.forecast.commands.effects import effects
from tonnage.forecast.requirements.files import read_requirements
from tonnage.forecast.shell.script import read_script
from tonnage.sources.dockerfile.parser import read_dockerfile, read_instructions
from tonnage.sources.dockerfile.recipe import recipe

WORDS = st.text(alphabet="abcxyz01-_./=", min_size=1, max_size=7).filter(lambda text: not text.startswith("--"))
BETWEEN = st.sampled_from(["", "\n", "  # a note \\\n", "# escape=`\n", "\t\n"])
ODD = st.text(alphabet="aRUNCOPY fi;&|<>$(){}[]'\"\\\n`#=:-ET1", max_size=60)


@st.composite
def instruction(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Return one instruction as it is written and its words."""
    keyword = draw(st.sampled_from(["RUN", "run", "LABEL", "COPY", "ADD", "ENTRYPOINT"]))
    words = draw(st.lists(WORDS, min_size=1, max_size=5))
    text = f"{draw(st.sampled_from(['', '  ']))}{keyword}"
    for number, word in enumerate(words):
        text += f" {word}"
        if number < len(words) - 1 and draw(st.booleans()):
            text += f" \\{draw(st.sampled_from(['', ' ', chr(9)]))}\n"
            text += draw(st.sampled_from(["", "# in between\n", "\n", "   # and\n\n"]))
    if draw(st.booleans()) and keyword.upper() in {"RUN", "COPY", "ADD"}:
        name = draw(st.sampled_from(["EOF", "E1"]))
        body = draw(st.lists(st.sampled_from(["RUN x", "# y", "", " EOF x", "z \\", "$A"]), max_size=4))
        return f"{text} <<{name}\n" + "".join(f"{line}\n" for line in [*body, name]), [*words, f"<<{name}"]
    return f"{text}\n", words


@given(st.lists(st.tuples(BETWEEN, instruction()), min_size=1, max_size=6))
def test_no_line_of_a_dockerfile_is_lost(parts: list[tuple[str, tuple[str, list[str]]]]) -> None:
    text = "FROM base\n" + "".join(f"{between}{written}" for between, (written, _) in parts)
    read = read_instructions(text)[1][1:]
    assert len(read) == len(parts)
    lines = text.split("\n")
    covered: dict[int, int] = {}
    for index, each in enumerate(read):
        for line in range(each.line, each.end_line + 1):
            assert covered.setdefault(line, index) == index
    for number, written_line in enumerate(lines[1:], 2):
        assert number in covered or not written_line.strip() or written_line.lstrip().startswith("#")
    for each, (_, (written, words)) in zip(read, parts, strict=True):
        assert each.keyword == written.split()[0].upper()
        assert each.text.split() == words


@given(ODD)
@example("FROM a\nRUN <<E\n")
@example("FROM a\nRUN $(")
def test_every_text_is_a_dockerfile_or_refused_with_a_reason(text: str) -> None:
    with contextlib.suppress(UsageError):
        for stage in recipe(read_dockerfile(f"FROM a\n{text}\n")).stages:
            for step in stage.steps:
                effects(step)


@given(ODD)
def test_every_text_is_read_as_a_script_without_failing(text: str) -> None:
    script = read_script(text, {"A": "x y", "N": "1"})
    for at, command in enumerate(script.commands):
        assert command.pipe_to is None or script.commands[command.pipe_to].pipe_from == at


@given(ODD)
def test_every_text_is_a_requirement_file_or_refused_with_a_reason(text: str) -> None:
    with contextlib.suppress(UsageError):
        read_requirements("/r.txt", {"/r.txt": text}.get)
