"""Standard streams that are closed or full, and terminals that know little: the command itself goes on."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = shlex.quote(sys.executable)
PROGRAM = "import sys; from tonnage.cli.app import main; sys.exit(main(sys.argv[1:]))"


def _sh(script: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which ``$T`` is the command."""
    environment = {**os.environ, "TONNAGE_STATE_DIR": str(directory / "state"), **variables}
    environment.pop("DOCKER_HOST", None)
    return subprocess.run(
        ["sh", "-c", f"t() {{ {PYTHON} -c '{PROGRAM}' \"$@\"; }}; {script}"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_closed_streams_change_nothing(tmp_path: Path, closed: str) -> None:
    for command in ("report", "report --json", "--help"):
        done = _sh(f"t {command} {closed}", tmp_path)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_file_opened_later_does_not_become_standard_output(tmp_path: Path) -> None:
    code = (
        "import os, sys; from tonnage.cli.app import main; main(['report']);"
        " sys.exit(os.open(os.devnull, os.O_RDONLY) <= 2)"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec {PYTHON} -c "{code}" >&- 2>&- <&-'],
        env={**os.environ, "TONNAGE_STATE_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110 - a device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["report", "report --json", "--help", "plan --help", "--version"])
def test_a_full_disk_behind_standard_output_is_told_as_such(tmp_path: Path, command: str, unbuffered: str) -> None:
    done = _sh(f"t {command} >/dev/full", tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written\nNo space left on device.\n")
    assert done.stderr.count("standard output cannot be written") == 1


def test_a_reader_that_leaves_early_is_no_failure_of_the_command(tmp_path: Path) -> None:
    done = _sh("t --help | head -n 1", tmp_path)
    assert done.stdout.startswith("Usage: tonnage")
    assert done.stderr == ""


def test_answers_go_to_standard_output_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("tar: x: Cannot write: No space left on device\n")
    for command in ("report", "report --accuracy", "doctor --settings", "explain log"):
        done = _sh(f"t {command}", tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout.strip(), command
    done = _sh("t plan", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_without_a_home_and_in_the_c_locale_messages_are_still_told(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "x-tonnage: {prob\u00e9: 1}\nservices: {web: {image: busybox}}\n", encoding="utf-8"
    )
    done = _sh(
        "unset HOME TERM; t plan --json",
        tmp_path,
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="",
    )
    assert done.returncode == 2
    assert "the key 'prob\\xe9' is not known" in done.stderr
    assert json.loads(done.stdout)["what"].startswith("the key 'prob\u00e9' is not known")


def test_nothing_typed_shows_the_help_and_no_error(tmp_path: Path) -> None:
    done = _sh("t", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: tonnage")


@pytest.mark.parametrize("typed", ["--json", "frobnicate --json", "plan --json --bogus", "rehearse --json --disk 10G"])
def test_wrong_usage_is_one_json_document_on_standard_output(tmp_path: Path, typed: str) -> None:
    done = _sh(f"t {typed}", tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit_code"] == 2
    assert done.stderr.startswith("error: ")
