"""What package managers of systems and other languages bring: by name, or by what the lock counts."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.other_managers import DATABASES
from tonnage.forecast.costs.model_weights import weights_of
from tonnage.forecast.costs.usual_sizes import KINDS, of_kind, of_packages
from tonnage.forecast.gather.conda_environments import MANAGERS, conda_deed
from tonnage.forecast.gather.node_installs import node_deed
from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.effects import OtherInstall
from tonnage.model.forecast.estimate import Estimate, Grade, assumed
from tonnage.model.forecast.node_packages import NodeInstall
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.gather.context import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.node_packages import NodeTarget

_MB = 1_000_000
_SYSTEMS = frozenset({"apk", "dnf", "microdnf", "yum", "zypper"})
# What is kept of a system's lists: of apk two of 3 MB, of dnf those of every repository.
_LISTS = {
    "apk": ("/var/cache/apk", Estimate(0, 3 * _MB, 9 * _MB, Grade.DECLARED)),
    **dict.fromkeys(("dnf", "yum", "microdnf"), ("/var/cache/dnf", Estimate(0, 90 * _MB, 500 * _MB, Grade.DECLARED))),
    "zypper": ("/var/cache/zypp", Estimate(0, 40 * _MB, 250 * _MB, Grade.DECLARED)),
}
_BROWSER_BYTES, _EVERY_BROWSER, _OF_THE_SYSTEM_BYTES = 700 * _MB, 3, 900 * _MB
_INSTALLS = frozenset({"add", "install", "in", "localinstall"})
_COUNTED = {
    "go mod": ("go.sum", regex(r"(?m)^\S+ v\S+(?<!/go\.mod) h1:")),
    "go build": ("go.sum", regex(r"(?m)^\S+ v\S+(?<!/go\.mod) h1:")),
    "cargo fetch": ("Cargo.lock", regex(r"(?m)^\[\[package\]\]\s*$")),
    "cargo build": ("Cargo.lock", regex(r"(?m)^\[\[package\]\]\s*$")),
    "bundle": ("Gemfile.lock", regex(r"(?m)^ {4}\S+ \(")),
    "composer": ("composer.lock", regex(r'(?m)^ {12}"name": ')),
}
_KINDS = {
    ("go", "mod download"): "go mod", ("go", "mod tidy"): "go mod", ("go", "mod vendor"): "go mod", ("go",
    "build"): "go build",
    ("go", "mod verify"): "go mod", ("cargo", "fetch"): "cargo fetch", ("cargo", "build"): "cargo build",
    ("bundle", "install"): "bundle",
    ("composer", "install"): "composer",
}  # fmt: skip
_MODELS = {"hf": ("download",), "huggingface-cli": ("download",), "ollama": ("pull",)}


def other_deeds(
    done: Sequence[AnyEffect],
    files: StageFiles,
    lookups: Lookups,
    said: Diagnostics,
    target: NodeTarget,
    *,
    assume_bytes: int,
) -> dict[int, SizedEffect]:
    """Return what commands of package managers other than Python's and Debian's do, by their number."""
    found: dict[int, SizedEffect] = {}
    for number, effect in enumerate(done):
        if isinstance(effect, NodeInstall):
            found[number] = node_deed(effect, files, lookups, said, target, assume_bytes=assume_bytes)
        elif isinstance(effect, OtherInstall):
            found[number] = _deed(effect, files, assume_bytes)
    return found


def _deed(effect: OtherInstall, files: StageFiles, assume_bytes: int) -> SizedEffect:
    """Return what a command of another package manager does."""
    if effect.manager in _SYSTEMS and effect.action in _INSTALLS:
        return _of_system(effect, assume_bytes)
    if (effect.manager, effect.action) == ("apk", "update") or effect.action == "makecache":
        place, lists = _LISTS[effect.manager]
        return SizedEffect(writes=(WrittenBytes.of_size("package lists", place, lists, "usual size", download=lists),))
    if effect.manager in MANAGERS:
        return conda_deed(effect, files, assume_bytes)
    if effect.action in _MODELS.get(effect.manager, ()):
        name = f"{effect.manager} {' '.join(effect.packages)}".strip()
        size = weights_of(" ".join(effect.packages), assume_bytes, quantised=effect.manager == "ollama")
        how = "by the parameters in its name, at most" if size.likely_bytes < size.high_bytes else "assumed"
        return SizedEffect(writes=(WrittenBytes.of_size(name, effect.directory, size, how, download=size),))
    kind = _KINDS.get((effect.manager, effect.action), "")
    count = _counted(kind, effect.directory, files) if kind in KINDS else None
    if count is not None:
        place = effect.within if kind == "bundle" or not KINDS[kind].place else ""
        place = place or ("" if KINDS[kind].place else effect.directory)
        return of_kind(kind, count, effect.command[:80], place)
    bound = assumed(max(assume_bytes, _browsers(effect) if effect.manager == "playwright" else 0))
    name = f"{effect.manager} {' '.join(effect.packages)}".strip()
    # Of others nobody knows where all of it lies; what ``go build -o`` names is where its program is looked for.
    place = effect.within if effect.manager == "go" else ""
    return SizedEffect(writes=(WrittenBytes.of_size(name, place, bound, "assumed", download=bound),))


def _browsers(effect: OtherInstall) -> int:
    """Return what browsers take at most, each with what runs it without a window, and what they need of the system."""
    number = len(effect.packages) or _EVERY_BROWSER
    return number * _BROWSER_BYTES + (_OF_THE_SYSTEM_BYTES if "--with-deps" in effect.command else 0)


def _of_system(effect: OtherInstall, assume_bytes: int) -> SizedEffect:
    pieces = list(
        of_packages(
            effect.packages, effect.command, effect.within or "/usr/share", assume_bytes, one_place=effect.one_place
        )
    )
    place, lists = _LISTS[effect.manager]
    if effect.keeps_cache:
        pieces.append(
            WrittenBytes.of_size("package lists", place, lists, "usual size", download=lists, content=Content.PACKED)
        )
    path, database = DATABASES[effect.manager]
    pieces.append(replace(WrittenBytes.of_size(path, path, database, "usual size"), is_file=True))
    return SizedEffect(writes=tuple(pieces))


def _counted(kind: str, directory: str, files: StageFiles) -> int | None:
    """Return how many things a lock names; None where the build sees none."""
    name, line = _COUNTED[kind]
    text = files.text(posixpath.join(directory, name))
    return None if text is None else sum(1 for _ in line.finditer(text))
