"""What one install of Python packages does: what it asks for, what that resolves to, and what the installer keeps.

A resolution that fails is a result: its reason stands in the forecast, and a bound is assumed in place of the bytes.
"""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.forecast.commands.pipes import shown_pipe
from tonnage.forecast.costs.base_layers import python_named, site_packages, target_of
from tonnage.forecast.costs.fetched_archives import fetched
from tonnage.forecast.costs.found_files import perhaps
from tonnage.forecast.costs.installer_caches import kept_if_allowed
from tonnage.forecast.costs.source_builds import built_projects
from tonnage.forecast.costs.usual_sizes import heaviest
from tonnage.forecast.costs.wheel_installs import installed
from tonnage.forecast.gather.context import failure_of, shown_command
from tonnage.forecast.gather.hidden_settings import perhaps_of_another_index
from tonnage.forecast.gather.install_requests import (
    asking_file,
    has_no_project,
    is_project,
    lock_of,
    project_built,
    request_of,
)
from tonnage.forecast.gather.local_archives import with_projects
from tonnage.forecast.gather.pip_versions import reads_apart
from tonnage.forecast.gather.shared_installs import unknown_install, with_terms
from tonnage.forecast.gather.stage_python import knowing, missing, record, renewed
from tonnage.forecast.gather.unresolved import remember, unresolved
from tonnage.forecast.gather.visible_files import Made
from tonnage.forecast.gather.workspaces import in_workspace
from tonnage.forecast.requirements.chains import chains
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.effects import PythonRemove
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed
from tonnage.model.forecast.installs import CacheKind, Installer, PythonInstall
from tonnage.model.forecast.sized_effects import Aside, PiecePart, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.costs.wheel_installs import Installation
    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.stage_python import Installed, StagePython
    from tonnage.forecast.gather.visible_files import BuiltProject, StageFiles
    from tonnage.model.forecast.installs import PipRuns
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest, Sdist, Target, Wheel, WheelContents
    from tonnage.model.forecast.recipe import InstructionEnvironment
    from tonnage.model.forecast.requirements import Requirement

