"""The program uv that came with this package, alone in a directory, for builds on engines whose machine can run it.

Builders before BuildKit 0.11 are sent everything that lies beside a file that a build sees.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tonnage.own_files import private_directory

_ELF = b"\x7fELF"
_MACHINE = slice(18, 20)
# Source: elf(5), ``e_machine``; the engine's names of them are those of uname.
_MACHINES = {62: "x86_64", 183: "aarch64"}


def uv_program(architecture: str, directory: Path) -> tuple[str, int] | None:
    """Put the program into a directory of ours.

    Args:
        architecture: Of the engine's machine, as it tells it.
        directory: Where it is to lie; need not exist.

    Returns:
        Its path and its bytes; None where there is none, or that machine cannot run it.

    Raises:
        UsageError: Somebody else can write to that directory.
    """
    from uv import find_uv_bin  # noqa: PLC0415 - it is not needed where nothing is shared

    try:
        found = Path(os.fspath(find_uv_bin())).resolve()
        with found.open("rb") as program:
            head = program.read(_MACHINE.stop)
        machine = _MACHINES.get(int.from_bytes(head[_MACHINE], "little")) if head.startswith(_ELF) else None
        if machine != architecture:
            return None
        private_directory(directory)
        return str(_placed(found, directory)), found.stat().st_size
    except OSError:
        return None


def _placed(found: Path, directory: Path) -> Path:
    """Return the program in the directory: the same file where that is on the same filesystem, else a copy."""
    there, new = directory / "uv", directory / f"uv.{os.getpid()}"
    known = found.stat()
    if there.exists() and (there.stat().st_size, int(there.stat().st_mtime)) == (known.st_size, int(known.st_mtime)):
        return there
    try:
        os.link(found, new)
    except OSError:
        shutil.copy2(found, new)
    new.replace(there)
    return there
