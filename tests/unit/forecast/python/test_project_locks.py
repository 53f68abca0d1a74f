from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.lock_checks import contradictions
from tonnage.forecast.python.project_locks import read_locked
from tonnage.forecast.python.project_requirements import needs
from tonnage.forecast.python.pylock import read_pylock
from tonnage.forecast.python.source_archives import SourceArchives
from tonnage.forecast.python.uv import Uv
from tonnage.forecast.python.uv_workspaces import members_of, project_texts
from tonnage.model.forecast.python_lock import LockedRequest, LockOrigin, ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.model.forecast.python_lock import Lock

    Read = Callable[..., Lock]

PY311 = Target(python="3.11", platform="x86_64-manylinux_2_28")
FILES = "https://a.example.org"

PROJECT = """
[project]
name = "ship"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["hull>=1"]
[project.optional-dependencies]
sail = ["mast"]
[dependency-groups]
dev = ["caulk"]
docs = ["chart", {include-group = "dev"}]
"""

UV_LOCK = f"""
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "caulk"
version = "0.3"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [
    {{ url = "{FILES}/caulk-0.3-py3-none-any.whl", hash = "sha256:{1:064}", size = 307 }},
]

[[package]]
name = "chart"
version = "0.4"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [
    {{ url = "{FILES}/chart-0.4-py3-none-any.whl", hash = "sha256:{2:064}", size = 401 }},
]

[[package]]
name = "hull"
version = "1.0"
source = {{ registry = "https://index.example.org/simple" }}
wheels = [
    {{ url = "{FILES}/hull-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:{3:064}", size = 1009 }},
    {{ url = "{FILES}/hull-1.0-cp311-cp311-macosx_11_0_arm64.whl", hash = "sha256:{4:064}", size = 1013 }},
    {{ url = "{FILES}/hull-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", hash = "sha256:{5:064}", size = 1019 }},
]

[[package]]
name = "mast"
version = "0.2"
source = {{ registry = "https://index.example.org/simple" }}
sdist = {{ url = "{FILES}/mast-0.2.tar.gz", hash = "sha256:{6:064}", size = 211 }}

[[package]]
name = "ship"
version = "0.1"
source = {{ virtual = "." }}
dependencies = [{{ name = "hull" }}]

[package.optional-dependencies]
sail = [{{ name = "mast" }}]

[package.dev-dependencies]
dev = [{{ name = "caulk" }}]
docs = [{{ name = "caulk" }}, {{ name = "chart" }}]
"""

POETRY = """
[tool.poetry]
name = "ship"
[tool.poetry.dependencies]
python = "^3.11"
hull = "^1.0"
rope = {version = "^0.5", optional = true}
knot = [{version = "^1", markers = "python_version < '3.11'"}, {version = "^2", markers = "python_version >= '3.11'"}]
anchor = {git = "https://git.example.org/anchor.git"}
[tool.poetry.extras]
tow = ["rope"]
[tool.poetry.group.dev.dependencies]
caulk = "*"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
chart = "*"
"""

POETRY_LOCK = """
[[package]]
name = "hull"
version = "1.1"
[[package]]
name = "deck"
version = "0.7"
[[package]]
name = "caulk"
version = "0.3"
[[package]]
name = "rope"
version = "0.5"
[[package]]
name = "knot"
version = "1.0"
markers = "python_version < '3.11'"
[[package]]
name = "knot"
version = "2.0"
markers = "python_version >= '3.11'"
[[package]]
name = "anchor"
version = "0.9"
[package.source]
type = "git"
url = "https://git.example.org/anchor.git"
"""


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    with serving() as server:
        offered = Index(server)
        for version in ("1.0", "1.1", "1.2"):
            offered.wheel("hull", version, requires=("deck",))
        for name, version in (("deck", "0.7"), ("deck", "0.8"), ("caulk", "0.3"), ("caulk", "0.9"), ("rope", "0.5")):
            offered.wheel(name, version)
        for version in ("1.0", "2.0", "3.0"):
            offered.wheel("knot", version)
        yield offered


