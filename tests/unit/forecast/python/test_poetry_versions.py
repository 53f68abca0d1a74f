"""What Poetry's versions and tables are in the words of the standard."""

from __future__ import annotations

import pytest

from tonnage.forecast.python.poetry_versions import python_marker, versions
from tonnage.forecast.python.project_requirements import needs
from tonnage.model.forecast.python_lock import LockedRequest


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("1.26.4", "==1.26.4"),
        ("=1.26.4", "==1.26.4"),
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("^2.0rc1", ">=2.0rc1,<3"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.4.2", "~=1.4.2"),
        ("1.2.*", "==1.2.*"),
        ("*", ""),
        (">=1.0, <3", ">=1.0,<3"),
        (">=1.0 <3 !=2.*", ">=1.0,<3,!=2.*"),
        ("^1.0 || ^2.0", ""),
        ("latest", ""),
        ("^" * 5_000, ""),
    ],
)
def test_versions_are_told_as_the_standard_does(written: str, told: str) -> None:
    assert versions(written) == told


def test_versions_of_python_become_a_marker() -> None:
    assert python_marker("^3.8") == 'python_full_version >= "3.8" and python_full_version < "4"'
    either = python_marker("~2.7 || >=3.6")
    assert either == '(python_full_version >= "2.7" and python_full_version < "2.8") or (python_full_version >= "3.6")'
    assert python_marker("*") == ""


def test_a_project_without_a_lock_asks_for_the_versions_that_stand_in_it() -> None:
    project = """
[tool.poetry.dependencies]
python = "^3.11"
hull = "1.26.4"
keel = { version = "^2", extras = ["oak"], markers = "sys_platform == 'linux'" }
mast = [{ version = "<1.9", python = "<3.8" }, { version = "^2", python = ">=3.8" }]
sail = { git = "https://example.org/sail.git", branch = "main" }
rope = { path = "../rope" }
anchor = { version = "*", optional = true }
"""
    assert needs(LockedRequest(lock_name="", lock_text="", project_text=project)) == [
        "hull==1.26.4",
        "keel[oak]>=2,<3 ; (sys_platform == 'linux')",
        'mast<1.9 ; (python_full_version < "3.8")',
        'mast>=2,<3 ; (python_full_version >= "3.8")',
        "sail @ git+https://example.org/sail.git",
        "rope @ file:///rope",
    ]
