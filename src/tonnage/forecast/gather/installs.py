"""What one install of Python packages does: what it asks for, what that resolves to, and what the installer keeps.

A resolution that fails is a result: its reason stands in the forecast, and a bound is assumed in place of the bytes.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.forecast.costs.base_layers import python_named, site_packages, target_of
from tonnage.forecast.costs.copied_image_files import perhaps
from tonnage.forecast.costs.wheel_installs import installed
from tonnage.forecast.gather.context import failure_of, finding_shown
from tonnage.forecast.gather.stage_python import knowing, missing, record
from tonnage.forecast.requirements.chains import chains
from tonnage.forecast.requirements.files import read_requirements
from tonnage.forecast.requirements.lines import refused_character
from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, exactly
from tonnage.model.forecast.installs import CacheKind, Installer
from tonnage.model.forecast.python_lock import LockedRequest, ResolveRequest
from tonnage.model.forecast.requirements import RequirementKind
from tonnage.model.forecast.sized_effects import Aside, PiecePart, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.stage_python import StagePython
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.effects import PythonRemove
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import Lock, Sdist, Target, Wheel
    from tonnage.model.forecast.recipe import InstructionEnvironment
    from tonnage.model.forecast.requirements import IndexOptions, Requirement

# pip 23.0 on Python 3.11 wrote 5.45 MB, 7.1 MB in blocks; 0 where the image has its bytecode.
_OWN_IMAGE = Estimate(0, 5_450_000, 9_000_000, Grade.EXACT)
_OWN_DISK = Estimate(0, 7_100_000, 12_000_000, Grade.EXACT)
_LOCKS = {
    Installer.UV_SYNC: ("uv.lock",),
    Installer.POETRY: ("poetry.lock",),
    Installer.PDM: ("pdm.lock", "pylock.toml"),
}
_REMOTE = regex(r"(?:https?|ftp|file):", re.IGNORECASE)
_LINKED = frozenset({"hardlink", "clone", "symlink", ""})


def install_deed(
    effect: PythonInstall,
    python: StagePython,
    files: StageFiles,
    lookups: Lookups,
    said: Diagnostics,
    *,
    environment: Mapping[str, str],
    assume_bytes: int,
) -> SizedEffect:
    """Return what an install does."""
    target = _target(effect, python)
    name = f"{effect.place}: {effect.command[:80]}"
    if target is None:
        said.failures.append(f"{name}: which Python the image has is not known; give it with --python VERSION")
        return _assumed(effect, "the image's Python is not known: assumed", assume_bytes)
    said.targets[f"Python {target.python} on {target.platform}"] = None
    place = _place(effect, target)
    lines: list[Requirement] = [*effect.requirements]
    unknown: list[str] = []
    try:
        request = _request(effect, files, said, environment, lines, unknown, target, lookups)
        # An installer that is told another directory does not look what is in it.
        apart = effect.target or effect.prefix or effect.downloads_only
        there = {} if apart or effect.force_reinstall else python.present.get(place, {})
        request = knowing(request, there, renewed=_renewed(effect, lines))
        lock = _lock(effect, request, target, files, lookups)
        fresh, perhaps_there = missing(lock, there)
        contents = lookups.contents(fresh, request)
    except TonnageError as error:
        said.failures.append(failure_of(error, effect, lines, said.root))
        caught = effect.conditional or effect.forgiven
        said.broken = said.broken or (isinstance(error, UsageError) and not caught)
        return _assumed(effect, "not resolved: assumed", assume_bytes)
    said.notes += lock.machine_notes
    said.notes += [f"{name}: {note}" for note in lock.notes]
    told_late = tuple("standard input" if path == "-" else path for path in dict.fromkeys(unknown))
    if told_late:
        said.notes.append(f"{name}: only the build will know what {', '.join(told_late)} asks for: assumed")
        effect = replace(effect, unread=(*effect.unread, *told_late))
    elif effect.unread:
        said.notes.append(f"{name}: not understood: {' '.join(effect.unread)}")
    if effect.downloads_only:
        return _downloaded(lock, place, assume_bytes)
    replaced = record(python.present.setdefault(place, {}), lock, request, certain=not effect.conditional)
    found = installed(
        fresh,
        contents,
        uv=effect.installer.is_uv,
        compiles=effect.compiles,
        cache=effect.cache.kind,
        copies=effect.link_mode not in _LINKED,
        assumed_bytes=assume_bytes,
    )
    brought = chains(lock, lines, next((each for each in _LOCKS.get(effect.installer, ()) if not lines), ""))
    writes = [_placed(piece, place, brought.get(piece.name.partition(" ")[0], ())) for piece in found.pieces]
    writes = [perhaps(piece) if piece.name in perhaps_there else piece for piece in writes]
    if effect.project_itself and not effect.project_editable:
        writes.append(_small_project(effect, place))
    writes += _unread(effect, place, assume_bytes)
    asides: tuple[Aside, ...] = ()
    if found.cache.disk.high_bytes:
        if effect.cache.kind is CacheKind.MOUNTED:
            # Two installs into one cache add up, unless they install the same.
            names = "\n".join(sorted(f"{wheel.name}=={wheel.version}" for wheel in fresh.wheels))
            key = f"cache:{effect.cache.mount}:{hashlib.sha256(names.encode()).hexdigest()[:16]}"
            asides = (Aside(key=key, name=found.cache.name, disk=found.cache.disk),)
        else:
            writes.append(replace(found.cache, place=effect.cache.directory, source="kept in the layer"))
    transient = NOTHING if effect.temporary_mounted and not effect.installer.is_uv else found.transient
    gone = tuple((place, piece) for piece in replaced)
    return SizedEffect(writes=tuple(writes), transient=transient, asides=asides, uninstalls=gone)


def uninstalled(effect: PythonRemove, python: StagePython) -> tuple[tuple[str, str], ...]:
    """Return what is removed of what an earlier install wrote: its directory, and its name among the pieces."""
    version = python.environments.get(effect.virtual_environment, "") or python.version
    target = target_of(version, python.platform, python.distribution)
    if target is None:
        return ()
    place = site_packages(target.python, effect.virtual_environment, user_home="")
    return tuple((place, piece) for piece in python.uninstall(effect.packages, place, certain=not effect.conditional))


def _renewed(effect: PythonInstall, lines: Sequence[Requirement]) -> frozenset[str] | None:
    """Return the names that are to be as new as possible; None for all, and what these need."""
    if effect.force_reinstall or (effect.upgrade and effect.installer.is_uv):
        return None
    return frozenset(each.name for each in lines if each.name) if effect.upgrade else frozenset()


def with_own_bytecode(
    deed: SizedEffect, effect: PythonInstall, python: StagePython, surroundings: InstructionEnvironment
) -> SizedEffect:
    """Add the bytecode of the installer itself, which Python writes when it runs for the first time.

    Where it is there already nothing is written.
    """
    told = surroundings.variables.get("PYTHONDONTWRITEBYTECODE")
    user = surroundings.user.partition(":")[0]
    if effect.installer.is_uv or python.ran or told or user not in {"", "0", "root"}:
        return deed
    python.ran = True
    named = f"bytecode of {effect.installer} itself"
    piece = WrittenBytes.of_size(named, "/usr/local/lib", _OWN_IMAGE, "usual size", content=Content.BYTECODE)
    parts = (
        PiecePart(kind="bytecode", bytecode_bytes=_OWN_IMAGE.high_bytes, bytecode_disk_bytes=_OWN_DISK.high_bytes),
    )
    return replace(deed, writes=(*deed.writes, replace(piece, disk=_OWN_DISK, parts=parts)))


def _placed(piece: WrittenBytes, place: str, brought_by: tuple[str, ...]) -> WrittenBytes:
    parts = tuple(replace(part, path=f"{place}/{part.path}") if part.path else part for part in piece.parts)
    return replace(piece, place=place, parts=parts, brought_by=brought_by)


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


def _request(
    effect: PythonInstall,
    files: StageFiles,
    said: Diagnostics,
    environment: Mapping[str, str],
    read: list[Requirement],
    unknown: list[str],
    target: Target,
    lookups: Lookups,
) -> ResolveRequest:
    """Return what the resolver is asked; lines that were read, and files that only the build knows, are added."""
    wanted, limits, options = _read(effect, files, said, environment, unknown)
    exported = {path: found for path in unknown if (found := files.export(path)) is not None}
    pinned: list[str] = []
    for path, (install, its_files) in exported.items():
        project = _project(install, its_files, ResolveRequest(requirements=()))
        if project is not None and project.lock_text:
            lock = lookups.locked(project, target)
            archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists)
            pinned += [f"{each.name}=={each.version}" for each in archives]
            pinned += [each.requirement for each in lock.others]
            unknown.remove(path)
    for word in effect.unread:
        _refuse(word, str(effect.place))
    read += [*wanted, *limits]
    lines = [_line(each) for each in (*effect.requirements, *wanted) if not _is_project(each, effect, files)]
    return ResolveRequest(
        requirements=(*lines, *pinned),
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
        if found is not None or not (path == "-" or _REMOTE.match(path) or "$" in path or files.may_have(path)):
            return found
        unknown.append(path)
        return ""

    written = [path for path in effect.requirement_files if not posixpath.basename(path).startswith("pylock.")]
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
            no_index=options.no_index or new.no_index,
            pre=options.pre or new.pre,
            only_binary=new.only_binary or options.only_binary,
            no_binary=new.no_binary or options.no_binary,
            require_hashes=options.require_hashes or new.require_hashes,
        )
    return wanted, limits, options


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


def _is_project(each: Requirement, effect: PythonInstall, files: StageFiles) -> bool:
    """Return whether a requirement is a directory whose dependencies can be read."""
    if each.kind is not RequirementKind.PATH or not each.location or effect.downloads_only:
        return False
    return files.text(posixpath.join(each.location, "pyproject.toml")) is not None


def _project(effect: PythonInstall, files: StageFiles, asked: ResolveRequest) -> LockedRequest | None:
    """Return the project that is installed, with its lock where that is there; None where no project is."""
    if not effect.project_directory:
        return None
    names = _LOCKS.get(effect.installer, ())
    found = ((name, files.text(posixpath.join(effect.project_directory, name))) for name in names)
    name, text = next(((name, text) for name, text in found if text is not None), ("", ""))
    project = files.text(posixpath.join(effect.project_directory, "pyproject.toml"))
    if project is None:
        raise UsageError(
            f"{posixpath.join(effect.project_directory, 'pyproject.toml')} is not there",
            todo="Copy it into the image before it is installed.",
            place=str(effect.place),
        )
    return LockedRequest(
        lock_name=name,
        lock_text=text or "",
        project_text=project,
        extras=effect.extras,
        all_extras=effect.all_extras,
        groups=effect.groups,
        without_groups=effect.without_groups,
        all_groups=effect.all_groups,
        only_groups=effect.only_groups,
        left_out=effect.left_out,
        asked=asked,
    )


def _lock(effect: PythonInstall, request: ResolveRequest, target: Target, files: StageFiles, lookups: Lookups) -> Lock:
    """Return what will be installed: from the lock that lies there, else by resolving."""
    project = _project(effect, files, request)
    if project is not None and project.lock_text:
        return lookups.locked(project, target)
    lines = list(request.requirements)
    if project is not None:
        lines += lookups.needs(project)
    for path in effect.requirement_files:
        if posixpath.basename(path).startswith("pylock."):
            lock = LockedRequest(lock_name=posixpath.basename(path), lock_text=files.text(path) or "", asked=request)
            return lookups.locked(lock, target)
    for each in effect.requirements:
        if _is_project(each, effect, files):
            text = files.text(posixpath.join(each.location, "pyproject.toml")) or ""
            lines += lookups.needs(LockedRequest(lock_name="", lock_text="", project_text=text, extras=each.extras))
    return lookups.resolve(replace(request, requirements=tuple(lines)), target)


def _assumed(effect: PythonInstall, source: str, assume_bytes: int) -> SizedEffect:
    bound = assumed(assume_bytes)
    piece = WrittenBytes.of_size(effect.command[:80], "", bound, source, download=bound)
    return SizedEffect(writes=(piece,), transient=NOTHING if effect.installer.is_uv else bound)


def _downloaded(lock: Lock, place: str, assume_bytes: int) -> SizedEffect:
    pieces = []
    archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists)
    for wheel in archives:
        size = assumed(assume_bytes) if wheel.size_bytes is None else exactly(wheel.size_bytes)
        pieces.append(
            WrittenBytes.of_size(
                wheel.filename or wheel.name, place, size, "the index", download=size, content=Content.PACKED
            )
        )
    return SizedEffect(writes=tuple(pieces))


def _unread(effect: PythonInstall, place: str, assume_bytes: int) -> list[WrittenBytes]:
    """Return what is assumed for packages whose names only the build will know."""
    named = " ".join(word for word in effect.unread if not word.startswith("-"))
    bound = assumed(assume_bytes)
    piece = WrittenBytes.of_size(named, place, bound, "assumed", download=bound)
    return [replace(piece, transient=NOTHING if effect.installer.is_uv else bound)] if named else []


def _small_project(effect: PythonInstall, place: str) -> WrittenBytes:
    size = Estimate(4096, 200_000, 20_000_000, Grade.DECLARED)
    return WrittenBytes.of_size(f"the project in {effect.project_directory}", place, size, "built from its sources")