@pytest.fixture
def read(index: Index, tmp_path: Path) -> Read:
    """Read a lock with an index at hand."""

    def run(name: str, text: str, project: str, *, offline: bool = False, **chosen: object) -> Lock:
        asked = ResolveRequest(requirements=(), index_url=index.url)
        request = LockedRequest(lock_name=name, lock_text=text, project_text=project, asked=asked, **chosen)  # type: ignore[arg-type]
        environment = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
        kept = DiskCache(tmp_path / "kept")
        with Web(environment, offline=offline) as web:
            return read_locked(
                request, PY311, uv=Uv(tmp_path / "uv", environment), archives=SourceArchives(web, kept), web=web,
                access=index_access(asked, environment), kept=kept,
            )  # fmt: skip

    return run


def names(lock: Lock) -> list[str]:
    found = [(each.name, each.version) for each in lock.wheels] + [(each.name, each.version) for each in lock.sdists]
    return [f"{name}=={version}" for name, version in found]


def test_uvs_lock_is_read_without_any_index(read: Read, index: Index) -> None:
    before = len(index.server.asked)
    lock = read("uv.lock", UV_LOCK, PROJECT, offline=True, without_groups=("*",))
    assert len(index.server.asked) == before
    (wheel,) = lock.wheels
    assert (wheel.name, wheel.size_bytes, wheel.digest) == ("hull", 1009, f"sha256:{3:064}")
    assert lock.origin is LockOrigin.FILE
    assert lock.requested == ("hull",)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["caulk==0.3", "hull==1.0"]),
        ({"without_groups": ("dev",)}, ["hull==1.0"]),
        ({"groups": ("docs",), "without_groups": ("*",)}, ["caulk==0.3", "chart==0.4", "hull==1.0"]),
        ({"all_groups": True}, ["caulk==0.3", "chart==0.4", "hull==1.0"]),
        ({"only_groups": ("dev",)}, ["caulk==0.3"]),
        ({"extras": ("sail",), "without_groups": ("*",)}, ["hull==1.0", "mast==0.2"]),
        ({"all_extras": True, "left_out": ("Caulk",)}, ["hull==1.0", "mast==0.2"]),
    ],
)
def test_of_uvs_lock_only_what_is_installed_counts(read: Read, chosen: dict[str, object], expected: list[str]) -> None:
    assert names(read("uv.lock", UV_LOCK, PROJECT, **chosen)) == expected


WORKSPACE = """
[project]
name = "fleet"
version = "1"
requires-python = ">=3.10"
dependencies = ["hull"]
[tool.uv.workspace]
members = ["ships/*"]
"""

WORKSPACE_LOCK = f"""
version = 1
revision = 3
requires-python = ">=3.10"

[manifest]
members = ["fleet", "tug"]

[[package]]
name = "fleet"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "hull" }}]

[[package]]
name = "tug"
version = "2"
source = {{ editable = "ships/tug" }}
dependencies = [{{ name = "caulk" }}]
{UV_LOCK[UV_LOCK.index("[[package]]") : UV_LOCK.rindex("[[package]]")]}
"""


@pytest.mark.parametrize(
    ("chosen", "expected", "requested"),
    [
        ({}, ["hull==1.0"], ("hull",)),
        ({"packages": ("Tug",)}, ["caulk==0.3"], ("caulk",)),
        ({"all_packages": True}, ["caulk==0.3", "hull==1.0"], ("hull", "caulk")),
        ({"packages": ("tug", "fleet")}, ["caulk==0.3", "hull==1.0"], ("caulk", "hull")),
    ],
)
def test_of_a_workspace_the_projects_that_are_named_count(
    read: Read, chosen: dict[str, object], expected: list[str], requested: tuple[str, ...]
) -> None:
    lock = read("uv.lock", WORKSPACE_LOCK, WORKSPACE, offline=True, **chosen)
    assert names(lock) == expected
    assert lock.requested == requested
    assert all(each.linked for each in lock.others)


@pytest.mark.parametrize("path", ["../outside", "/outside", "ships/../../outside", "ships/.hidden", "a//b", ""])
def test_a_lock_of_strangers_has_projects_nowhere_else(path: str) -> None:
    members = members_of(WORKSPACE_LOCK.replace("ships/tug", path))
    assert [each.path for each in members.values()] == ["."]
    assert list(project_texts(members)) == []


