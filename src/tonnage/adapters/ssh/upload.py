"""Files of a project directory on the machine behind ``ssh://``: which are there, and bringing those that are not.

Only regular files and directories are sent; a symlink is followed when it leads to a file. Times are kept, so that the
next look sees what is the same.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.ssh import client as ssh
from tonnage.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.adapters.interface import Cancel, Progress

_LOOK_WITHIN_S = 120.0


def files_here(directory: str, mounted: Sequence[tuple[str, bool]]) -> dict[str, tuple[int, int, bool]]:
    """Return the files that are mounted from a project directory.

    Args:
        mounted: Paths below it, and whether containers only read them.

    Returns:
        Bytes, time of change in whole seconds, and whether it is only read, by path below the directory.

    Raises:
        UsageError: A name cannot be sent.
    """
    found = {}
    for relative, read_only in mounted:
        for path in _files(Path(directory, relative)):
            name = path.relative_to(directory).as_posix()
            if "\n" in name:
                raise UsageError(f"the name {name!r} cannot be sent: it has a line break", todo="Rename the file.")
            seen = path.stat()
            found[name] = (seen.st_size, int(seen.st_mtime), read_only)
    return found


def files_there(endpoint: str, place: str, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return which of some files are there.

    Args:
        place: The project directory there.

    Returns:
        Bytes and time of change in whole seconds, by path; those that are not there left out.

    Raises:
        EngineUnreachableError: ssh failed.
    """
    if not names:
        return {}
    script = (
        f"cd {shlex.quote(place)} 2>/dev/null || exit 0\n"
        "while IFS= read -r name; do stat -L -c '%s %Y' \"./$name\" 2>/dev/null || echo none; done <<'END OF NAMES'\n"
        + "".join(f"{name}\n" for name in names)
        + "END OF NAMES\n"
    )
    done = ssh.run_there(endpoint, script, timeout_s=_LOOK_WITHIN_S)
    found = {}
    for name, line in zip(names, done.stdout.splitlines(), strict=False):
        size, _, changed = line.partition(" ")
        if size.isdecimal() and changed.isdecimal():
            found[name] = (int(size), int(changed))
    return found


def send_files(
    endpoint: str, directory: str, place: str, names: Sequence[str], *, progress: Progress, cancel: Cancel
) -> None:
    """Bring files to the machine; what is there under these names is replaced once it has arrived.

    Args:
        directory: The project directory here.
        place: The project directory there; it is made where there is none.

    Raises:
        StepFailedError: It was stopped, or not everything arrived.
        EngineUnreachableError: ssh failed.
    """
    progress.at(f"sending {len(names)} files")
    unpack = f"umask 022 && mkdir -p {shlex.quote(place)} && tar -C {shlex.quote(place)} -xf -"
    script = (
        f"tar -C {shlex.quote(directory)} --dereference --null --no-recursion --files-from=- -cf - |"
        f" {ssh.command_line(endpoint, unpack)}"
    )
    printed: list[str] = []
    code = process.stream(
        ("sh", "-c", script),
        environment=None,
        directory=None,
        on_line=printed.append,
        cancel=cancel,
        stdin=b"".join(name.encode(errors="surrogateescape") + b"\0" for name in names),
        dies_with_us=True,
    )
    if cancel.is_set():
        raise StepFailedError("sending the files was stopped")
    if code == ssh.FAILED:
        raise ssh.failed(endpoint, "\n".join(printed))
    missing = [name for name in names if name not in files_there(endpoint, place, names)]
    if code or missing:
        raise StepFailedError(
            f"not every file arrived at {place}",
            why=(printed[-1] if printed else f"{missing[0] if missing else 'tar'} failed.").strip(),
            todo=f"See whether the user may write there:\n  ssh {ssh.for_people(endpoint)} ls -ld {place}",
            log="\n".join(printed[-20:]),
        )


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file():
                yield each
