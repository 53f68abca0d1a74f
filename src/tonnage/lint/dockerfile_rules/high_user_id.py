"""``useradd`` with a high id, which makes older systems write a large, mostly empty file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.finding import Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "high-user-id"
_HIGH = 100_000
_RECORD_BYTES = 292
"""What lastlog has for each id up to the highest. Source: lastlog(8), ``struct lastlog`` of glibc."""


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command in step.commands:
            if command.program != "useradd" or any(_says_no(word) for word in command.words):
                continue
            highest = _id(command.words)
            if highest < _HIGH:
                continue
            edits = command.with_option("--no-log-init", "useradd")
            yield step.finding(
                NAME,
                f"useradd with the id {highest} may make a file of {highest * _RECORD_BYTES / 1e6:.0f} MB with holes",
                command,
                why="Up to Debian 11 and Ubuntu 22.04 /var/log/lastlog gets a record for every id up to it, and"
                " builders may write the holes out.",
                todo="Add --no-log-init.",
                fix=Fix(edits=edits, what="add --no-log-init") if edits else None,
            )


def _says_no(word: str) -> bool:
    return word == "--no-log-init" or (word.startswith("-") and not word.startswith("--") and "l" in word)


def _id(words: tuple[str, ...]) -> int:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        value = ""
        if word in {"-u", "--uid"} or (word.startswith("-") and not word.startswith("--") and word.endswith("u")):
            value = following
        elif word.startswith("--uid="):
            value = word.removeprefix("--uid=")
        elif word.startswith("-u"):
            value = word.removeprefix("-u")
        if value.isdecimal() and value.isascii():
            return int(value)
    return 0


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3046",),
    title="useradd with a high id may make a large file",
    why="In images up to Debian 11 and Ubuntu 22.04 `useradd` gives every id up to the highest a record of 292 bytes in"
    " `/var/log/lastlog`; newer ones and Alpine do not. It is a file with holes, but"
    " a builder or a registry may write these out: an id of 1 000 000 000 makes 292 GB of them.",
    before="RUN useradd -u 1000700000 app",
    after="RUN useradd --no-log-init -u 1000700000 app",
    fixes=Safety.SAFE,
    check=_check,
)
