"""The systemd unit that runs a guard, and the file that it is written to."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import StaleFilesError, UsageError
from tonnage.own_files import write_whole
from tonnage.small_files import DOCUMENT, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "tonnage-guard.service"
DIRECTORY = Path("/etc/systemd/system")
_MARK = "# written by tonnage guard --install\n"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@=+,")
ENABLE = f"systemctl daemon-reload\n  systemctl enable --now {NAME}"
DISABLE = f"systemctl disable --now {NAME}"


def unit_text(command: Sequence[str]) -> str:
    """Return the text of a unit.

    Args:
        command: The program, by an absolute path, and its arguments.

    Returns:
        The text.

    Raises:
        UsageError: The program has no absolute path, or a word cannot stand in a unit.
    """
    for word in command:
        if any(letter < " " or letter == "\x7f" for letter in word):
            raise UsageError(f"{word!r} cannot stand in a systemd unit", todo="Take the control characters out of it.")
    if not command[0].startswith("/"):
        raise UsageError(f"{command[0]} is not an absolute path", todo="Start tonnage by its whole path.")
    return (
        f"{_MARK}[Unit]\n"
        "Description=Tonnage guard: keeps the disk of the container engine above its reserve\n"
        "After=docker.service\n"
        "\n"
        "[Service]\n"
        f"ExecStart={' '.join(map(_quoted, command))}\n"
        "Restart=on-failure\n"
        "RestartSec=30\n"
        "Nice=5\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )


def write_unit(text: str, directory: Path = DIRECTORY) -> Path:
    """Write the unit.

    Args:
        directory: Where systemd reads units.

    Returns:
        The file.

    Raises:
        UsageError: It cannot be written.
        StaleFilesError: There is a file of that name that this command did not write.
    """
    path = directory / NAME
    _refuse_of_others(path)
    try:
        write_whole(path, text.encode(), mode=0o644)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written",
            why=f"{error.strerror or error}.",
            todo="Run this command with sudo on a machine with systemd.",
        ) from error
    return path


def remove_unit(directory: Path = DIRECTORY) -> bool:
    """Remove the unit.

    Args:
        directory: Where systemd reads units.

    Returns:
        Whether there was one.

    Raises:
        UsageError: It cannot be removed.
        StaleFilesError: There is a file of that name that this command did not write.
    """
    path = directory / NAME
    _refuse_of_others(path)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(
            f"{path} cannot be removed", why=f"{error.strerror or error}.", todo="Run this command with sudo."
        ) from error
    return True


def _refuse_of_others(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            text = read_text(path, DOCUMENT)
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise
            text = ""
        if not text.startswith(_MARK):
            raise StaleFilesError(
                f"{path} was not written by tonnage guard --install; it stays as it is",
                todo="Move it away, or start the guard from it yourself.",
            )


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back.

    Source: systemd.service(5), command lines; systemd.unit(5), specifiers.
    """
    word = word.replace("%", "%%").replace("$", "$$")
    if word and _PLAIN.union("%$").issuperset(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
