"""Whether a Dockerfile with its fixes does what it did: the same commands, but for what fixes add or take away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.reading import read_for_rules

if TYPE_CHECKING:
    from tonnage.lint.reading import DockerfileReading

OPTIONS = frozenset(
    {
        "--no-cache-dir", "--no-cache", "--no-install-recommends", "--no-log-init", "-R", "--recursive", "--no-compile",
        "--compile-bytecode",
    }
)  # fmt: skip
"""What fixes add to a command, or take off it."""
_ADDED = regex(
    r"(?:sudo )?(?:rm -rf /\S+|apt-get clean|(?:dnf|yum|microdnf) clean all|zypper clean --all"
    r"|(?:conda|mamba|micromamba) clean -afy|yarn cache clean|npm cache clean --force)"
    r"|find /\S+ -depth -type d \( -name tests -o -name test \) -exec rm -rf {} \+"
)
_GONE = regex(r"rm(?: -\S+)* /\S+")


def does_the_same(before: str, after: str) -> bool:
    """Return whether a text does what another one did; both are Dockerfiles.

    Raises:
        UsageError: One of them is none.
    """
    old, new = (_words(read_for_rules(each, "Dockerfile")) for each in (before, after))
    at = 0
    for words in old:
        while at < len(new) and new[at] != words and _ADDED.fullmatch(" ".join(new[at])):
            at += 1
        if at < len(new) and new[at] == words:
            at += 1
        elif not _GONE.fullmatch(" ".join(words)):
            return False
    return all(_ADDED.fullmatch(" ".join(each)) for each in new[at:])


def _words(read: DockerfileReading) -> list[tuple[str, ...]]:
    """Return the words of every command, without options that a fix adds or takes away; and every copy."""
    found: list[tuple[str, ...]] = []
    for stage in read.stages:
        for step in stage.steps:
            commands = [each.command for each in step.commands if each.command is not None]
            found += [tuple(word.text for word in each.words if word.text not in OPTIONS) for each in commands]
            if step.run is None and step.copy is None:
                found.append((step.instruction.keyword, step.instruction.text))
    return found
