"""What one install of Python packages does: what it asks for, what that resolves to, and what the installer keeps.

A resolution that fails is a result: its reason stands in the forecast, and a bound is assumed in place of the bytes.
"""

from __future__ import annotations

import posixpath
import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tonnage.decide.grounds import python_named, site_packages, target_of
from tonnage.decide.installing import installed
from tonnage.errors import TonnageError
from tonnage.model.build_work import Aside, Deed, Piece
from tonnage.model.forecast import NOTHING, Estimate, Grade, assumed, exactly
from tonnage.model.installs import CacheKind, Installer
from tonnage.model.lock import ResolveRequest
from tonnage.model.requirements import RequirementKind
from tonnage.sources.requirements import read_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.base_image import Distribution
    from tonnage.model.finding import Finding
    from tonnage.model.installs import PythonInstall
    from tonnage.model.lock import Lock, Sdist, Target, Wheel
    from tonnage.model.requirements import IndexOptions, Requirement
    from tonnage.runtime.lookups import Lookups
    from tonnage.runtime.stage_files import StageFiles

_LINKED = frozenset({"hardlink", "clone", "symlink", ""})


@dataclass(slots=True)
class Said:
    """What was found out beside figures.

    Args:
        failures: Why figures are missing.
        findings: What does not do what it says.
        notes: What there is to know.
        targets: The Pythons that packages were chosen for, in words.
    """

    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class StagePython:
    """The Python of one stage, and what was installed with it so far.

    Args:
        version: Its version; empty where it is not known.
        platform: The platform that the stage is built for.
        distribution: The system in it.
        overridden: The version was chosen by the user and holds for every install.
        environments: The version of each virtual environment that was made with another one.
        present: What is installed, as name and version, by the directory that it is in.
    """

    version: str
    platform: str
    distribution: Distribution | None = None
    overridden: bool = False
    environments: dict[str, str] = field(default_factory=dict)
    present: dict[str, dict[str, str]] = field(default_factory=dict)

    def above(self) -> StagePython:
        """Return that of a stage that stands on this one."""
        present = {place: dict(names) for place, names in self.present.items()}
        return replace(self, environments=dict(self.environments), present=present)


def install_deed(
    effect: PythonInstall,
    python: StagePython,
    files: StageFiles,
    lookups: Lookups,
    said: Said,
    *,
    environment: Mapping[str, str],
    assume_bytes: int,
) -> Deed:
    """Return what an install does.

    Args:
        effect: The install.
        python: The Python of its stage; what is installed is added to it.
        files: What the stage sees.
        lookups: The outside.
        said: Failures, findings and notes are added here.
        environment: The variables of the step, for ``${NAME}`` in requirement files.
        assume_bytes: What is assumed where nothing is known.

    Returns:
        The deed.
    """
    target = _target(effect, python)
    name = f"{effect.place}: {effect.command[:80]}"
    if target is None:
        said.failures.append(f"{name}: which Python the image has is not known; give it with --python VERSION")
        return _assumed(effect, "the image's Python is not known: assumed", assume_bytes)
    said.targets[f"Python {target.python} on {target.platform}"] = None
    place = _place(effect, target)
    try:
        request = _request(effect, files, said, environment)
        present = {} if effect.target or effect.prefix else python.present.setdefault(place, {})
        if present and not effect.upgrade and not effect.force_reinstall:
            request = replace(request, installed=tuple(f"{n}=={v}" for n, v in sorted(present.items())))
        lock = lookups.resolve(request, target)
        contents = lookups.contents(lock, request)
    except TonnageError as error:
        why = " ".join(f"{error.what}. {error.why}".split()).rstrip(". ")
        said.failures.append(f"{name}: {why}")
        return _assumed(effect, "not resolved: assumed", assume_bytes)
    said.notes += [f"{name}: {note}" for note in lock.notes]
    if effect.unread:
        said.notes.append(f"{name}: not understood: {' '.join(effect.unread)}")
    fresh = [each for each in contents if effect.force_reinstall or present.get(each.wheel.name) != each.wheel.version]
    present.update({wheel.name: wheel.version for wheel in lock.wheels})
    names = {each.wheel.name for each in fresh}
    lock = replace(lock, wheels=tuple(wheel for wheel in lock.wheels if wheel.name in names))
    if effect.downloads_only:
        return _downloaded(lock, place, assume_bytes)
    found = installed(
        lock,
        fresh,
        uv=effect.installer.is_uv,
        compiles=effect.compiles,
        cache=effect.cache.kind,
        copies=effect.link_mode not in _LINKED,
        assumed_bytes=assume_bytes,
    )
    writes = [replace(piece, place=place) for piece in found.pieces]
    if effect.project_itself and not effect.project_editable:
        writes.append(_small_project(effect, place))
    asides: tuple[Aside, ...] = ()
    if found.cache.disk.high_bytes:
        if effect.cache.kind is CacheKind.MOUNTED:
            asides = (Aside(key=f"cache:{effect.cache.mount}", name=found.cache.name, disk=found.cache.disk),)
        else:
            writes.append(replace(found.cache, place=effect.cache.directory, source="kept in the layer"))
    transient = NOTHING if effect.temporary_mounted and not effect.installer.is_uv else found.transient
    return Deed(writes=tuple(writes), transient=transient, asides=asides)


