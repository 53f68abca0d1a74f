from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest

from tonnage.adapters.reclaim.in_use import what_is_in_use

USED = what_is_in_use("/", dict(os.environ))


def test_the_modules_of_the_running_kernel_and_perl_stay() -> None:
    release = platform.release()
    assert "kernel" in USED.why("/usr/lib/modules")
    assert "kernel" in USED.why(f"/usr/lib/modules/{release}/kernel/net")
    assert "Perl" in USED.why("/usr/share/perl5/Debconf")


def test_what_this_program_runs_from_stays_with_everything_in_it() -> None:
    assert USED.why(os.path.realpath(sys.executable))
    assert USED.why(str(Path(os.__file__).parent))
    assert USED.why(str(Path(os.__file__).parent / "json"))


@pytest.mark.parametrize("program", ["docker", "git", "sh"])
def test_programs_that_are_run_stay_with_what_holds_them(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here")
    assert USED.why(str(Path(path).resolve().parent))


def test_what_nothing_uses_may_go_although_it_lies_beside_what_is_used() -> None:
    assert not USED.why("/usr/share/surely-nobody-uses-this")


def test_a_tree_elsewhere_has_modules_and_perl_of_its_own() -> None:
    used = what_is_in_use("/srv/tree", {})
    assert used.why(f"/srv/tree/usr/lib/modules/{platform.release()}")
    assert used.why("/srv/tree/usr/bin/perl")
