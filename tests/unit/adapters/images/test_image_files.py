from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.images import image_files
from tonnage.adapters.images.image_files import usual_sources
from tonnage.adapters.images.layer_files import MergedRoot
from tonnage.model.forecast.base_image import AptSource, Distribution

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """\
Package: dpkg
Status: install ok installed
Architecture: arm64
Version: 1.21.22

Package: gone
Status: deinstall ok config-files
Version: 1

Package: mawk
Status: install ok installed
Version: 1.3.4
Provides: awk, tool (= 2)
Description: first
 second
 .
"""
CLEAN = """\
# Comment with { braces } and "quotes"
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache ""; // not kept
Dir::Cache::srcpkgcache "";
"""


def put(root: Path, name: str, content: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    return upper, lower


def merged(layers: tuple[Path, ...]) -> MergedRoot:
    return MergedRoot([str(layer) for layer in layers])


def test_the_upper_layer_goes_before_and_directories_are_merged(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    put(lower, "etc/a", "lower")
    put(lower, "etc/b", "lower")
    put(upper, "etc/a", "upper")
    root = merged(layers)
    assert root.read("/etc/a") == "upper"
    assert root.read("/etc/b") == "lower"
    assert root.names("/etc") == ("a", "b")
    assert list(root.entries("/")) == [("etc", "directory", 0), ("etc/a", "file", 5), ("etc/b", "file", 5)]


def test_links_are_followed_inside_the_image_only(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    put(lower, "usr/bin/python3.11")
    (lower / "bin").symlink_to("usr/bin")
    (upper / "usr").mkdir()
    (upper / "usr" / "local").symlink_to("/usr")
    (lower / "usr" / "bin" / "python3").symlink_to("/bin/python3.11")
    (lower / "loop").symlink_to("loop")
    (lower / "out").symlink_to("../../../../../etc/hostname")
    root = merged(layers)
    assert root.real_path("/usr/local/bin/python3") == "/usr/bin/python3.11"
    assert root.real_path("/loop") is None
    assert root.read("/out") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: whiteouts are devices")
def test_what_was_removed_is_not_seen(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    put(lower, "etc/a")
    put(lower, "opt/b")
    put(lower, "opt/c")
    (upper / "etc").mkdir()
    os.mknod(upper / "etc" / "a", 0o020000, os.makedev(0, 0))
    put(upper, "opt/b")
    try:
        os.setxattr(upper / "opt", "trusted.overlay.opaque", b"y")
    except OSError:
        pytest.skip("the filesystem keeps no such attribute")
    root = merged(layers)
    assert root.names("/etc") == ()
    assert root.real_path("/etc/a") is None
    assert root.names("/opt") == ("b",)


def test_the_python_that_is_started_is_found_on_the_path(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    put(lower, "usr/bin/python3.11")
    (lower / "usr/bin/python3").symlink_to("python3.11")
    root = merged(layers)
    assert image_files.python_version(root, {}) == "3.11"
    assert image_files.python_version(root, {"PYTHON_VERSION": "3.11.9"}) == "3.11.9"
    assert image_files.python_version(root, {"PYTHON_VERSION": "3.12.1"}) == "3.11"
    assert image_files.python_version(root, {"PATH": "/nowhere"}) == ""
    put(upper, "opt/venv/bin/python3")
    put(upper, "opt/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.13.2\n")
    assert image_files.python_version(root, {"PATH": "/opt/venv/bin:/usr/bin"}) == "3.13.2"


def test_the_system_says_what_it_is(layers: tuple[Path, Path]) -> None:
    put(layers[1], "usr/lib/os-release", 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    assert image_files.distribution(merged(layers)) == Distribution(name="debian", version="12", suite="bookworm")


def test_apt_is_read_with_what_decides_about_bytes(layers: tuple[Path, Path]) -> None:
    lower = layers[1]
    put(lower, "usr/bin/apt-get")
    put(lower, "var/lib/dpkg/status", STATUS)
    put(lower, "etc/apt/sources.list", "deb [arch=arm64] http://example.org/debian/ stable main contrib # text\n")
    put(
        lower,
        "etc/apt/sources.list.d/more.sources",
        "Types: deb deb-src\nURIs: http://example.org/security\nSuites: stable-security\nComponents: main\n\n"
        "Types: deb\nEnabled: no\nURIs: http://example.org/off\nSuites: stable\nComponents: main\n",
    )
    state = image_files.apt_state(merged(layers))
    assert state is not None
    assert dict(state.installed) == {"dpkg": "1.21.22", "mawk": "1.3.4"}
    assert dict(state.provided) == {"awk": "", "tool": "2"}
    assert state.sources == (
        AptSource(address="http://example.org/debian", suite="stable", components=("main", "contrib")),
        AptSource(address="http://example.org/security", suite="stable-security"),
    )
    assert state.architecture == "arm64"
    assert (state.recommends, state.keeps_debs, state.keeps_caches) == (True, True, True)
    assert (state.lists_compressed, state.translations) == (False, True)


def test_the_settings_of_an_image_count(layers: tuple[Path, Path]) -> None:
    lower = layers[1]
    put(lower, "usr/bin/apt-get")
    put(lower, "var/lib/dpkg/status", STATUS)
    put(lower, "etc/apt/apt.conf.d/docker-clean", CLEAN)
    put(lower, "etc/apt/apt.conf.d/docker-gzip-indexes", 'Acquire::GzipIndexes "true";')
    put(lower, "etc/apt/apt.conf.d/docker-no-languages", 'Acquire { Languages "none"; };')
    put(lower, "etc/apt/apt.conf.d/99own", 'APT::Install-Recommends "0";\n')
    put(lower, "etc/dpkg/dpkg.cfg.d/excludes", "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/a\n")
    state = image_files.apt_state(merged(layers))
    assert state is not None
    assert (state.recommends, state.keeps_debs, state.keeps_caches) == (False, False, False)
    assert (state.lists_compressed, state.translations) == (True, False)
    assert state.path_excludes == ("/usr/share/doc/*",)


def test_a_root_without_apt_has_none(layers: tuple[Path, Path]) -> None:
    assert image_files.apt_state(merged(layers)) is None


def test_packages_of_an_image_elsewhere_come_from_where_this_machine_has_its_own(layers: tuple[Path, Path]) -> None:
    lower = layers[1]
    put(lower, "usr/bin/apt-get")
    put(lower, "var/lib/dpkg/status", STATUS)
    put(lower, "etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
    put(
        lower,
        "etc/apt/sources.list",
        "deb http://example.org/debian bookworm main\ndeb http://example.org/debian bookworm-updates main\n"
        "deb http://example.org/tools any main\n",
    )
    trixie = Distribution(name="debian", suite="trixie")
    assert [each.suite for each in usual_sources(trixie, root=str(lower))] == ["trixie", "trixie-updates"]
    assert usual_sources(Distribution(name="ubuntu", suite="noble"), root=str(lower)) == ()
    assert usual_sources(None) == ()
    (first, _) = usual_sources(trixie, mirror="http://example.org/other/")
    assert first == AptSource(address="http://example.org/other", suite="trixie")
