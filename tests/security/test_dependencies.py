"""What tests, builds and the program need is locked with hashes, under licences that may be combined with ours."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCK = "".join(
    (ROOT / "requirements" / name).read_text(encoding="utf-8")
    for name in ("dev.txt", "run.txt", "release.txt", "docs.txt")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Each may be used, changed and passed on together with a program under Apache-2.0.
ALLOWED = {"Apache-2.0", "Apache Software License", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT License", "MPL-2.0"}


def locked() -> dict[str, list[Version]]:
    """Return the versions of every locked package; one can have several, for different Pythons."""
    found: dict[str, list[Version]] = {}
    for line in LOCK.splitlines():
        if line[:1].isalnum():
            name, _, version = line.partition("==")
            found.setdefault(canonicalize_name(name), []).append(Version(version.split()[0]))
    return found


def installed_with(name: str, seen: set[str]) -> set[str]:
    """Return a package and all that it needs here."""
    if (name := canonicalize_name(name)) in seen:
        return seen
    seen.add(name)
    for line in requires(name) or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            installed_with(needed.name, seen)
    return seen


def test_everything_that_the_project_asks_for_is_locked_in_a_version_that_it_takes() -> None:
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    lines += [line for group in PROJECT["dependency-groups"].values() for line in group if isinstance(line, str)]
    versions = locked()
    for line in lines:
        wanted = Requirement(line)
        assert [each for each in versions.get(canonicalize_name(wanted.name), ()) if each in wanted.specifier], line


def test_every_locked_package_has_hashes_and_no_address() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) > 50
    assert not [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)]
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK


def test_what_is_installed_with_the_program_has_a_licence_that_may_be_combined_with_ours() -> None:
    needed = installed_with("tonnage", set()) - {"tonnage"}
    assert len(needed) > 12
    for name in sorted(needed):
        told = distribution(name).metadata
        classifiers = [
            each.rpartition("::")[2].strip() for each in told.get_all("Classifier") or () if "License" in each
        ]
        text = (told.get_all("License-Expression") or told.get_all("License") or classifiers or [""])[0]
        assert set(re.split(r" (?:OR|AND) ", text)) <= ALLOWED or set(classifiers) & ALLOWED, (name, text)


def advisories(tmp_path: Path, exit_code: int) -> subprocess.CompletedProcess[str]:
    """Ask for advisories with a uv that only ends with an exit code when it is asked."""
    program = tmp_path / "uv"
    program.write_text(f'#!/bin/sh\n[ "$1" = audit ] && echo told && exit {exit_code}\nexit 0\n', encoding="utf-8")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    return subprocess.run(
        [ROOT / "script" / "advisories"], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_known_weaknesses_fail_and_their_absence_is_said(tmp_path: Path) -> None:
    assert advisories(tmp_path, 1).returncode == 1
    nothing = advisories(tmp_path, 0)
    assert (nothing.returncode, "no weakness is known of the" in nothing.stderr) == (0, True)


def test_where_nobody_can_be_asked_that_is_said(tmp_path: Path) -> None:
    done = advisories(tmp_path, 2)
    assert done.returncode == 0
    assert "nobody could be asked" in done.stderr
    assert "told" in done.stderr
    assert "no weakness is known" not in done.stderr
