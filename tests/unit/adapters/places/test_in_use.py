from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest

from tonnage.adapters.in_use import what_is_in_use, why_used

USED = what_is_in_use("/", dict(os.environ))


def test_the_modules_of_the_running_kernel_and_perl_stay() -> None:
    release = platform.release()
    assert "kernel" in why_used("/usr/lib/modules", USED)
    assert "kernel" in why_used(f"/usr/lib/modules/{release}/kernel/net", USED)
    assert "Perl" in why_used("/usr/share/perl5/Debconf", USED)


def test_what_this_program_runs_from_stays_with_everything_in_it() -> None:
    assert why_used(os.path.realpath(sys.executable), USED)
    assert why_used(str(Path(os.__file__).parent), USED)
    assert why_used(str(Path(os.__file__).parent / "json"), USED)


@pytest.mark.parametrize("program", ["docker", "git", "sh"])
def test_programs_that_are_run_stay_with_what_holds_them(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here")
    assert why_used(str(Path(path).resolve().parent), USED)


def test_what_nothing_uses_may_go_although_it_lies_beside_what_is_used() -> None:
    assert not why_used("/usr/share/surely-nobody-uses-this", USED)


def test_a_tree_elsewhere_has_modules_and_perl_of_its_own() -> None:
    used = what_is_in_use("/srv/tree", {})
    assert why_used(f"/srv/tree/usr/lib/modules/{platform.release()}", used)
    assert why_used("/srv/tree/usr/bin/perl", used)
