"""The only door to other programs: start one, hear what it prints, stop it with everything that it started.

Each program runs in a session of its own, so a signal to this process does not reach it by chance and a signal
to its group reaches all of it. Output is text; bytes that are no UTF-8 are replaced.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from tonnage.adapters.output_lines import LinesOfOutput
from tonnage.errors import EngineLacksError, StepFailedError, UsageError
from tonnage.tracing import trace_command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.interface import Cancel

STOP_GRACE_S = 10.0
_LOOK_S = 0.05
_LINGER_S = 1.0
_CHUNK_BYTES = 65536


class Bounds(Struct, frozen=True, kw_only=True):
    """What a program may use that reads what strangers give, where the machine can bound it.

    Args:
        memory_bytes: Memory of its own that it may write.
        file_bytes: The size of each file that it writes.
    """

    memory_bytes: int
    file_bytes: int


class Completed(Struct, frozen=True):
    """A program that ran to its end; ``exit_code`` is negative when a signal ended it."""

    exit_code: int
    stdout: str
    stderr: str


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    stdin: bytes = b"",
    timeout_s: float | None = None,
    bounds: Bounds | None = None,
) -> Completed:
    """Run a short program to its end.

    Args:
        arguments: The program and its arguments; no shell is involved.
        environment: The whole environment; None for that of this process.
        directory: Where it runs; None for here.
        stdin: What it reads; with nothing it reads an empty file.
        timeout_s: Seconds after which it is killed; None for no limit.
        bounds: What it may use; None for no limit.

    Returns:
        Its exit code and what it printed.

    Raises:
        EngineLacksError: The program is not installed or cannot be executed.
        UsageError: The directory does not exist.
        StepFailedError: It took longer than ``timeout_s``.
    """
    started = _start(arguments, environment, directory, has_input=bool(stdin), merged=False)
    with started:
        _bind(started.pid, bounds)
        try:
            stdout, stderr = started.communicate(stdin or None, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise _late(arguments, timeout_s) from error
        finally:
            if started.returncode is None:
                _signal_group(started, signal.SIGKILL)
                started.wait()
    return Completed(started.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


def stream(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None,
    directory: str | None,
    on_line: Callable[[str], None],
    cancel: Cancel,
    stdin: bytes = b"",
    dies_with_us: bool = False,
    held: Sequence[int] = (),
    timeout_s: float | None = None,
    bounds: Bounds | None = None,
) -> int:
    """Run a long program and hand over each line of both its streams as it comes.

    A carriage return ends a line as well, so that a progress bar arrives as lines. When ``cancel`` is set, and when
    ``on_line`` raises, the program's group gets SIGINT and after 10 s SIGKILL; it never outlives this call then.

    Args:
        arguments: The program and its arguments; no shell is involved.
        environment: The whole environment; None for that of this process.
        directory: Where it runs; None for here.
        on_line: Is given each line, without its end.
        cancel: Is looked at 20 times a second.
        stdin: What it reads; with nothing it reads an empty file.
        dies_with_us: Ask it to end (SIGTERM) when this process is killed and cannot do so itself any more, where the
            machine can do that.
        held: Descriptors that it holds as well, so that a lock on them lasts until it has ended.
        timeout_s: Seconds after which its group is killed; None for no limit.
        bounds: What it may use; None for no limit.

    Returns:
        Its exit code; negative when a signal ended it. A cancelled program's exit code says nothing.

    Raises:
        EngineLacksError: The program is not installed or cannot be executed.
        UsageError: The directory does not exist.
        StepFailedError: It took longer than ``timeout_s``.
    """
    command = [*dying_with_us(), *arguments] if dies_with_us else arguments
    started = _start(command, environment, directory, has_input=bool(stdin), merged=True, held=held)
    with started:
        _bind(started.pid, bounds)
        feeder = threading.Thread(target=_feed, args=(started.stdin, stdin), daemon=True) if stdin else None
        if feeder:
            feeder.start()
        lines = LinesOfOutput(on_line)
        ending = _Stopper(started, cancel, timeout_s)
        try:
            _pump(started, lines, ending)
        finally:
            ending.finish()
            exit_code = started.wait()
            if feeder:
                feeder.join()
        lines.end()
    if ending.late:
        raise _late(arguments, timeout_s)
    return exit_code


class StartedProcess:
    """A program that goes on after the call that started it."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started

    @property
    def pid(self) -> int:
        """Its process id, which is its group's id as well."""
        return self._started.pid

    def exit_code(self) -> int | None:
        """Return its exit code, negative when a signal ended it; None while it runs."""
        return self._started.poll()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended and reap it; return whether it ended within ``timeout_s`` seconds."""
        try:
            self._started.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Send SIGKILL to it alone, not to its group, unless it was reaped already."""
        self._started.kill()

    def leave(self) -> None:
        """Let it go on when this process ends, and never ask for it again."""
        # Popen warns about a child that is still running when it is collected; this one is meant to.
        self._started.returncode = 0


