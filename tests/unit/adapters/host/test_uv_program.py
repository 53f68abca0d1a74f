"""The program that installs shared wheels lies alone in a directory, and is given to no machine that cannot run it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tonnage.adapters.host.uv_program import uv_program

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="it is given to builds on Linux alone")


def test_the_program_lies_alone_and_is_made_once(tmp_path: Path) -> None:
    found = uv_program(platform.machine(), tmp_path / "installer")
    assert found is not None
    path, size_bytes = found
    assert [each.name for each in (tmp_path / "installer").iterdir()] == ["uv"]
    assert Path(path).stat().st_size == size_bytes
    made = Path(path).stat().st_mtime_ns
    assert uv_program(platform.machine(), tmp_path / "installer") == found
    assert Path(path).stat().st_mtime_ns == made


def test_what_is_left_of_another_version_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "installer").mkdir(mode=0o700)
    (tmp_path / "installer" / "uv").write_bytes(b"an older one")
    found = uv_program(platform.machine(), tmp_path / "installer")
    assert found is not None
    assert Path(found[0]).stat().st_size == found[1] > 1_000_000


def test_another_machine_is_given_none(tmp_path: Path) -> None:
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    assert uv_program(other, tmp_path / "installer") is None
    assert not (tmp_path / "installer").exists()
