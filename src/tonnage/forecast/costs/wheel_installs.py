"""What an installation of wheels costs: bytes of the image, of the disk, at the worst moment, and fetched. Pure.

The facts are the directories of the wheels; what an installer adds to them is here: bytecode, commands, its record,
its cache and the copies that it needs while it works. Nothing here knows a Dockerfile or a builder.

The size of a ``.pyc`` file grows with that of its source, differently in each version of Python, and by a ratio that
belongs to the package. The ratio is much steadier than the size: two releases of torch three years apart differ by 4 %.
What is not in the table is taken for the average, and versions of Python after 3.13 for 3.13.

Sources: measured with pip 23.0 to 26.3 and uv 0.13.9 on ext4 by ``bench/forecast_wheels.py``; bytecode measured with
CPython 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 over the 17,165 files of 115 wheels,
and of six more with 3.10.13 and 3.11.7 alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from packaging.version import InvalidVersion, Version

from tonnage.forecast.costs.installer_caches import (
    UvPages,
    cacheable_of,
    cacheable_source,
    pdm_needs,
    pip_needs,
    poetry_needs,
    rejected_needs,
    uv_needs,
)
from tonnage.forecast.costs.source_builds import built
from tonnage.forecast.costs.usual_sizes import heaviest
from tonnage.model.forecast.compression import Content, at_most_compressed, compressed
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, at_most, exactly, spread, total
from tonnage.model.forecast.installs import CacheKind
from tonnage.model.forecast.margins import around
from tonnage.model.forecast.python_lock import BLOCK_BYTES, Reading, in_blocks
from tonnage.model.forecast.sized_effects import PiecePart, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.forecast.python_lock import Lock, Other, Sdist, WheelContents, WheelPart

# What uv fetches of a wheel besides, where an index offers its metadata in the wheel alone: its directory, by ranges.
# Source: 0.1 MB for each wheel of an install of six, measured.
_PIECES_BYTES = 200_000
# Name, bytes of bytecode for each byte of source with Python 3.10, the same with 3.11.
_MEASURED = """
accelerate 0.71 1.16 | aiohttp 0.75 1.29 | albumentations 0.88 1.14 | alembic 0.80 1.26 | amqp 0.78 1.14
anyio 0.91 1.49 | asgiref 0.76 1.28 | attrs 0.79 1.14 | beautifulsoup4 0.70 1.00 | billiard 0.84 1.54
boto3 0.73 1.07 | botocore 0.74 1.16 | celery 0.81 1.35 | charset-normalizer 0.63 1.01 | click 0.83 1.23
contourpy 0.81 1.29 | cryptography 0.86 1.37 | cuda-pathfinder 0.74 1.14 | dask 0.88 1.70 | datasets 0.79 1.27
diffusers 0.68 1.07 | django 0.76 1.28 | fastapi 0.52 0.85 | filelock 0.66 1.15 | flask 0.86 1.17
flatbuffers 0.92 1.59 | fonttools 0.73 1.25 | fsspec 0.82 1.41 | gradio 0.78 1.20 | grpcio 0.81 1.20
gunicorn 0.73 1.26 | h11 0.58 0.94 | httpcore 0.80 1.35 | httpcore2 0.81 1.38 | httpx 0.79 1.27 | httpx2 0.82 1.29
huggingface-hub 0.78 1.15 | hydra-core 0.78 1.41 | idna 0.48 0.54 | jinja2 0.87 1.44 | joblib 0.74 1.31
kombu 0.87 1.35 | kubernetes 0.43 0.66 | langchain-core 0.76 1.12 | lxml 0.74 1.18 | mako 0.83 1.40
markdown 0.75 1.23 | markdown-it-py 0.62 1.08 | matplotlib 0.82 1.40 | mmdet 0.73 1.15 | mmengine 0.81 1.20
mmpose 0.71 1.10 | mpmath 0.85 1.49 | multidict 0.88 1.66 | narwhals 0.96 1.41 | networkx 0.87 1.44 | numba 0.85 1.62
numpy 0.84 1.52 | onnx 0.70 1.32 | onnxruntime 0.63 1.15 | openai 0.56 0.83 | opentelemetry-api 0.90 1.28
packaging 0.73 1.10 | pandas 0.80 1.49 | pillow 0.75 1.26 | platformdirs 0.89 1.29 | plotly 0.96 1.16
polars 0.91 1.13 | prompt-toolkit 0.84 1.27 | protobuf 0.58 1.06 | psutil 0.70 1.21 | pyarrow 0.76 1.66
pydantic 0.74 1.14 | pydantic-core 0.84 1.02 | pygments 0.64 0.85 | pymongo 0.79 1.14 | pyparsing 0.82 1.26
pytest 0.82 1.30 | python-dateutil 0.71 1.17 | pytorch-lightning 0.81 1.24 | pytz 0.75 1.06 | pyyaml 0.61 1.23
redis 0.79 1.21 | regex 0.69 1.58 | requests 0.80 1.19 | rich 0.97 1.15 | s3transfer 0.78 1.15
scikit-learn 0.76 1.25 | scipy 0.80 1.36 | seaborn 0.78 1.22 | sentence-transformers 0.80 1.12 | sentry-sdk 0.68 1.20
setuptools 0.73 1.18 | soupsieve 0.70 1.22 | sqlalchemy 0.82 1.19 | sqlparse 0.78 1.39 | starlette 0.91 1.55
statsmodels 0.75 1.22 | streamlit 0.75 1.02 | super-gradients 0.83 1.31 | sympy 0.90 1.84 | tensorboard 0.76 1.11
threadpoolctl 0.77 1.14 | timm 0.73 1.26 | tokenizers 0.79 1.18 | torch 0.69 1.17 | torchmetrics 0.85 1.13
torchvision 0.80 1.29 | tornado 0.87 1.50 | tqdm 0.85 1.41 | transformers 0.71 1.16 | typer 0.78 1.26
typing-extensions 0.71 1.10 | ultralytics 0.85 1.33 | ultralytics-platform 0.51 0.80 | urllib3 0.75 1.15
uvicorn 0.76 1.39 | wcwidth 2.68 1.44 | websockets 0.73 1.12 | werkzeug 0.90 1.32 | xtcocotools 0.61 1.28
yarl 0.63 1.11
"""

RATIOS: dict[str, tuple[float, float]] = {
    name: (float(until_310), float(since_311))
    for name, until_310, since_311 in (
        entry.split() for entry in _MEASURED.replace("\n", "|").split("|") if entry.strip()
    )
}
# Packages of which earlier versions had another ratio: the first version with the one above, and the ratio before that.
# Source: idna 2.10 to 3.15, 0.76 to 1.19 and 0.80 to 0.96.
_EARLIER = {"idna": (Version("3.17"), (0.97, 0.88))}
# What the bytecode of a file has beside what grows with its source: header, names, lines.
_EACH_FILE_BYTES = 310
# The average of all files, for 3.10 and for 3.11.
_AVERAGE = (0.78, 1.31)
# Which of the two ratios a version goes by, and the line from that to its own.
_OLD, _NEW = 0, 1
_LINES = {
    (3, 8): (_OLD, -0.014, 1.017),
    (3, 9): (_OLD, -0.015, 1.018),
    (3, 10): (_OLD, 0.0, 1.0),
    (3, 11): (_NEW, 0.0, 1.0),
    (3, 12): (_NEW, 0.15, 0.798),
    (3, 13): (_NEW, 0.168, 0.774),
}
_MEASURED_SPREAD, _AVERAGE_SPREAD, _UNSEEN_VERSION_SPREAD = 0.06, 0.3, 0.06
# Unpacked by compressed bytes was 1.3 to 6.3 over the wheels of machine-learning stacks, 3 in the middle.
RATIO_LOW, RATIO_LIKELY, RATIO_HIGH = 1, 3, 7
# A command that an installer writes: a first line that names the interpreter, and ten lines of Python.
_SCRIPT_BYTES = {False: 240, True: 320}
# INSTALLER and, for what was asked for by name, an empty REQUESTED.
_INSTALLER_BYTES = {False: 4, True: 2}
_PYC_PATH_BYTES = len("__pycache__/.cpython-311.pyc,,\n")
_MARGIN_IMAGE_BYTES, _MARGIN_DISK_BYTES = 1024, 2 * BLOCK_BYTES
# Compressed as one layer by compressed in wheels, in per cent: small files share what repeats in them.
# Source: 45 wheels of 14 kB to 40 MB.
_OF_SMALL, _OF_LARGE = (50, 89, 106), (96, 100, 102)
# The same of a wheel that was not read, with its bytecode.
_UNREAD = (90, 120, 330)
# A wheel of which not even the size is known.
_UNSEEN_BYTES = 500_000_000


class Bytecode(Struct, frozen=True):
    """The bytecode of one package: its bytes, and the blocks that they take."""

    image: Estimate
    disk: Estimate


def bytecode(name: str, python_file_bytes: Sequence[int], minor: tuple[int, int], *, released: str = "") -> Bytecode:
    """Return how large the bytecode of a package becomes.

    Args:
        released: The version of the package; empty for a new one.
    """
    if not python_file_bytes:
        return Bytecode(NOTHING, NOTHING)
    version = min(max(minor, min(_LINES)), max(_LINES))
    which, offset, slope = _LINES[version]
    measured = RATIOS.get(name)
    if name in _EARLIER and released and _is_before(released, _EARLIER[name][0]):
        average, measured = _EARLIER[name][1], None
    else:
        average = _AVERAGE
    ratio = offset + slope * (measured or average)[which]
    sizes = [int(_EACH_FILE_BYTES + ratio * size) for size in python_file_bytes]
    part = _MEASURED_SPREAD if measured else _AVERAGE_SPREAD
    if minor != version:
        part += _UNSEEN_VERSION_SPREAD
    content_bytes = sum(sizes)
    # The average is nobody's count: a package apart from the table was a third off.
    counted = measured is not None
    return Bytecode(
        _spread_by(content_bytes, part, counted=counted), _spread_by(sum(map(in_blocks, sizes)), part, counted=counted)
    )


def _is_before(released: str, first: Version) -> bool:
    try:
        return Version(released) < first
    except InvalidVersion:
        return False


def _spread_by(count_bytes: int, part: float, *, counted: bool) -> Estimate:
    if counted:
        return around(count_bytes, int(count_bytes * part))
    return spread(int(count_bytes * (1 - part)), count_bytes, int(count_bytes * (1 + part)), Grade.DECLARED)


class Installation(Struct, frozen=True, kw_only=True):
    """What one installation does.

    Args:
        pieces: What each wheel becomes, heaviest first; what is unknown has a bound for a figure.
        cache: What the installer's cache keeps; ``image`` is nothing where it lies outside of the layer.
        transient: What is needed on top of both while it works and given back at its end.
    """

    pieces: tuple[WrittenBytes, ...]
    cache: WrittenBytes
    transient: Estimate
    inodes: int

    @property
    def image(self) -> Estimate:
        """What the layer grows by, as ``docker images`` counts it; with the installer's cache where it is in it."""
        return total(piece.image for piece in (*self.pieces, self.cache))

    @property
    def disk(self) -> Estimate:
        """What the disk keeps, the cache of the installer included wherever it lies."""
        return total(piece.disk for piece in (*self.pieces, self.cache))

    @property
    def download(self) -> Estimate:
        """What is fetched."""
        return total(piece.download for piece in self.pieces)


