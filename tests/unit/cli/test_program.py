from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RUN = "from tonnage.cli.program import run; run()"


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with this Python, its output in pipes."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_all_output_has_arrived_when_the_program_has_ended() -> None:
    done = run(RUN, "--help")
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("Each command shows examples and its exit codes with --help.")


@pytest.mark.parametrize(("arguments", "code"), [(("--version",), 0), (("no-such-command",), 2), (("report", "-x"), 2)])
def test_the_exit_code_is_that_of_the_command(arguments: tuple[str, ...], code: int) -> None:
    assert run(RUN, *arguments).returncode == code


def test_a_failure_is_written_out_before_the_end() -> None:
    assert "no-such-command" in run(RUN, "no-such-command").stderr


def test_what_still_waits_in_a_buffer_is_written_out() -> None:
    done = run("import sys; from tonnage.cli.program import end; sys.stdout.write('a'); sys.stderr.write('b'); end(3)")
    assert (done.stdout, done.stderr, done.returncode) == ("a", "b", 3)


def test_a_thread_that_still_works_is_waited_for(tmp_path: Path) -> None:
    written = tmp_path / "written"
    program = (
        "import sys, threading, time; from tonnage.cli.program import end\n"
        "def write():\n    time.sleep(0.3)\n    open(sys.argv[1], 'w').close()\n"
        "threading.Thread(target=write).start()\nend(0)"
    )
    assert run(program, str(written)).returncode == 0
    assert written.exists()


def test_a_daemon_keeps_nobody_waiting() -> None:
    program = (
        "import threading; from tonnage.cli.program import end\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\nend(5)"
    )
    assert run(program).returncode == 5


def test_output_that_nobody_reads_any_more_does_not_keep_the_program_from_ending() -> None:
    program = "import os, sys; from tonnage.cli.program import end; sys.stdout.write('a'); os.close(1); end(4)"
    assert run(program).returncode == 4


def test_a_build_that_asks_no_server_imports_nothing_that_speaks_to_one() -> None:
    program = (
        "import sys\n"
        "import tonnage.flows.deploy, tonnage.wiring.forecast_lookups, tonnage.adapters.docker.acts\n"
        "import tonnage.adapters.docker.base_images, tonnage.adapters.docker.preflight\n"
        "print(*{'docker', 'requests', 'urllib3', 'packaging', 'rich', 'http.client'} & set(sys.modules))"
    )
    assert run(program).stdout.strip() == ""