def _target(effect: PythonInstall, python: StagePython) -> Target | None:
    version = effect.python_version or python_named(effect.python) if not python.overridden else ""
    if effect.virtual_environment and not version and not python.overridden:
        version = python.environments.get(effect.virtual_environment, "")
    platform = effect.platforms[0] if effect.platforms else ""
    return target_of(version or python.version, python.platform, python.distribution, chosen_platform=platform)


def _place(effect: PythonInstall, target: Target) -> str:
    if effect.target:
        return effect.target
    home = "/root" if effect.user else ""
    return site_packages(target.python, effect.prefix or effect.virtual_environment, user_home=home)


def _request(effect: PythonInstall, files: StageFiles, said: Said, environment: Mapping[str, str]) -> ResolveRequest:
    """Return what the resolver is asked.

    Raises:
        UsageError: A requirement file is missing or cannot be read.
    """
    wanted, limits, options = _read(effect, files, said, environment)
    lines = [_line(each) for each in (*effect.requirements, *wanted) if not _is_project(each, effect, files)]
    for each in effect.requirements:
        if _is_project(each, effect, files):
            lines += _project_lines(files, each.location, each.extras)
    if effect.project_directory:
        lines += _project_lines(files, effect.project_directory, effect.extras, effect)
    return ResolveRequest(
        requirements=tuple(lines),
        constraints=tuple(_line(each) for each in limits),
        index_url=options.index_url,
        extra_index_urls=options.extra_index_urls,
        find_links=options.find_links,
        no_index=options.no_index,
        best_of_all_indexes=not effect.installer.is_uv or effect.index_strategy == "unsafe-best-match",
        dependencies=not effect.no_deps,
        prereleases=options.pre,
        only_binary=options.only_binary,
        no_binary=options.no_binary,
        require_hashes=options.require_hashes,
        exclude_newer=effect.exclude_newer,
        resolution=effect.resolution or "highest",
        torch_backend=effect.torch_backend,
    )


def _read(
    effect: PythonInstall, files: StageFiles, said: Said, environment: Mapping[str, str]
) -> tuple[list[Requirement], list[Requirement], IndexOptions]:
    wanted: list[Requirement] = []
    limits: list[Requirement] = []
    options = effect.options
    sources = [(path, False) for path in effect.requirement_files]
    sources += [(path, True) for path in effect.constraint_files]
    for path, constrains in sources:
        given = {"-": effect.standard_input}
        found = read_requirements(
            path, given.get if path == "-" else files.text, environment=environment, constraints=constrains
        )
        wanted += found.requirements
        limits += found.constraints
        said.findings += [finding for finding in found.findings if finding not in said.findings]
        options = replace(
            options,
            index_url=found.options.index_url or options.index_url,
            extra_index_urls=tuple(dict.fromkeys((*options.extra_index_urls, *found.options.extra_index_urls))),
            find_links=tuple(dict.fromkeys((*options.find_links, *found.options.find_links))),
            no_index=options.no_index or found.options.no_index,
            pre=options.pre or found.options.pre,
            only_binary=found.options.only_binary or options.only_binary,
            no_binary=found.options.no_binary or options.no_binary,
            require_hashes=options.require_hashes or found.options.require_hashes,
        )
    return wanted, limits, options


