"""Whether the pip of an image reads what a wheel needs apart from the wheel, where the index offers that (PEP 658).

It does since 23.2. Which pip there is follows from what the build installed, from the variables of official images, or
from their Python: 3.12 and newer, and late ones of 3.11, came with 23.2 or newer, earlier ones with 23.0 or older.

Source: ``PYTHON_PIP_VERSION`` of the official images for Python 3.8 to 3.13; changelog of pip 23.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from tonnage.forecast.gather.stage_python import Installed
    from tonnage.model.forecast.base_image import BaseImage

_APART = (23, 2)
_NUMBERS = regex(r"\d+(?:\.\d+)*")
_OFFICIAL = regex(r"(?:docker\.io/)?(?:library/)?python:(?P<version>3(?:\.\d+)*)(?:[-@].*)?")
# The last of 3.11 that came with an older pip.
_OLD, _NEW, _LAST_OLD_PATCH = (3, 10), (3, 12), 4


def pip_reads_apart(base: BaseImage | None, name: str) -> bool | None:
    """Return whether pip of an image does so; None where nobody knows.

    Args:
        name: What the image is called, which tells where it cannot be had.
    """
    if base is not None:
        told = base.config.environment.get("PYTHON_PIP_VERSION", "")
        version = base.config.environment.get("PYTHON_VERSION", "")
        return _numbers(told) >= _APART if _NUMBERS.fullmatch(told) else _by_python(version)
    match = _OFFICIAL.fullmatch(name)
    return None if match is None else _by_python(match["version"])


def reads_apart(of_image: bool | None, present: dict[str, Installed], environment: str) -> bool | None:  # noqa: FBT001 - what was found of the image
    """Return whether the pip of an install does so; None where nobody knows.

    Args:
        present: What the build has installed beside it.
        environment: The virtual environment that it belongs to, with a pip of its own; empty for the image's.
    """
    own = present.get("pip")
    if own is not None:
        return _numbers(own.version) >= _APART if own.certain and _NUMBERS.fullmatch(own.version) else None
    # What makes an environment may bring a newer one.
    return None if environment and not of_image else of_image


def _by_python(version: str) -> bool | None:
    if not _NUMBERS.fullmatch(version):
        return None
    numbers = _numbers(version)
    if numbers[:2] >= _NEW or len(numbers) < 2:  # noqa: PLR2004 - major and minor
        return True
    return numbers[:2] > _OLD and (len(numbers) < 3 or numbers[2] > _LAST_OLD_PATCH)  # noqa: PLR2004 - and patch


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if len(part) < 9)  # noqa: PLR2004 - of digits
