"""What lies around a forecast runs nothing and is not read: archives that name further places, programs, projects."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.security.test_resolver import forecast, index, marker
from tests.unit.adapters.file_server import wheel_bytes

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.cli.program import leave_out_relative_places
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.direct_archives import read_archives
from tonnage.forecast.python.index_access import IndexAccess
from tonnage.forecast.python.ranged_file import Servers
from tonnage.forecast.python.uv import Uv
from tonnage.model.forecast.python_lock import LockedRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.test_resolver import Forecast
    from tests.unit.adapters.file_server import Index

__all__ = ["forecast", "index", "marker"]

FURTHER = (
    "further @ file://{place}/local",
    "further @ file://{place}/further-1.0-py3-none-any.whl",
    "further@file://{place}/local ; python_version > '3'",
    "further @ git+file://{place}/local",
    "further @ {server}/further-1.0-py3-none-any.whl",
    "further @ {server}/further-1.0.tar.gz",
)


def source(files: dict[str, str], *, packed: str = "gz") -> bytes:
    """Return a source archive."""
    buffer = io.BytesIO()
    if packed == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, text in files.items():
                archive.writestr(f"thing-1.0/{path}", text)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode=f"w:{packed}") as tar:  # type: ignore[call-overload]
        for path, text in files.items():
            told = tarfile.TarInfo(f"thing-1.0/{path}")
            told.size = len(text.encode())
            tar.addfile(told, io.BytesIO(text.encode()))
    return buffer.getvalue()


def says(need: str) -> str:
    return f"Metadata-Version: 2.2\nName: thing\nVersion: 1.0\nRequires-Dist: harmless\nRequires-Dist: {need}\n"


def project(need: str, more: str = "") -> str:
    return f'[project]\nname = "thing"\nversion = "1.0"\ndependencies = ["harmless", {json.dumps(need)}]\n{more}'


@pytest.fixture
def outside(tmp_path: Path, index: Index) -> Path:
    """Files of this machine that name a package: whoever asks an index for it has read them."""
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "pyproject.toml").write_text(
        '[project]\nname = "further"\nversion = "1.0"\ndependencies = ["secret-of-this-machine"]\n'
    )
    further = wheel_bytes("further", "1.0", requires=("secret-of-this-machine",))
    (tmp_path / "further-1.0-py3-none-any.whl").write_bytes(further)
    index.server.add("/further-1.0-py3-none-any.whl", further)
    index.server.add("/further-1.0.tar.gz", source({"PKG-INFO": says("secret-of-this-machine")}))
    return tmp_path


def offered(index: Index, kind: str, need: str) -> str:
    """Offer an archive that needs something further; return the requirement of it."""
    if kind == "wheel of an index":
        index.wheel("thing", "1.0", requires=("harmless", need))
        return "thing"
    if kind == "wheel":
        content = wheel_bytes("thing", "1.0", requires=("harmless", need))
        return f"thing @ {index.server.add('/w/thing-1.0-py3-none-any.whl', content)}"
    files = {"pyproject.toml": project(need)} if "project" in kind else {"PKG-INFO": says(need), "pyproject.toml": ""}
    if kind == "sources of uv":
        place = need.partition("file://")[2] or "/nowhere"
        more = f"[tool.uv.sources]\nfurther = {{ path = {json.dumps(place)} }}\n"
        files = {"pyproject.toml": project("further", more)}
    if kind == "archive of an index":
        index.add("thing-1.0.tar.gz", source(files))
        return "thing"
    packed = "zip" if "zip" in kind else "gz"
    name = "thing-1.0.zip" if packed == "zip" else "thing-1.0.tar.gz"
    return f"thing @ {index.server.add(f'/w/{name}', source(files, packed=packed))}"


KINDS = (
    "wheel", "wheel of an index", "archive", "archive with a project", "zip", "archive of an index", "sources of uv",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("need", FURTHER)
def test_what_an_archive_names_further_is_not_read(
    forecast: Forecast, index: Index, outside: Path, kind: str, need: str
) -> None:
    line = offered(index, kind, need.format(place=outside, server=index.server.address))
    exit_code, printed = forecast("pip install -r wanted.txt", wanted=f"{line}\n")
    asked = {path for path, _ in index.server.asked}
    assert not [path for path in asked if "secret" in path]
    assert "secret-of-this-machine" not in printed
    assert exit_code in {0, 2}
    if kind not in {"wheel of an index", "sources of uv"}:
        assert exit_code == 0, printed
        assert "thing" in printed


@pytest.mark.parametrize("kind", ["wheel", "archive", "archive with a project", "zip", "archive of an index"])
def test_an_archive_that_names_nothing_further_is_forecast_with_what_it_needs(
    forecast: Forecast, index: Index, kind: str
) -> None:
    exit_code, printed = forecast("pip install -r wanted.txt", wanted=f"{offered(index, kind, 'harmless>=1')}\n")
    assert exit_code == 0, printed
    assert "/simple/harmless/" in {path for path, _ in index.server.asked}
    assert "file://" not in printed


def test_an_archive_is_handed_over_as_it_was_read(forecast: Forecast, index: Index) -> None:
    line = offered(index, "archive", "harmless")
    forecast("pip install -r wanted.txt", wanted=f"{line}\n")
    assert [path for path, _ in index.server.asked].count("/w/thing-1.0.tar.gz") == 1


@pytest.mark.parametrize("linked", ["PKG-INFO", "pyproject.toml"])
def test_a_link_in_an_archive_is_not_followed(index: Index, tmp_path: Path, linked: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        told = tarfile.TarInfo(f"thing-1.0/{linked}")
        told.type, told.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(told)
    url = index.server.add("/w/thing-1.0.tar.gz", buffer.getvalue())
    assert not read_archives([("thing", url)], servers=_servers(), kept=_kept(tmp_path)).stand_ins


@pytest.mark.parametrize(
    "name",
    ["thing-1.0-py3-none-any%2f..%2f..%2fmarker.whl", "%2e%2e%2fthing-1.0.tar.gz", "thing-1.0%00.tar.gz", "..%2f"],
)
def test_the_name_of_an_archive_is_no_path(index: Index, tmp_path: Path, name: str) -> None:
    index.server.add(f"/w/{name}", b"x")
    url = f"{index.server.address}/w/{name}"
    assert not read_archives([("thing", url)], servers=_servers(), kept=_kept(tmp_path)).stand_ins


def test_two_archives_of_one_name_are_two_files(index: Index, tmp_path: Path) -> None:
    urls = [index.server.add(f"/{n}/thing-1.0.tar.gz", source({"PKG-INFO": says(f"a=={n}")})) for n in (1, 2)]
    found = read_archives([("thing", url) for url in urls], servers=_servers(), kept=_kept(tmp_path))
    assert len({each.filename for each in found.stand_ins.values()}) == 2


def _servers() -> Servers:
    return Servers(Web({}), IndexAccess(index_url=""))


def _kept(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache")


def test_a_project_above_the_place_of_the_resolver_is_no_workspace_of_it(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "cache"):
        place.mkdir(exist_ok=True)
        (place / "pyproject.toml").write_text(
            '[project]\nname = "above"\nversion = "1"\ndependencies = ["of-above"]\n'
            '[tool.uv.workspace]\nmembers = ["tonnage-now-*", "cache/tonnage-now-*", "*"]\n'
        )
        (place / "uv.lock").write_text(
            'version = 1\nrequires-python = ">=3.11"\n[manifest]\nmembers = ["above", "own"]\n'
            '[[package]]\nname = "above"\nversion = "1"\nsource = { virtual = "." }\n'
            '[[package]]\nname = "own"\nversion = "7"\nsource = { virtual = "cache" }\n'
        )
    request = LockedRequest(
        lock_name="uv.lock",
        project_text='[project]\nname = "own"\nversion = "1"\nrequires-python = ">=3.11"\n',
        lock_text='version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "own"\nversion = "1"\nsource = { virtual = "." }\n',  # noqa: E501 - as uv writes it
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        try:
            printed = Uv(tmp_path / "cache" / "uv", {}).export(request, IndexAccess(index_url=""))
        except CannotResolveError as error:
            printed = str(error)
    assert "above" not in printed
    assert "lock-version" in printed


@pytest.mark.parametrize(
    "options", [["--exclude-newer", "a\0b"], ["--python-version", "3.1\0"], ["--resolution", "x\0"],
                ["--torch-backend", "\0"],
                ["--trusted-host", "a\0b"], ["--platform", "a\0b"], ["--index-url", "http://a\0b/"]],
)  # fmt: skip
@pytest.mark.parametrize("installer", [["pip", "install"], ["uv", "pip", "install"]])
def test_a_character_that_no_argument_has_is_refused(
    forecast: Forecast, installer: list[str], options: list[str]
) -> None:
    exit_code, printed = forecast(json.dumps([*installer, *options, "harmless"]))
    assert exit_code in {0, 2}
    assert "unexpected failure" not in printed


@pytest.mark.parametrize("place", [".", "", "bin", "./bin"])
def test_no_program_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: Path, place: str
) -> None:
    for directory in (tmp_path, tmp_path / "bin"):
        directory.mkdir(exist_ok=True)
        for name in ("docker", "docker-compose", "git", "ssh", "uv", "docker-credential-x", "python3"):
            (directory / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
            (directory / name).chmod(0o755)
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: registry.invalid/a:1\n")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"credsStore": "x"}')
    environment = {"PATH": f"{place}{os.pathsep}/usr/bin{os.pathsep}{place}", "HOME": str(tmp_path)}
    code = "from tonnage.cli.program import run\nrun()\n"
    subprocess.run(
        [sys.executable, "-c", code, "plan"], env=environment | {"DOCKER_HOST": "unix:///nowhere"}, cwd=tmp_path,
        capture_output=True, check=False,
    )  # fmt: skip
    assert not marker.exists()
    monkeypatch.setenv("PATH", place)
    leave_out_relative_places()
    assert os.environ["PATH"] == os.defpath
