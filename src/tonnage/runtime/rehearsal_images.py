"""Which images a private engine is given before a rehearsal, and where they are taken from.

First what the user names files for, then what the user's own engine has. What neither has is left to be pulled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class ImageSource(Protocol):
    """An engine that images are copied from."""

    def has(self, reference: str) -> bool:
        """Return whether it has an image of this name."""

    def stream(self, reference: str) -> Iterator[bytes]:
        """Give an image as an archive, piece by piece."""


class ImageTarget(Protocol):
    """An engine that images are brought to."""

    def has(self, reference: str) -> bool:
        """Return whether it has an image of this name."""

    def load(self, reference: str, archive: Iterable[bytes]) -> None:
        """Take an image from an archive."""

    def take_file(self, reference: str, path: Path) -> None:
        """Take an image from a file."""


class ImageFile(Struct, frozen=True):
    """A file that an image is taken from.

    Args:
        path: The file: an image archive, or a root filesystem.
    """

    reference: str
    path: Path


def image_files(texts: Sequence[str], working_directory: str) -> tuple[ImageFile, ...]:
    """Read what was typed after ``--import``.

    Raises:
        UsageError: A text has another form, or a file is not there.
    """
    found = []
    for text in texts:
        reference, equals, file = text.partition("=")
        if not (reference and equals and file):
            raise UsageError(
                f"{text!r} is not an image and a file", todo="Write it as --import python:3.11-slim=base.tar"
            )
        path = Path(working_directory, file)
        if not path.is_file():
            raise UsageError(f"the file {path} for the image {reference} is not there")
        found.append(ImageFile(reference, path))
    return tuple(found)


def bring_images(
    needed: Iterable[str],
    *,
    files: Sequence[ImageFile],
    source: ImageSource | None,
    target: ImageTarget,
    tell: Callable[[str], None],
) -> None:
    """Bring the images that a stack stands on to a private engine.

    Args:
        source: The user's own engine; None when it cannot be reached.

    Raises:
        UsageError: A file cannot be read.
        StepFailedError: An image cannot be read or taken.
        EngineUnreachableError: One of the engines stops answering.
    """
    for file in files:
        tell(f"taking {file.reference} from {visible_in_line(file.path)}")
        target.take_file(file.reference, file.path)
    for reference in dict.fromkeys(needed):
        if target.has(reference) or source is None or not source.has(reference):
            continue
        tell(f"copying {reference} from your engine")
        target.load(reference, source.stream(reference))