# Bytecode that pip writes of itself and of the library in an image without any, by minor version of Python: its bytes,
# with directories and blocks a third more. Source: measured with pip 23.0 to 24.2 on Python 3.8 to 3.13.
_OWN_BYTECODE = {
    8: (3_280_000, 3_150_000), 9: (3_270_000, 3_240_000), 10: (3_790_000, 3_260_000), 11: (5_460_000, 5_150_000),
    12: (5_040_000, 4_670_000), 13: (4_200_000, 4_280_000),
}  # fmt: skip
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
    if has_no_project(effect, files):
        return SizedEffect()
    effect = in_workspace(replace(effect, requirements=with_projects(effect.requirements, files)), files)
    target = target_of_install(effect, python)
    name = f"{effect.place}: {shown_command(effect.command)}"
    if target is None:
        said.failures.append(f"{name}: which Python the image has is not known; give it with --python VERSION")
        return unknown_install(_assumed(effect, "the image's Python is not known: assumed", assume_bytes), effect)
    said.targets[f"Python {target.python} on {target.platform}"] = None
    place = _place(effect, target, python)
    lines: list[Requirement] = [*effect.requirements]
    unknown: list[str] = []
    request: ResolveRequest | None = None
    # An installer that is told another directory does not look what is in it.
    apart = effect.target or effect.prefix or effect.downloads_only
    there = {} if apart or effect.installs_again else python.there(effect, place, target.python)
    try:
        request, local = request_of(effect, files, said, environment, lines, unknown, lookups)
        request = knowing(request, there, renewed=_renewed(effect, lines))
        lock, members = _without_members(lock_of(effect, request, target, files, lookups), effect, files)
        fresh, perhaps_there = missing(lock, there)
        contents = [kept_if_allowed(each, request.trusted_hosts) for each in lookups.contents(fresh, request)]
    except TonnageError as error:
        said.failures.append(failure_of(error, effect, lines, said.root))
        said.broken |= isinstance(error, UsageError) and not (effect.conditional or effect.forgiven)
        if effect.downloads_only:
            files.unknown.append(place)
        present = None if apart else python.present.setdefault(place, {})
        return unknown_install(_not_resolved(effect, request, error, target, present, lookups, assume_bytes), effect)
    said.notes += lock.machine_notes
    said.notes += [f"{name}: {note}" for note in lock.notes]
    told_late = tuple("standard input" if path == "-" else shown_pipe(path) for path in dict.fromkeys(unknown))
    if told_late:
        said.notes.append(f"{name}: only the build will know what {', '.join(told_late)} asks for or offers: assumed")
        effect = replace(effect, unread=(*effect.unread, *told_late))
    elif effect.unread:
        said.notes.append(f"{name}: not understood: {' '.join(effect.unread)}")
    if effect.downloads_only:
        projects = [project for project, _ in local.built]
        projects += [project_built(each, files) for each in lines if is_project(each, files) and not each.editable]
        return _downloaded(effect, lock, request, contents, place, files, projects, assume_bytes)
    apart_of_wheels = reads_apart(python.reads_apart, python.present.get(place, {}), effect.virtual_environment)
    # Only what counts as not there, although it is, comes once more.
    renews = () if apart or there or effect.conditional else renewed(python.present.get(place, {}), lock)
    replaced = record(python.present.setdefault(place, {}), lock, request, certain=not effect.conditional)
    found = installed(
        fresh,
        contents,
        uv=effect.installer.is_uv,
        compiles=effect.compiles,
        cache=effect.cache.kind,
        copies=effect.link_mode not in _LINKED,
        poetry=effect.installer is Installer.POETRY,
        pdm=effect.installer is Installer.PDM,
        pages=python.uv_pages(lock),
        assumed_bytes=assume_bytes,
        here=local.names,
        reads_apart=apart_of_wheels,
    )
    brought = chains(lock, lines, "" if lines else asking_file(effect, files))
    writes = [_placed(piece, place, brought.get(piece.name.partition(" ")[0], ())) for piece in found.pieces]
    writes = [perhaps(piece) if piece.name in perhaps_there else piece for piece in writes]
    writes += [_small_project(effect, place)] * local.projects
    writes += built_projects(effect, {**_built(effect, lines, files), **members}, place)
    writes += _unread(effect, place, assume_bytes)
    writes = perhaps_of_another_index(writes, effect, files, said)
    done = _with_cache(replace(found, pieces=tuple(writes)), effect, fresh)
    done = replace(
        done,
        # What is ignored stays where it is, but for the files that are written over.
        uninstalls=() if effect.ignore_installed else tuple((place, piece) for piece in replaced),
        renews=tuple((place, piece) for piece in renews),
        sets_aside=effect.installer is Installer.PIP and not effect.ignore_installed,
    )
    return with_terms(done, effect, request, lock, contents, lines, place, python.plain)


def _with_cache(found: Installation, effect: PythonInstall, fresh: Lock) -> SizedEffect:
    """Return what was found, with the cache where it is left."""
    writes = found.pieces
    asides: tuple[Aside, ...] = ()
    if found.cache.disk.high_bytes and effect.cache.kind is CacheKind.MOUNTED:
        asides = (_beside(effect, found.cache, fresh),)
    elif found.cache.disk.high_bytes:
        writes = (*writes, replace(found.cache, place=effect.cache.directory, source="kept in the layer"))
    transient = NOTHING if effect.temporary_mounted and not effect.installer.is_uv else found.transient
    return SizedEffect(writes=writes, transient=transient, asides=asides)


def _built(effect: PythonInstall, lines: Sequence[Requirement], files: StageFiles) -> dict[str, bool]:
    """Return the directories of projects that are built, and whether each is only linked to its sources."""
    found = {each.location: each.editable for each in lines if is_project(each, files)}
    project = files.text(f"{effect.project_directory.rstrip('/')}/pyproject.toml") or ""
    # Without a backend it is no package for uv.
    if (
        effect.project_itself
        and not effect.packages
        and (effect.installer is not Installer.UV_SYNC or "[build-system]" in project)
    ):
        found[effect.project_directory] = effect.project_editable
    return found


