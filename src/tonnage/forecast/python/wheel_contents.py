"""From the directory of a wheel's zip file to what lies inside it. Knows no network; reads through a file object.

Sources: the binary distribution format (PEP 427) for what the names mean; the layout of ext4 directories
(Linux 6.1, fs/ext4: linear directories, hashed ones above one block).
"""

from __future__ import annotations

import configparser
import hashlib
import stat
import zipfile
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.python_lock import BLOCK_BYTES, Reading, WheelContents, WheelPart, in_blocks
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.forecast.python_lock import Wheel

_MOST_ENTRY_POINTS_BYTES = 262144
_MOST_METADATA_BYTES = 4 << 20
# PATH_MAX; and the 2,500 directories of the largest wheels have paths of 150,000 characters together.
_LONGEST_PATH, _MOST_PATH_CHARACTERS = 4096, 16 << 20
# What compresses better together: gzip looks back over 32 KiB.
_SMALL_BYTES = 65_536
_TESTS = frozenset({"test", "tests"})
# Large wheels have some hundred.
_MOST_PARTS = 5_000
_PYC_NAME_BYTES = len(".cpython-311")
# A hashed directory grows by splitting full blocks in two, so its blocks are filled to ln 2 on average.
_HASHED_FILL = 0.69


def contents_of(wheel: Wheel, archive: zipfile.ZipFile) -> WheelContents:
    """Return what lies inside a wheel.

    Raises:
        ValueError: Its directory tells of what no wheel has.
    """
    members = [(info.filename, info.file_size) for info in archive.infolist() if not info.filename.endswith("/")]
    if told_count(sum(size_bytes for _, size_bytes in members)) is None:
        raise ValueError("its files are larger than any disk")
    found = _summary(wheel, members, _console_scripts(archive, members))
    return replace(found, **_packed(archive), alike=_is_alike(archive))


def _is_alike(archive: zipfile.ZipFile) -> bool:
    """Return whether pip and uv make the same files of a wheel.

    pip makes programs of regular files alone; uv goes by what is written. Source: pip 26.3, ``unpacking.py``, and uv
    0.13.9; seen with protobuf 5.29. Directories for which there is no file (ninja 1.11, triton 2.3) are made by uv
    alone, and removed where wheels are shared.
    """
    modes = (info.external_attr >> 16 for info in archive.infolist() if not info.is_dir())
    return not any(mode & 0o111 and not stat.S_ISREG(mode) for mode in modes)


