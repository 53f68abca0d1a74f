"""Which files ``tonnage lint`` looks at: those of the services, and those that lie below a directory. None is a link.

A directory is walked without the places where programs keep what others wrote.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.reports.lint import LintedFile, LintedKind
from tonnage.small_files import (
    COMPOSE_FILE,
    CONTEXT_TEXT,
    DOCKERFILE,
    SETTINGS,
    WRITTEN_FOR_CI,
    read_bytes,
    read_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tonnage.model.stack import Stack
    from tonnage.small_files import FileKind

_DOCKERFILE = regex(r"(?:Dockerfile|Containerfile)(?:[.-][\w.-]+)?|[\w.-]+\.(?:[dD]ockerfile|[cC]ontainerfile)")
_NO_DOCKERFILE = (".dockerignore", ".md", ".sh", ".py", ".j2", ".tmpl", ".tpl", ".template", ".swp", "~")
_REQUIREMENTS = regex(r"(?:[\w.-]*requirements?|[\w.-]*constraints)(?:[-_.][\w.-]*)?\.(?:txt|in|pip)|requirements")
_COMPOSE = regex(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")
_WORKFLOW = regex(r".*\.ya?ml")
_LEFT_OUT = frozenset({"node_modules", "venv", "env", "__pycache__", "site-packages", "vendor", "dist", "target"})
_MOST_DIRECTORIES, _MOST_FILES = 20_000, 5_000
_KINDS: dict[LintedKind, FileKind] = {
    LintedKind.DOCKERFILE: DOCKERFILE,
    LintedKind.REQUIREMENTS: CONTEXT_TEXT,
    LintedKind.COMPOSE: COMPOSE_FILE,
    LintedKind.WORKFLOW: WRITTEN_FOR_CI,
}


def files_of(named: Sequence[str], stack: Stack | None, here: str) -> tuple[LintedFile, ...]:
    """Return the files that are meant.

    Args:
        named: Files, directories and services; empty for the stack and everything below the working directory.
        here: The working directory, absolute.

    Raises:
        UsageError: There is neither a file nor a service of a name.
    """
    found: dict[str, LintedFile] = {}

    def add(files: Iterable[LintedFile]) -> None:
        for each in files:
            found.setdefault(each.path, each)

    services = {each.name: each for each in stack.services} if stack is not None else {}
    for name in named:
        path = Path(here, name)
        if name in services and not path.is_file():
            add(_of_services(stack, {name}, here))
        elif path.is_dir():
            add(_below(path, here))
        elif path.exists():
            add((linted(str(path), here, _kind_of_named(path)),))
        else:
            known = ", ".join(services) or "none is known here"
            raise UsageError(f"there is no file and no service {name}", why=f"Services: {known}.")
    if not named:
        add(_of_services(stack, set(services), here))
        add(_below(Path(here), here))
    return tuple(found.values())


def linted(path: str, here: str, kind: LintedKind) -> LintedFile:
    """Return a file as it is named."""
    absolute = os.path.normpath(path)
    shown = os.path.relpath(absolute, here) if absolute.startswith(f"{here.rstrip('/')}/") else absolute
    return LintedFile(path=absolute, shown=shown, kind=kind)


def written_text(file: LintedFile) -> str:
    """Return what a file holds; bytes that are no text are kept for when it is written again.

    Raises:
        OSError: It cannot be read.
    """
    return read_bytes(file.path, _KINDS[file.kind]).decode("utf-8", errors="surrogateescape")


def settings_in(directory: str) -> Callable[[str], str | None]:
    """Return what reads files of settings in a directory that is copied from, each once, and none that lies elsewhere.

    Args:
        directory: Its absolute path; empty for none.
    """
    real = os.path.realpath(directory) if directory else ""

    @cache
    def read(path: str) -> str | None:
        if not real:
            return None
        try:
            return read_text(Path(real, path.lstrip("/")), SETTINGS, errors="replace", within=real)
        except OSError:
            return None

    return read


def _of_services(stack: Stack | None, names: set[str], here: str) -> Iterator[LintedFile]:
    for service in stack.services if stack is not None else ():
        if service.name in names and service.build is not None and service.build.dockerfile:
            yield linted(service.build.dockerfile, here, LintedKind.DOCKERFILE)
            context = service.build.context
            if context.startswith("/"):
                yield from (each for each in _in_directory(context, here) if each.kind is LintedKind.REQUIREMENTS)


def _below(top: Path, here: str) -> Iterator[LintedFile]:
    files = 0
    for seen, (directory, inner, _) in enumerate(os.walk(top), 1):
        inner[:] = sorted(
            name for name in inner if name not in _LEFT_OUT and (not name.startswith(".") or name == ".github")
        )
        if seen > _MOST_DIRECTORIES:
            return
        for each in _in_directory(directory, here):
            files += 1
            if files > _MOST_FILES:
                return
            yield each


def _in_directory(directory: str, here: str) -> Iterator[LintedFile]:
    workflows = directory.endswith("/.github/workflows")
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        kind = _kind(entry.name, workflows=workflows)
        if kind is not None and entry.is_file(follow_symlinks=False):
            yield linted(entry.path, here, kind)


def _kind(name: str, *, workflows: bool = False) -> LintedKind | None:
    if workflows:
        return LintedKind.WORKFLOW if _WORKFLOW.fullmatch(name) else None
    if _DOCKERFILE.fullmatch(name) and not name.endswith(_NO_DOCKERFILE):
        return LintedKind.DOCKERFILE
    if _REQUIREMENTS.fullmatch(name):
        return LintedKind.REQUIREMENTS
    return LintedKind.COMPOSE if _COMPOSE.fullmatch(name) else None


def _kind_of_named(path: Path) -> LintedKind:
    """Return what a file that was named is looked at as: by its name, else a Dockerfile."""
    found = _kind(path.name, workflows=path.parent.name == "workflows" and path.suffix in {".yml", ".yaml"})
    if found is not None:
        return found
    return LintedKind.REQUIREMENTS if path.suffix in {".txt", ".in"} else LintedKind.DOCKERFILE
