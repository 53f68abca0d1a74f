from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.runtime.rehearsal_images import ImageFile, bring_images, image_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Shelf:
    """Images as bytes by name."""

    def __init__(self, **images: bytes) -> None:
        self.images = images

    def has(self, reference: str) -> bool:
        return reference in self.images

    def stream(self, reference: str) -> Iterator[bytes]:
        yield self.images[reference]

    def load(self, reference: str, archive: Iterable[bytes]) -> None:
        self.images[reference] = b"".join(archive)

    def take_file(self, reference: str, path: Path) -> None:
        self.images[reference] = path.read_bytes()


def test_a_file_goes_before_the_users_engine_and_the_rest_is_left_to_be_pulled(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"from the file")
    target, told = Shelf(), list[str]()
    bring_images(
        ["a", "b", "a", "c"],
        files=[ImageFile("a", tmp_path / "a.tar")],
        source=Shelf(a=b"from the engine", b=b"copied"),
        target=target,
        tell=told.append,
    )
    assert target.images == {"a": b"from the file", "b": b"copied"}
    assert told == [f"taking a from {tmp_path / 'a.tar'}", "copying b from your engine"]


def test_without_an_engine_of_the_user_nothing_is_copied() -> None:
    target = Shelf()
    bring_images(["a"], files=[], source=None, target=target, tell=print)
    assert target.images == {}


def test_a_file_to_import_is_named_with_its_image(tmp_path: Path) -> None:
    (tmp_path / "base.tar").touch()
    [file] = image_files(["example.org:5000/python:3.11=base.tar"], str(tmp_path))
    assert file == ImageFile("example.org:5000/python:3.11", tmp_path / "base.tar")


@pytest.mark.parametrize("text", ["base.tar", "=base.tar", "python:3.11="])
def test_an_import_without_name_or_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an image and a file"):
        image_files([text], "/")


def test_an_import_of_a_file_that_is_not_there_names_it() -> None:
    with pytest.raises(UsageError, match=r"the file /srv/missing\.tar for the image a is not there"):
        image_files(["a=/srv/missing.tar"], "/")
