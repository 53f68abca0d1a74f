"""What ``conda``, ``mamba`` and ``micromamba`` bring: bounded by names, and what pip installs beside it by its lines.

Lists of packages of conda are not read, so its own packages have a bound: that of the heaviest one that is known, and
of every other one as much as few of them take.

Source: "Managing environments" of the documentation of conda 24.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.costs.usual_sizes import heaviest
from tonnage.forecast.requirements.lines import read_requirement
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import assumed
from tonnage.model.forecast.installs import Cache, CacheKind, Installer, PythonInstall
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.effects import OtherInstall

MANAGERS = frozenset({"conda", "mamba", "micromamba"})
_MB = 1_000_000
_EACH_BYTES = 150 * _MB
_MOST_LINES = 5000
# What these are called for pip, and what has no name there.
_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cuda": "torch", "pytorch-cpu": "torch",
          "libtorch": "torch", "tensorflow-base": "tensorflow"}  # fmt: skip
_HEAVY = {"cudatoolkit": 3000, "cudatoolkit-dev": 9000, "cuda": 9000, "cuda-toolkit": 9000, "cudnn": 2500,
          "anaconda": 6000, "mkl": 900, "r-base": 1500, "r-essentials": 2500, "gdal": 900, "qt": 900,
          "rapids": 16000, "cudf": 12000, "cuml": 12000, "nccl": 600, "openjdk": 700, "gxx_linux-64": 900}  # fmt: skip
_ITEM = regex(r"(?P<indent>\s*)-\s+(?P<text>\S.*)")
_VERSIONED = regex(r"[=<>!~\[ ]")
_KEY = regex(r"(?P<key>[\w-]+)\s*:(?P<rest>.*)")


class CondaFile(Struct, frozen=True):
    """An environment file: its packages, the lines for pip, and the name of the environment."""

    packages: tuple[str, ...]
    pip: tuple[str, ...] = ()
    name: str = ""


def read_environment(text: str) -> CondaFile | None:
    """Read an environment file as people write them; None for one in another form of YAML, or none at all."""
    packages: list[str] = []
    pip: list[str] = []
    section, name, deeper = "", "", -1
    lines = text.splitlines()
    for line in lines[:_MOST_LINES]:
        bare = line.partition(" #")[0].rstrip()
        if not bare.strip() or bare.lstrip().startswith(("#", "---")):
            continue
        item, key = _ITEM.fullmatch(bare), _KEY.fullmatch(bare)
        if key is not None:
            section, deeper = key["key"], -1
            name = key["rest"].strip().strip("\"'") if section == "name" else name
            if section == "dependencies" and key["rest"].strip():
                return None
        elif section == "dependencies" and item is not None:
            told, indent = item["text"].strip().strip("\"'"), len(item["indent"])
            if 0 <= deeper < indent:
                pip.append(told)
            elif told in {"pip:", "pip :"}:
                deeper = indent
            else:
                deeper = -1
                packages.append(told)
        elif section == "dependencies":
            return None
    return CondaFile(tuple(packages), tuple(pip), name) if packages or pip else None


def conda_deed(effect: OtherInstall, files: StageFiles, assume_bytes: int) -> SizedEffect:
    """Return the bound of what conda's own packages take."""
    read = [_file(path, files) for path in effect.files]
    named = [*effect.packages, *(each for found in read if found is not None for each in found.packages)]
    names = [_bare(each) for each in named]
    heavy = [_NAMES.get(name, name) for name in names]
    for_cpu = any(word in each for each in named for word in ("cpuonly", "pytorch-cpu", "=*cpu", "=cpu"))
    largest = max((heaviest(heavy, for_cpu=for_cpu), *(_HEAVY.get(name, 0) * _MB for name in names)), default=0)
    bound = assumed(max(assume_bytes, largest + _EACH_BYTES * len(names)))
    told = " ".join(dict.fromkeys(names)) or " ".join(effect.files)
    name = f"{effect.manager} {told}".strip()[:200]
    why = "no list of packages was read: assumed"
    return SizedEffect(writes=(WrittenBytes.of_size(name, "", bound, why, download=bound),))


def pip_part(effect: OtherInstall, files: StageFiles, variables: Mapping[str, str]) -> PythonInstall | None:
    """Return what pip installs of environment files; None where they say nothing of pip."""
    read = {path: found for path in effect.files if (found := _file(path, files)) is not None and found.pip}
    if not read:
        return None
    path, found = next(iter(read.items()))
    directory = posixpath.dirname(path)
    options = {"-r", "--requirement"}
    listed = [line.split(None, 1)[1] for line in found.pip if line.split()[0] in options and len(line.split()) > 1]
    off = bool(variables.get("PIP_NO_CACHE_DIR"))
    home = variables.get("HOME") or "/root"
    cache = Cache(kind=CacheKind.NONE) if off else Cache(kind=CacheKind.IN_LAYER, directory=f"{home}/.cache/pip")
    plain = [line for line in found.pip if not line.startswith("-")]
    return PythonInstall(
        command=f"pip, of {path}",
        place=effect.place,
        conditional=effect.conditional,
        forgiven=effect.forgiven,
        installer=Installer.PIP,
        requirements=tuple(filter(None, (read_requirement(line, effect.place, directory=directory) for line in plain))),
        requirement_files=tuple(posixpath.normpath(posixpath.join(directory, each)) for each in listed),
        python_version=_python((*effect.packages, *found.packages)),
        virtual_environment=f"/opt/conda/envs/{found.name}" if found.name else "/opt/conda",
        cache=cache,
        runs_in=directory,
        unread=tuple(line for line in found.pip if line.startswith("-") and line.split()[0] not in options),
    )


def _file(path: str, files: StageFiles) -> CondaFile | None:
    text = files.text(path)
    return None if text is None else read_environment(text)


def _bare(package: str) -> str:
    """Return the name in ``channel::name[version='1']``, ``name=1.2=build`` or ``name >=1``."""
    return _VERSIONED.split(package.rpartition("::")[2], maxsplit=1)[0].lower()


def _python(packages: Sequence[str]) -> str:
    """Return the version of Python that is asked for; empty where none is."""
    for each in packages:
        if _bare(each) == "python":
            version = (
                each.rpartition("::")[2].removeprefix("python").lstrip("=<>~ ").partition(",")[0].partition("=")[0]
            )
            return ".".join(part for part in version.split(".")[:2] if part.isdigit())
    return ""
