from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest

from tonnage.adapters import process
from tonnage.errors import EngineLacksError, StepFailedError, UsageError


def _lines(*arguments: str, stdin: bytes = b"", cancel_at: str | None = None) -> tuple[int, list[str]]:
    """Return the exit code and the lines; the program is cancelled at the first line that begins with a text."""
    seen: list[str] = []
    stop = threading.Event()

    def hear(line: str) -> None:
        seen.append(line)
        if cancel_at is not None and line.startswith(cancel_at):
            stop.set()

    code = process.stream(arguments, environment=None, directory=None, on_line=hear, cancel=stop, stdin=stdin)
    return code, seen


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until_dead(pid: int) -> None:
    while _alive(pid):
        time.sleep(0.02)


def test_both_streams_of_a_short_program_are_returned_apart() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_input_reaches_a_short_program() -> None:
    assert process.run(["cat"], stdin=b"seventeen").stdout == "seventeen"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert process.run(["printf", "a\\377b"]).stdout == "a�b"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(EngineLacksError, match="no-such-program-17"):
        process.run(["no-such-program-17"])


def test_a_missing_directory_is_not_taken_for_a_missing_program() -> None:
    with pytest.raises(UsageError, match="/nowhere/17"):
        process.run(["true"], directory="/nowhere/17")


def test_a_program_that_gives_no_answer_is_killed_with_its_children() -> None:
    # Where it is not, the limit of pytest ends the test; so do the other sleeps of this module.
    with pytest.raises(StepFailedError, match=r"0\.3 s"):
        process.run(["sh", "-c", "sleep 1009 & sleep 1009"], timeout_s=0.3)


def test_lines_of_both_streams_arrive_in_order_and_the_last_needs_no_end() -> None:
    assert _lines("sh", "-c", "echo one; echo two >&2; printf three") == (0, ["one", "two", "three"])


def test_a_carriage_return_ends_a_line_and_a_pair_ends_only_one() -> None:
    assert _lines("printf", "1%%\\r2%%\\r\\n3%%\\n")[1] == ["1%", "2%", "3%"]


def test_a_pair_that_is_torn_apart_ends_only_one_line() -> None:
    assert _lines("sh", "-c", "printf 'a\\r'; sleep 0.2; printf '\\nb\\n'")[1] == ["a", "b"]


def test_a_character_that_is_torn_apart_is_put_together() -> None:
    assert _lines("sh", "-c", "printf '\\303'; sleep 0.2; printf '\\251\\n'")[1] == ["é"]


def test_much_input_and_much_output_do_not_block_each_other() -> None:
    text = b"".join(b"%d\n" % number for number in range(200_003))
    code, seen = _lines("cat", stdin=text)
    assert (code, len(seen), seen[-1]) == (0, 200_003, "200002")


def test_a_program_that_reads_none_of_its_input_is_no_error() -> None:
    assert _lines("true", stdin=b"x" * 1_000_003)[0] == 0


def test_a_cancelled_program_gets_an_interrupt_and_may_say_a_last_word() -> None:
    script = "trap 'echo bye; exit 3' INT; echo ready; while :; do sleep 0.05; done"
    assert _lines("sh", "-c", script, cancel_at="ready") == (3, ["ready", "bye"])


def test_a_program_that_ignores_the_interrupt_is_killed_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "STOP_GRACE_S", 0.5)
    code, seen = _lines("sh", "-c", "trap '' INT; sleep 1009 & echo $!; wait; sleep 1009", cancel_at="")
    assert code == -9
    _until_dead(int(seen[0]))


def test_what_a_cancelled_program_left_in_the_background_is_killed_too() -> None:
    script = "trap 'exit 0' INT; (trap '' INT; exec sleep 1009) & echo $!; while :; do sleep 0.05; done"
    _, seen = _lines("sh", "-c", script, cancel_at="")
    _until_dead(int(seen[0]))


def test_a_stream_held_open_by_a_background_program_does_not_hold_up_its_end() -> None:
    code, seen = _lines("sh", "-c", "sleep 1009 & echo $!")
    os.kill(int(seen[0]), 9)
    assert code == 0


def test_a_failure_while_hearing_stops_the_program() -> None:
    pids: list[int] = []

    def refuse(line: str) -> None:
        pids.append(int(line))
        raise ValueError(line)

    with pytest.raises(ValueError, match=r"\d+"):
        process.stream(
            ["sh", "-c", "echo $$; exec sleep 1009"],
            environment=None,
            directory=None,
            on_line=refuse,
            cancel=threading.Event(),
        )
    assert not _alive(pids[0])


def test_no_zombie_and_no_descriptor_is_left() -> None:
    _lines("true")
    before = len(list(pathlib.Path("/proc/self/fd").iterdir())), _children()
    for _ in range(3):
        _lines("sh", "-c", "echo x")
        process.run(["true"])
    assert (len(list(pathlib.Path("/proc/self/fd").iterdir())), _children()) == before


def _children() -> set[str]:
    """Return this process's children, dead ones that nobody asked for included."""
    tasks = pathlib.Path("/proc/self/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


def test_a_program_inherits_no_descriptor() -> None:
    with open("/dev/null", "rb") as extra:  # noqa: PTH123
        os.set_inheritable(extra.fileno(), True)  # noqa: FBT003 - it takes no keyword
        listed = process.run(["ls", "/proc/self/fd"]).stdout.split()
    assert len(listed) == 4


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_program_that_is_to_die_with_us_is_ended_when_this_process_is_killed(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pid"
    program = f"""
import threading
from tonnage.adapters import process
process.stream(["sh", "-c", "echo $$ > {note}; exec sleep 1009"], environment=None, directory=None,
    on_line=print, cancel=threading.Event(), dies_with_us=True)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as killed:
        while not note.exists() or not note.read_text():
            assert killed.poll() is None
            time.sleep(0.02)
        pid = int(note.read_text())
        assert _alive(pid)
        killed.kill()
    _until_dead(pid)
