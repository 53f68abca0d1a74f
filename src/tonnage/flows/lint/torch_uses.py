"""Whether the Python files of a context use PyTorch to run models alone. They are read, and nothing is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.small_files import CONTEXT_TEXT, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFT_OUT = frozenset({"node_modules", "venv", "env", "__pycache__", "site-packages", "tests", "test"})
_MOST_FILES, _MOST_DIRECTORIES, _MOST_BYTES = 400, 2_000, 400_000
_IMPORTED = regex(r"^\s*(?:import|from)\s+torch\b", 0)
_RUNS = regex(r"\.eval\(\s*\)|\bno_grad\b|\binference_mode\b|\bjit\.load\b")
_TRAINS = regex(
    r"\.backward\(|\boptim\b|\.train\(\s*(?:True)?\s*\)|\bDataLoader\b|\bTrainer\b|\bGradScaler\b|torch\.compile\b|\bonnx\.export\b"
)


def only_infers(context: str) -> bool:
    """Return whether some file runs a model of PyTorch, and none trains, compiles or exports one."""
    runs = False
    for path in _python_files(context):
        try:
            text = read_bytes(path, CONTEXT_TEXT)[:_MOST_BYTES].decode("utf-8", errors="replace")
        except OSError:
            return False
        if not any(_IMPORTED.match(line) for line in text.splitlines()):
            continue
        if _TRAINS.search(text):
            return False
        runs = runs or _RUNS.search(text) is not None
    return runs


def _python_files(context: str) -> Iterator[str]:
    """Yield the Python files below a directory; no link is followed, and of a large tree a part is looked at."""
    files = 0
    for seen, (directory, inner, names) in enumerate(os.walk(context), 1):
        inner[:] = sorted(each for each in inner if each not in _LEFT_OUT and not each.startswith("."))
        for name in sorted(names):
            path = f"{directory}/{name}"
            if name.endswith(".py") and os.path.isfile(path) and not os.path.islink(path):  # noqa: PTH113, PTH114 - many
                files += 1
                if files > _MOST_FILES or seen > _MOST_DIRECTORIES:
                    return
                yield path
