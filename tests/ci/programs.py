"""Stand-ins for programs that a runner has: they record what they are given, and answer as the test says."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

TONNAGE = Path(sys.executable).with_name("tonnage")


def install_programs(directory: Path) -> Path:
    """Write ``python3``, whose virtual environments have this very command, and ``gh``.

    ``gh`` writes its arguments, and what it reads, to the file ``gh.log`` beside it, and answers a list with the file
    ``gh.comments``. Where the file ``gh.refuses`` is, it fails with its text.
    """
    directory.mkdir(parents=True)
    program(
        directory / "python3",
        f"""
        if [ "$1" = -c ]; then exec {shlex.quote(sys.executable)} "$@"; fi
        test "$1 $2" = "-m venv"
        mkdir -p "$3/bin"
        ln -sf {shlex.quote(str(TONNAGE))} "$3/bin/tonnage"
        printf '#!/bin/sh\\necho "$@" >> {shlex.quote(str(directory))}/pip.log\\n' > "$3/bin/pip"
        chmod +x "$3/bin/pip"
        """,
    )
    program(
        directory / "gh",
        """
        here=$(dirname "$0")
        if [ -e "$here/gh.refuses" ]; then cat "$here/gh.refuses" >&2; exit 1; fi
        printf '%s\\n' "$*" >> "$here/gh.log"
        case $* in
            *--paginate*) cat "$here/gh.comments" 2> /dev/null || true ;;
            *"--input -"*) cat >> "$here/gh.log"; echo >> "$here/gh.log" ;;
        esac
        """,
    )
    return directory


def program(file: Path, script: str) -> None:
    """Write a shell script that can be started."""
    lines = [line.strip() for line in script.strip().splitlines()]
    file.write_text("\n".join(("#!/bin/sh", "set -eu", *lines)) + "\n")
    file.chmod(0o755)
