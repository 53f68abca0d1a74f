"""Of what kind a source archive is, by the names and sizes of its files: nothing of it is run. Pure."""

from __future__ import annotations

import posixpath
from itertools import islice
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement

from tonnage.errors import CannotResolveError
from tonnage.forecast.python.parsing import requirement
from tonnage.forecast.python.toml_text import read_toml
from tonnage.model.forecast.python_lock import SourceContents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_COMPILED = frozenset(
    {".c", ".cc", ".cpp", ".cxx", ".pyx", ".rs", ".f", ".f90", ".go", ".cu", ".m", ".mm", ".swg", ".i"}
)
_DESCRIBES = frozenset({"CMakeLists.txt", "Cargo.toml", "meson.build", "configure", "Makefile.am", "SConstruct"})
_CUDA = frozenset({".cu", ".cuh"})
# Every build has these, or nothing but them.
_USUAL = frozenset({
    "setuptools", "wheel", "pip", "flit-core", "hatchling", "hatch-vcs", "poetry-core", "poetry", "pdm-backend",
    "setuptools-scm", "pbr", "versioneer", "hatch-fancy-pypi-readme", "editables", "packaging", "tomli",
    "uv-build", "flit",
})  # fmt: skip
_MOST_NEEDS, _MOST_LINES = 100, 10_000


def contents_of(members: Iterable[tuple[str, int]], said: Sequence[tuple[str, bytes]]) -> SourceContents:
    """Return what lies in an archive.

    Args:
        members: The path and the bytes of each file.
        said: Path and content of the files in which it says what it needs.
    """
    python_bytes = other_bytes = files = 0
    compiles = cuda = made = False
    for path, size in members:
        made = made or ".egg-info/" in path
        name = posixpath.basename(path)
        suffix = posixpath.splitext(name)[1].lower()
        files += 1
        if suffix in {".py", ".pyi"}:
            python_bytes += max(0, size)
        else:
            other_bytes += max(0, size)
        # What lies in tests and examples is not built.
        compiles = compiles or ((suffix in _COMPILED or name in _DESCRIBES) and not _beside(path))
        cuda = cuda or suffix in _CUDA
    tells, requires = _says(said, made=made)
    return SourceContents(
        python_bytes=python_bytes, other_bytes=other_bytes, files=files, compiles=compiles or cuda, cuda=cuda,
        needs=_needs(said), tells=tells, requires=requires,
    )  # fmt: skip


def _beside(path: str) -> bool:
    return bool({"test", "tests", "docs", "doc", "examples", "benchmarks"} & set(path.lower().split("/")[1:-1]))


def _says(said: Sequence[tuple[str, bytes]], *, made: bool) -> tuple[bool, tuple[str, ...]]:
    """Return whether an archive tells what it needs when it is installed, and what setuptools wrote of that into it.

    Where it was ``made`` by setuptools without that file, it needs nothing.
    """
    written = [(path.count("/"), text) for path, text in said if path.endswith(".egg-info/requires.txt")]
    if made:
        return True, _lines(min(written)[1]) if written else ()
    for path, text in said:
        if posixpath.basename(path) == "PKG-INFO" and path.count("/") == 1:
            head = _head(text).lower().split("\n")
            version = next(
                (line.partition(":")[2].strip() for line in head if line.startswith("metadata-version:")), ""
            )
            dynamic = {line.partition(":")[2].strip() for line in head if line.startswith("dynamic:")}
            if version not in {"", "1.0", "1.1", "1.2", "2.0", "2.1"}:
                return "requires-dist" not in dynamic, _plain(_required(text))
    return _of_project(said)


def _head(text: bytes) -> str:
    return text.decode("utf-8", "replace").replace("\r", "").partition("\n\n")[0]


def _required(text: bytes) -> Iterator[str]:
    for line in _head(text).split("\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "requires-dist":
            yield value.strip()


def _of_project(said: Sequence[tuple[str, bytes]]) -> tuple[bool, tuple[str, ...]]:
    """Return the same by the ``pyproject.toml`` that lies outermost."""
    project = _outermost(said).get("project")
    dynamic = project.get("dynamic") if isinstance(project, dict) else None
    if not isinstance(project, dict) or "dependencies" in (dynamic if isinstance(dynamic, list) else ()):
        return False, ()
    told = project.get("dependencies", [])
    return isinstance(told, list), _plain(map(str, told)) if isinstance(told, list) else ()


def _plain(lines: Iterable[str]) -> tuple[str, ...]:
    """Return requirements without those from addresses."""
    return tuple(line for line in islice(lines, _MOST_LINES) if "@" not in line)


def _outermost(said: Sequence[tuple[str, bytes]]) -> Mapping[str, Any]:
    """Return the ``pyproject.toml`` that lies outermost; an empty one where there is none that can be read."""
    projects = [(path.count("/"), path, text) for path, text in said if posixpath.basename(path) == "pyproject.toml"]
    if not projects:
        return {}
    _, path, text = min(projects)
    try:
        return read_toml(text.decode("utf-8"), path)
    except (ValueError, CannotResolveError):
        return {"build-system": {"requires": ["what-cannot-be-read"]}}


def _lines(text: bytes) -> tuple[str, ...]:
    """Return the requirements of a ``requires.txt``; those of extras and from addresses are left out."""
    found: list[str] = []
    marker: str | None = ""
    for line in text.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
        bare = line.strip()
        if bare.startswith("["):
            extra, _, told = bare[1:].rstrip("]").partition(":")
            marker = None if extra else told
        elif bare and marker is not None:
            found.append(f"{bare} ; {marker}" if marker else bare)
    return _plain(found)


def _needs(said: Sequence[tuple[str, bytes]]) -> tuple[str, ...]:
    """Return what building needs, from the ``pyproject.toml`` that lies outermost."""
    told = _outermost(said).get("build-system", {})
    lines = told.get("requires", []) if isinstance(told, dict) else []
    try:
        named = [requirement(str(line)).name for line in lines[:_MOST_NEEDS]] if isinstance(lines, list) else []
    except InvalidRequirement:
        named = ["what-cannot-be-read"]
    names = (name.lower().replace("_", "-").replace(".", "-") for name in named)
    return tuple(sorted({name for name in names if name not in _USUAL}))
