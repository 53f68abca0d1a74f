"""Requirement files that a build writes of a lock or of what requirements resolve to: as the text that they get.

Whatever is made of the text afterwards is followed like every other file. What cannot be resolved here is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import TonnageError
from tonnage.forecast.gather.install_requests import lock_of, request_of
from tonnage.forecast.gather.installs import target_of_install
from tonnage.forecast.gather.workspaces import in_workspace
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import at_most
from tonnage.model.forecast.installs import Installer
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.stage_python import StagePython
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.effects import ExportLock
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest, Sdist, Wheel
    from tonnage.model.forecast.recipe import RecipeStep

_PIN = regex(r"(?m)^([A-Za-z0-9][\w.-]*)==([^\s;\\#]+)")
_MOST_PINS = 5000


def put_exported(
    effect: ExportLock,
    python: StagePython,
    seen: tuple[StageFiles, StageFiles],
    lookups: Lookups,
    said: Diagnostics,
    step: RecipeStep,
) -> SizedEffect:
    """Write down what a requirement file holds that is written of a lock.

    Args:
        seen: The files of the stage, and those that the command sees, with what is mounted.

    Returns:
        What is fetched for it and thrown away; not the file.
    """
    lock, text = _exported(effect, python, seen[1], lookups, said, environment=step.surroundings.variables)
    for files in seen:
        files.put(effect.path, text)
    # uv reads parts of archives; pip fetches each whole, where its index does not offer apart what it needs.
    fetches = lock is not None and effect.install.installer is Installer.PIP
    archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists) if lock is not None and fetches else ()
    fetched = at_most(sum(each.size_bytes or 0 for each in archives))
    if not fetched.high_bytes:
        return SizedEffect()
    looked_at = WrittenBytes(name="archives that pip looks into", download=fetched, source="declared by the index")
    return SizedEffect(writes=(looked_at,), transient=fetched)


def _exported(
    effect: ExportLock,
    python: StagePython,
    files: StageFiles,
    lookups: Lookups,
    said: Diagnostics,
    *,
    environment: Mapping[str, str],
) -> tuple[Lock | None, str | None]:
    """Return what a lock has, and what a file holds that is written of it; None where only the build will know."""
    install = in_workspace(effect.install, files)
    target = target_of_install(install, python)
    name = effect.path.rpartition("/")[2]
    told = all(word.startswith("-") for word in install.unread)
    if target is None or effect.conditional or not told or name.startswith("pylock."):
        return None, None
    unknown: list[str] = []
    try:
        request, local = request_of(install, files, said, environment, [], unknown, lookups)
        if unknown or local.offered or local.built:
            return None, None
        before = "" if install.upgrade or install.project_directory else files.text(effect.path) or ""
        # What a file had before stays as long as it does.
        kept = tuple(f"{name}=={version}" for name, version in _PIN.findall(before)[:_MOST_PINS])
        lock = lock_of(install, replace(request, installed=kept), target, files, lookups)
    except TonnageError:
        return None, None
    return lock, "\n".join((*_options(request, with_indexes=effect.with_indexes), *_lines(lock), ""))


def _lines(lock: Lock) -> list[str]:
    archives: tuple[Wheel | Sdist, ...] = (*lock.wheels, *lock.sdists)
    return [*(f"{each.name}=={each.version}" for each in archives), *(each.requirement for each in lock.others)]


def _options(request: ResolveRequest, *, with_indexes: bool) -> list[str]:
    if not with_indexes:
        return []
    first = [f"--index-url {request.index_url}"] if request.index_url else []
    return [*first, *(f"--extra-index-url {each}" for each in request.extra_index_urls)]