def start(arguments: Sequence[str], *, log_path: str, environment: Mapping[str, str] | None = None) -> StartedProcess:
    """Start a program that goes on after this call, in a session of its own, with its output in a file.

    Args:
        arguments: The program and its arguments; no shell is involved.
        log_path: File to which both its streams are appended.
        environment: The whole environment; None for that of this process.

    Returns:
        The running program, which the caller ends, or leaves.

    Raises:
        EngineLacksError: The program is not installed or cannot be executed, or the file cannot be written.
    """
    try:
        trace_command(arguments)
        with open(log_path, "ab") as log:  # noqa: PTH123 - the text is passed on as it is
            started = subprocess.Popen(  # noqa: S603 - the argument list is ours, there is no shell
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
    except OSError as error:
        raise _unstartable(arguments, error) from error
    return StartedProcess(started)


def start_told(arguments: Sequence[str]) -> tuple[StartedProcess, int]:
    """Start a program that outlives this process if it must, in a session of its own.

    Args:
        arguments: The program and its arguments; no shell is involved.

    Returns:
        The running program, and the descriptor that writes to its input. Nobody else has that one, so the program reads
        the end of its input as soon as it is closed or this process is gone.

    Raises:
        EngineLacksError: The program is not installed or cannot be executed.
    """
    read, write = os.pipe()
    try:
        started = subprocess.Popen(  # noqa: S603 - the argument list is ours, there is no shell
            list(arguments),
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        os.close(write)
        raise _unstartable(arguments, error) from error
    finally:
        os.close(read)
    return StartedProcess(started), write


def _start(
    arguments: Sequence[str],
    environment: Mapping[str, str] | None,
    directory: str | None,
    *,
    has_input: bool,
    merged: bool,
    held: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in its own session with no descriptor of ours but those that it is to hold."""
    trace_command(arguments, directory)
    try:
        return subprocess.Popen(  # noqa: S603 - the argument list is ours, there is no shell
            list(arguments),
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=None if environment is None else dict(environment),
            cwd=directory,
            start_new_session=True,
            pass_fds=held,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        if directory is not None and not os.path.isdir(directory):  # noqa: PTH112 - the text is passed on as it is
            raise UsageError(f"the directory {directory} does not exist") from error
        raise EngineLacksError(
            f"the program {arguments[0]} is not installed, or not on the PATH",
            todo=f"Install {arguments[0]}, or correct the PATH.",
        ) from error
    except OSError as error:
        raise _unstartable(arguments, error) from error


def _unstartable(arguments: Sequence[str], error: OSError) -> EngineLacksError:
    return EngineLacksError(f"the program {arguments[0]} cannot be started", why=error.strerror or str(error))


def _bind(process_id: int, bounds: Bounds | None) -> None:
    """Bound what a program may use. It was started already: what it has by then is nothing yet."""
    if bounds is None:
        return
    import resource  # noqa: PLC0415 - few programs are bounded

    if not hasattr(resource, "prlimit"):
        return
    for kind, most in ((resource.RLIMIT_DATA, bounds.memory_bytes), (resource.RLIMIT_FSIZE, bounds.file_bytes)):
        # Who may use less already keeps that.
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(process_id, kind, (most, most))


def _late(arguments: Sequence[str], timeout_s: float | None) -> StepFailedError:
    return StepFailedError(
        f"{os.path.basename(arguments[0])} gave no answer within {timeout_s:g} s",  # noqa: PTH119 - text
        why=f"It was started as: {' '.join(arguments)}",
    )


@cache
def dying_with_us() -> tuple[str, ...]:
    """Return what stands before a program that the kernel is to end with this process; nothing where that cannot be.

    Source: setpriv(1) of util-linux 2.33 and later, prctl(2) PR_SET_PDEATHSIG: the setting outlives ``exec``.
    """
    import shutil  # noqa: PLC0415 - not where nothing has to die with this process

    program = shutil.which("setpriv")
    if program is None:
        return ()
    command = (program, "--pdeathsig", "TERM")
    return command if run([*command, "true"]).exit_code == 0 else ()


def _feed(pipe: BinaryIO | None, data: bytes) -> None:
    """Write all input and close it; a program that stops reading is not an error."""
    if pipe is None:
        return
    with contextlib.suppress(BrokenPipeError):
        pipe.write(data)
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _pump(started: subprocess.Popen[bytes], lines: LinesOfOutput, ending: _Stopper) -> None:
    """Hand over output until there is no more and the program has ended, or until it is overdue."""
    assert started.stdout is not None  # noqa: S101 - it was asked for as a pipe
    leave_at: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(started.stdout, selectors.EVENT_READ)
        while not ending.overdue():
            if selector.select(_LOOK_S):
                chunk = os.read(started.stdout.fileno(), _CHUNK_BYTES)
                if not chunk:
                    break
                lines.take(chunk)
            elif leave_at is not None and time.monotonic() >= leave_at:
                break
            if leave_at is None and _ended(started):
                # What it left in the background may hold the stream open for ever.
                leave_at = time.monotonic() + _LINGER_S
    while not _ended(started) and not ending.overdue():
        time.sleep(_LOOK_S / 5)


class _Stopper:
    """Stops one program: SIGINT to its group when it is cancelled, SIGKILL when that did not help in time."""

    def __init__(self, started: subprocess.Popen[bytes], cancel: Cancel, timeout_s: float | None) -> None:
        self._started = started
        self._cancel = cancel
        self._late_at = None if timeout_s is None else time.monotonic() + timeout_s
        self._kill_at: float | None = None
        self.late = False

    def overdue(self) -> bool:
        """Ask the program to stop once it is cancelled; return whether it has had its time since."""
        if self._kill_at is None and self._cancel.is_set():
            self._ask()
        if self._kill_at is None and self._late_at is not None and time.monotonic() >= self._late_at:
            self.late, self._kill_at = True, self._late_at
        return self._kill_at is not None and time.monotonic() >= self._kill_at

    def finish(self) -> None:
        """Leave nothing of the group of a program that was cancelled or still runs.

        The leader is not yet reaped here, so its number cannot have gone to another group.
        """
        if self._kill_at is None and _ended(self._started):
            return
        if self._kill_at is None:
            self._ask()
        while not _ended(self._started) and not self.overdue():
            time.sleep(_LOOK_S)
        _signal_group(self._started, signal.SIGKILL)

    def _ask(self) -> None:
        _signal_group(self._started, signal.SIGINT)
        self._kill_at = time.monotonic() + STOP_GRACE_S


def _ended(started: subprocess.Popen[bytes]) -> bool:
    """Tell whether the leader has ended, without reaping it."""
    return os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(started: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole group; it may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, number)
