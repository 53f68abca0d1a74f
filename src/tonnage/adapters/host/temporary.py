"""Where programs put what they need for a moment, told without writing anything: the disk may be full.

Python's own answer tries out each directory by writing to it, and fails when none can be written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_USUAL = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - only told


def temporary_directory(environment: Mapping[str, str]) -> str:
    """Return the directory for temporary files, by the order of :mod:`tempfile`.

    Args:
        environment: That of this process.

    Returns:
        An absolute path of a directory; the working directory where there is no other.
    """
    named = (environment.get(name, "") for name in _VARIABLES)
    found = next((each for each in (*named, *_USUAL) if each and os.path.isdir(each)), ".")  # noqa: PTH112
    return os.path.abspath(found)  # noqa: PTH100