def _line(each: Requirement) -> str:
    return " ".join((each.text, *(f"--hash={digest}" for digest in each.hashes)))


def _is_project(each: Requirement, effect: PythonInstall, files: StageFiles) -> bool:
    """Return whether a requirement is a directory whose dependencies can be read."""
    if each.kind is not RequirementKind.PATH or not each.location or effect.downloads_only:
        return False
    return files.text(posixpath.join(each.location, "pyproject.toml")) is not None


def _project_lines(
    files: StageFiles, directory: str, extras: tuple[str, ...], effect: PythonInstall | None = None
) -> list[str]:
    """Return the requirements of a project, from its ``pyproject.toml``."""
    text = files.text(posixpath.join(directory, "pyproject.toml"))
    if text is None:
        raise TonnageError(f"{posixpath.join(directory, 'pyproject.toml')} is not there")
    try:
        told: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TonnageError(f"{posixpath.join(directory, 'pyproject.toml')} cannot be read", why=f"{error}.") from error
    project = told.get("project") or {}
    optional = project.get("optional-dependencies") or {}
    only = effect.only_groups if effect else ()
    lines = [] if only else list(project.get("dependencies") or ())
    for extra in optional if effect and effect.all_extras else extras:
        lines += optional.get(extra, ())
    for group in _groups(told, effect) if effect else ():
        lines += _group(told.get("dependency-groups") or {}, group)
    return [line for line in lines if isinstance(line, str)]


def _groups(told: dict[str, Any], effect: PythonInstall) -> list[str]:
    known = told.get("dependency-groups") or {}
    if effect.only_groups:
        return list(effect.only_groups)
    if effect.all_groups:
        return list(known)
    usual = (told.get("tool") or {}).get("uv", {}).get("default-groups", ["dev"])
    usual = list(known) if usual == "all" else usual
    default = usual if effect.installer is Installer.UV_SYNC and "*" not in effect.without_groups else []
    return [group for group in dict.fromkeys((*default, *effect.groups)) if group not in effect.without_groups]


def _group(known: dict[str, Any], name: str) -> list[str]:
    found: list[str] = []
    for entry in known.get(name, ()):
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, dict) and entry.get("include-group") not in {None, name}:
            found += _group(known, entry["include-group"])
    return found


def _assumed(effect: PythonInstall, source: str, assume_bytes: int) -> Deed:
    bound = assumed(assume_bytes)
    piece = Piece(name=effect.command[:80], image=bound, disk=bound, download=bound, compressed=bound, source=source)
    transient = NOTHING if effect.installer.is_uv else bound
    return Deed(writes=(piece,), transient=transient)


def _downloaded(lock: Lock, place: str, assume_bytes: int) -> Deed:
    pieces = []
    archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists)
    for wheel in archives:
        size = assumed(assume_bytes) if wheel.size_bytes is None else exactly(wheel.size_bytes)
        name = wheel.filename or wheel.name
        pieces.append(
            Piece(name=name, place=place, image=size, disk=size, download=size, compressed=size, source="the index")
        )
    return Deed(writes=tuple(pieces))


def _small_project(effect: PythonInstall, place: str) -> Piece:
    size = Estimate(4096, 200_000, 20_000_000, Grade.DECLARED)
    return Piece(
        name=f"the project in {effect.project_directory}", place=place, image=size, disk=size, compressed=size,
        source="built from its sources",
    )  # fmt: skip
