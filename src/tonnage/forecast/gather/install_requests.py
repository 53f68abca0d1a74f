"""What one install of Python packages asks a resolver for, or takes from a lock: by its words and its files."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import CannotFetchError, UsageError
from tonnage.forecast.commands.pipes import is_pipe
from tonnage.forecast.gather.context import finding_shown
from tonnage.forecast.gather.local_archives import local_archives
from tonnage.forecast.gather.visible_files import BuiltProject
from tonnage.forecast.python.pipfiles import indexes_of, unverified_hosts
from tonnage.forecast.python.project_requirements import project_name
from tonnage.forecast.requirements.files import read_requirements
from tonnage.forecast.requirements.lines import refused_character
from tonnage.lazily import regex
from tonnage.model.forecast.installs import Installer
from tonnage.model.forecast.python_lock import LockedRequest, ResolveRequest
from tonnage.model.forecast.requirements import RequirementKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.local_archives import LocalArchives
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import Lock, Target
    from tonnage.model.forecast.requirements import IndexOptions, Requirement

_LOCKS = {
    Installer.UV_SYNC: ("uv.lock",),
    Installer.POETRY: ("poetry.lock",),
    Installer.PDM: ("pdm.lock", "pylock.toml"),
    Installer.PIPENV: ("Pipfile.lock",),
}
_REMOTE = regex(r"(?:https?|ftp|file):", re.IGNORECASE)


def request_of(
    effect: PythonInstall,
    files: StageFiles,
    said: Diagnostics,
    environment: Mapping[str, str],
    read: list[Requirement],
    unknown: list[str],
    lookups: Lookups,
) -> tuple[ResolveRequest, LocalArchives]:
    """Return what the resolver is asked; lines that were read, and files that only the build knows, are added."""
    wanted, limits, options = _read(effect, files, said, environment, unknown)
    for word in effect.unread:
        _refuse(word, str(effect.place))
    read += [*wanted, *limits]
    local = local_archives((*effect.requirements, *wanted), options.find_links, files)
    # Anything of what is asked for may come from a directory of which only the build knows.
    unknown += [each for each in options.find_links if not (_REMOTE.match(each) or each in local.places)]
    lines = [_line(each) for each in local.rest if not is_project(each, files)]
    for built, extras in local.built if not effect.no_deps else ():
        project = LockedRequest(lock_name="", lock_text="", project_text=built.text, extras=extras)
        lines += lookups.needs(replace(project, without_groups=("*",)))
    pipfile = _pipfile(effect, files)
    index, further = indexes_of(pipfile)
    request = ResolveRequest(
        requirements=tuple(lines),
        constraints=tuple(_line(each) for each in limits),
        index_url=options.index_url or index,
        extra_index_urls=(*options.extra_index_urls, *further),
        find_links=options.find_links,
        no_index=options.no_index,
        best_of_all_indexes=not effect.installer.is_uv or effect.index_strategy == "unsafe-best-match",
        dependencies=not effect.no_deps,
        prereleases=options.pre,
        only_binary=options.only_binary,
        no_binary=options.no_binary,
        require_hashes=options.require_hashes,
        trusted_hosts=(*options.trusted_hosts, *unverified_hosts(pipfile)),
        exclude_newer=effect.exclude_newer,
        resolution=effect.resolution or "highest",
        torch_backend=effect.torch_backend,
    )
    return local.into(request), local


def _pipfile(effect: PythonInstall, files: StageFiles) -> str:
    """Return the Pipfile that an installer reads beside its lock; empty for none."""
    if effect.installer is not Installer.PIPENV:
        return ""
    return files.text(posixpath.join(effect.project_directory, "Pipfile")) or ""


def _read(
    effect: PythonInstall,
    files: StageFiles,
    said: Diagnostics,
    environment: Mapping[str, str],
    unknown: list[str],
) -> tuple[list[Requirement], list[Requirement], IndexOptions]:
    wanted: list[Requirement] = []
    limits: list[Requirement] = []
    options = effect.options

    def text(path: str) -> str | None:
        """Return what a file holds; nothing, and its name, where only the build will know."""
        found = effect.standard_input if path == "-" else files.text(path)
        told_late = path == "-" or is_pipe(path) or _REMOTE.match(path) or "$" in path
        if found is not None or not (told_late or files.may_have(path)):
            return found
        unknown.append(path)
        return ""

    written = [path for path in effect.requirement_files if not _is_of_project(path)]
    unknown += [path for path in effect.requirement_files if posixpath.basename(path) in {"setup.py", "setup.cfg"}]
    for path, constrains in (*((path, False) for path in written), *((path, True) for path in effect.constraint_files)):
        found = read_requirements(
            path,
            text,
            environment=environment,
            constraints=constrains,
            shown=files.shown,
        )
        wanted += found.requirements
        limits += found.constraints
        shown = [finding_shown(finding, said.root) for finding in found.findings]
        said.findings += [finding for finding in shown if finding not in said.findings]
        new = found.options
        options = replace(
            options,
            index_url=new.index_url or options.index_url,
            extra_index_urls=tuple(dict.fromkeys((*options.extra_index_urls, *new.extra_index_urls))),
            find_links=tuple(dict.fromkeys((*options.find_links, *new.find_links))),
            trusted_hosts=(*options.trusted_hosts, *new.trusted_hosts),
            no_index=options.no_index or new.no_index,
            pre=options.pre or new.pre,
            only_binary=new.only_binary or options.only_binary,
            no_binary=new.no_binary or options.no_binary,
            require_hashes=options.require_hashes or new.require_hashes,
        )
    return wanted, limits, options


def _is_of_project(path: str) -> bool:
    """Whether a file that is named like a requirement file is a lock or the file of a project."""
    name = posixpath.basename(path)
    return name.startswith("pylock.") or name in {"pyproject.toml", "setup.py", "setup.cfg"}


def _line(each: Requirement) -> str:
    """Return a requirement as a line, which is parsed again where it is used."""
    _refuse(each.text, str(each.place))
    if each.kind is RequirementKind.ADDRESS and each.name:
        extras = f"[{','.join(each.extras)}]" if each.extras else ""
        return f"{each.name}{extras} @ {each.location}" + (f" ; {each.marker}" if each.marker else "")
    # A name and an archive without a directory look alike.
    bare = (
        each.kind is RequirementKind.PATH
        and "@" not in each.text
        and not each.text.startswith(("./", "../", "/", "file:"))
    )
    return f"./{each.text}" if bare else each.text


def _refuse(text: str, place: str) -> None:
    if refused := refused_character(text):
        raise UsageError(
            f"a requirement has the character {refused}, which no requirement has",
            why=f"It is written as {text!a}.", todo="Take the character away.", place=place,
        )  # fmt: skip


def is_project(each: Requirement, files: StageFiles) -> bool:
    """Return whether a requirement is a directory whose dependencies can be read."""
    if each.kind is not RequirementKind.PATH or not each.location:
        return False
    return files.text(posixpath.join(each.location, "pyproject.toml")) is not None


def project_built(each: Requirement, files: StageFiles) -> BuiltProject:
    """Return a directory as what a wheel is built of."""
    text = files.text(posixpath.join(each.location, "pyproject.toml")) or ""
    return BuiltProject(project_name(text), text)


def project_of(effect: PythonInstall, files: StageFiles, asked: ResolveRequest) -> LockedRequest | None:
    """Return the project that is installed, with its lock where that is there; None where no project is.

    Raises:
        CannotFetchError: Only the build will know what its ``pyproject.toml`` says.
        UsageError: It has no ``pyproject.toml``.
    """
    if not effect.project_directory:
        return None
    names = _LOCKS.get(effect.installer, ())
    found = ((name, files.text(posixpath.join(effect.project_directory, name))) for name in names)
    name, text = next(((name, text) for name, text in found if text is not None), ("", ""))
    file = posixpath.join(effect.project_directory, _project_file(effect))
    project = files.text(file)
    if project is None and effect.installer is Installer.PIPENV:
        # Of its two files it installs from the one that is there; without any it makes one of a requirement file.
        others = files.text(posixpath.join(effect.project_directory, "requirements.txt")) is not None
        project = "" if name or not (others or files.may_have(file)) else None
    if project is None and (effect.installer is Installer.PIPENV or files.may_have(file)):
        raise CannotFetchError(f"What {file} says is known to the build alone", "not found", why="The build makes it.")
    if project is None:
        raise UsageError(
            f"{file} is not there",
            todo="Copy it into the image before it is installed.",
            place=str(effect.place),
        )
    return LockedRequest(
        lock_name="Pipfile.lock" if effect.installer is Installer.PIPENV else name,
        lock_text=(text or "") if effect.locked or effect.installer is not Installer.PIPENV else "",
        project_text=project,
        extras=effect.extras,
        all_extras=effect.all_extras,
        groups=effect.groups,
        without_groups=effect.without_groups,
        all_groups=effect.all_groups,
        only_groups=effect.only_groups,
        packages=effect.packages,
        all_packages=effect.all_packages,
        left_out=effect.left_out,
        environment=next(iter(effect.groups), "") if effect.installer is Installer.HATCH else "",
        asked=asked,
    )


def has_no_project(effect: PythonInstall, files: StageFiles) -> bool:
    """Return whether nothing is installed, because there is no project, and need be none."""
    file = posixpath.join(effect.project_directory, _project_file(effect))
    return effect.project_optional and files.text(file) is None and not files.may_have(file)


def asking_file(effect: PythonInstall, files: StageFiles) -> str:
    """Return the file of a project that decides what is installed of it; empty without one."""
    if not effect.project_directory:
        return ""
    locks = _LOCKS.get(effect.installer, ())
    there = (name for name in locks if files.text(posixpath.join(effect.project_directory, name)) is not None)
    return next(there, _project_file(effect))


def _project_file(effect: PythonInstall) -> str:
    return "Pipfile" if effect.installer is Installer.PIPENV else "pyproject.toml"


def _groups(effect: PythonInstall) -> list[tuple[str, str]]:
    """Return the groups that are asked for by ``--group [FILE:]GROUP``, with the file of each."""
    if effect.project_directory:
        return []
    told = (each.rpartition(":") for each in effect.groups)
    return [(posixpath.join(effect.runs_in or "/", path or "pyproject.toml"), group) for path, _, group in told]


def _needs(
    files: StageFiles,
    lookups: Lookups,
    path: str,
    *,
    extras: tuple[str, ...] = (),
    all_extras: bool = False,
    only_groups: tuple[str, ...] = (),
) -> Sequence[str]:
    """Return what a project needs where no program of its own manages it: no group that is not asked for.

    Raises:
        CannotFetchError: Only the build will know what it says.
        UsageError: It is not there.
    """
    text = files.text(path)
    if text is None and files.may_have(path):
        raise CannotFetchError(f"What {path} says is known to the build alone", "not found", why="The build writes it.")
    if text is None:
        raise UsageError(f"{path} is not there", todo="Copy it into the image before it is used.")
    asked = LockedRequest(lock_name="", lock_text="", project_text=text, extras=extras, all_extras=all_extras)
    return lookups.needs(replace(asked, only_groups=only_groups, without_groups=("*",)))


def lock_of(
    effect: PythonInstall, request: ResolveRequest, target: Target, files: StageFiles, lookups: Lookups
) -> Lock:
    """Return what will be installed: from the lock that lies there, else by resolving.

    Raises:
        CannotFetchError: Only the build will know what a lock says.
    """
    project = project_of(effect, files, request)
    if project is not None and project.lock_text:
        return lookups.locked(project, target)
    lines = list(request.requirements)
    if project is not None:
        lines += lookups.needs(project)
    for path in effect.requirement_files:
        name = posixpath.basename(path)
        if name.startswith("pylock."):
            text = files.text(path)
            if text is None and (is_pipe(path) or files.may_have(path)):
                raise CannotFetchError(f"What {path} says is known to the build alone", "not found")
            return lookups.locked(LockedRequest(lock_name=name, lock_text=text or "", asked=request), target)
        if name == "pyproject.toml":
            lines += _needs(files, lookups, path, extras=effect.extras, all_extras=effect.all_extras)
    for each in effect.requirements if not effect.no_deps else ():
        if is_project(each, files):
            lines += _needs(files, lookups, posixpath.join(each.location, "pyproject.toml"), extras=each.extras)
    for path, group in _groups(effect):
        lines += _needs(files, lookups, path, only_groups=(group,))
    return lookups.resolve(replace(request, requirements=tuple(lines)), target)
