from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tonnage.adapters.reclaim import in_use
from tonnage.adapters.reclaim.in_use import Processes, what_is_in_use

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


def test_looking_takes_a_quarter_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Each look begins and ends at these seconds, so it takes two of them; then come questions.
    seconds = iter([100.0, 102.0, 107.9, 108.1, 110.1])
    monkeypatch.setattr(in_use, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    processes = Processes()
    assert not processes.why_used(str(tmp_path))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=tmp_path) as process:
        remembered, anew = processes.why_used(str(tmp_path)), processes.why_used(str(tmp_path))
        process.communicate()
    assert not remembered
    assert f"({process.pid}) uses it" in anew