def test_a_lock_that_does_not_belong_to_the_project_is_told(read: Read) -> None:
    with pytest.raises(CannotResolveError, match=r"uv\.lock cannot be used") as caught:
        read("uv.lock", UV_LOCK, PROJECT, extras=("oars",))
    assert "oars" in caught.value.why


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"])
def test_a_damaged_lock_is_told(read: Read, name: str) -> None:
    with pytest.raises(CannotResolveError):
        read(name, "version = \n", PROJECT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", UV_LOCK.replace("version = 1\n", "version = 2\n", 1)),
        ("poetry.lock", POETRY_LOCK + '\n[metadata]\nlock-version = "3.0"\n'),
        ("pdm.lock", POETRY_LOCK + '\n[metadata]\nlock_version = "5.0"\n'),
        ("pylock.toml", 'lock-version = "2.0"\ncreated-by = "somebody"\npackages = []\n'),
    ],
)
def test_a_lock_of_a_newer_program_is_told_and_no_reason_to_refuse_the_build(read: Read, name: str, text: str) -> None:
    with pytest.raises(CannotFetchError, match="newer than what is read here"):
        read(name, text, POETRY if name != "uv.lock" else PROJECT)


def test_a_lock_that_lacks_what_its_project_asks_for_is_told(read: Read, index: Index) -> None:
    index.wheel("bell", "1.0")
    lock = read(
        "poetry.lock",
        POETRY_LOCK,
        POETRY.replace("[tool.poetry.dependencies]", "[tool.poetry.dependencies]\nbell = '*'"),
    )
    assert [note for note in lock.notes if "poetry.lock does not have bell" in note]
    assert "bell==1.0" in names(lock)


def test_a_lock_that_poetry_made_for_another_project_is_told(read: Read) -> None:
    made = "9aa1d2c1d2f2e9c4e3a2f4f6b3ff1f7d1d3c0b6f5a1f0d0e5a7c9b8d7e6f5a4b"
    lock = read("poetry.lock", f'{POETRY_LOCK}\n[metadata]\nlock-version = "2.0"\ncontent-hash = "{made}"\n', POETRY)
    assert [note for note in lock.notes if "was made for another pyproject.toml" in note]


@pytest.mark.parametrize(
    ("made", "project"),
    [
        # What Poetry 1.8.3 and 2.2.1 wrote for the first, and 2.2.1 for the second.
        (
            "6cf8f2098deeaa3dc98cd7da59e3206943d55eb198e94e63ece5db376268caca",
            (
                '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
                "[tool.poetry.group.dev.dependencies]\n"
            ),
        ),
        (
            "f5666f5625d676c506924a57dc0520a1f3ed2b2c774baed3dc85353594f8473d",
            (
                '[project]\nrequires-python = ">=3.11"\ndependencies = []\n[dependency-groups]\ndev = []\n'
                "[tool.poetry]\npackage-mode = false\n"
            ),
        ),
    ],
)
def test_the_sum_that_poetry_writes_belongs_to_the_project(made: str, project: str) -> None:
    text = f'[metadata]\ncontent-hash = "{made}"\n'
    request = LockedRequest(lock_name="poetry.lock", lock_text=text, project_text=project)
    assert contradictions(request, []) == []
    changed = LockedRequest(lock_name="poetry.lock", lock_text=text, project_text=project.replace("3.11", "3.12"))
    assert contradictions(changed, [])


def test_poetrys_lock_decides_versions_and_the_index_tells_addresses(read: Read) -> None:
    lock = read("poetry.lock", POETRY_LOCK, POETRY)
    assert names(lock) == ["caulk==0.3", "deck==0.7", "hull==1.1", "knot==2.0"]
    assert all(wheel.size_bytes for wheel in lock.wheels)
    assert [other.name for other in lock.others] == ["anchor"]
    assert lock.origin is LockOrigin.FILE


