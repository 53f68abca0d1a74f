"""Reads a log as it was saved or downloaded: its end, unpacked, as text. Knows nothing of what stands in it."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.unpacking import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

_LONGEST_BYTES = 64 * 2**20
"""So much of the end is looked at: what ended a job stands there."""
_PIECE_BYTES = 2**20
_MOST_UNPACKED_BYTES = 2 * 2**30
_MOST_MEMBERS = 2_000
_PACKED = ((b"\x1f\x8b", ".gz"), (b"\xfd7zXZ\0", ".xz"), (b"BZh", ".bz2"))
_ZIP = b"PK\x03\x04"
_LONGEST_MAGIC = 6
_LOOKED_AT_BYTES = 2**16
_OF_TEXT = frozenset({*range(0x20, 0x100), *b"\t\n\r\f\b\x1b"})
_MOST_FOREIGN, _FEW_FOREIGN_BYTES = 0.05, 100
_LITTLE_ENDIAN, _BIG_ENDIAN = b"\xff\xfe", b"\xfe\xff"
_FEW_LETTERS = 0.3


def lines_of(stream: BinaryIO, name: str) -> Iterable[str]:
    """Read a log.

    Args:
        stream: Where it comes from; a file or a pipe.
        name: What it is called, for people.

    Returns:
        Its lines, decoded one after the other: beside its bytes nothing as large as the log is held.

    Raises:
        OSError: It cannot be read.
        UsageError: It is empty, not text, or an archive that cannot be unpacked.
    """
    begin = stream.read(_LONGEST_MAGIC)
    content = _end(_unpacked(begin, stream, name)).lstrip(b"\0")
    if not content.strip():
        raise UsageError(
            f"the log {name} is empty",
            why="There is nothing to explain in it.",
            todo="A builder writes what went wrong to standard error:\n  docker build . 2>&1 | tonnage explain -",
        )
    encoding = _encoding_of(content)
    if encoding == "utf-8-sig" and _is_foreign(content[:_LOOKED_AT_BYTES]):
        raise UsageError(
            f"the log {name} is not text",
            why="It is a program, an image, or an archive of another kind.",
            todo="Unpack it and name the log in it.",
        )
    marked = content.startswith((_LITTLE_ENDIAN, _BIG_ENDIAN)) and encoding != "utf-8-sig"
    return io.TextIOWrapper(io.BytesIO(content[2:] if marked else content), encoding=encoding, errors="replace")


def _unpacked(begin: bytes, stream: BinaryIO, name: str) -> Iterator[bytes]:
    if begin.startswith(_ZIP):
        return _of_zip(begin, stream, name)
    suffix = next((each for magic, each in _PACKED if begin.startswith(magic)), "")
    if not suffix:
        return _plain(begin, stream)
    return _of_stream(begin, stream, suffix, name)


def _plain(begin: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield a file from where its end begins: what stands before is not read."""
    if stream.seekable():
        end = stream.seek(0, io.SEEK_END)
        # Both bytes of a letter that has two are on the same side.
        stream.seek(max(0, (end - _LONGEST_BYTES) & ~1))
    else:
        yield begin
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _of_stream(begin: bytes, stream: BinaryIO, suffix: str, name: str) -> Iterator[bytes]:
    waiting = [begin]
    try:
        yield from _of_bounded_size(pieces(lambda size: waiting.pop() if waiting else stream.read(size), suffix))
    except (EOFError, ValueError, zlib.error) as error:
        raise _not_unpacked(name, str(error)) from error


def _of_zip(begin: bytes, stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the logs in a zip: GitHub gives one of each job, and in directories those of its steps once more."""
    packed: BinaryIO = stream
    if not stream.seekable():
        rest = stream.read(_LONGEST_BYTES)
        if len(rest) == _LONGEST_BYTES:
            raise _not_unpacked(name, "it is larger than 64 MiB and comes from a pipe")
        packed = io.BytesIO(begin + rest)
    try:
        with zipfile.ZipFile(packed) as archive:
            yield from _of_bounded_size(_of_members(archive))
    except (zipfile.BadZipFile, EOFError, ValueError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise _not_unpacked(name, str(error)) from error


def _of_members(archive: zipfile.ZipFile) -> Iterator[bytes]:
    members = [each for each in archive.infolist() if not each.is_dir()][:_MOST_MEMBERS]
    jobs = [each for each in members if "/" not in each.filename and each.filename.endswith((".txt", ".log"))]
    for each in sorted(jobs or members, key=_in_order):
        with archive.open(each) as member:
            yield from iter(partial(member.read, _PIECE_BYTES), b"")
        yield b"\n"


def _of_bounded_size(read: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what is unpacked, which may be without end."""
    all_bytes = 0
    for piece in read:
        all_bytes += len(piece)
        if all_bytes > _MOST_UNPACKED_BYTES:
            raise ValueError("it holds more than 2 GiB")
        yield piece


def _in_order(member: zipfile.ZipInfo) -> tuple[int, str]:
    """Return where a member stands: GitHub puts numbers in front of names."""
    number = member.filename.rpartition("/")[2].partition("_")[0]
    return (int(number) if number.isdecimal() and number.isascii() else 0, member.filename)


def _not_unpacked(name: str, why: str) -> UsageError:
    return UsageError(
        f"the log {name} cannot be unpacked", why=f"{why}.", todo="Unpack it, and name the log of the job that failed."
    )


def _end(read: Iterable[bytes]) -> bytes:
    """Return the end of what may be more than fits into memory."""
    held: deque[bytes] = deque()
    held_bytes = 0
    for piece in read:
        held.append(piece)
        held_bytes += len(piece)
        while held_bytes - len(held[0]) >= _LONGEST_BYTES:
            held_bytes -= len(held.popleft())
    if held_bytes > _LONGEST_BYTES:
        # An even number, for letters of two bytes.
        held[0] = held[0][(held_bytes - _LONGEST_BYTES) & ~1 :]
    return b"".join(held)


def _encoding_of(content: bytes) -> str:
    """Return how a log is written: PowerShell redirects into letters of two bytes."""
    begin = content[:_LOOKED_AT_BYTES]
    if begin.startswith(_LITTLE_ENDIAN) or _is_of_two_bytes(begin, 1):
        return "utf-16-le"
    if begin.startswith(_BIG_ENDIAN) or _is_of_two_bytes(begin, 0):
        return "utf-16-be"
    return "utf-8-sig"


def _is_of_two_bytes(begin: bytes, empty: int) -> bool:
    """Return whether nearly every second byte is empty, and the others are not."""
    half = len(begin) // 2
    if not half:
        return False
    return begin[empty::2].count(0) > (1 - _FEW_LETTERS) * half and begin[1 - empty :: 2].count(0) < _FEW_LETTERS * half


def _is_foreign(begin: bytes) -> bool:
    return sum(each not in _OF_TEXT for each in begin) > max(_MOST_FOREIGN * len(begin), _FEW_FOREIGN_BYTES)
