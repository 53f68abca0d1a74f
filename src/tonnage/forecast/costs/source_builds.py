"""What a package takes that is built from a source archive: bounded by what lies in the archive, and by its kind. Pure.

Of pure Python what is installed is what lies in the archive, at most, with its bytecode. What is compiled is not larger
than a multiple of its sources, but for packages that are known to be, and those for graphics cards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.usual_sizes import heaviest
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, exactly
from tonnage.model.forecast.installs import CacheKind, Installer
from tonnage.model.forecast.python_lock import BLOCK_BYTES, Sdist
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import Other, SourceContents

_MB = 1_000_000
# Small archives that become hundreds of megabytes, or fetch as many while they are built.
_LARGE = frozenset({
    "apex", "deepspeed", "detectron2", "flash-attn", "flash-attention", "llama-cpp-python", "mmcv", "mmcv-full",
    "mmdet3d",
    "natten", "onnxruntime", "open3d", "opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python",
    "faiss-gpu",
    "opencv-python-headless", "pyarrow", "pycuda", "pyqt5", "pyqt6", "pyside6", "pyspark", "pytorch3d", "ray", "spconv",
    "tensorflow", "tensorrt", "tensorrt-cu12", "tensorrt-libs", "torch", "torch-cluster", "torch-scatter",
    "torch-sparse",
    "torch-spline-conv", "torchaudio", "torchvision", "transformer-engine", "vllm", "xformers", "xgboost", "auto-gptq",
    "bitsandbytes", "causal-conv1d", "mamba-ssm", "ninja", "playwright", "nvidia-pyindex", "nvidia-tensorrt",
    "dgl", "triton",
})  # fmt: skip
_READ, _UNREAD = "built from source, by what lies in it", "built from source, by its size"
# What is put together for each build and stays until the end: an environment with setuptools, or another backend.
_ENVIRONMENT = Estimate(0, 10 * _MB, 60 * _MB, Grade.DECLARED)
_ENVIRONMENT_DOWNLOAD = Estimate(0, _MB, 6 * _MB, Grade.DECLARED)
_PROJECT = Estimate(4096, 200_000, 20 * _MB, Grade.DECLARED)
_EACH_NEED_BYTES = 250 * _MB


def built(archive: Sdist | Other, assumed_bytes: int) -> WrittenBytes:
    """Return what is built from an archive, or from something that nobody can read."""
    bound = assumed(assumed_bytes)
    name = f"{archive.name or getattr(archive, 'requirement', '')} {getattr(archive, 'version', '')}".strip()
    if not isinstance(archive, Sdist) or archive.size_bytes is None:
        source = getattr(archive, "reason", "") or "built from source"
        bound = assumed(
            max(assumed_bytes, heaviest([archive.name], for_cpu="cpu" in getattr(archive, "requirement", "")))
        )
        return replace(WrittenBytes.of_size(name, "", bound, source, download=bound), transient=bound)
    download = exactly(archive.size_bytes)
    contents = archive.contents
    if archive.name in _LARGE or (contents is not None and (contents.cuda or "torch" in contents.needs)):
        size = Estimate(0, bound.likely_bytes, max(bound.high_bytes, 60 * archive.size_bytes), Grade.UNKNOWN)
        return replace(
            WrittenBytes.of_size(name, "", size, "built from source: assumed", download=download), transient=size
        )
    if contents is None or not contents.tells:
        return _by_size(name, archive.size_bytes, download, assumed_bytes)
    image, unpacked = _installed(contents), contents.python_bytes + contents.other_bytes
    disk = image.each(lambda each: each + contents.files * BLOCK_BYTES // 2)
    disk = replace(disk, high_bytes=image.high_bytes + 2 * contents.files * BLOCK_BYTES)
    needed = _EACH_NEED_BYTES * len(contents.needs)
    on_top = _ENVIRONMENT + Estimate(
        unpacked,
        2 * unpacked + needed // 3 + image.likely_bytes,
        4 * unpacked + needed + 3 * disk.high_bytes,
        Grade.DECLARED,
    )
    # Its own needs are fetched besides.
    download += Estimate(0, 2 * _MB + needed // 8, 6 * _MB + needed // 2, Grade.DECLARED)
    return replace(
        WrittenBytes.of_size(name, "", image, _READ, download=download), disk=disk, transient=on_top or NOTHING
    )


def built_projects(effect: PythonInstall, paths: Mapping[str, bool], place: str) -> list[WrittenBytes]:
    """Return what projects take that are built where they lie: ``paths`` tell whether each is linked to its sources.

    Poetry builds without an environment of its own; uv keeps what it put together in its cache.
    """
    pieces = []
    for path, linked in paths.items():
        size = NOTHING if linked else _PROJECT
        alone = effect.installer is Installer.POETRY
        if alone and linked:
            continue
        fetched = NOTHING if alone else _ENVIRONMENT_DOWNLOAD
        piece = WrittenBytes.of_size(f"the project in {path}", place, size, "built from its sources", download=fetched)
        kept = effect.installer.is_uv and effect.cache.kind is CacheKind.IN_LAYER
        pieces.append(piece if alone or kept else replace(piece, transient=_ENVIRONMENT))
        if kept:
            tools = "tools that build it, in uv's cache"
            pieces.append(WrittenBytes.of_size(tools, effect.cache.directory, _ENVIRONMENT, "usual size"))
    return pieces


def _installed(contents: SourceContents) -> Estimate:
    """Return the bytes of what is installed."""
    whole = contents.python_bytes + contents.other_bytes
    # Bytecode is up to twice as large as its sources; the record has a line for each file.
    python = contents.python_bytes * 3 + contents.files * 400
    if not contents.compiles:
        likely = contents.python_bytes * 7 // 4 + contents.other_bytes // 4
        return Estimate(0, likely, python + contents.other_bytes + _MB, Grade.DECLARED)
    return Estimate(
        0, contents.python_bytes * 7 // 4 + 2 * contents.other_bytes, python + 12 * whole + 30 * _MB, Grade.DECLARED
    )


def _by_size(name: str, size_bytes: int, download: Estimate, assumed_bytes: int) -> WrittenBytes:
    """Return what is built from an archive that was not read, or says nothing: of any kind, and it may need others."""
    high_bytes = max(assumed_bytes, 60 * size_bytes + 30 * _MB)
    size = Estimate(0, min(high_bytes, 6 * size_bytes + _MB), high_bytes, Grade.UNKNOWN)
    on_top = _ENVIRONMENT + Estimate(0, 20 * size_bytes, 200 * size_bytes + _EACH_NEED_BYTES, Grade.DECLARED)
    fetched = download + Estimate(0, 2 * _MB, _EACH_NEED_BYTES // 2, Grade.DECLARED)
    return replace(WrittenBytes.of_size(name, "", size, _UNREAD, download=fetched), transient=on_top)
