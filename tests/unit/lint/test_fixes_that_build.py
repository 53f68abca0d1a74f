"""What a fix adds runs where it is put, as who may do it, and hides no failure of what stands before it."""

from __future__ import annotations

import pytest
from tests.unit.lint.test_choices import BASE

from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_fixes
from tonnage.lint.rules import CHOICES, DOCKERFILE_RULES
from tonnage.lint.same_commands import does_the_same
from tonnage.model.forecast.finding import Safety

LISTS = "rm -rf /var/lib/apt/lists/*"
GIT = "apt-get update && apt-get install -y git"


def fix(text: str, *, choices: bool = False) -> str:
    rules = (*DOCKERFILE_RULES, *CHOICES) if choices else DOCKERFILE_RULES
    return with_fixes(
        BASE + text,
        lambda each: dockerfile_findings(each, "Dockerfile", rules=rules),
        lambda each: choices or (each.fix is not None and each.fix.safety is Safety.SAFE),
        same=does_the_same,
    ).text.removeprefix(BASE)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        # Behind the semicolon it would be what the instruction ends with, whether the install worked or not.
        (f"RUN {GIT};\n", f"RUN {GIT} && {LISTS};\n"),
        ("RUN apt-get update; \\\n    apt-get install -y git ;\n", None),
        ("USER app\nRUN sudo apt-get update && sudo -E apt-get install -y git\n", None),
        (f"RUN {GIT} || exit 1\n", f"RUN {GIT} || exit 1 && {LISTS}\n"),
    ],
)
def test_lists_are_removed_by_what_may_and_as_a_part_of_the_whole(text: str, after: str | None) -> None:
    if after is None:
        command = f"sudo {LISTS}" if "sudo" in text else LISTS
        body = text.rstrip("\n").removesuffix(";").rstrip()
        after = f"{body} && {command}\n" if "sudo" in text else f"{body} \\\n    && {command} ;\n"
    assert fix(text) == after


@pytest.mark.parametrize("text", [f"RUN {GIT} && exec bash\n", f"RUN {GIT} && exit 0\n", f"RUN {GIT} &\n"])
def test_nothing_is_put_where_it_would_never_run(text: str) -> None:
    assert fix(text) == text


def test_other_managers_are_cleaned_with_the_rights_that_they_needed() -> None:
    text = "USER app\nRUN sudo dnf install -y make\n"
    assert fix(text) == "USER app\nRUN sudo dnf install -y make && sudo dnf clean all\n"


def test_tests_are_removed_where_the_user_installs_and_never_where_he_may_not() -> None:
    own = fix("USER app\nENV HOME=/home/app\nRUN pip install --user a\n", choices=True)
    assert "&& find /home/app/.local -depth" in own
    assert "find" not in fix("USER app\nRUN pip install a\n", choices=True)
    assert "&& find /usr/local/lib -depth" in fix("RUN pip install a\n", choices=True)


def test_what_is_safe_is_mended_before_what_is_a_choice() -> None:
    copied = "COPY --from=base /wheels /wheels\nRUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels\n"
    done = with_fixes(
        f"FROM debian AS base\nFROM python:3.11-slim\n{copied}",
        lambda each: dockerfile_findings(each, "Dockerfile", rules=(*DOCKERFILE_RULES, *CHOICES)),
        lambda _: True,
        same=does_the_same,
    )
    assert {"removed-later", "wheel-leftovers", "bytecode"} <= {each.rule for each in done.fixed}
    assert "COPY" not in done.text
