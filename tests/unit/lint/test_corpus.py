"""Fixes on some hundred Dockerfiles of different shape: written for the purpose, or with their lines rewritten."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_fixes
from tonnage.lint.reading import read_for_rules
from tonnage.lint.rules import DOCKERFILE_RULES
from tonnage.lint.same_commands import does_the_same
from tonnage.sources.dockerfile.parser import read_dockerfile

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).resolve().parents[3] / "bench" / "dockerfiles"
ADDED_OPTIONS = {"--no-cache-dir", "--no-cache", "--no-install-recommends", "--no-log-init"}
ADDED_COMMANDS = re.compile(
    r"rm -rf (?:/var/lib/apt/lists/\*|/var/cache/apk/\*|/[\w./-]+)|apt-get clean|(?:dnf|yum|microdnf) clean all"
    r"|zypper clean --all|(?:conda|mamba|micromamba) clean -afy|yarn cache clean|npm cache clean --force"
)


def shapes() -> list[str]:
    """Return every shape with every variant."""
    found = []
    for file in sorted(CORPUS.glob("*.toml")):
        for shape in tomllib.loads(file.read_text())["shape"]:
            found += [shape["text"].lstrip().format(*variant) for variant in shape["variants"]]
    own = "FROM debian:bookworm-slim AS b\n{}\n"
    return [*found, *(own.format(rule.before) for rule in DOCKERFILE_RULES if "FROM" not in rule.before)]


def over_lines(text: str) -> str:
    """Return it with each command of a chain on a line of its own, and comments between them."""
    return re.sub(r" && ", " \\\n    # next\n && ", text)


def chain_at_end(text: str) -> str:
    """Return it with each command on a line that ends with what joins it."""
    return re.sub(r" && ", " && \\\n\n      ", text)


def as_document(text: str) -> str:
    """Return it with each one-line RUN as a here-document."""
    return re.sub(r"^RUN (?!--|<<|\[)([^\n\\]+)$", r"RUN <<EOF\nset -e\n\1\nEOF", text, flags=re.MULTILINE)


def with_backticks(text: str) -> str:
    """Return it with another escape character."""
    if "`" in text or re.search(r"\\(?!\n)", text):
        return text
    return "# escape=`\n" + text.replace("\\\n", "`\n")


FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "over-lines": over_lines,
    "chain-at-end": chain_at_end,
    "document": as_document,
    "backticks": with_backticks,
    "carriage-returns": lambda text: text.replace("\n", "\r\n"),
    "one-line": lambda text: re.sub(r"\s*\\\n\s*", " ", text).rstrip("\n"),
}


def commands(text: str) -> list[tuple[str, ...]]:
    """Return every command of every RUN, in its order."""
    read = read_for_rules(text, "Dockerfile")
    return [
        tuple(word.text for word in each.command.words)
        for step in read.runs
        for each in step.commands
        if each.command is not None
    ]


def same_but_for_fixes(before: list[tuple[str, ...]], after: list[tuple[str, ...]]) -> bool:
    """Return whether commands are the same in their order, but for options and commands that fixes add or take away."""
    waiting = list(after)
    for words in before:
        bare = tuple(word for word in words if word not in ADDED_OPTIONS)
        while waiting:
            found = tuple(word for word in waiting[0] if word not in ADDED_OPTIONS)
            if found == bare or (
                words[:1] in {("chown",), ("chmod",)} and found == tuple(w for w in bare if w != "-R")
            ):
                waiting.pop(0)
                break
            if ADDED_COMMANDS.fullmatch(" ".join(waiting[0])):
                waiting.pop(0)
                continue
            break
        else:
            found = ()
        if found != bare and words[:1] not in {("rm",), ("chown",), ("chmod",)}:
            return False
    return all(ADDED_COMMANDS.fullmatch(" ".join(each)) for each in waiting)


@pytest.mark.parametrize("form", FORMS)
def test_fixes_of_every_shape_hold_and_change_nothing_else(form: str, request: pytest.FixtureRequest) -> None:
    long = request.config.getoption("--long")
    seen = 0
    for number, text in enumerate(shapes()):
        # Each form has a part of the shapes, and with --long all of them.
        if number % len(FORMS) != list(FORMS).index(form) and not long:
            continue
        written = FORMS[form](text)
        done = with_fixes(
            written, lambda each: dockerfile_findings(each, "Dockerfile"), lambda _: True, same=does_the_same
        )
        seen += len(done.fixed)
        read_dockerfile(done.text, "Dockerfile")
        again = with_fixes(
            done.text, lambda each: dockerfile_findings(each, "Dockerfile"), lambda _: True, same=does_the_same
        )
        assert again.text == done.text
        assert done.text.count("\r\n") == done.text.count("\n") or form != "carriage-returns"
        assert same_but_for_fixes(commands(written), commands(done.text)), done.text
        comments = [line for line in written.splitlines() if line.lstrip().startswith("#")]
        assert [
            line for line in done.text.splitlines() if line.lstrip().startswith("#")
        ] == comments or "removed" in str([each.rule for each in done.fixed])
        untouched = [each.text for each in read_dockerfile(written, "d").instructions if each.keyword in {"ENV", "CMD"}]
        assert untouched == [
            each.text for each in read_dockerfile(done.text, "d").instructions if each.keyword in {"ENV", "CMD"}
        ]
    assert seen > 5


def test_the_corpus_is_large() -> None:
    assert len(shapes()) * len(FORMS) >= 150


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01\x02",
        "this is no Dockerfile",
        "FROM",
        "# escape=x\nFROM a",
        "FROM a\nRUN <<EOF\nnever ends",
        "RUN pip install a",
        "FROM a\nRUN --nonsense pip install a",
        "FROM a\n" + "RUN true\n" * 12_000,
    ],
)
def test_what_is_no_dockerfile_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(UsageError):
        dockerfile_findings(text, "Dockerfile")


@pytest.mark.parametrize(
    "text",
    [
        (
            '# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\nSHELL ["powershell", "-Command"]\n'
            "RUN Invoke-WebRequest https://example.org/a.zip -OutFile C:\\a.zip ; `\n    Expand-Archive C:\\a.zip\n"
        ),
        "# syntax=example.org/other:1\nFROM a\nRUN --nonsense=1 pip install a\n",
        "FROM a\nRUN <<EOF python3\nimport os\npip install a\nEOF\n",
        "FROM a\nRUN <<'EOF' /usr/bin/fish\nset x 1; pip install a\nEOF\n",
        "ARG BASE\nFROM ${BASE}\nRUN pip install a\n",
        'FROM a\nRUN if [ "$X" ]; then\n',
        "FROM a\nRUN ((((\n",
        "FROM scratch\nCOPY --from=none / /\n",
        "FROM a\nONBUILD RUN pip install a\n",
    ],
)
def test_unusual_files_are_read_and_stay_or_are_mended_in_place(text: str) -> None:
    done = with_fixes(text, lambda each: dockerfile_findings(each, "Dockerfile"), lambda _: True, same=does_the_same)
    assert done.text.replace(" --no-cache-dir", "") == text
