"""Two calls of Linux that Python has no name for: opening within one mount, and giving way to others at the disk.

Where the kernel, or a sandbox, does not know a call, that is told, and there is another way or none.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_OPENAT2 = 437
"""The same on every architecture but Alpha. Source: openat2(2), since Linux 5.6; include/uapi/asm-generic/unistd.h."""
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "loongarch64": 30, "ppc64le": 273, "s390x": 282}
"""Source: ioprio_set(2); the tables of system calls in Linux 6.12."""
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS = 0x01, 0x02, 0x04
"""Source: openat2(2), the values of RESOLVE_* in include/uapi/linux/openat2.h."""
_ONE_THREAD, _IDLE = 1, 3 << 13
"""IOPRIO_WHO_PROCESS and IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0). Source: ioprio_set(2)."""
_UNKNOWN = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL})


class _How(ctypes.Structure):
    """struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_within_mount(name: str, flags: int, directory_fd: int) -> int:
    """Open a name in a directory, unless something is mounted there or it is a symbolic link.

    Raises:
        OSError: As of ``os.open``; with EXDEV where something is mounted.
        NotImplementedError: This kernel, or what guards it, does not know the call.
    """
    call, how = _system(*_OPENAT2_TAKES), _how(flags)
    while True:
        fd: int = call(_OPENAT2, directory_fd, os.fsencode(name), how, _HOW_BYTES)
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code in _UNKNOWN:
            raise NotImplementedError
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code), name)


def yield_at_disk(thread: int) -> None:
    """Let everybody else go first to the disk; nothing happens where that cannot be asked for.

    Args:
        thread: The number that the kernel has for a thread.
    """
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        _system(*_IOPRIO_SET_TAKES)(number, _ONE_THREAD, thread, _IDLE)


_HOW_BYTES = ctypes.sizeof(_How)
_OPENAT2_TAKES = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
_IOPRIO_SET_TAKES = (ctypes.c_long,) * 4


@cache
def _how(flags: int) -> ctypes.Array[ctypes.c_char]:
    """Return what openat2 is asked for, as bytes that it only reads."""
    how = _How(flags, 0, _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS)
    return ctypes.create_string_buffer(bytes(how), _HOW_BYTES)


@cache
def _system(*takes: type) -> Callable[..., int]:
    """Return the C library's ``syscall`` for arguments of such types: each is as wide as the kernel reads it."""
    call = ctypes.CDLL(None, use_errno=True)["syscall"]
    call.argtypes, call.restype = takes, ctypes.c_long
    return call
