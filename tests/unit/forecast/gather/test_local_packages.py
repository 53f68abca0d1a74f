"""Packages of Debian that lie in the context, and lists of names that the build reads."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING

import pytest

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast

ASSUMED = 500_000_000
KIB = 30_011
CONTROL = f"Package: tool\nVersion: 1\nArchitecture: all\nInstalled-Size: {KIB}\nDepends: git | hg, libc6 (>= 2)\n"


def deb(control: str, suffix: str = ".xz") -> bytes:
    """Make a package that holds nothing but what it says of itself."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("./control")
        entry.size = len(control)
        archive.addfile(entry, io.BytesIO(control.encode()))
    content = file.getvalue()
    packed = lzma.compress(content) if suffix == ".xz" else gzip.compress(content) if suffix == ".gz" else content
    members = (("debian-binary", b"2.0\n"), (f"control.tar{suffix}", packed), ("data.tar.xz", b"x" * 5_003))
    parts = (
        f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        + content
        + b"\n" * (len(content) % 2)
        for name, content in members
    )
    return b"!<arch>\n" + b"".join(parts)


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
@pytest.mark.parametrize(
    "command", ["apt-get install -y /tool.deb", "dpkg -i /tool.deb", "apt install -y ./*.deb", "dpkg -i tool*.deb"]
)
def test_a_package_of_the_context_takes_what_it_says_itself(
    forecast: Forecast, tmp_path: Path, suffix: str, command: str
) -> None:
    (tmp_path / "tool.deb").write_bytes(deb(CONTROL, suffix))
    last = forecast(f"COPY tool.deb /\nRUN {command}").steps[-1]
    own = next(each for each in last.contributors if each.name == "tool 1")
    assert own.disk.likely_bytes == pytest.approx(KIB * 1024, rel=0.05)
    assert last.image.grade is Grade.DECLARED or "apt" in command
    assert any(each.name == "git" for each in last.contributors) == ("apt" in command)


def test_what_packages_of_the_context_need_comes_when_that_is_mended(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "tool.deb").write_bytes(deb(CONTROL))
    last = forecast("COPY *.deb /\nRUN dpkg -i /*.deb || apt-get install -fy").steps[-1]
    assert {"tool 1", "git"} <= {each.name for each in last.contributors}
    assert last.image.low_bytes < KIB * 1024


@pytest.mark.parametrize(
    "content",
    [
        b"", b"!<arch>\n", b"<html></html>", deb(CONTROL, ".zst"), deb(CONTROL)[:200],
        deb("Package: tool\nVersion: 1\n"),
        deb(CONTROL).replace(b"2.0", b"\xff.0").replace(b"4         `", b"-4        `"),
    ],
)  # fmt: skip
def test_a_package_that_cannot_be_read_is_a_bound(forecast: Forecast, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tool.deb").write_bytes(content)
    last = forecast("COPY tool.deb /\nRUN dpkg -i /tool.deb").steps[-1]
    assert last.image.high_bytes >= ASSUMED
    assert last.image.grade is Grade.UNKNOWN


@pytest.mark.parametrize(
    "command",
    [
        "apt-get install -y $(cat /packages.txt)",
        "grep -v '^#' /packages.txt | xargs apt-get install -y",
        "xargs apt-get install -y < /packages.txt",
        "apt-get install -y `sed /#/d /packages.txt`",
    ],
)
def test_names_of_packages_are_read_from_a_file(forecast: Forecast, tmp_path: Path, command: str) -> None:
    comment = "" if "cat" in command or "<" in command else "# tools\n"
    (tmp_path / "packages.txt").write_text(f"{comment}git\ncurl\n")
    last = forecast(f"COPY packages.txt /\nRUN {command}").steps[-1]
    assert {"git", "curl"} <= {each.name for each in last.contributors}
    assert last.image.grade is Grade.DECLARED


KEEPS = "echo 'Binary::apt::APT::Keep-Downloaded-Packages \"true\";' > /etc/apt/apt.conf.d/keep-cache"


@pytest.mark.parametrize(
    ("before", "command", "kept"),
    [
        ("rm -f /etc/apt/apt.conf.d/docker-clean", "apt-get install -y git", 1),
        (f"rm -f /etc/apt/apt.conf.d/docker-clean; {KEEPS}", "apt install -y git", 1),
        ("rm -f /etc/apt/apt.conf.d/docker-clean", "apt install -y git", 0),
        ("rm /etc/apt/apt.conf.d/*", "apt-get install -y git", 1),
        (KEEPS, "apt-get install -y git", 0),
        ("true", "apt-get install -y git", 0),
    ],
)
def test_a_build_that_has_apt_keep_archives_keeps_them(
    forecast: Forecast, before: str, command: str, kept: int
) -> None:
    last = forecast(f"RUN {before}\nRUN {command}").steps[-1]
    assert sum(each.name == ".deb files" and each.disk.high_bytes > 0 for each in last.contributors) == kept


def test_archives_on_a_cache_mount_are_kept_there(forecast: Forecast) -> None:
    cleaned = "RUN rm -f /etc/apt/apt.conf.d/docker-clean\n"
    last = forecast(f"{cleaned}RUN --mount=type=cache,target=/var/cache/apt apt-get install -y git").steps[-1]
    assert not any(each.name == ".deb files" and each.disk.high_bytes for each in last.contributors)
