"""Any text of a megabyte ends: as what users write, and as what machines do. Whatever it says, it is read or refused.

The command reads it, so that everything counts that comes after reading. Processor seconds are those of a quiet
machine: how much slower this one is now is measured beside each.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CPU_S, MEMORY_MB = 5.0, 300
# What half a million additions take on a quiet machine: one that starts ``tonnage forecast`` in 0.2 s.
QUIET_S = 0.0125
TEXT_BYTES = 1_000_000
FORECAST = ("forecast", "--offline", "--engine", "docker-28-classic")
# What ends well or is refused, by the table of exit codes.
ENDS = {0, 2}

COMPOSE = {
    "a list": "- a\n",
    "a list in brackets": "[a,",
    "values in brackets": "a, ",
    "empty mappings": "{}, ",
    "dashes": "- ",
    "keys": "? a\n",
    "anchors": "- &a b\n",
    "aliases": "- *a\n",
    "documents": "---\na: b\n",
    "empty documents": "---\n",
    "comments": "# a\n",
    "line ends": "\n",
    "quotes": "'', ",
    "escapes": "\\n",
    "colons": "a: ",
    "tags": "- !a b\n",
    "variables": "- ${A:-b}\n",
    "blocks": "- |\n  a\n",
}
DOCKERFILE = {
    "instructions": "RUN a\n",
    "one instruction": "RUN a \\\n a \\\n",
    "commands": "a && ",
    "variables": "$A",
    "names of stages": "FROM a\n",
    "copies": "COPY a b\n",
    "heredocs": "RUN <<A\nA\n",
    "quotes": "'\"",
    "comments": "# a\n",
    "line ends": "\n",
    "environment": "ENV A=b\n",
    "arguments": "ARG A=b\n",
    "labels": "LABEL a=b\n",
    "brackets": "$(",
    "redirections": "a > b < c ; ",
    "defaults": "${A:-",
}
REQUIREMENTS = {
    "names": "a\n",
    "pins": "a==1.0\n",
    "includes": "-r a.txt\n",
    "options": "--index-url https://example.org\n",
    "hashes": "a==1 \\\n --hash=sha256:00 \\\n",
    "continued": "a\\\n",
    "markers": "a; python_version < '3' or ",
    "extras": "a[b,",
    "comments": "#\n",
    "addresses": "a @ https://example.org/a.whl\n",
}
IGNORED = {
    "names": "a\n",
    "stars": "*",
    "directories": "**/",
    "taken back": "!a*\n",
    "classes": "[a-z]",
    "many stars": "*a*\n",
    "levels": "a/",
    "comments": "#\n",
}
LOG = {
    "complaints": "write /a: no space left on device\n",
    "words": "failed ",
    "digits": "0",
    "steps": "#7 1.2 building\n",
    "line ends": "\n",
    "carriage returns": "12%\r",
    "colors": "\x1b[31ma\x1b[0m\n",
    "lines of Docker": "Step 1/2 : RUN a\n ---> Running in 0123456789ab\n",
    "tracebacks": '  File "a.py", line 1, in b\n',
}
KINDS = {
    "compose.yaml": COMPOSE, "Dockerfile": DOCKERFILE, "requirements.txt": REQUIREMENTS, ".dockerignore": IGNORED,
    "log": LOG,
}  # fmt: skip
BEGINS = {
    "compose.yaml": {
        "begun": "services: {a: {image: a}}\nx-a:\n",
        "within brackets": "services: {a: {image: a}}\nx-a: [",
    },
    "Dockerfile": {"begun": "FROM scratch\nRUN ", "within a file": "FROM scratch\nRUN <<A\n"},
}


def texts(kind: str, size: int) -> dict[str, str]:
    """Return texts of a kind: each piece by itself again and again, with and without a beginning, and all by chance."""
    found = {}
    for name, piece in KINDS[kind].items():
        found[name] = (piece * (size // len(piece) + 1))[:size]
        for how, begin in BEGINS.get(kind, {}).items():
            found[f"{name} {how}"] = (begin + piece * (size // len(piece) + 1))[:size]
    chance = random.Random(7)
    for number in range(3):
        pieces: list[str] = []
        length = 0
        while length < size:
            other = chr(chance.randrange(32, 0x250))
            pieces.append(chance.choice([*KINDS[kind].values(), " ", "\n", "\t", "\\", other]))
            length += len(pieces[-1])
        found[f"chance {number}"] = "".join(pieces)[:size]
    return found


def written(directory: Path, kind: str, text: str) -> tuple[str, ...]:
    """Write a stack in which a text is one of the files; return the command that reads it."""
    (directory / "compose.yaml").write_text("services:\n  web:\n    build: .\n")
    (directory / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY . /\nRUN pip install -r requirements.txt\n"
        if kind == "requirements.txt"
        else "FROM scratch\nCOPY . /\n"
    )
    for number in range(100):
        (directory / f"f{number}").write_text(str(number))
    (directory / kind).write_bytes(text.encode())
    return ("explain", "log") if kind == "log" else FORECAST


def slowness() -> float:
    """Return how much slower this machine is now than a quiet one."""
    begun = time.thread_time()
    count = 0
    for number in range(500_000):
        count += number
    return max(1.0, (time.thread_time() - begun) / QUIET_S)


def cost(directory: Path, arguments: tuple[str, ...]) -> tuple[int, float, float, str]:
    """Run the command; return its exit code, seconds of a quiet machine, megabytes, and what it said."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = kept | {"HOME": str(directory / "home"), "DOCKER_HOST": f"unix://{directory}/none.sock"}
    slow = slowness()
    with (directory.parent / "said").open("w+b") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "tonnage", *arguments], cwd=directory, env=environment,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told = said.read(2_000).decode(errors="replace")
    slow = (slow + slowness()) / 2
    return child.returncode, (used.ru_utime + used.ru_stime) / slow, used.ru_maxrss / 1024, told


@pytest.mark.long("a megabyte of a hundred kinds: some minutes")
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in texts(kind, 1)])
def test_any_text_of_a_megabyte_ends_soon_and_in_little_memory(tmp_path: Path, kind: str, name: str) -> None:
    directory = tmp_path / "stack"
    directory.mkdir()
    code, seconds, megabytes, said = cost(directory, written(directory, kind, texts(kind, TEXT_BYTES)[name]))
    assert code in ENDS, said
    assert seconds <= CPU_S, f"{seconds:.1f} s"
    assert megabytes <= MEMORY_MB, f"{megabytes:.0f} MB"
