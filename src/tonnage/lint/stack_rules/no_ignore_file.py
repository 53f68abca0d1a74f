"""The whole context is copied, and nothing is left out of it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.lint.rule import StackFinding, StackRule
from tonnage.model.forecast.recipe import FileSourceKind
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.reading import ReadStep
    from tonnage.lint.rule import LintedService

NAME = "no-ignore-file"
UNNEEDED = frozenset(
    {
        ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache",
        ".tox", ".nox", ".cache", ".terraform", "htmlcov",
    }
)  # fmt: skip
"""Directories that no image needs."""


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    for service in services:
        step = _copy(service) if not service.has_ignore_file else None
        if step is None:
            continue
        names = [f"{name} ({format_bytes(size)})" for name, size in service.unneeded]
        what = f", {', '.join(names)} among it" if names else ""
        lines = "\n".join(f"  {name}" for name, _ in service.unneeded) or "  .git\n  .venv"
        finding = step.finding(
            NAME,
            f"all of the context of {service.name} is copied{what}, and there is no .dockerignore",
            why="Everything there is sent to the builder and put into the image, and any change causes a rebuild.",
            todo=f"Write .dockerignore beside it, such as\n{lines}",
        )
        unneeded_bytes = sum(size for _, size in service.unneeded) if names else None
        yield StackFinding(finding=finding, services=(service.name,), unneeded_bytes=unneeded_bytes)


def _copy(service: LintedService) -> ReadStep | None:
    """Return what copies the whole context into the image."""
    read = service.dockerfile
    for stage in read.stages if read is not None else ():
        for step in stage.steps if stage.in_image else ():
            copy = step.copy
            whole = copy is not None and any(posixpath.normpath(each) in {".", "/"} for each in copy.sources)
            if whole and copy is not None and copy.origin.kind is FileSourceKind.CONTEXT and not copy.excludes:
                return step
    return None


RULE = StackRule(
    name=NAME,
    aliases=("DD006", "DD052", "DD070"),
    title="all of a context is copied without a .dockerignore",
    why="`COPY . .` takes the repository, virtual environments and caches along. They weigh in the image, the classic"
    " builder copies the whole context besides, and a commit alone rebuilds everything below the COPY. The price is"
    " what lies now in directories that no image needs.",
    before="# Dockerfile: COPY . .",
    after="# .dockerignore\n.git\n.venv\n**/__pycache__",
    check=_check,
)