def _without_members(lock: Lock, effect: PythonInstall, files: StageFiles) -> tuple[Lock, dict[str, bool]]:
    """Take projects of a workspace out of a lock, which are built where they lie; tell whether each is only linked."""
    if effect.installer is not Installer.UV_SYNC:
        return lock, {}
    found = {}
    for each in lock.others:
        path = posixpath.normpath(posixpath.join(effect.project_directory, each.requirement))
        if files.text(posixpath.join(path, "pyproject.toml")) is not None:
            found[each] = (path, each.linked and effect.project_editable)
    return replace(lock, others=tuple(each for each in lock.others if each not in found)), dict(found.values())


def _not_resolved(
    effect: PythonInstall,
    request: ResolveRequest | None,
    error: TonnageError,
    target: Target,
    present: dict[str, Installed] | None,
    lookups: Lookups,
    assume_bytes: int,
) -> SizedEffect:
    instead = unresolved(effect, request, error, target, lookups, assume_bytes)
    if request is not None and present is not None:
        remember(present, instead, request, target, certain=not effect.conditional)
    return instead.deed


def _beside(effect: PythonInstall, cache: WrittenBytes, fresh: Lock) -> Aside:
    """Return what a cache on a mount keeps: two installs into one add up, unless they install the same."""
    names = "\n".join(sorted(f"{wheel.name}=={wheel.version}" for wheel in fresh.wheels))
    key = f"cache:{effect.cache.mount}:{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    return Aside(key=key, name=cache.name, disk=cache.disk)


def uninstalled(effect: PythonRemove, python: StagePython) -> SizedEffect:
    """Return what is removed of what an earlier install wrote; uv sets nothing aside before."""
    version = python.environments.get(effect.virtual_environment, "") or python.version
    target = target_of(version, python.platform, python.distribution)
    if target is None:
        return SizedEffect()
    place = site_packages(target.python, effect.virtual_environment)
    gone = python.uninstall(effect.packages, place, certain=not effect.conditional)
    uninstalls = tuple((place, piece) for piece in gone)
    return SizedEffect(uninstalls=uninstalls, sets_aside=not effect.command.startswith("uv "))


def _renewed(effect: PythonInstall, lines: Sequence[Requirement]) -> frozenset[str] | None:
    """Return the names that are to be as new as possible; None for all, and what these need."""
    if effect.installs_again or (effect.upgrade and effect.installer.is_uv):
        return None
    return frozenset(each.name for each in lines if each.name) if effect.upgrade else frozenset()


def pip_ran(effect: PythonRemove | PipRuns, python: StagePython, surroundings: InstructionEnvironment) -> SizedEffect:
    """Return what pip does that installs nothing: it may remove, and runs."""
    deed = uninstalled(effect, python) if isinstance(effect, PythonRemove) and effect.packages else SizedEffect()
    if effect.command.startswith("uv ") or effect.conditional:
        return deed
    return with_own_bytecode(deed, effect, python, surroundings)


def with_own_bytecode(
    deed: SizedEffect,
    effect: PythonInstall | PythonRemove | PipRuns,
    python: StagePython,
    surroundings: InstructionEnvironment,
) -> SizedEffect:
    """Add the bytecode of the installer itself, which Python writes when it runs for the first time.

    Where it is there already nothing is written.
    """
    told = surroundings.variables.get("PYTHONDONTWRITEBYTECODE")
    user = surroundings.user.partition(":")[0]
    installer = effect.installer if isinstance(effect, PythonInstall) else Installer.PIP
    if installer.is_uv or python.ran or told or user not in {"", "0", "root"}:
        return deed
    # What else pip does needs less of both: the rest comes with the first install.
    python.ran = isinstance(effect, PythonInstall)
    target = (
        target_of_install(effect, python)
        if isinstance(effect, PythonInstall)
        else target_of(python.version, python.platform, python.distribution)
    )
    minor = target.minor[1] if target is not None else max(_OWN_BYTECODE)
    sizes = _OWN_BYTECODE[min(max(minor, min(_OWN_BYTECODE)), max(_OWN_BYTECODE))]
    names = (f"bytecode of {installer} itself", "bytecode of Python's library")
    return replace(
        deed, writes=(*deed.writes, *(_bytecode(name, size) for name, size in zip(names, sizes, strict=True)))
    )