def installed(
    lock: Lock,
    contents: Sequence[WheelContents],
    *,
    uv: bool,
    compiles: bool,
    cache: CacheKind = CacheKind.NONE,
    copies: bool = False,
    poetry: bool = False,
    pdm: bool = False,
    pages: UvPages = UvPages.SMALL,
    assumed_bytes: int = 500_000_000,
    here: Collection[str] = (),
    reads_apart: bool | None = None,
) -> Installation:
    """Return what installing a lock costs.

    Args:
        here: Names of wheels that are files already: they are not fetched.
        reads_apart: Whether pip reads what wheels need apart from them where it can; None where nobody knows.
    """
    minor = lock.target.minor
    pieces = _once([_piece(each, minor, uv=uv, compiles=compiles) for each in contents], contents)
    pieces = [
        replace(piece, download=NOTHING) if each.wheel.name in here else piece
        for piece, each in zip(pieces, contents, strict=True)
    ]
    archives: tuple[Sdist | Other, ...] = (*lock.sdists, *lock.others)
    from_source = [built(each, assumed_bytes) for each in archives]
    unpacked = total(_unpacked_disk(each) for each in contents)
    fetched = total(piece.download for piece in pieces)
    cacheable = total(cacheable_of(piece, each) for piece, each in zip(pieces, contents, strict=True))
    if uv:
        files = total(_spread_of(each, each.content_bytes) for each in contents)
        # A directory is no link.
        again = unpacked if copies or cache is CacheKind.MOUNTED else _directories(contents)
        kept, transient = uv_needs(files, again, len(contents), pages, cache, copies=copies)
    elif poetry:
        kept, transient = poetry_needs(fetched + total(piece.download for piece in from_source), len(contents), cache)
    elif pdm:
        fetched += total(piece.download for piece in from_source)
        kept, transient = pdm_needs(fetched, cacheable, len(contents), cache)
    else:
        rejected = rejected_needs(lock.rejected, assumed_bytes, reads_apart=reads_apart)
        passed_over = total(piece.download for piece in rejected)
        pieces, fetched = [*pieces, *rejected], fetched + passed_over
        # One server has them all.
        if any(each.cacheable is not False for each in contents):
            cacheable += passed_over
        cacheable += total(map(cacheable_source, from_source, archives))
        kept, transient = pip_needs(fetched, cacheable, len(contents), cache)
    return Installation(
        pieces=tuple(sorted((*pieces, *from_source), key=lambda piece: -piece.disk.likely_bytes)),
        cache=kept,
        transient=transient + total(piece.transient for piece in from_source),
        inodes=sum(_inodes(each, compiles=compiles) for each in contents),
    )


