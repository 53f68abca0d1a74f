"""Files that include and extend each other without end take bounded memory and time: they are read, or refused."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (25, 25))
from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack
try:
    stack = load_stack(StackRequest(working_directory=sys.argv[1]), environment={}, compose=None)
    print(len(stack.services))
except UsageError as error:
    print(error.place.rpartition("/")[2], error.what)
"""


def included_twice(root: Path) -> None:
    for number in range(45):
        following = f"n{number + 1}.yaml"
        (root / f"n{number}.yaml").write_text(
            f"include: [{following}, ./{following}]\nservices: {{s{number}: {{image: i}}}}\n"
        )
    (root / "n45.yaml").write_text("services: {last: {image: i}}\n")
    (root / "compose.yaml").write_text("include: [n0.yaml, n0.yaml]\n")


def included_with_other_variables(root: Path) -> None:
    for number in range(45):
        for value in "ab":
            (root / f"{value}{number}.env").write_text(f"V{number}={value}\n")
        entries = [f"{{path: n{number + 1}.yaml, env_file: {value}{number}.env}}" for value in "ab"]
        (root / f"n{number}.yaml").write_text(f"include: [{', '.join(entries)}]\n")
    (root / "n45.yaml").write_text("services: {last: {image: i}}\n")
    (root / "compose.yaml").write_text("include: [n0.yaml]\n")


def included_deep(root: Path) -> None:
    for number in range(100):
        (root / f"n{number}.yaml").write_text(f"include: [n{number + 1}.yaml]\n")
    (root / "compose.yaml").write_text("include: [n0.yaml]\n")


def extended_in_a_chain(root: Path) -> None:
    services = [f"  s{number}: {{extends: s{number + 1}}}\n" for number in range(1500)]
    (root / "compose.yaml").write_text(f"services:\n{''.join(services)}  s1500: {{image: i}}\n")


def extended_through_files(root: Path) -> None:
    for number in range(1100):
        (root / f"n{number}.yaml").write_text(
            f"services: {{a: {{extends: {{file: n{number + 1}.yaml, service: a}}}}}}\n"
        )
    (root / "n1100.yaml").write_text("services: {a: {image: i}}\n")
    (root / "compose.yaml").write_text("services: {a: {extends: {file: n0.yaml, service: a}}}\n")


def extended_with_much(root: Path) -> None:
    names = "".join(f"A{number}: x, " for number in range(1200))
    services = "".join(f"  s{number}: {{extends: base, environment: {{B: x}}}}\n" for number in range(1200))
    (root / "compose.yaml").write_text(f"services:\n  base: {{image: i, environment: {{{names}}}}}\n{services}")


def of_many_services(root: Path) -> None:
    services = "".join(f"  s{number}: {{image: i}}\n" for number in range(2001))
    (root / "compose.yaml").write_text(f"services:\n{services}")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (of_many_services, "compose.yaml:2002 the stack has 2,001 services"),
        (included_twice, "46"),
        (included_with_other_variables, "files are included more than 1,000 times"),
        (included_deep, "n49.yaml:1 files include each other more than 50 deep"),
        (extended_in_a_chain, "1501"),
        (extended_through_files, "1"),
        (extended_with_much, "with what it includes and extends this stack has too many values"),
    ],
)
def test_files_that_lead_to_each_other_are_read_or_refused(
    tmp_path: Path, written: Callable[[Path], None], said: str
) -> None:
    written(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert said in done.stdout, done.stderr[-2000:]
