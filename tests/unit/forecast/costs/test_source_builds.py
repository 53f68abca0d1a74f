"""What packages take that are built from source, by what lies in their archives."""

from __future__ import annotations

import pytest

from tonnage.forecast.costs.source_builds import built
from tonnage.forecast.python.archive_contents import contents_of
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.python_lock import Other, Sdist, SourceContents

ASSUMED = 500_000_007
SAID = [("x-1/PKG-INFO", b"Metadata-Version: 2.2\nName: x\n")]
PURE = [("x-1/setup.py", 907), ("x-1/x/__init__.py", 20_011), ("x-1/README", 4_003), ("x-1/tests/data.c", 99)]
COMPILED = [*PURE, ("x-1/src/fast.c", 50_021)]


def sdist(members: list[tuple[str, int]], said: list[tuple[str, bytes]], size_bytes: int = 26_003) -> Sdist:
    return Sdist(name="x", version="1", size_bytes=size_bytes, contents=contents_of(members, said))


def test_a_small_archive_of_pure_python_is_not_half_a_gigabyte() -> None:
    found = built(sdist(PURE, SAID), ASSUMED)

    assert found.disk.grade is Grade.DECLARED
    assert 20_011 < found.image.likely_bytes < 200_000
    assert 20_011 * 2 < found.image.high_bytes < 3_000_000
    assert found.transient.high_bytes < 100_000_000


def test_what_is_compiled_may_be_larger_than_what_is_not() -> None:
    pure, compiled = built(sdist(PURE, SAID), ASSUMED), built(sdist(COMPILED, SAID), ASSUMED)

    assert pure.image.high_bytes < compiled.image.high_bytes < 100_000_000
    assert compiled.disk.grade is Grade.DECLARED


def test_what_building_needs_is_needed_on_top() -> None:
    project = b'[build-system]\nrequires = ["setuptools>=61", "numpy", "Cython<3"]\n'
    plain = built(sdist(COMPILED, SAID), ASSUMED)
    needing = built(sdist(COMPILED, [*SAID, ("x-1/pyproject.toml", project)]), ASSUMED)

    assert needing.transient.high_bytes >= plain.transient.high_bytes + 300_000_000
    assert needing.image == plain.image


@pytest.mark.parametrize(
    "archive",
    [
        Sdist(name="flash-attn", version="2", size_bytes=2_000_003, contents=contents_of(PURE, SAID)),
        sdist([*PURE, ("x-1/csrc/kernel.cu", 9_001)], SAID),
        sdist(COMPILED, [*SAID, ("x-1/pyproject.toml", b'[build-system]\nrequires = ["torch"]\n')]),
        sdist(PURE, []),
        Sdist(name="x", version="1", size_bytes=26_003),
        Sdist(name="x", version="1"),
        Other(name="x", requirement="git+https://example.org/x", reason="a checkout"),
    ],
)
def test_what_may_be_anything_keeps_the_bound_of_the_unknown(archive: Sdist | Other) -> None:
    found = built(archive, ASSUMED)

    assert found.disk.grade is Grade.UNKNOWN
    assert found.disk.high_bytes >= ASSUMED
    assert found.transient.high_bytes > 100_000_000


def test_what_setuptools_wrote_of_needs_is_read() -> None:
    said = [
        (
            "x-1/x.egg-info/requires.txt",
            b"six>=1\nodd @ https://example.org/x\n\n[:python_version < '3.8']\nold\n\n[test]\npytest\n",
        )
    ]
    found = contents_of([("x-1/x.egg-info/requires.txt", 9)], said)

    assert found.tells
    assert found.requires == ("six>=1", "old ; python_version < '3.8'")


def test_an_archive_of_setuptools_without_needs_needs_nothing() -> None:
    assert contents_of([("x-1/x.egg-info/PKG-INFO", 9)], []) == SourceContents(other_bytes=9, files=1, tells=True)


def test_a_project_whose_needs_are_not_dynamic_is_believed() -> None:
    static = b'[project]\nname = "x"\ndependencies = ["six", "odd @ https://example.org/x"]\n'
    dynamic = b'[project]\nname = "x"\ndynamic = ["dependencies"]\n'
    found = contents_of([("x-1/pyproject.toml", 9)], [("x-1/pyproject.toml", static)])

    assert (found.tells, found.requires) == (True, ("six",))
    assert not contents_of([("x-1/pyproject.toml", 9)], [("x-1/pyproject.toml", dynamic)]).tells


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        (b"Metadata-Version: 2.2\nName: x\n", True),
        (b"Metadata-Version: 2.4\r\nName: x\r\nRequires-Dist: y\r\n", True),
        (b"Metadata-Version: 2.2\nName: x\nDynamic: Requires-Dist\n", False),
        (b"Metadata-Version: 2.1\nName: x\n", False),
        (b"Name: x\n\nMetadata-Version: 2.2\n", False),
        (b"\xff\xfe", False),
    ],
)
def test_metadata_is_believed_where_it_holds_for_every_build(text: bytes, tells: bool) -> None:  # noqa: FBT001 - a case
    assert contents_of([("x-1/PKG-INFO", len(text))], [("x-1/PKG-INFO", text)]).tells is tells


@pytest.mark.parametrize(
    "text", [b"[build-system", b"\xff", b"[build-system]\nrequires = 3\n", b"[build-system]\nrequires = ['///']\n"]
)
def test_a_project_that_cannot_be_read_is_no_end(text: bytes) -> None:
    assert contents_of([("x-1/a.py", 5)], [("x-1/pyproject.toml", text)]).files == 1
