"""Which blocks a file lies in, and having two files share theirs, as the kernel of Linux does both.

Sharing compares the bytes in the kernel, with both files held still, and changes nothing where they differ: no content,
no time and no right of a file is another one afterwards. A program that has one of them open or mapped goes on reading
the same bytes.

Source: Linux, ``include/uapi/linux/fiemap.h``, ``fs.h`` and ``btrfs.h``, and the manual page
``ioctl_fideduperange(2)``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

from tonnage.errors import CannotReclaimError

_FIEMAP = 0xC020660B
_FIDEDUPERANGE = 0xC0189436
_HEAD = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_MOST_EXTENTS = 256
_LAST, _UNKNOWN, _DELAYED, _ENCODED, _INLINE = 0x1, 0x2, 0x4, 0x8, 0x200
_RANGE = struct.Struct("=QQHHLqQQlL")
_BTRFS_SYNC = 0x9408
_SAME = 0
_AT_ONCE_BYTES = 16 << 20
"""Filesystems take less than they are given, and some no more than this."""


def extents(handle: int) -> tuple[tuple[int, int, int], ...] | None:
    """Return where a file lies on its disk.

    Args:
        handle: The open file.

    Returns:
        Offset, place and bytes of each piece; None where the filesystem does not tell, or where there are very many.
    """
    asked = _HEAD.pack(0, 0xFFFF_FFFF_FFFF_FFFF, 0, 0, _MOST_EXTENTS, 0)
    buffer = bytearray(asked + bytes(_EXTENT.size * _MOST_EXTENTS))
    try:
        fcntl.ioctl(handle, _FIEMAP, buffer)
    except OSError:
        return None
    mapped = _HEAD.unpack_from(buffer)[3]
    found = []
    last = False
    for place in range(mapped):
        logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _HEAD.size + place * _EXTENT.size)
        if flags & (_UNKNOWN | _DELAYED | _INLINE):
            return None
        last = bool(flags & _LAST)
        found.append((logical, physical, length))
    return tuple(found) if last else None


def written_down(handle: int, filesystem: str) -> None:
    """Wait until blocks that nobody has any more are available: btrfs gives them back with its next transaction."""
    if filesystem == "btrfs":
        with contextlib.suppress(OSError):
            fcntl.ioctl(handle, _BTRFS_SYNC)


def share(source: int, target: int, size_bytes: int) -> bool:
    """Have one file use the blocks of another one of the same content.

    Args:
        source: The open file whose blocks stay.
        target: The open file whose own blocks are given back.
        size_bytes: The size of both.

    Returns:
        Whether all of it is shared now; not where the two differ, or where one is in use in a way that forbids it.

    Raises:
        CannotReclaimError: The filesystem cannot share blocks.
    """
    offset = 0
    while offset < size_bytes:
        wanted = min(_AT_ONCE_BYTES, size_bytes - offset)
        buffer = bytearray(_RANGE.pack(offset, wanted, 1, 0, 0, target, offset, 0, 0, 0))
        try:
            fcntl.ioctl(source, _FIDEDUPERANGE, buffer)
        except OSError as error:
            if error.errno in {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV}:
                raise CannotReclaimError(
                    "the filesystem cannot share blocks", why=error.strerror or os.strerror(error.errno)
                ) from error
            return False
        *_, shared_bytes, status, _ = _RANGE.unpack(buffer)
        if status < _SAME and -status in {errno.EOPNOTSUPP, errno.ENOSYS}:
            raise CannotReclaimError("the filesystem cannot share blocks", why=os.strerror(-status))
        if status != _SAME or not shared_bytes:
            return False
        offset += shared_bytes
    return True