def _bytecode(name: str, size_bytes: int) -> WrittenBytes:
    """Return bytecode of a usual size; nothing of it where the image has it already."""
    image = Estimate(0, size_bytes, size_bytes * 5 // 3, Grade.DECLARED)
    disk = image.each(lambda count: count * 4 // 3)
    part = PiecePart(kind="bytecode", bytecode_bytes=image.high_bytes, bytecode_disk_bytes=disk.high_bytes)
    piece = WrittenBytes.of_size(name, "/usr/local/lib", image, "usual size", content=Content.BYTECODE)
    return replace(piece, disk=disk, parts=(part,))


def _placed(piece: WrittenBytes, place: str, brought_by: tuple[str, ...]) -> WrittenBytes:
    parts = tuple(replace(part, path=f"{place}/{part.path}") if part.path else part for part in piece.parts)
    return replace(piece, place=place, parts=parts, brought_by=brought_by)


def target_of_install(effect: PythonInstall, python: StagePython) -> Target | None:
    """Return the Python that an install is for; None where nobody knows which the image has."""
    version = effect.python_version or python_named(effect.python) if not python.overridden else ""
    if effect.virtual_environment and not version and not python.overridden:
        version = python.environments.get(effect.virtual_environment, "")
    platform = effect.platforms[0] if effect.platforms else ""
    return target_of(version or python.version, python.platform, python.distribution, chosen_platform=platform)


def _place(effect: PythonInstall, target: Target, python: StagePython) -> str:
    if effect.target:
        return effect.target
    of_all = site_packages(target.python, "")
    if effect.falls_back and python.may_write(of_all):
        return of_all
    return site_packages(target.python, effect.user_base or effect.prefix or effect.virtual_environment)


def _assumed(effect: PythonInstall, source: str, assume_bytes: int) -> SizedEffect:
    bound = assumed(assume_bytes)
    piece = WrittenBytes.of_size(effect.command[:80], "", bound, source, download=bound)
    return SizedEffect(writes=(piece,), transient=NOTHING if effect.installer.is_uv else bound)


def _downloaded(
    effect: PythonInstall,
    lock: Lock,
    request: ResolveRequest,
    contents: Sequence[WheelContents],
    place: str,
    files: StageFiles,
    projects: Sequence[BuiltProject],
    assume_bytes: int,
) -> SizedEffect:
    """Return what ``pip download`` and ``pip wheel`` keep, and write down what lies there now."""
    archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists)
    if effect.unread or effect.conditional:
        files.unknown.append(place)
    else:
        pins = (*(f"{each.name}=={each.version}" for each in archives), *(each.requirement for each in lock.others))
        before = files.made_in(place)
        pins = tuple(dict.fromkeys((*(before.pins if before else ()), *pins)))
        files.made[place] = Made(pins, request, tuple(dict.fromkeys((*(before.projects if before else ()), *projects))))
    pieces = [_small_project(effect, place)] * len(projects)
    for other in lock.others:
        bound = assumed(max(assume_bytes, heaviest([other.name])))
        pieces.append(WrittenBytes.of_size(other.requirement, place, bound, other.reason, download=bound))
    found = fetched(lock, contents, place, effect.cache.kind, assume_bytes)
    return _with_cache(replace(found, pieces=(*pieces, *found.pieces)), effect, lock)


def _unread(effect: PythonInstall, place: str, assume_bytes: int) -> list[WrittenBytes]:
    """Return what is assumed for packages whose names only the build will know."""
    named = " ".join(word for word in effect.unread if not word.startswith("-"))
    bound = assumed(assume_bytes)
    piece = WrittenBytes.of_size(named, place, bound, "assumed", download=bound)
    return [replace(piece, transient=NOTHING if effect.installer.is_uv else bound)] if named else []


def _small_project(effect: PythonInstall, place: str) -> WrittenBytes:
    size = Estimate(4096, 200_000, 20_000_000, Grade.DECLARED)
    return WrittenBytes.of_size(
        f"the project in {effect.project_directory or effect.runs_in}", place, size, "built from its sources"
    )
