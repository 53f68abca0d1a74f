"""Dockerfiles in styles that few people write: fixes change what they must, are made once, and are read back."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_fixes
from tonnage.lint.rules import CHOICES, DOCKERFILE_RULES
from tonnage.lint.same_commands import does_the_same
from tonnage.model.forecast.finding import Safety
from tonnage.sources.dockerfile.parser import read_dockerfile

if TYPE_CHECKING:
    from tonnage.model.forecast.finding import Finding

TEXTS: dict[str, str] = tomllib.loads(Path(__file__).with_name("odd_styles.toml").read_text(encoding="utf-8"))
REFUSED = {"cr-only"}
# No fix has anything to do with them.
LEFT = frozenset({"ENV", "ARG", "SHELL", "LABEL", "USER", "WORKDIR", "CMD", "ADD", "ONBUILD"})


def find(text: str) -> tuple[Finding, ...]:
    return dockerfile_findings(text, "Dockerfile", rules=(*DOCKERFILE_RULES, *CHOICES))


def left(text: str) -> list[str]:
    return [each.text for each in read_dockerfile(text, "Dockerfile").instructions if each.keyword in LEFT]


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip("\ufeff \t").startswith("#")]


@pytest.mark.parametrize("safe", [True, False], ids=["safe", "all"])
def test_fixes_change_what_they_must_and_are_made_once(*, safe: bool) -> None:
    seen = 0
    for name, text in TEXTS.items():
        if name in REFUSED:
            continue

        def wanted(each: Finding) -> bool:
            return each.fix is not None and (not safe or each.fix.safety is Safety.SAFE)

        done = with_fixes(text, find, wanted, same=does_the_same)
        assert with_fixes(done.text, find, wanted, same=does_the_same).text == done.text, name
        assert left(done.text) == left(text), name
        assert comments(done.text) == comments(text), name
        assert done.text.startswith("\ufeff") == text.startswith("\ufeff"), name
        assert text.endswith("\n") == done.text.endswith("\n"), name
        # Bare line feeds come into no file that has none.
        assert "\r\n" not in text or done.text.count("\n") - done.text.count("\r\n") <= text.count("\n") - text.count(
            "\r\n"
        ), name
        seen += len(done.fixed)
    assert seen > 60


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_no_builder_reads_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        find(TEXTS[name])