def _once(pieces: Sequence[WrittenBytes], contents: Sequence[WheelContents]) -> list[WrittenBytes]:
    """Return the pieces without what another wheel before them has at the same paths: it is written over."""
    seen: set[tuple[str, str]] = set()
    found = []
    for piece, each in zip(pieces, contents, strict=True):
        parts = {(part.path, part.digest) for part in each.parts}
        twice = {path for path, _ in parts & seen}
        seen |= parts
        again = [part for part in piece.parts if part.path in twice] if twice else []
        if not again:
            found.append(piece)
            continue
        image_bytes = sum(part.image_bytes + part.bytecode_bytes for part in again)
        disk_bytes = sum(part.disk_bytes + part.bytecode_disk_bytes for part in again)
        kept = tuple(part for part in piece.parts if part not in again)
        image, disk = _less(piece.image, image_bytes), _less(piece.disk, disk_bytes)
        found.append(replace(piece, image=image, disk=disk, parts=kept))
    return found


def _less(estimate: Estimate, count_bytes: int) -> Estimate:
    return estimate.each(lambda each: max(0, each - count_bytes))


# Lint forecasts a stack with each fix, and nearly every wheel is the same each time.
@lru_cache(4096)
def _piece(contents: WheelContents, minor: tuple[int, int], *, uv: bool, compiles: bool) -> WrittenBytes:
    wheel = contents.wheel
    image, disk = _spread_of(contents, contents.content_bytes), _unpacked_disk(contents)
    python_bytes = contents.python_file_bytes
    compiled = bytecode(wheel.name, python_bytes, minor, released=wheel.version) if compiles else None
    added = _INSTALLER_BYTES[uv] + contents.console_scripts * _SCRIPT_BYTES[uv]
    if compiled is not None and contents.python_file_bytes:
        record = contents.python_path_bytes + len(contents.python_file_bytes) * _PYC_PATH_BYTES
        added += record
        image += compiled.image
        disk += compiled.disk + exactly(contents.bytecode_directory_bytes + in_blocks(record))
    if contents.exact:
        image += around(added, contents.content_bytes // 1000 + _MARGIN_IMAGE_BYTES)
        disk += around((1 + contents.console_scripts) * BLOCK_BYTES, disk.likely_bytes // 500 + _MARGIN_DISK_BYTES)
    return WrittenBytes(
        name=f"{wheel.name} {wheel.version}",
        # The margin of a tiny wheel is larger than the wheel.
        image=replace(image, low_bytes=max(0, image.low_bytes)),
        disk=replace(disk, low_bytes=max(0, disk.low_bytes)),
        # pip learns what a wheel needs from the wheel itself; uv asks before, and fetches the wheel afterwards.
        download=_download(wheel.size_bytes, contents) + (_looked_at(wheel.metadata_bytes) if uv else NOTHING),
        compressed=_compressed(contents, compiled, added),
        parts=_parts(contents, compiled),
        source=contents.reading.value if contents.exact else f"{contents.reading.value}: {contents.reason}",
    )


def _looked_at(metadata_bytes: int) -> Estimate:
    """Return what uv fetches to learn what a wheel needs: its metadata, or pieces of the wheel where they are in it."""
    return Estimate(metadata_bytes, metadata_bytes, metadata_bytes + _PIECES_BYTES, Grade.DECLARED)


def _parts(contents: WheelContents, compiled: Bytecode | None) -> tuple[PiecePart, ...]:
    """Return the parts of an installed wheel, below the place where it is installed."""
    python_bytes = sum(contents.python_file_bytes) or 1
    image_bytes, disk_bytes = (compiled.image.likely_bytes, compiled.disk.likely_bytes) if compiled else (0, 0)

    def part(of: WheelPart, path: str, kind: str) -> PiecePart:
        return PiecePart(
            path=path,
            kind=kind,
            image_bytes=of.content_bytes,
            disk_bytes=of.block_bytes,
            bytecode_bytes=image_bytes * of.python_bytes // python_bytes,
            bytecode_disk_bytes=disk_bytes * of.python_bytes // python_bytes,
        )

    directories = contents.bytecode_directory_bytes if compiled else 0
    bytecodes = PiecePart(kind="bytecode", bytecode_bytes=image_bytes, bytecode_disk_bytes=disk_bytes + directories)
    found = (*(part(each, each.path, "") for each in contents.parts), part(contents.tests, "", "tests"), bytecodes)
    return found if contents.exact else ()


def _compressed(contents: WheelContents, compiled: Bytecode | None, added_bytes: int) -> Estimate:
    """Return what an installed wheel takes in a compressed layer: its files as in the wheel, and its bytecode."""
    if not contents.exact:
        fetched = _download(contents.wheel.size_bytes, contents)
        low, likely, high = (figure * part // 100 for figure, part in zip(_figures(fetched), _UNREAD, strict=True))
        return spread(low, likely, high, Grade.UNKNOWN)
    low, likely, high = (
        (contents.small_packed_bytes * of_small + contents.packed_bytes * of_large) // 100 + added_bytes // 3
        for of_small, of_large in zip(_OF_SMALL, _OF_LARGE, strict=True)
    )
    unknown = compressed(exactly(contents.stored_bytes))
    bytecodes = compressed(compiled.image, Content.BYTECODE) if compiled is not None else NOTHING
    return Estimate(low, likely, at_most_compressed(high), Grade.DECLARED) + unknown + bytecodes


def _figures(estimate: Estimate) -> tuple[int, int, int]:
    return estimate.low_bytes, estimate.likely_bytes, estimate.high_bytes


def _spread_of(contents: WheelContents, count_bytes: int) -> Estimate:
    """Return a figure of a wheel with what is known of it: exact where it was read, else a ratio of its size."""
    if contents.exact:
        return exactly(count_bytes)
    size_bytes = contents.wheel.size_bytes
    if size_bytes is None:
        return _unseen(contents)
    return spread(size_bytes * RATIO_LOW, size_bytes * RATIO_LIKELY, size_bytes * RATIO_HIGH, Grade.UNKNOWN)


def _unseen(contents: WheelContents) -> Estimate:
    """Return a bound for a wheel that nobody told anything of."""
    wheel = contents.wheel
    return assumed(max(_UNSEEN_BYTES, heaviest([wheel.name], for_cpu="+cpu" in wheel.version)))


def _directories(contents: Sequence[WheelContents]) -> Estimate:
    return total(at_most(each.directory_bytes) for each in contents)


def _unpacked_disk(contents: WheelContents) -> Estimate:
    return _spread_of(contents, contents.block_bytes + contents.directory_bytes)


def _download(size_bytes: int | None, contents: WheelContents) -> Estimate:
    if size_bytes is not None:
        return exactly(size_bytes)
    if contents.reading is Reading.NOTHING:
        return _unseen(contents)
    unpacked = contents.content_bytes
    return spread(unpacked // RATIO_HIGH, unpacked // RATIO_LIKELY, unpacked, Grade.UNKNOWN)


def _inodes(contents: WheelContents, *, compiles: bool) -> int:
    compiled = len(contents.python_file_bytes) + contents.python_directories if compiles else 0
    return contents.files + contents.directories + contents.console_scripts + 2 + compiled