def _packed(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return what the files of a wheel take compressed; no more than without."""
    found = {"small_packed_bytes": 0, "packed_bytes": 0, "stored_bytes": 0}
    for info in archive.infolist():
        if info.compress_type == zipfile.ZIP_STORED:
            found["stored_bytes"] += info.file_size
        else:
            name = "small_packed_bytes" if info.file_size <= _SMALL_BYTES else "packed_bytes"
            found[name] += min(info.compress_size, info.file_size)
    return found


def metadata_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """Return the part in which a wheel says what it is and what it needs.

    Returns:
        Its ``METADATA``; None where it has none, or one that is too large to be one.
    """
    # It is near the end by convention, and a wheel can have thousands of files.
    for info in reversed(archive.infolist()):
        top, _, leaf = info.filename.partition("/")
        if leaf == "METADATA" and top.endswith(".dist-info") and info.file_size <= _MOST_METADATA_BYTES:
            return info
    return None


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a small part of a wheel, no further than the directory says that it goes.

    Raises:
        ValueError: It goes further, or is packed in a way that wheels are not.
    """
    # Of other ways, what comes of a little cannot be bounded. Source: CPython 3.11, ``zipfile.py``.
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError("it is packed in a way that wheels are not")
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ValueError("it is not as large as the directory says")
    return content


def directory_bytes(name_bytes: Iterable[int]) -> int:
    """Return what one directory of ext4 takes for entries with names of these lengths."""
    entries = sum(8 + -(-length // 4) * 4 for length in name_bytes)
    if entries + 24 + 12 <= BLOCK_BYTES:
        return BLOCK_BYTES
    leaves = -(-entries // int((BLOCK_BYTES - 12) * _HASHED_FILL))
    return BLOCK_BYTES * (1 + max(2, leaves))


def _summary(wheel: Wheel, members: list[tuple[str, int]], commands: tuple[str, ...]) -> WheelContents:
    """Sum up the members of a wheel as they will lie on the disk."""
    below: dict[str, set[str]] = defaultdict(set)
    compiled: dict[str, list[int]] = defaultdict(list)
    python_file_bytes = []
    path_bytes = 0
    left = _MOST_PATH_CHARACTERS
    for name, size_bytes in members:
        path = _placed(name)
        if len(path) > _LONGEST_PATH:
            raise ValueError("it has a path that is longer than a path can be")
        left -= _add_path(below, path)
        if left < 0:
            raise ValueError("it has more directories than a wheel can have")
        if path.endswith(".py"):
            directory, _, leaf = path.rpartition("/")
            python_file_bytes.append(size_bytes)
            compiled[directory].append(len(leaf.encode()) + _PYC_NAME_BYTES + 1)
            path_bytes += len(path.encode())
    return WheelContents(
        wheel=wheel,
        files=len(members),
        directories=len(below) - 1,
        content_bytes=sum(size_bytes for _, size_bytes in members),
        block_bytes=sum(in_blocks(size_bytes) for _, size_bytes in members),
        directory_bytes=sum(
            directory_bytes(len(leaf.encode()) for leaf in leaves) for path, leaves in below.items() if path
        ),
        python_file_bytes=tuple(sorted(python_file_bytes)),
        python_directories=len(compiled),
        bytecode_directory_bytes=sum(directory_bytes(names) for names in compiled.values()),
        python_path_bytes=path_bytes,
        console_scripts=len(commands),
        commands=tuple(sorted(set(commands))),
        parts=_parts(members),
        tests=_part("", [each for each in members if _TESTS & set(each[0].split("/")[:-1])]),
        reading=Reading.DIRECTORY,
    )


def _parts(members: Sequence[tuple[str, int]]) -> tuple[WheelPart, ...]:
    below: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, size_bytes in members:
        path = _placed(name)
        below["/".join(path.split("/")[:2])].append((path, size_bytes))
    return tuple(_part(path, files) for path, files in below.items()) if len(below) <= _MOST_PARTS else ()


def _part(path: str, files: Sequence[tuple[str, int]]) -> WheelPart:
    return WheelPart(
        path,
        sum(size_bytes for _, size_bytes in files),
        sum(in_blocks(size_bytes) for _, size_bytes in files),
        sum(size_bytes for name, size_bytes in files if name.endswith(".py")),
        hashlib.sha256("\n".join(sorted(name for name, _ in files)).encode(errors="surrogatepass")).hexdigest()[:12],
    )


def _add_path(below: dict[str, set[str]], path: str) -> int:
    """Note a file in its directory, and each new directory in the one above it.

    Returns:
        How long the paths of the new directories are together.
    """
    added = 0
    directory, _, leaf = path.rpartition("/")
    while directory not in below or leaf not in below[directory]:
        added += len(directory) if directory not in below else 0
        below[directory].add(leaf)
        if not directory:
            break
        directory, _, leaf = directory.rpartition("/")
    return added


def _placed(name: str) -> str:
    """Return where a member of a wheel goes: ``NAME.data/SCHEME/PATH`` goes elsewhere."""
    first, _, rest = name.partition("/")
    if not (first.endswith(".data") and rest):
        return name
    scheme, _, path = rest.partition("/")
    # What belongs beside the packages merges with them; everything else goes to a directory of its own.
    return path if scheme in {"purelib", "platlib"} else f"{scheme}/{path}"


def _console_scripts(archive: zipfile.ZipFile, members: list[tuple[str, int]]) -> tuple[str, ...]:
    """Return the commands that the entry points of a wheel make."""
    for name, size_bytes in members:
        top, _, leaf = name.partition("/")
        if top.endswith(".dist-info") and leaf == "entry_points.txt" and size_bytes <= _MOST_ENTRY_POINTS_BYTES:
            try:
                text = read_member(archive, archive.getinfo(name)).decode("utf-8", "replace")
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error):
                return ()
            return _commands(text)
    return ()


def _commands(text: str) -> tuple[str, ...]:
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return ()
    sections = (name for name in ("console_scripts", "gui_scripts") if parser.has_section(name))
    return tuple(command for name in sections for command in parser.options(name))


def guessed(wheel: Wheel, reason: str) -> WheelContents:
    """Return the contents of a wheel of which only the compressed size is known, if that."""
    if wheel.size_bytes is None:
        return WheelContents(wheel=wheel, reading=Reading.NOTHING, reason=reason)
    content_bytes = wheel.size_bytes * _RATIO_TIMES_100 // 100
    return replace(
        WheelContents(wheel=wheel, reading=Reading.RATIO, reason=reason),
        files=1,
        content_bytes=content_bytes,
        block_bytes=in_blocks(content_bytes),
    )


# Unpacked by compressed bytes was 1.3 to 6.3 over the wheels of machine-learning stacks, 3 in the middle.
_RATIO_TIMES_100 = 300