def test_of_poetrys_lock_only_what_is_installed_counts(read: Read) -> None:
    lock = read("poetry.lock", POETRY_LOCK, POETRY, extras=("tow",), without_groups=("dev",))
    assert names(lock) == ["deck==0.7", "hull==1.1", "knot==2.0", "rope==0.5"]


def test_pdms_lock_is_read_with_its_groups(read: Read) -> None:
    lock_text = POETRY_LOCK.replace('[package.source]\ntype = "git"\nurl', "git").replace("markers", "marker")
    assert names(read("pdm.lock", lock_text, PROJECT, without_groups=("*",))) == ["deck==0.7", "hull==1.1"]


def test_a_lock_without_addresses_needs_an_index(read: Read) -> None:
    with pytest.raises(CannotFetchError):
        read("poetry.lock", POETRY_LOCK, POETRY, offline=True)


def test_what_a_group_includes_is_asked_for_once() -> None:
    asked = LockedRequest(lock_name="pdm.lock", lock_text="", project_text=PROJECT, only_groups=("docs",))
    assert needs(asked) == ["chart", "caulk"]


def test_without_a_lock_the_project_tells_whose_groups_are_installed() -> None:
    standard = LockedRequest(lock_name="", lock_text="", project_text=PROJECT)
    poetry = LockedRequest(lock_name="", lock_text="", project_text=POETRY)
    assert needs(standard) == ["hull>=1", "caulk"]
    assert "caulk" in needs(poetry)
    assert "chart" not in needs(poetry)


PYLOCK = f"""
lock-version = "1.0"
created-by = "somebody"
requires-python = ">=3.10"
[[packages]]
name = "hull"
version = "1.0"
wheels = [
    {{ url = "{FILES}/hull-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", size = 11, hashes = {{ sha256 = "{1:064}" }} }},
    {{ url = "{FILES}/hull-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", size = 13, hashes = {{ sha256 = "{2:064}" }} }},
    {{ url = "{FILES}/hull-1.0-cp311-cp311-manylinux_2_36_aarch64.whl", size = 17, hashes = {{ sha256 = "{3:064}" }} }},
]
[[packages]]
name = "only-windows"
version = "1.0"
marker = "sys_platform == 'win32'"
wheels = [{{ url = "{FILES}/only_windows-1.0-py3-none-any.whl", hashes = {{ sha256 = "{4:064}" }} }}]
[[packages]]
name = "beside"
directory = {{ path = "./beside" }}
"""


@pytest.mark.parametrize(
    ("platform", "size"),
    [
        ("x86_64-manylinux_2_36", 13),
        ("x86_64-unknown-linux-musl", 11),
        ("aarch64-manylinux_2_36", 17),
    ],
)
def test_a_standard_lock_gives_the_wheel_of_the_target(platform: str, size: int) -> None:
    lock = read_pylock(PYLOCK, Target(python="3.11", platform=platform), place="pylock.toml")
    assert [wheel.size_bytes for wheel in lock.wheels] == [size]
    assert [other.name for other in lock.others] == ["beside"]


@pytest.mark.parametrize(
    "target", [Target(python="3.12"), Target(python="3.9"), Target(python="3.11", platform="x86_64-manylinux_2_17")]
)
def test_a_standard_lock_without_a_wheel_for_the_target_is_told(target: Target) -> None:
    with pytest.raises(CannotResolveError) as caught:
        read_pylock(PYLOCK, target, place="pylock.toml")
    assert caught.value.cause == "no wheels"


def test_a_lock_with_addresses_is_read_once_and_again_for_other_questions(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[LockedRequest] = []
    export = Uv.export

    def counted(self: Uv, request: LockedRequest, access: IndexAccess) -> str:
        runs.append(request)
        return export(self, request, access)

    monkeypatch.setattr(Uv, "export", counted)
    first = read("uv.lock", UV_LOCK, PROJECT)
    assert read("uv.lock", UV_LOCK, PROJECT) == first
    assert len(runs) == 1
    assert names(read("uv.lock", UV_LOCK, PROJECT, groups=("docs",))) != names(first)
    assert read("uv.lock", UV_LOCK.replace("size = 1009", "size = 1010"), PROJECT) != first
    assert len(runs) == 3
