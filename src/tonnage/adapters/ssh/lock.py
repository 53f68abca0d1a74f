"""The lock of a stack on the machine of its engine, reached by ``ssh`` and held for as long as that connection lasts.

It is the same kernel lock on the same file as the one that a run on that machine itself takes (``flock``, in the
directory that all its users share), so both keep each other out. A shell over there holds it and writes a line twice
in a second; when nobody reads them any more, for this process ended or the connection broke, it ends, and the lock
with it. The same shell tells what runs of other stacks have written into theirs, whenever that changes.
"""

from __future__ import annotations

import shlex
import threading

from tonnage.adapters.ssh import client as ssh
from tonnage.errors import EngineLacksError, EngineUnreachableError, TonnageError, UsageError

_ANSWER_WITHIN_S = 60.0
_LONGEST_TEXT_BYTES = 32_768
_SIGN = "tonnage-lock"
_RUN, _LOOKED = f"{_SIGN} run ", f"{_SIGN} looked"

_FILE = """
case "$(ls -ld /run/lock/ 2>/dev/null)" in
    ????????wt*) file=/run/lock/{name} ;;
    *) file=/tmp/{name} ;;
esac
look() {{
    for each in "${{file%/*}}"/{beginning}*.lock; do
        [ -f "$each" ] && [ ! -L "$each" ] && [ "$each" != "$file" ] || continue
        grep -q "FLOCK .*:$(stat -c %i "$each") " /proc/locks || continue
        printf '{sign} run %s\\n' "$(head -c {most} "$each" | tr -d '\\n\\r')"
    done
    echo "{sign} looked"
}} 2>/dev/null
"""
_WRITE = """
printf %s {text} | dd of="$file" bs={most} iflag=fullblock conv=nocreat,notrunc 2>/dev/null
"""
# The previous holder's shell needs half a second to notice that it is alone, so flock waits a little longer.
_SCRIPT = """
text={text}
trap '' PIPE HUP INT TERM
if ! command -v flock >/dev/null 2>&1; then echo "{sign} lacks"; exit; fi
tell() {{
    now=$(look)
    [ "$now" = "$told" ] || printf '%s\\n' "$now" || return 1
    told=$now
}}
tries=0
while [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    [ -e "$file" ] || (umask 0; set -C; : >"$file") 2>/dev/null
    if [ -L "$file" ] || [ ! -f "$file" ] || [ "$(stat -c %h "$file" 2>/dev/null)" -gt 1 ]; then break; fi
    command exec 9<"$file" || continue
    if ! flock -w 2 9; then
        printf '{sign} busy %s\\n' "$(head -c {most} "$file" | tr -d '\\n\\r')"
        exit
    fi
    [ "/proc/$$/fd/9" -ef "$file" ] || continue
    printf %s "$text" | dd of="$file" conv=nocreat 2>/dev/null
    tell
    echo "{sign} held"
    while echo . && tell; do sleep 0.5 9<&- || sleep 1 9<&-; done 2>/dev/null
    [ "/proc/$$/fd/9" -ef "$file" ] && rm -f "$file"
    exit
done
echo "{sign} unusable $file"
"""


class SshLock:
    """Satisfies :class:`tonnage.runtime.lock.RemoteLock` for one machine."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._answer = ""
        self._printed: list[str] = []
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._file = ""
        self._coming: list[str] = []
        self._others: tuple[str, ...] = ()

    def acquire(self, name: str, beginning: str, text: str) -> str | None:
        """Take the lock ``name`` there and write ``text`` for those who come second.

        Others whose names begin like ``beginning`` are told of from then on.

        Returns:
            None when it is held now, otherwise the text of the one who holds it.

        Raises:
            EngineUnreachableError: ssh failed, or gave no answer in time.
            EngineLacksError: There is no ``ssh`` here, or no ``flock`` there.
            UsageError: The file that is to be locked cannot be used there.
        """
        self._file = _filled(_FILE, name=shlex.quote(name), beginning=shlex.quote(beginning))
        script = self._file + _filled(_SCRIPT, text=shlex.quote(text))
        self._stop.clear()
        self._answered.clear()
        self._answer = ""
        self._thread = threading.Thread(target=self._hold, args=(script,), name="remote lock", daemon=True)
        self._thread.start()
        self._answered.wait(_ANSWER_WITHIN_S)
        state, _, said = self._answer.removeprefix(_SIGN).strip().partition(" ")
        if state == "held":
            return None
        self.release()
        if state == "busy":
            return said
        raise self._failure(state, said)

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def texts(self, name: str, beginning: str) -> tuple[str, ...]:
        """Return what stands in the locks of others, as of half a second ago where this one is held.

        Raises:
            EngineUnreachableError: ssh failed.
            EngineLacksError: There is no ``ssh`` here.
        """
        if self._thread is not None:
            return self._others
        script = _filled(_FILE, name=shlex.quote(name), beginning=shlex.quote(beginning))
        return _texts(ssh.run_there(self._endpoint, f"{script}look\n").stdout)

    def write(self, text: str) -> tuple[str, ...]:
        """Write another text of the same length, and return what stands in the locks of others after that.

        Raises:
            EngineUnreachableError: ssh failed.
            EngineLacksError: There is no ``ssh`` here.
        """
        script = f"{self._file}{_filled(_WRITE, text=shlex.quote(text))}look\n"
        return _texts(ssh.run_there(self._endpoint, script).stdout)

    def _hold(self, script: str) -> None:
        try:
            ssh.stream_there(self._endpoint, script, self._hear, self._stop)
        except Exception as error:  # noqa: BLE001 - it is raised again where the answer is waited for
            self._error = error
        finally:
            self._answered.set()

    def _hear(self, line: str) -> None:
        if line.startswith(_RUN):
            self._coming.append(line.removeprefix(_RUN))
        elif line == _LOOKED:
            self._others, self._coming = tuple(self._coming), []
        elif self._answered.is_set():
            return
        elif line.startswith(_SIGN):
            self._answer = line
            self._answered.set()
        else:
            self._printed.append(line)

    def _failure(self, state: str, said: str) -> TonnageError:
        if isinstance(self._error, TonnageError):
            return self._error
        if state == "lacks":
            return EngineLacksError(
                f"the machine at {self._endpoint} has no flock program, so no run can keep others out",
                todo="Install it there:\n  apt-get install util-linux",
            )
        if state == "unusable":
            return UsageError(
                f"the lock file {said} at {self._endpoint} cannot be used",
                why="It is not a file that Tonnage made, or this user may not read it.",
                todo=f"When no run is going on, remove it there:\n  rm {shlex.quote(said)}",
            )
        if self._printed or self._error is None:
            return ssh.failed(self._endpoint, "\n".join(self._printed))
        return EngineUnreachableError(f"ssh to {self._endpoint} failed", why=f"{self._error}.")


def _filled(script: str, **values: str) -> str:
    return script.format(sign=_SIGN, most=_LONGEST_TEXT_BYTES, **values)


def _texts(printed: str) -> tuple[str, ...]:
    return tuple(line.removeprefix(_RUN) for line in printed.splitlines() if line.startswith(_RUN))
