"""What a Python install does, and what every effect of a command has: see ``effects`` for the others.

An effect is conditional when it may not happen: it stands after ``||``, in a branch that cannot be decided, in a
function or a loop. Paths are absolute in the image. Nothing here knows a size.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.requirements import IndexOptions

if TYPE_CHECKING:
    from tonnage.model.forecast.requirements import Requirement
    from tonnage.model.stack import Place


class Installer(StrEnum):
    """Which program installs Python packages."""

    PIP = "pip"
    UV_PIP = "uv pip"
    UV_SYNC = "uv sync"
    UV_TOOL = "uv tool"
    POETRY = "poetry"
    PDM = "pdm"
    PIPX = "pipx"
    PIPENV = "pipenv"
    HATCH = "hatch"

    @property
    def is_uv(self) -> bool:
        """Whether it is a command of uv: no bytecode, links instead of copies, another cache."""
        return self in {Installer.UV_PIP, Installer.UV_SYNC, Installer.UV_TOOL}


class CacheKind(StrEnum):
    """Where an installer's cache is left."""

    NONE = "none"
    IN_LAYER = "in layer"
    MOUNTED = "mounted"


class Cache(Struct, frozen=True, kw_only=True):
    """The cache of an installer while one command runs.

    Args:
        mount: The id of the cache mount; empty for the other kinds.
    """

    kind: CacheKind
    directory: str = ""
    mount: str = ""


class Effect(Struct, frozen=True, kw_only=True):
    """What every effect has.

    Args:
        command: The command, its words joined, variables put in where they are known.
        forgiven: Something else is run where it fails.
    """

    command: str
    place: Place
    conditional: bool = False
    forgiven: bool = False


class PipRuns(Effect, frozen=True, kw_only=True):
    """pip does something that leaves little or nothing, but for its own bytecode where that is not there yet."""


class PythonInstall(Effect, frozen=True, kw_only=True):
    """Python packages are installed.

    Args:
        requirements: What is asked for on the line; local paths are absolute in ``location``.
        requirement_files: Each ``-r``; ``-`` for standard input.
        constraint_files: Each ``-c``, and those of ``PIP_CONSTRAINT`` or ``UV_CONSTRAINT``.
        standard_input: What ``-r -`` or ``-r /dev/stdin`` reads, where the script says it; None where it is not known.
        project_directory: Where ``pyproject.toml`` and the lock lie; empty where no project is installed.
        project_optional: Without a project nothing is installed, which is no mistake (``uv run``).
        project_itself: The project's own package is installed too.
        project_editable: It is installed as a link to its sources.
        extras: Of the project.
        groups: Dependency groups beside the project's own dependencies.
        without_groups: Groups left out, among them default ones; ``*`` for every default group.
        only_groups: Groups that are installed instead of the project's dependencies.
        packages: Projects of a workspace that are installed instead of the one of the directory.
        all_packages: All projects of the workspace are.
        left_out: Packages that are not installed (``--no-install-package``).
        locked: The lock is used as it is and must exist (``--frozen``, ``--locked``, ``poetry install``, ``pdm sync``).
        options: Indexes and what to take from them, environment settings included.
        no_deps: What is named alone, nothing that it needs.
        upgrade: What is there already is replaced by something newer.
        force_reinstall: What is there already is installed again.
        ignore_installed: So is it, and nothing of it is uninstalled before.
        python: The interpreter that is named: a version such as ``3.11`` or a path; empty for the one on ``PATH``.
        target: ``--target``: files go there and nothing installed counts.
        prefix: ``--prefix`` or ``--root``.
        user_base: Where ``--user`` installs to; empty without it.
        falls_back: It goes there only where the user may not write to the directory of all.
        sees_base: Where the installer's Python finds what one user has, as well as what all have.
        sees: Where else it looks (``PYTHONPATH``).
        virtual_environment: The environment that is installed into; empty for the interpreter's own.
        platforms: ``--platform`` of pip or ``--python-platform`` of uv; empty for the image's own.
        python_version: ``--python-version``; empty for the interpreter's own.
        compiles: Bytecode is written.
        link_mode: Of uv: ``hardlink``, ``copy``, ``clone``, ``symlink``.
        temporary_mounted: That directory is a mount and not of the image: tmpfs or a cache.
        index_strategy: Of uv; empty for the usual.
        torch_backend: Of uv; empty where none is given.
        exclude_newer: Of uv; empty for no limit.
        resolution: Of uv: ``lowest``, ``lowest-direct``; empty for the highest.
        downloads_only: ``pip download`` or ``pip wheel``: wheels are kept as files in ``target`` and not installed.
        secret_settings: Files of settings that are mounted for it alone, such as secrets.
        runs_in: The directory that it runs in; empty where that is not known.
        unread: Options that this does not know; with any the result may differ.
    """

    installer: Installer
    requirements: tuple[Requirement, ...] = ()
    requirement_files: tuple[str, ...] = ()
    constraint_files: tuple[str, ...] = ()
    standard_input: str | None = None
    project_directory: str = ""
    project_optional: bool = False
    project_itself: bool = False
    project_editable: bool = False
    extras: tuple[str, ...] = ()
    all_extras: bool = False
    groups: tuple[str, ...] = ()
    without_groups: tuple[str, ...] = ()
    all_groups: bool = False
    only_groups: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    all_packages: bool = False
    left_out: tuple[str, ...] = ()
    locked: bool = False
    options: IndexOptions = field(default_factory=IndexOptions)
    no_deps: bool = False
    upgrade: bool = False
    force_reinstall: bool = False
    ignore_installed: bool = False
    python: str = ""
    target: str = ""
    prefix: str = ""
    user_base: str = ""
    falls_back: bool = False
    sees_base: str = ""
    sees: tuple[str, ...] = ()
    virtual_environment: str = ""
    platforms: tuple[str, ...] = ()
    python_version: str = ""
    cache: Cache = field(default_factory=lambda: Cache(kind=CacheKind.IN_LAYER))
    compiles: bool = True
    link_mode: str = ""
    temporary_mounted: bool = False
    index_strategy: str = ""
    torch_backend: str = ""
    exclude_newer: str = ""
    resolution: str = ""
    downloads_only: bool = False
    secret_settings: tuple[str, ...] = ()
    runs_in: str = ""
    unread: tuple[str, ...] = ()

    @property
    def installs_again(self) -> bool:
        """Whether what is there already does not count."""
        return self.force_reinstall or self.ignore_installed


def environment_at(place: str) -> str:
    """Return the environment, or the prefix of the interpreter, that a place of installation belongs to."""
    return place.rpartition("/lib/python")[0]
